"""Time and memory of a plan: from measurements here, else from counted work.

`executors.model` models a run's CPU time by one rule for all methods. A pace is the time that a run really took divided
by the modelled time. Paces come from the runs of this results folder, finished or in progress. A cell without such runs
takes a measured or published pace of its method (`executors.paces`), else the median pace of the other cells here. Wall
time comes from simulating the executor's schedule with the estimates. GPU time is only known if a run of the method on
a GPU is.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from typing import Any, Literal

from bench.executors.model import model_s
from bench.executors.paces import CPU, GPU, Pace, Paces, Seen, kind, pace_of
from bench.executors.schedule import makespan, shards
from bench.plan import Plan
from bench.plan.sizes import checkpoint_bytes, job_bytes, result_bytes, run_bytes
from bench.store import Record, Store
from bench.store.checkpoints import read_progress

START_S = 1.2  # CPU seconds before a worker begins to train
UNKNOWN = Paces()  # only the folder's own runs are known
OVERDUE = 1.5  # a checkpoint is overdue after this many intervals

Basis = Literal[
    "this cell's runs",
    "this cell's progress",
    "measured here",
    "its method's runs here",
    "published runs of its method",
    "other runs here",
    "assumed rate",
]
Candidates = tuple[Basis, list[float]]


@dataclass(frozen=True)
class Progress:
    """How far a run is and how long that took.

    done: in its budget's unit. cpu_s: its own share. lanes: seeds that share its process's wall time.

    since_s: wall seconds that it has been running since then.
    """

    done: int
    cpu_s: float
    wall_s: float
    lanes: int
    since_s: float = 0.0


@dataclass(frozen=True)
class Estimate:
    """One run of a cell. basis: where the time comes from. bytes: memory. checkpoint_bytes: the most on disk.

    result_bytes: on disk at the end. gpu_s: seconds with a GPU to itself, None if unknown; gpu_basis: as basis.
    """

    cpu_s: float
    bytes: float
    checkpoint_bytes: float
    basis: Basis
    result_bytes: float = 0.0
    gpu_s: float | None = None
    gpu_basis: Basis | None = None


@dataclass(frozen=True)
class Forecast:
    """cells: by key. left: CPU seconds of each run that is not settled, by id. wall_s: seconds until all are settled.

    stretch: wall seconds per CPU second of a process. begun: ids of runs in progress.
    """

    cells: Mapping[str, Estimate]
    left: Mapping[str, float]
    wall_s: float
    stretch: float = 1.0
    begun: frozenset[str] = frozenset()

    def wall_of(self, plan: Plan, jobs: int, lanes: int = 0) -> float:
        """Wall seconds for the runs left of a part of the plan, in `jobs` processes."""
        left = {run.id: self.left[run.id] for run in plan.runs if run.id in self.left}
        return self.stretch * makespan(plan, left, {*self.begun}, jobs, lanes, START_S)


def stored_progress(store: Store, plan: Plan) -> dict[str, Progress]:
    """Progress from the checkpoints of unfinished runs, by run id. Checkpoints are only read.

    A run whose next checkpoint is not overdue counts as still running.
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
    paces: Paces = UNKNOWN,
    device: str = CPU,
) -> Forecast:
    """Forecast for the runs left of a plan, in `jobs` processes.

    progress: of started runs, by id; that of settled runs counts as pace. lanes: seeds per process, as in `Options`.
    device: where they train; CPU seconds are those of the processes on that device.
    """
    finished = [r for r in records if r.status == "finished" and r.provenance.cpu_s > 0]
    begun = {run: p for run, p in progress.items() if p.done > 0 and p.cpu_s > 0}
    there = [r for r in finished if (r.provenance.device == CPU) is (device == CPU)]
    cells, stretch = _cells(plan, finished, there, begun, paces), _stretch(there, begun, settled)
    left = {}
    for run in (run for run in plan.runs if run.id not in settled):
        left[run.id] = cells[run.cell].cpu_s
        if run.id in begun:
            settings, so_far = plan.cell(run.cell).settings, begun[run.id]
            left[run.id] *= 1 - model_s(settings, so_far.done) / model_s(settings)
            left[run.id] = max(0.0, left[run.id] - so_far.since_s / (stretch * so_far.lanes))
    found = Forecast(cells, left, 0.0, stretch, frozenset(begun))
    return replace(found, wall_s=found.wall_of(plan, jobs, lanes))


