"""Runs as many cells of profile `nightly` as fit the time, the oldest evidence first, on the night's seeds."""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.executors.dispatch import Options, Outcome
from bench.executors.estimate import forecast
from bench.executors.local import execute
from bench.nightly.nights import seeds_of
from bench.nightly.references import Evidence, fresh
from bench.plan import Cell, Plan, Selection, make_plan
from bench.plan.present import absent, without
from bench.store import Record, Store
from bench.suite import NIGHTLY, Suite

PROFILE = NIGHTLY
SEEDS = 3  # per cell and night, if the profile names none

Event = dict[str, Any]


@dataclass(frozen=True)
class Share:
    """One cell's part of a night. plan: its suite's cells, with its own runs and its teachers'.

    evidence: its fresh seeds so far. records: the suite's so far, which say how fast runs are here.
    """

    cell: Cell
    plan: Plan
    evidence: Evidence
    records: tuple[Record, ...]

    @property
    def name(self) -> str:
        return self.evidence.name


@dataclass
class Played:
    """How a night's runs ended. finished: run ids by cell key. failed: why runs failed twice, by cell and seed.

    again: runs that failed once and then finished. postponed: why, by name, for cells that the time did not allow.
    needs: the seconds that each of these would take. seconds: by key, for each cell that was run, with its teachers.
    before_s: the seconds of the night that canaries took.
    """

    finished: dict[str, list[str]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    again: dict[str, str] = field(default_factory=dict)
    postponed: dict[str, str] = field(default_factory=dict)
    needs: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    before_s: float = 0.0
    stopped: bool = False
    broken: str = ""

    @property
    def enough(self) -> str:
        """A budget that would do for one cell if the time allowed none: the estimate and a fifth more."""
        if not self.needs:
            return ""
        return f"{math.ceil((self.before_s + 1.2 * min(self.needs.values())) / 60)}m"

    @property
    def runs(self) -> int:
        return sum(len(ids) for ids in self.finished.values())


def shares(suites: Sequence[Suite], store: Store, night: datetime.date) -> list[Share]:
    """Every cell of profile nightly that can run, those with the oldest evidence first, then in the suites' order."""
    found = []
    for suite in (s for s in suites if PROFILE in s.profile):
        asked = suite.profile[PROFILE].seeds
        seeds = seeds_of(night, asked if isinstance(asked, int) else SEEDS)
        selection = Selection(profile=PROFILE, seeds=seeds, reading=suite.pinned)
        plan = make_plan(suite.under(suite.pinned), selection)
        plan = without(plan, {cell.key for cell in plan.cells if absent(plan, cell)})
        by_cell = {key: own.records.values() for key, own in store.cells({cell.key for cell in plan.cells}).items()}
        records = tuple(record for own in by_cell.values() for record in own)
        found += [Share(c, with_teachers(plan, c), fresh(c, by_cell[c.key]), records) for c in plan.cells]
    return sorted(found, key=lambda share: share.evidence.latest or datetime.date.min)


def with_teachers(plan: Plan, cell: Cell) -> Plan:
    """The runs of a plan that one cell needs, in its order."""
    keys = {cell.key}
    for other in reversed(plan.cells):  # teachers come first
        if other.key in keys:
            keys |= {*other.teachers}
    return plan.model_copy(update={"runs": tuple(r for r in plan.runs if r.cell in keys)})


def play(
    night: Sequence[Share],
    store: Store,
    budget_s: float,
    jobs: int,
    report: Callable[[Event], None],
    clock: Callable[[], float] = time.monotonic,
    before_s: float = 0.0,
) -> Played:
    """Run cell after cell while the next one is estimated to end in time. A run that fails is tried once more.

    budget_s: the seconds left of the night. before_s: the seconds that canaries took.
    """
    start, played = clock(), Played(before_s=before_s)
    made: dict[str, Record] = {}
    for share in night:
        made |= {run.id: record for run in share.plan.runs if (record := store.settled(run.id))}
        keys = {cell.key for cell in share.plan.cells}
        records = {r.run: r for r in (*share.records, *made.values()) if r.cell in keys}
        settled = {run for run, record in records.items() if record.status == "finished"}
        need = forecast(share.plan, records.values(), {}, settled, jobs).wall_s
        left = budget_s - (clock() - start)
        if need > left:
            played.needs[share.name] = need
            played.postponed[share.name] = f"needs about {need:.1f} s, {max(0.0, left):.1f} s were left"
            continue
        began = time.monotonic()
        first = execute(share.plan, store, Options(jobs), report)
        last = first
        if (first.failed or first.blocked) and not (first.stopped or first.broken):
            last = execute(share.plan, store, Options(jobs, retry_failed=True), report)
        played.seconds[share.cell.key] = time.monotonic() - began
        _count(played, share, first, last)
        if last.stopped or last.broken:
            played.stopped, played.broken = last.stopped, last.broken
            break
    return played


def _count(played: Played, share: Share, first: Outcome, last: Outcome) -> None:
    """Every run under its own cell, teachers under theirs."""
    cells: Mapping[str, Cell] = {cell.key: cell for cell in share.plan.cells}
    for run in share.plan.runs:
        label = f"{cells[run.cell].suite}: {cells[run.cell].label}, seed {run.seed}"
        if run.id in last.finished:
            own = played.finished.setdefault(run.cell, [])
            if run.id not in own:
                own.append(run.id)
            if run.id in first.failed:
                played.again[label] = first.failed[run.id]
        elif run.id in last.failed:
            played.failed[label] = last.failed[run.id]
        elif run.id in last.blocked:
            played.failed[label] = "its teacher failed"
