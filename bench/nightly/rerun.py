"""A sample of a results folder's runs, trained again: do their records have the numbers that their settings give?

Hashes show that a record is whole and that its parts belong together, not that it was ever run. The folder's own
content draws the sample. So the same folder gives the same sample, and nobody can choose it by writing one more record.
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from baselines.specs import ALGORITHMS
from bench.envs import checked
from bench.envs.registry import FAMILIES
from bench.executors.dispatch import Options
from bench.executors.local import execute
from bench.nightly.repeats import DOES_NOT_REPEAT, Repeat, parting
from bench.nightly.stored import canary_files
from bench.plan import Cell, Plan, Run, guest, scored
from bench.plan.assets import missing_assets
from bench.plan.cells import PLAN_FORMAT
from bench.processes.platforms import Platform, this_platform
from bench.store import Record, Store, numbers_hash, sha256
from bench.store.files import MOST_TENSORS
from bench.suite.assets import everywhere
from bench.suite.foreign import read_bytes


@dataclass(frozen=True)
class NotRerun:
    """A run that was drawn and could not be trained here. why: what is missing or has changed, or how the run ended."""

    run: str
    label: str
    seed: int
    why: str


@dataclass(frozen=True)
class Rerun:
    """rows: runs that were trained again. passed_over: drawn, but cannot run here. broken_off: ended without a record.

    platform: this machine's. known: canaries of its class are stored in the baseline.
    """

    rows: tuple[Repeat, ...]
    passed_over: tuple[NotRerun, ...]
    broken_off: tuple[NotRerun, ...]
    platform: Platform
    known: bool

    @property
    def differing(self) -> int:
        return sum(not row.same for row in self.rows)

    @property
    def broken(self) -> bool:
        """Whether a difference means that a record has other numbers than its settings give."""
        return self.known and self.differing > 0


def rerun(store: Store, count: int, baseline: Path, jobs: int, report: Callable[[dict[str, Any]], None]) -> Rerun:
    """Train `count` finished runs again, or all if there are fewer, in a temporary folder.

    baseline: a folder with `canaries/`. Raises StoreError, OSError.
    """
    finished = {
        record.run: record
        for records in store.contents().cells.values()
        for record in records.values()
        if record.status == "finished"
    }
    chosen, passed_over = _drawn(store, finished, count)
    platform = this_platform()
    known = any(file.platform == platform for file in canary_files(baseline))
    rows, broken_off = [], []
    with tempfile.TemporaryDirectory(prefix="bench-rerun-") as folder:
        again = Store(folder)
        again.open_for_writing()
        outcome = execute(_plan(store, again, finished, chosen), again, Options(jobs=jobs), report)
        for old in chosen:
            new = again.settled(old.run)
            if new is None:
                why = outcome.failed.get(old.run) or outcome.broken or "it was stopped"
                broken_off.append(_not_rerun(old, why))
            else:
                says = parting(new, old) if new.status == "finished" else f"it failed: {new.reason}"
                rows.append(Repeat(old.run, _label(old), old.seed, numbers_hash(new), numbers_hash(old), says))
    return Rerun(tuple(rows), tuple(passed_over), tuple(broken_off), platform, known)


def lines(found: Rerun) -> Iterator[str]:
    """One line for each run, and the total."""
    for row in found.rows:
        told = row.here[:12] if row.same else f"{row.here[:12]} here, {row.published[:12]} in the record"
        says = row.says and f"; {row.says.replace(' published', ' in the record')}"
        yield f"{'same' if row.same else 'differs':9} {row.run} {row.label}, seed {row.seed}: {told}{says}"
    for left in (*found.passed_over, *found.broken_off):
        yield f"not rerun {left.run} {left.label}, seed {left.seed}: {left.why}"
    if not found.rows:
        drawn = len(found.passed_over) + len(found.broken_off)
        why = f"the reasons of all {drawn} are above" if drawn else "no sound run here has finished"
        yield f"no run was trained again: {why}"
        return
    yield f"{len(found.rows) - found.differing} of {len(found.rows)} runs trained again have their records' numbers"
    if found.differing and not found.known:
        yield f"platform class {found.platform.name} is not known, so last bits may differ by themselves"


def as_json(found: Rerun) -> dict[str, Any]:
    rows = [dataclasses.asdict(row) | {"same": row.same} for row in found.rows]
    left = [dataclasses.asdict(own) for own in (*found.passed_over, *found.broken_off)]
    return {"platform": found.platform.name, "known": found.known, "runs": rows, "not_rerun": left}


def _drawn(store: Store, finished: Mapping[str, Record], count: int) -> tuple[list[Record], list[NotRerun]]:
    """A sample of the runs that can run here, and the runs that were drawn before it but cannot.

    A teacher and its student are never both in the sample: the student learns from the weights in the folder.
    """
    content = "".join(f"{run} {numbers_hash(finished[run])}\n" for run in sorted(finished))
    order = random.Random(sha256(content.encode())).sample(sorted(finished), len(finished))
    chosen: list[Record] = []
    passed_over: list[NotRerun] = []
    for record in (finished[run] for run in order):
        if len(chosen) == count:
            break
        if any(one.run in _teachers(finished, record) or record.run in _teachers(finished, one) for one in chosen):
            continue
        if why := _hindrance(store, record):
            passed_over.append(_not_rerun(record, why))
        else:
            chosen.append(record)
    return chosen, passed_over


def _hindrance(store: Store, record: Record) -> str:
    """Why a run cannot be trained here with the numbers that it had; "" if it can."""
    settings = record.settings
    if guest(settings):
        return "a method from elsewhere: run bench compare where its code is"
    if record.provenance.device != "cpu":
        return f"it was trained on {record.provenance.device}, where only the same call repeats"
    if settings.get("format") != PLAN_FORMAT:
        return f"its settings are of format {settings.get('format')}, today's are {PLAN_FORMAT}"
    name, version = settings["algorithm"]["name"], settings["algorithm"]["version"]
    if name not in ALGORITHMS or ALGORITHMS[name].version != version:
        return f"algorithm {name}, version {version}, does not exist here any more"
    try:
        ALGORITHMS[name].hyperparameters.model_validate(settings["hyperparameters"])
        for own in scored(settings):
            if own.family not in FAMILIES or FAMILIES[own.family].version != own.version:
                return f"environment {own.family}, version {own.version}, does not exist here any more"
            if not checked(own.family, own.params).repeats:
                return DOES_NOT_REPEAT
    except (ValidationError, ValueError) as error:
        return f"its settings are not valid here any more: {str(error).splitlines()[0]}"
    if missing := missing_assets([_cell(record, ())], everywhere()):
        return str(missing[0])
    for teacher in record.teachers:
        found = ""
        with contextlib.suppress(OSError):
            found = sha256(read_bytes(store.weights_path(teacher.run), MOST_TENSORS))
        if found != teacher.weights:
            return f"the weights of its teacher {teacher.run} are not in the folder"
    return ""


def _plan(store: Store, again: Store, finished: Mapping[str, Record], chosen: list[Record]) -> Plan:
    """The runs to train, and their teachers as settled runs, whose records and weights are copied."""
    ready = {run: own for record in chosen for run, own in _teachers(finished, record).items()}
    for run in ready:
        for of in (Store.record_path, Store.weights_path):
            if of(store, run).exists():
                shutil.copyfile(of(store, run), of(again, run))
    records = [*ready.values(), *chosen]
    seeds: dict[str, list[int]] = {}
    for record in records:
        seeds.setdefault(record.cell, []).append(record.seed)
    cells = {record.cell: _cell(record, tuple(seeds[record.cell])) for record in records}
    runs = (
        Run(id=record.run, cell=record.cell, seed=record.seed, teachers=tuple(t.run for t in record.teachers))
        for record in records
    )
    return Plan(suite="", suite_version=0, profile="", cells=tuple(cells.values()), runs=tuple(runs))


def _teachers(finished: Mapping[str, Record], record: Record) -> dict[str, Record]:
    """The runs that a run learned from, and those that these learned from, by run id."""
    found: dict[str, Record] = {}
    for teacher in (finished[named.run] for named in record.teachers if named.run in finished):
        found |= _teachers(finished, teacher) | {teacher.run: teacher}
    return found


def _cell(record: Record, seeds: tuple[int, ...]) -> Cell:
    """A cell made from a record's settings. A record lacks its scenarios' names; they do not change the numbers."""
    return Cell(
        key=record.cell,
        suite=record.suite,
        experiment=record.experiment,
        method=record.method,
        training_set=record.training_set,
        scenarios=tuple(f"{record.training_set}/{i}" for i, _ in enumerate(scored(record.settings))),
        settings=record.settings,
        seeds=seeds,
        notes=record.notes,
    )


def _label(record: Record) -> str:
    return f"{record.suite}: {record.method} on {record.training_set}"


def _not_rerun(record: Record, why: str) -> NotRerun:
    return NotRerun(record.run, _label(record), record.seed, why)
