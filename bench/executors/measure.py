"""How fast each method of a plan trains here. Each trains for some CPU seconds in an ordinary process, then stops.

Time counts from the first update, since earlier steps have another pace. The model extrapolates: a second phase that is
not reached, and later evaluations, are taken to have the same pace. A student's teachers are made first, with almost no
training, since the cost of weights does not depend on what they have learnt. Only `executors.paces.Measured` is kept.
"""

from __future__ import annotations

import queue
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from baselines.specs import ALGORITHMS
from bench.executors.dispatch import Options
from bench.executors.local import LocalWorkers, execute
from bench.executors.model import updated
from bench.executors.paces import CPU, START, At, Measured, kind
from bench.executors.results import unpacked
from bench.plan import Cell, Plan, Selection, make_plan
from bench.run.job import Job
from bench.store import Store
from bench.store.checkpoints import read_progress
from bench.suite import Suite

PARTS = 10  # checkpoints within the seconds asked for
PATIENCE = 10.0  # times the seconds asked for, to wait for a checkpoint or an update; at least:
LEAST_PATIENCE_S = 300.0
POLL_S = 0.5


class NotMeasured(Exception):
    """Why a method has no pace, in one line."""


@dataclass(frozen=True)
class Measuring:
    """How to measure. seconds: CPU time for each method; wall time on a GPU. jobs: processes at once.

    hardware: the processor's name, or the GPU's.
    """

    seconds: float
    jobs: int
    device: str
    hardware: str


def one_a_method(plan: Plan) -> list[Cell]:
    """One cell for each method and family of environments; one without a teacher, if there is such a cell."""
    found: dict[tuple[str, str], Cell] = {}
    for cell in sorted(plan.cells, key=lambda cell: bool(cell.teachers)):
        found.setdefault((cell.method, kind(cell.settings)), cell)
    keys = {cell.key for cell in found.values()}
    return [cell for cell in plan.cells if cell.key in keys]


def measure(
    suite: Suite,
    selection: Selection,
    cells: Iterable[Cell],
    asked: Measuring,
    tell: Callable[[str], None],
) -> Iterator[Measured]:
    """Measurements, as each method ends. `tell` gets a line for each that cannot be measured, with the reason."""
    stop = threading.Event()
    with ThreadPoolExecutor(asked.jobs) as pool:
        under_way = {pool.submit(_measured, suite, selection, cell, asked, stop): cell for cell in cells}
        try:
            for one in as_completed(under_way):
                try:
                    yield one.result()
                except NotMeasured as why:
                    tell(f"{under_way[one].label} is not measured: {why}")
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def _measured(suite: Suite, selection: Selection, cell: Cell, asked: Measuring, stop: threading.Event) -> Measured:
    """Raises NotMeasured."""
    plan, own = _short(suite, selection, cell, asked.jobs)
    with tempfile.TemporaryDirectory(prefix="bench-measure-") as folder:
        store = Store(folder)
        store.open_for_writing()
        _teach(plan, own, store, asked.device)
        runs = tuple(run for run in plan.runs if run.cell == own.key)
        job = Job(
            cell=own,
            runs=runs,
            suite_version=1,
            profile=plan.profile,
            device=asked.device,
            checkpoint_s=asked.seconds / PARTS,
        )
        begun, ended, lanes = _train(job, store, asked.seconds, stop)
    return Measured(
        suite=cell.suite,
        method=cell.method,
        training_set=cell.training_set,
        settings=cell.settings,
        device=asked.device.partition(":")[0],
        hardware=asked.hardware,
        begun=begun,
        ended=ended,
        lanes=lanes,
        on=time.strftime("%Y-%m-%d", time.gmtime()),
    )


