"""The dispatcher over ten thousand runs on a thousand workers that only report that they train: its own cost.

Time is simulated: a worker ends when its run's simulated seconds are over, and the clock jumps from end to end. So
what is measured in real seconds is the dispatcher's own: choosing, checking results, writing records. A job in twenty
is lost on the way and begun again.

    python -m tests.cluster.simulated [RUNS] [WORKERS]
"""

from __future__ import annotations

import heapq
import itertools
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

from bench.executors import dispatch
from bench.executors.dispatch import Dispatcher, End, Event, Options, Outcome
from bench.executors.model import model_s
from bench.executors.results import packed
from bench.plan import Plan, Selection, make_plan
from bench.run.job import Job
from bench.store import Store, sha256
from bench.suite.loading import parse
from tests.conftest import TINY
from tests.synthetic import _record

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a disk's syncs are not the dispatcher's cost
WEIGHTS = b"a policy"
LOST = 0.05  # of all jobs
RUN_S = 600.0  # of the longest cell, made up


@dataclass
class Clock:
    now: float = 0.0
    ends: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def at(self, seconds: float, what: Callable[[], None]) -> None:
        heapq.heappush(self.ends, (self.now + seconds, next(self.numbers), what))

    def jump(self) -> None:
        self.now, _, what = heapq.heappop(self.ends)
        what()


class Settled:
    """A worker that needs no messages."""

    def acknowledge(self, run: str) -> None:
        pass

    def stop(self) -> None:
        pass

    def kill(self) -> None:
        pass

    def wait(self) -> End:
        return End(True, "it ended")


class Simulated:
    """Workers whose jobs take as long as the plan's model says, give or take, scaled to `RUN_S`."""

    def __init__(self, plan: Plan, clock: Clock):
        self.plan, self.clock, self.random = plan, clock, random.Random(1)
        longest = max(model_s(cell.settings) for cell in plan.cells)
        self.seconds = {cell.key: RUN_S * model_s(cell.settings) / longest for cell in plan.cells}
        self.busy_s, self.lost = 0.0, 0

    def start(self, job: Job, log: Path, hear: Callable[[Event | None], None]) -> Settled:
        took = len(job.runs) * self.seconds[job.cell.key] * self.random.uniform(0.7, 1.3)
        if self.random.random() < LOST:
            took *= self.random.random()
            self.clock.at(took, lambda: self._lose(job, hear))
        else:
            self.clock.at(took, lambda: self._finish(job, hear))
        self.busy_s += took
        return Settled()

    def together(self) -> nullcontext[None]:
        return nullcontext()

    def _lose(self, job: Job, hear: Callable[[Event | None], None]) -> None:
        self.lost += 1
        for run in job.runs:
            hear({"event": "lost", "run": run.id})
        hear(None)

    def _finish(self, job: Job, hear: Callable[[Event | None], None]) -> None:
        for run in job.runs:
            made = _record(self.plan, job.cell, run, dict.fromkeys(job.cell.scenarios, (-8.0,)), "finished")
            numbers = made.numbers.model_copy(update={"weights": sha256(WEIGHTS)})
            hear(packed(made.model_copy(update={"numbers": numbers}), WEIGHTS))
        hear(None)


class Jumping(Dispatcher):
    """A dispatcher that does not wait: without messages the clock jumps to the next worker that reports."""

    clock: Clock

    def _hear_one(self, seconds: float) -> None:
        if self.events.empty():
            if self.clock.ends:
                self.clock.jump()
            else:
                self.clock.now += dispatch.RETRY_S
        super()._hear_one(0.0)


@dataclass(frozen=True)
class Found:
    """own_s: real seconds of the dispatcher, without making synthetic records. idle: share of workers' time, by the
    clock.
    """

    outcome: Outcome
    own_s: float
    peak_bytes: int
    wall_s: float
    bound_s: float
    idle: float
    lost: int


def simulate(runs: int, workers: int, folder: Path) -> Found:
    suite = parse(TINY.encode(), "tiny.toml")
    each = len(make_plan(suite, Selection(seeds=(0,))).runs)
    plan = make_plan(suite, Selection(seeds=tuple(range(-(-runs // each)))))
    store, clock = Store(folder), Clock()
    store.open_for_writing()
    simulated = Simulated(plan, clock)
    dispatcher = Jumping(plan, store, Options(jobs=workers, lanes=1), lambda event: None, simulated)
    dispatcher.clock = clock
    real, dispatch.time = dispatch.time, SimpleNamespace(monotonic=lambda: clock.now)
    began = time.process_time()
    try:
        outcome = dispatcher.drain()
    finally:
        dispatch.time = real
    own_s = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    idle = 1 - simulated.busy_s / (workers * clock.now)
    return Found(outcome, own_s, peak, clock.now, simulated.busy_s / workers, idle, simulated.lost)


if __name__ == "__main__":
    runs, workers = [int(word) for word in sys.argv[1:]] or [10_000, 1_000]
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        found = simulate(runs, workers, Path(folder))
    done = len(found.outcome.finished)
    print(f"{done} runs on {workers} workers, {found.lost} jobs lost and begun again")
    own = f"own CPU time {found.own_s:.1f} s, {1e3 * found.own_s / done:.2f} ms a run"
    print(f"{own}; peak {found.peak_bytes / 2**20:.0f} MiB")
    print(f"made-up wall time {found.wall_s:.0f} s, at best {found.bound_s:.0f} s; workers idle {found.idle:.1%}")