def peak_bytes(plan: Plan, settled: Set[str], jobs: int) -> float:
    """Memory of the `jobs` largest processes together, with the processes of their environments."""
    own = [job_bytes(plan.cell(s[0].cell).settings, len(s)) for s in shards(plan, set(settled), jobs, 0)]
    return sum(sorted(own, reverse=True)[:jobs])


def stored_bytes(plan: Plan, by_cell: Mapping[str, Estimate], settled: Set[str], jobs: int) -> float:
    """Approximate largest disk space of checkpoints: those of the `jobs` processes with the largest, together.

    Other runs have not begun, or have ended and left nothing. Runs that were stopped under another number of processes
    or another selection may have left more.
    """
    own = [sum(by_cell[run.cell].checkpoint_bytes for run in s) for s in shards(plan, set(settled), jobs, 0)]
    return sum(sorted(own, reverse=True)[:jobs])


def _cells(
    plan: Plan, finished: list[Record], there: list[Record], begun: Mapping[str, Progress], paces: Paces
) -> dict[str, Estimate]:
    """Each cell at the nearest known pace. there: runs that finished on the planned kind of device."""
    of_gpus = Seen([pace for record in finished if (pace := pace_of(record)) is not None], GPU)
    over = [_pace(r.cell, r.settings, r.provenance.cpu_s) for r in there]
    under_way = [
        _pace(run.cell, plan.cell(run.cell).settings, begun[run.id].cpu_s, begun[run.id].done)
        for run in plan.runs
        if run.id in begun
    ]
    finished_here, begun_here, here = Seen(over, CPU), Seen(under_way, CPU), Seen([*over, *under_way], CPU)
    others = [pace.factor for pace in (here.own or paces.measured) if pace.device == CPU]
    measured, published = ({d: Seen(own, d) for d in (CPU, GPU)} for own in (paces.measured, paces.published))
    found = {}
    for cell in plan.cells:
        candidates: list[Candidates] = [
            ("this cell's runs", finished_here.exactly(cell)),
            ("this cell's progress", begun_here.exactly(cell)),
            ("measured here", measured[CPU].of(cell)),
            ("its method's runs here", here.like(cell)),
            ("published runs of its method", published[CPU].of(cell)),
            ("other runs here", others),
            ("assumed rate", [1.0]),
        ]
        of_gpu: list[Candidates] = [
            ("this cell's runs", of_gpus.exactly(cell)),
            ("measured here", measured[GPU].of(cell)),
            ("its method's runs here", of_gpus.like(cell)),
            ("published runs of its method", published[GPU].of(cell)),
        ]
        basis, own = next(item for item in candidates if item[1])
        gpu_basis, gpu = next((item for item in of_gpu if item[1]), (None, []))
        modelled = model_s(cell.settings)
        found[cell.key] = Estimate(
            cpu_s=modelled * statistics.median(own),
            bytes=run_bytes(cell.settings),
            checkpoint_bytes=checkpoint_bytes(cell.settings),
            basis=basis,
            result_bytes=result_bytes(cell.settings),
            gpu_s=modelled * statistics.median(gpu) if gpu else None,
            gpu_basis=gpu_basis,
        )
    return found


def _pace(cell: str, settings: Mapping[str, Any], cpu_s: float, done: int | None = None) -> Pace:
    """The pace from a process's CPU seconds, on any device."""
    return Pace(cell, kind(settings), CPU, "", cpu_s / model_s(settings, done))


def _stretch(finished: list[Record], begun: Mapping[str, Progress], settled: Set[str]) -> float:
    """Wall seconds per CPU second of a process: from runs in progress, else from finished ones, else 1."""
    now = [p.wall_s / (p.cpu_s * p.lanes) for run, p in begun.items() if run not in settled]
    before = [r.provenance.wall_s / (r.provenance.cpu_s * r.provenance.lanes) for r in finished]
    return max(1.0, statistics.median(now or before or [1.0]))