def _short(suite: Suite, selection: Selection, cell: Cell, jobs: int) -> tuple[Plan, Cell]:
    """A plan of the cell at its own budget, with almost no training of its teachers, and a process's number of seeds.

    Raises NotMeasured if a method teaches itself: then both would be short.
    """
    whole = make_plan(suite, selection.model_copy(update={"only": (cell.experiment,)}))
    teachers = {own.method: own.trained[0] for own in map(whole.cell, _above(whole, cell))}
    if cell.method in teachers:
        raise NotMeasured("it learns from runs of the same method; these cannot be shortened without shortening it")
    seeds = tuple(range(max(1, -(-len(cell.seeds) // jobs))))
    short = tuple(change for own in teachers.items() for change in _shortening(suite, *own))
    plan = make_plan(
        suite,
        selection.model_copy(
            update={"only": (cell.experiment,), "seeds": seeds, "settings": (*selection.settings, *short)}
        ),
    )
    place = (cell.method, cell.training_set)
    return plan, next(own for own in plan.cells if (own.method, own.training_set) == place)


def _above(plan: Plan, cell: Cell) -> list[str]:
    """The keys of a cell's teachers, of their teachers, and so on."""
    return [key for own in cell.teachers for key in (own, *_above(plan, plan.cell(own)))]


def _shortening(suite: Suite, method: str, scenario: str) -> Iterator[str]:
    """`--set` entries under which a method trains for two rounds on a scenario."""
    algorithm = ALGORITHMS[suite["method", method].algorithm]
    values = {name: s.value for name, s in suite.settings(method, scenario).items()}
    unit = algorithm.units[0]
    point = algorithm.hyperparameters.model_validate(values).longest_round(unit, suite["scenario", scenario].steps)
    budget = {unit: 2 * point, "record_every": point, "evaluate_every": point}
    budget |= {"evaluation_episodes": 1, "final_evaluation_episodes": 1}
    budget |= {"first_phase": point} if algorithm.in_order else {}
    return (f"{method}.budget.{key}={value}" for key, value in budget.items())


def _teach(plan: Plan, cell: Cell, store: Store, device: str) -> None:
    """Train the cell's teachers. Raises NotMeasured."""
    keys = {*_above(plan, cell)}
    cells = tuple(own for own in plan.cells if own.key in keys)
    teachers = plan.model_copy(update={"cells": cells, "runs": tuple(r for r in plan.runs if r.cell in keys)})
    outcome = execute(teachers, store, Options(jobs=1, device=device), lambda event: None)
    if outcome.failed or outcome.broken:
        raise NotMeasured(f"its teacher failed: {outcome.broken or next(iter(outcome.failed.values()))}")


def _train(job: Job, store: Store, seconds: float, stop: threading.Event) -> tuple[At, At, int]:
    """Train a job for this many seconds: where it began and ended, and its lanes. Raises NotMeasured."""
    events: queue.Queue[dict | None] = queue.Queue()
    worker = LocalWorkers(store.root.absolute()).start(job, store.root / "log", events.put)
    watch, asked, over, why = _Watch(store, job, seconds), False, None, ""
    try:
        while True:
            if not asked and (watch.is_enough() or stop.is_set()):
                worker.stop()
                asked = True
            try:
                event = events.get(timeout=POLL_S)
            except queue.Empty:
                continue
            if event is None:
                break
            if event["event"] == "result":
                over, _ = unpacked(event, job.cell, job.runs)
                worker.acknowledge(over.run)
            why = event.get("reason") or why
    finally:
        worker.kill()
        end = worker.wait()
    if over is not None and over.status == "finished":
        took = over.provenance
        return START, At(done=job.cell.whole, cpu_s=took.cpu_s, wall_s=took.wall_s), took.lanes
    if watch.begun is None or not asked:
        raise NotMeasured(why or (over and over.reason) or end.says)
    return watch.begun, watch.now, len(job.runs)


class _Watch:
    """How far a job is, by its checkpoints. begun: the first one after an update. now: the last one."""

    def __init__(self, store: Store, job: Job, seconds: float):
        self._store, self._job, self._seconds = store, job, seconds
        self._on_cpu = job.device == CPU
        self._patience_s, self._moved = max(PATIENCE * seconds, LEAST_PATIENCE_S), time.monotonic()
        self.begun: At | None = None
        self.now = START

    def is_enough(self) -> bool:
        """Raises NotMeasured if there is no progress, or no update."""
        progress = read_progress(self._store, self._job.runs[0].id)
        if progress is not None and progress["done"] > self.now.done:
            self.now = At(done=progress["done"], cpu_s=progress["cpu_s"], wall_s=progress["wall_s"])
            self._moved = time.monotonic()
            if self.begun is None and updated(self._job.cell.settings, self.now.done):
                self.begun = self.now
        if self.begun is not None and self._took() >= self._seconds:
            return True
        if time.monotonic() > self._moved + self._patience_s:
            raise NotMeasured(f"no progress for {self._patience_s:.0f} s, at {self._so_far}")
        if self.begun is None and self.now.cpu_s * len(self._job.runs) > self._patience_s:
            raise NotMeasured(f"no update came within {self._patience_s:.0f} CPU seconds, at {self._so_far}")
        return False

    @property
    def _so_far(self) -> str:
        return f"{self.now.done} of {self._job.cell.whole} {self._job.cell.unit}"

    def _took(self) -> float:
        assert self.begun is not None
        cpu_s = (self.now.cpu_s - self.begun.cpu_s) * len(self._job.runs)
        return cpu_s if self._on_cpu else self.now.wall_s - self.begun.wall_s
