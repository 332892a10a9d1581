"""The dispatcher: from a plan to records, with any kind of worker.

It takes stock of the results folder, knows which runs are ready, blocked and busy, starts and stops workers and
receives their events. Workers return values; only the dispatcher writes records and weights. An executor (`Workers`)
knows how to start, talk to and end a worker: `local` has processes of this machine.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bench.executors.results import NoResult, unpacked
from bench.executors.schedule import Shard, shards
from bench.plan import Plan, Run
from bench.run.boundary import ahead, claimed
from bench.run.job import Job, Limits
from bench.store import Store, storage_problem
from bench.store.ledger import Watch

GRACE_S = 3.0  # a worker that has not written its checkpoint in this time is killed
RETRY_S = 2.0  # before asking again for a run that another process holds
LISTEN_S = 0.5  # how long to wait for an event before checking which runs have become ready

Event = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """jobs: workers at once; 0 (Ray and Slurm only): as many as fit.

    lanes: seeds that a worker trains together (0: the cell's seeds split evenly).
    """

    jobs: int = 1
    lanes: int = 0
    device: str = "cpu"
    checkpoint_s: float = 30.0
    retry_failed: bool = False  # repeat runs whose record says that they failed
    limits: Limits = field(default_factory=Limits)  # for each run of a method from elsewhere
    replay_bytes: int = 0  # see `Job`


@dataclass
class Outcome:
    """What became of the runs of a plan, by run id. broken: why nothing more could be written, else ""."""

    finished: set[str] = field(default_factory=set)
    before: set[str] = field(default_factory=set)  # finished runs that were already there
    elsewhere: set[str] = field(default_factory=set)  # finished runs that another command made meanwhile
    failed: dict[str, str] = field(default_factory=dict)  # with the reason
    blocked: set[str] = field(default_factory=set)  # runs whose teacher failed
    stopped: bool = False
    broken: str = ""

    @property
    def settled(self) -> set[str]:
        return self.finished | self.failed.keys()

    def is_settled(self, run: str) -> bool:
        return run in self.finished or run in self.failed


@dataclass(frozen=True)
class End:
    """How a worker ended. orderly: whether it ended by itself and left no process. says: why, in words."""

    orderly: bool
    says: str


class Worker(Protocol):
    """One running job."""

    def acknowledge(self, run: str) -> None:
        """Tell it that its result has been written. Until then the worker holds the run's claim and waits."""

    def stop(self) -> None:
        """Ask it to write checkpoints and end."""

    def kill(self) -> None:
        """End it now."""

    def wait(self) -> End:
        """Wait until it has ended. Call it after `kill`, or after the worker's last event."""
        ...


class Workers(Protocol):
    """An executor."""

    def start(self, job: Job, log: Path, hear: Callable[[Event | None], None]) -> Worker:
        """A worker that claims the job's runs and trains them. Raises OSError.

        hear: gets its events, from any thread: those of `executors.jobs.run_job`, {"event": "result", ...} of
        `executors.results`, {"event": "error" | "broken", "reason"}, {"event": "lost", "run", "says"} for a run that
        must begin again, and remarks. After the last event it gets None.
        """
        ...

    def together(self) -> AbstractContextManager[None]:
        """A context around the starts of jobs that are ready at the same time."""
        ...


class Broken(Exception):
    """A worker could not write."""


@dataclass
class _Busy:
    """A running job. error: why it ended, if it said so. watch: for a method from elsewhere."""

    job: Job
    log: Path
    watch: Watch | None
    error: str = ""
    worker: Worker | None = None


class Dispatcher:
    """report: gets the workers' events, {"event": "started", "label", "runs"} for each job, and remarks.

    A remark is {"event": "remark", "says"}.
    """

    def __init__(self, plan: Plan, store: Store, options: Options, report: Callable[[Event], None], workers: Workers):
        self.plan, self.store, self.options, self.report, self.workers = plan, store, options, report, workers
        self.outcome = Outcome()
        self.waiting: list[Shard] = []
        self.not_before: dict[str, float] = {}
        self.events: queue.Queue[tuple[_Busy, Event | None]] = queue.Queue()
        self.busy: list[_Busy] = []

    def drain(self) -> Outcome:
        """Train the runs that are left. Ctrl-C, a full disk or a vanished folder stops all workers; see the outcome."""
        try:
            self._take_stock()
            while self.waiting or self.busy:
                self._start_ready()
                self._hear_one(LISTEN_S)
            if self.outcome.finished.issuperset(run.id for run in self.plan.runs):
                self.store.forget_boundaries()
        except KeyboardInterrupt:
            self.outcome.stopped = True
        except Broken as error:
            self.outcome.broken = str(error)
        except OSError as error:
            self.outcome.broken = storage_problem(error, self.store.root)
        finally:
            self._stop_all()
        return self.outcome

    # ---------------------------------------------------------------------------------------------- stock

    def _take_stock(self) -> None:
        """Find the runs that have a record and those to make. Remove or set aside what killed processes left."""
        self._remark(*self.store.ledger.set_aside())
        self.store.ledger.forget_dead()
        leftovers = self.store.leftovers()
        students = [run for run in self.plan.runs if run.teachers and not self.store.settled(run.id)]
        for teacher in sorted({teacher for run in students for teacher in run.teachers}):
            if self.store.forget_without_weights(teacher):
                self._remark(f"run {teacher} is made again: a student needs its lost weights")
        for run in self.plan.runs:
            if self.options.retry_failed:
                self.store.forget_failure(run.id)
            record = self.store.settled(run.id)
            if record is None:
                continue
            if record.status == "finished":
                self.outcome.before.add(run.id)
            else:
                self._failed(run.id, record.reason)
            if run.id in leftovers:
                with self.store.claim(run.id) as mine:
                    if mine:
                        self.store.tidy(run.id)
        self.outcome.finished |= self.outcome.before
        self.waiting = shards(self.plan, self.outcome.settled, self.options.jobs, self.options.lanes)

    # ---------------------------------------------------------------------------------------------- starting

    def _start_ready(self) -> None:
        """Start ready runs as long as there is room. Without room nothing is checked."""
        if len(self.busy) >= self.options.jobs:
            return
        with self.workers.together():
            now, left, waiting = time.monotonic(), [], iter(self.waiting)
            lost = self.outcome.failed.keys() | self.outcome.blocked
            for whole in waiting:
                shard = tuple(run for run in whole if lost.isdisjoint(run.teachers))
                self.outcome.blocked |= {run.id for run in whole if run not in shard}
                if not shard:
                    continue
                ready = all(self.outcome.finished.issuperset(run.teachers) for run in shard)
                if not ready or self.not_before.get(shard[0].id, 0) > now:
                    left.append(shard)
                    continue
                left += self._start_free(shard)
                if len(self.busy) >= self.options.jobs:
                    break
            self.waiting = [*left, *waiting]

    def _start_free(self, shard: Shard) -> list[Shard]:
        """Start the runs that no other process holds or has made. Returns the shards that must wait for another."""
        free: list[Run] = []
        held: list[Run] = []
        for run in shard:
            with self.store.claim(run.id) as mine:
                record = self.store.settled(run.id) if mine else None
                if record is not None:
                    self._settled({"event": record.status, "run": run.id, "reason": record.reason, "elsewhere": True})
                elif mine and self._phase_is_free(run):
                    free.append(run)
                else:
                    held.append(run)
                    self.not_before[run.id] = time.monotonic() + RETRY_S
        if free:
            self._start(tuple(free))
        return [tuple(held)] if held else []

    def _phase_is_free(self, run: Run) -> bool:
        """Whether no job of ours and no other process is training the first phase that this run shares."""
        cell = self.plan.cell(run.cell)
        if (name := ahead(self.store, cell, run)) is None:
            return True
        if any(ahead(self.store, busy.job.cell, other) == name for busy in self.busy for other in busy.job.runs):
            return False
        with claimed(self.store, cell, run) as free:
            return free

    def _start(self, shard: Shard) -> None:
        job = Job(
            cell=self.plan.cell(shard[0].cell),
            runs=shard,
            suite_version=self.plan.suite_version,
            profile=self.plan.profile,
            device=self.options.device,
            checkpoint_s=self.options.checkpoint_s,
            limits=self.options.limits,
            replay_bytes=self.options.replay_bytes,
            here=str(Path.cwd()),
        )
        ids = [run.id for run in shard]
        log = self.store.root / "logs" / f"{ids[0]}.log"
        log.parent.mkdir(exist_ok=True)
        busy = _Busy(job, log, self.store.ledger.begin(ids) if job.cell.guest else None)
        busy.worker = self.workers.start(job, log, lambda event: self.events.put((busy, event)))
        self.busy.append(busy)
        self.report({"event": "started", "label": job.cell.label, "runs": ids})

    # ---------------------------------------------------------------------------------------------- hearing

    def _hear_one(self, seconds: float) -> None:
        """Wait for an event, at most this many seconds. Raises Broken, OSError."""
        try:
            busy, event = self.events.get(timeout=seconds)
        except queue.Empty:
            return
        if event is None:
            self._ended(busy)
        elif event["event"] == "result":
            self._result(busy, event)
        elif event["event"] == "error":
            busy.error = event["reason"]
        elif event["event"] == "broken":
            raise Broken(event["reason"])
        elif event["event"] in ("finished", "failed"):
            self._settled(event)
        else:
            if event["event"] in ("busy", "lost") and not self.outcome.is_settled(event["run"]):
                run = next(run for run in busy.job.runs if run.id == event["run"])
                self.waiting.append((run,))
                self.not_before[run.id] = time.monotonic() + RETRY_S
            self.report(event)

    def _result(self, busy: _Busy, event: Event) -> None:
        """Write a worker's result. Then it may release the run."""
        assert busy.worker is not None
        owed = [run for run in busy.job.runs if not self.outcome.is_settled(run.id)]
        try:
            record, weights = unpacked(event, busy.job.cell, owed)
        except NoResult as error:
            busy.error = f"its worker did not send a valid result: {error}"
            busy.worker.kill()
            return
        self.store.write(record, weights)
        self._settled({"event": record.status, "run": record.run, "reason": record.reason})
        busy.worker.acknowledge(record.run)

    def _settled(self, event: Event) -> None:
        """Note that a run has its record. The event tells whether our worker or another process made it."""
        if event["event"] == "failed":
            self._failed(event["run"], event["reason"])
            return
        self.outcome.finished.add(event["run"])
        if event.get("elsewhere"):
            self.outcome.elsewhere.add(event["run"])
        self.report(event)

    def _failed(self, run: str, reason: str) -> None:
        self.outcome.failed[run] = reason
        self.report({"event": "failed", "run": run, "reason": reason})

    def _ended(self, busy: _Busy) -> None:
        end = self._over(busy)
        owed = [run for run in busy.job.runs if not self.outcome.is_settled(run.id)]
        if not owed or self.outcome.stopped or self.outcome.broken:
            return
        waiting = {run.id for shard in self.waiting for run in shard}
        for run in owed:
            if run.id not in waiting:
                self._failed(run.id, f"{busy.error or end.says} (log: {busy.log})")

    def _over(self, busy: _Busy) -> End:
        """End a worker's job. If it ran code from elsewhere, check which files appeared meanwhile."""
        assert busy.worker is not None
        end = busy.worker.wait()
        self.busy.remove(busy)
        if busy.watch is not None:
            self._remark(*self.store.ledger.end(busy.watch, end.orderly))
        return end

    def _remark(self, *lines: str) -> None:
        for line in lines:
            self.report({"event": "remark", "says": line})

    # ---------------------------------------------------------------------------------------------- stopping

    def _stop_all(self) -> None:
        """Ask all workers to stop, take what they still return, and kill them after `GRACE_S`."""
        for busy in self.busy:
            assert busy.worker is not None
            busy.worker.stop()
        deadline = time.monotonic() + GRACE_S
        try:
            while self.busy and (left := deadline - time.monotonic()) > 0:
                self._hear_one(left)
        except (Broken, OSError) as error:
            self.outcome.broken = self.outcome.broken or str(error)
        for busy in tuple(self.busy):
            assert busy.worker is not None
            busy.worker.kill()
            busy.worker.wait()
