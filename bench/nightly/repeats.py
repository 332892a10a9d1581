"""Whether runs made here have the numbers that are published for the same ids, to the last bit.

On a platform class whose canaries are stored they must: there a difference means that the code changed. On another
class last bits may differ by themselves; a difference is shown, but proves nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.nightly.stored import canary_files
from bench.plan import Plan, sizes
from bench.processes.platforms import Platform, this_platform
from bench.store import Record, Store, StoreError, numbers_hash
from bench.store.diff import difference
from bench.suite.explain import shown

DOES_NOT_REPEAT = "one of its games does not repeat, so no numbers are promised"


@dataclass(frozen=True)
class Repeat:
    """One run here and as published. says: where its numbers first differ; "" if they do not."""

    run: str
    label: str
    seed: int
    here: str  # numbers_hash
    published: str
    says: str

    @property
    def same(self) -> bool:
        return self.here == self.published


@dataclass(frozen=True)
class Alone:
    """One run that finished here and has no published numbers. unsound: its published record exists but is unusable."""

    run: str
    label: str
    seed: int
    says: str
    unsound: bool


@dataclass(frozen=True)
class Repeats:
    """platform: this machine's. known: canaries of its class are stored with the published results."""

    rows: tuple[Repeat, ...]
    alone: tuple[Alone, ...]
    platform: Platform
    known: bool

    @property
    def differing(self) -> int:
        return sum(not row.same for row in self.rows)

    @property
    def broken(self) -> bool:
        """Whether a difference means that the code's numbers changed, or a published record is unusable."""
        return (self.known and self.differing > 0) or any(one.unsound for one in self.alone)


@dataclass(frozen=True)
class Published:
    """A folder of published results, and whether it has canaries of this machine's platform class."""

    store: Store
    platform: Platform
    known: bool


def published_in(folder: Path) -> Published:
    """The published results in a folder. Raises StoreError if a canary file there cannot be read."""
    platform = this_platform()
    known = any(file.platform == platform for file in canary_files(folder))
    return Published(Store(folder), platform, known)


def repeats(plan: Plan, store: Store, published: Published) -> Repeats:
    """Every run of a plan that has finished here, against the published one."""
    found = list(_compared(plan, store, published.store))
    rows = tuple(one for one in found if isinstance(one, Repeat))
    alone = tuple(one for one in found if isinstance(one, Alone))
    return Repeats(rows, alone, published.platform, published.known)


def lines(found: Repeats) -> Iterator[str]:
    """One line for each run, and the total."""
    for row in found.rows:
        state, hash_ = (
            ("same", row.here[:12]) if row.same else ("differs", f"{row.here[:12]}, not {row.published[:12]}")
        )
        yield f"{state:8} {row.run} {row.label}, seed {row.seed}: {hash_}{row.says and '; '}{row.says}"
    for one in found.alone:
        yield f"{'unsound' if one.unsound else 'alone':8} {one.run} {one.label}, seed {one.seed}: {one.says}"
    if not found.rows:
        yield "none of these runs has published numbers: nothing was compared"
        return
    same = len(found.rows) - found.differing
    alone = f"; {len(found.alone)} more could not be compared" if found.alone else ""
    yield f"{same} of {len(found.rows)} runs repeat the published numbers to the last bit{alone}"
    if found.differing and not found.known:
        yield f"platform class {found.platform.name} is not known, so last bits may differ by themselves"


def as_json(found: Repeats) -> dict[str, Any]:
    """What `bench run --json` prints about them."""
    rows = [dataclasses.asdict(row) | {"same": row.same} for row in found.rows]
    alone = [dataclasses.asdict(one) for one in found.alone]
    return {"platform": found.platform.name, "known": found.known, "runs": rows, "alone": alone}


def _compared(plan: Plan, store: Store, published: Store) -> Iterator[Repeat | Alone]:
    for run in plan.runs:
        here = store.settled(run.id)
        if here is None or here.status != "finished":
            continue
        names = run.id, plan.cell(run.cell).label, run.seed
        try:
            there = published.record(run.id)
        except StoreError as error:
            yield Alone(*names, f"the published record is damaged: {error}", unsound=True)
            continue
        if there is None:
            yield Alone(*names, "not published", unsound=False)
        elif not sizes.repeats(here.settings):
            yield Alone(*names, DOES_NOT_REPEAT, unsound=False)
        elif there.status != "finished":
            yield Alone(*names, f"published as {there.status}, finished here", unsound=True)
        else:
            yield Repeat(*names, numbers_hash(here), numbers_hash(there), parting(here, there))


def parting(here: Record, published: Record) -> str:
    """The curve that differs first, and where, and which variables were set otherwise; "" for the same numbers."""
    found = difference(here, published)
    if found.same_numbers:
        return ""
    parted = [(curve.first, curve) for curve in found.curves if curve.first is not None]
    if parted:
        at, first = min(parted, key=lambda one: one[0])
        says = f"{first.name} differs from episode {at} on: {first.a} here, {first.b} published"
    else:
        says = "the curves agree; final scores or weights do not"
    others = (row for row in found.rows if row.part == "environment" and not row.same)
    return "; ".join([says, *(f"{r.key} is {_value(r.a)} here, {_value(r.b)} published" for r in others)])


def _value(variable: str | None) -> str:
    return "not set" if variable is None else shown(variable)
