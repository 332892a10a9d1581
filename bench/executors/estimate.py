"""How long a plan takes and how much memory: from what was measured here, else from what is counted.

What `executors.model` says of a run's CPU time is the one rule for all methods. What runs
of this results folder really took, finished or under way, over what the model says is their pace; a cell without any
takes the median pace of the others. Wall time follows from playing the executor's schedule on the estimates.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Literal

from bench.executors.model import model_s
from bench.executors.schedule import makespan, shards
from bench.plan import Plan
from bench.plan.sizes import checkpoint_bytes, work
from bench.store import Record, Store
from bench.store.checkpoints import read_progress

START_S = 1.2  # CPU seconds until a worker trains
OVERDUE = 1.5  # times its interval a checkpoint may be late
PROCESS_BYTES = 400 * 2**20  # a worker with torch loaded, before any lane

Basis = Literal["this cell's runs", "this cell's progress", "other runs here", "assumed rate"]


@dataclass(frozen=True)
class Progress:
    """How far a run is and what that took.

    done: of its budget's unit. cpu_s: its own share. lanes: seeds that share its process's wall time.

    since_s: wall seconds that it has been under way since.
    """

    done: int
    cpu_s: float
    wall_s: float
    lanes: int
    since_s: float = 0.0


@dataclass(frozen=True)
class Estimate:
    """One run of a cell. basis: what the time rests on. bytes: of memory. checkpoint_bytes: on disk at most."""

    cpu_s: float
    bytes: float
    checkpoint_bytes: float
    basis: Basis


@dataclass(frozen=True)
class Forecast:
    """cells: by key. left: CPU seconds of each run that is not settled, by id. wall_s: until the last one is."""

    cells: Mapping[str, Estimate]
    left: Mapping[str, float]
    wall_s: float


def stored_progress(store: Store, plan: Plan) -> dict[str, Progress]:
    """What the checkpoints of unfinished runs say, by run id; they are read, never touched.

    A run whose next checkpoint is not overdue counts as still under way.
    """
    found = {}
    for run in plan.runs:
        kept = read_progress(store, run.id)
        if kept is not None and "checkpoint_s" in kept:  # older versions did not write it
            since_s = kept["age_s"] if kept["age_s"] < OVERDUE * kept["checkpoint_s"] else 0.0
            found[run.id] = Progress(kept["done"], kept["cpu_s"], kept["wall_s"], kept["lanes"], since_s)
    return found


def forecast(
    plan: Plan,
    records: Iterable[Record],
    progress: Mapping[str, Progress],
    settled: Set[str],
    jobs: int,
    lanes: int = 0,
) -> Forecast:
    """What is left of a plan, in `jobs` processes.

    progress: of runs under way, by id; that of settled ones counts as pace. lanes: seeds a process, as in `Options`.
    """
    finished = [r for r in records if r.status == "finished" and r.provenance.cpu_s > 0]
    begun = {run: p for run, p in progress.items() if p.done > 0 and p.cpu_s > 0}
    cells, stretch = _cells(plan, finished, begun), _stretch(finished, begun, settled)
    left = {}
    for run in (run for run in plan.runs if run.id not in settled):
        left[run.id] = cells[run.cell].cpu_s
        if run.id in begun:
            settings, so_far = plan.cell(run.cell).settings, begun[run.id]
            left[run.id] *= 1 - model_s(settings, so_far.done) / model_s(settings)
            left[run.id] = max(0.0, left[run.id] - so_far.since_s / (stretch * so_far.lanes))
    return Forecast(cells, left, stretch * makespan(plan, left, set(begun), jobs, lanes, START_S))


def peak_bytes(plan: Plan, by_cell: Mapping[str, Estimate], jobs: int) -> float:
    """Memory of the largest cell when its seeds train in `jobs` processes at once."""
    lanes = {cell.key: len(cell.seeds) for cell in plan.cells}
    return jobs * PROCESS_BYTES + max((by_cell[key].bytes * n for key, n in lanes.items()), default=0.0)


def stored_bytes(plan: Plan, by_cell: Mapping[str, Estimate], settled: Set[str], jobs: int) -> float:
    """Checkpoints of unfinished runs on disk at most, about: those of the `jobs` processes that keep most, at once.

    Others have not begun, or have ended and left nothing. Runs that were stopped under another number of processes or
    another selection may have left more.
    """
    own = [sum(by_cell[run.cell].checkpoint_bytes for run in s) for s in shards(plan, set(settled), jobs, 0)]
    return sum(sorted(own, reverse=True)[:jobs])


def _cells(plan: Plan, finished: list[Record], begun: Mapping[str, Progress]) -> dict[str, Estimate]:
    """Each cell at its own pace, else at the median pace of all."""
    finished_paces = {cell.key: [] for cell in plan.cells}
    begun_paces = {cell.key: [] for cell in plan.cells}
    for record in finished:
        finished_paces[record.cell].append(record.provenance.cpu_s / model_s(record.settings))
    for run in plan.runs:
        if run.id in begun:
            modelled = model_s(plan.cell(run.cell).settings, begun[run.id].done)
            begun_paces[run.cell].append(begun[run.id].cpu_s / modelled)
    everyone = [p for paces in (finished_paces, begun_paces) for own in paces.values() for p in own]
    candidates: list[tuple[Basis, Mapping[str, list[float]]]] = [
        ("this cell's runs", finished_paces),
        ("this cell's progress", begun_paces),
        ("other runs here", {cell.key: everyone for cell in plan.cells}),
        ("assumed rate", {cell.key: [1.0] for cell in plan.cells}),
    ]
    found = {}
    for cell in plan.cells:
        basis, own = next(item for item in candidates if item[1][cell.key])
        seconds = model_s(cell.settings) * statistics.median(own[cell.key])
        held = sum(w.bytes for w in work(cell.settings))
        found[cell.key] = Estimate(seconds, held, checkpoint_bytes(cell.settings), basis)
    return found


def _stretch(finished: list[Record], begun: Mapping[str, Progress], settled: Set[str]) -> float:
    """Wall seconds per CPU second of a process: of what is under way, else of what finished, else 1."""
    now = [p.wall_s / (p.cpu_s * p.lanes) for run, p in begun.items() if run not in settled]
    before = [r.provenance.wall_s / (r.provenance.cpu_s * r.provenance.lanes) for r in finished]
    return max(1.0, statistics.median(now or before or [1.0]))
