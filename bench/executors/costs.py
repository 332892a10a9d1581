"""The costs of a plan and of each experiment: hours, wall time by the number of workers, memory, disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass

from bench.executors.estimate import Forecast, peak_bytes, stored_bytes
from bench.plan import Plan, Resolver, Selection, Waiting, make_plan, selected
from bench.suite import Suite

WHOLE = ""  # the name of a plan's own row, beside its experiments' rows


@dataclass(frozen=True)
class Unbuilt:
    """Runs that are not possible yet: their number, and the sum of their budgets by unit. Their cost is unknown."""

    runs: int
    amounts: Mapping[str, int]


@dataclass(frozen=True)
class Cost:
    """The cost of an experiment or of a whole plan. A run that several experiments share counts once in the plan.

    runs, left: number of all runs, and of those left. cpu_s: seconds of one core for all runs; cpu_left_s: for those
    left. gpu_s: seconds of one GPU for all runs; None if the pace of a run is unknown or there are no runs. no_gpu: the
    methods of unknown pace. wall_s: seconds for the runs left, by the number of workers. memory_bytes: of one machine.
    disk_bytes: all results, and the most that checkpoints take. unbuilt: not included in the other numbers.
    """

    experiment: str
    runs: int
    left: int
    cpu_s: float
    cpu_left_s: float
    gpu_s: float | None
    no_gpu: tuple[str, ...]
    wall_s: Mapping[int, float]
    memory_bytes: float
    disk_bytes: float
    unbuilt: Unbuilt


@dataclass(frozen=True)
class Machines:
    """workers: on each machine. count: number of machines like this one."""

    workers: int
    count: int = 1

    @property
    def all_workers(self) -> int:
        return self.workers * self.count


def costs(
    suite: Suite, selection: Selection, plan: Plan, expected: Forecast, settled: Set[str], machines: Machines
) -> list[Cost]:
    """The cost of every selected experiment, then of all. plan: the selection's, or a shard of it."""
    found = []
    for experiment in selected(suite, selection.only):
        own = make_plan(suite, selection.model_copy(update={"only": (experiment.id,)}))
        found.append(_cost(experiment.id, _part(plan, own), expected, settled, machines, suite, selection))
    return [*found, _cost(WHOLE, plan, expected, settled, machines, suite, selection)]


def _part(plan: Plan, own: Plan) -> Plan:
    """The part of a plan that belongs to an experiment."""
    runs = {run.id for run in own.runs}
    kept = tuple(run for run in plan.runs if run.id in runs)
    keys = {run.cell for run in kept}
    cells = tuple(cell for cell in plan.cells if cell.key in keys)
    return plan.model_copy(update={"cells": cells, "runs": kept, "waiting": own.waiting})


def _cost(
    name: str,
    plan: Plan,
    expected: Forecast,
    settled: Set[str],
    machines: Machines,
    suite: Suite,
    selection: Selection,
) -> Cost:
    cells = expected.cells
    left = [run for run in plan.runs if run.id not in settled]
    no_gpu = dict.fromkeys(cell.method for cell in plan.cells if cells[cell.key].gpu_s is None)
    kept = stored_bytes(plan, cells, settled, machines.all_workers)
    return Cost(
        experiment=name,
        runs=len(plan.runs),
        left=len(left),
        cpu_s=sum(cells[run.cell].cpu_s for run in plan.runs),
        cpu_left_s=sum(expected.left[run.id] for run in left),
        gpu_s=None if no_gpu or not plan.runs else sum(cells[run.cell].gpu_s or 0.0 for run in plan.runs),
        no_gpu=tuple(no_gpu),
        wall_s={n: expected.wall_of(plan, n) for n in sorted({machines.workers, machines.all_workers})},
        memory_bytes=peak_bytes(plan, settled, machines.workers),
        disk_bytes=kept + sum(cells[run.cell].result_bytes for run in plan.runs),
        unbuilt=_unbuilt(suite, selection, plan.waiting),
    )


def _unbuilt(suite: Suite, selection: Selection, waiting: tuple[Waiting, ...]) -> Unbuilt:
    """Runs that wait. Amounts include only those with a stated budget, after the profile's change."""
    runs, amounts = 0, Counter[str]()
    for one in waiting:
        experiment = suite["experiment", one.experiment]
        (own,) = (t for t in experiment.training_sets if t.id == one.training_set)
        seeds = len(Resolver(suite, selection).seeds(experiment))
        runs += seeds
        counted = experiment.own_budget(own, one.method).counted
        if counted is None:  # its budget is missing, too
            continue
        unit, stated = counted
        changes = {change.unit: getattr(change, unit) for change in suite.profile[selection.profile].budget}
        amounts[unit] += seeds * (changes.get(unit) or stated)
    return Unbuilt(runs, dict(amounts))
