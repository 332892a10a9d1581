"""Local processes: seeds sharded over workers of one torch thread each, teachers before students.

Every job is a process of its own, started with the allocator settings that stop glibc from handing large temporaries
back to the system (docs/performance.md), so that a crash or a kill takes one job along and its memory returns.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from bench.outside.process import Limits
from bench.plan import Plan, Run
from bench.schedule import shards
from bench.store import Store, storage_problem

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "MALLOC_TOP_PAD_": "67108864",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",  # large pages where the system has them to give
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}
GRACE_S = 3.0  # a worker writes its checkpoint in this time, or is killed
RETRY_S = 2.0  # before a run that another process holds is asked for again

Event = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """jobs: processes at once. lanes: seeds a process trains together (0: the cell's seeds split evenly)."""

    jobs: int = 1
    lanes: int = 0
    device: str = "cpu"
    checkpoint_s: float = 30.0
    retry_failed: bool = False  # make runs again whose record says that they failed
    limits: Limits = field(default_factory=Limits)  # of each run of a method from elsewhere


@dataclass
class Outcome:
    """What became of the runs of a plan, by run id. broken: why nothing more could be written, else nothing."""

    finished: set[str] = field(default_factory=set)
    before: set[str] = field(default_factory=set)  # of the finished: were already there
    elsewhere: set[str] = field(default_factory=set)  # of the finished: made by another command meanwhile
    failed: dict[str, str] = field(default_factory=dict)  # why
    blocked: set[str] = field(default_factory=set)  # their teacher failed
    stopped: bool = False
    broken: str = ""


def execute(plan: Plan, store: Store, options: Options, report: Callable[[Event], None]) -> Outcome:
    """Train what is left of a plan. Ctrl-C stops every worker after a checkpoint; `Outcome.stopped` says so.
    A disk or folder that fails under way stops all, too; `Outcome.broken` says why.

    report gets the workers' events and {"event": "started", "label", "runs"} for each job.
    """
    return _Pool(plan, store, options, report).drain()


class Broken(Exception):
    """A worker could not write."""


@dataclass
class _Worker:
    process: subprocess.Popen[str]
    runs: tuple[Run, ...]
    log: Path
    error: str = ""


class _Pool:
    def __init__(self, plan: Plan, store: Store, options: Options, report: Callable[[Event], None]):
        self.plan, self.store, self.options, self.report = plan, store, options, report
        self.outcome = Outcome()
        self.waiting: list[tuple[Run, ...]] = []
        self.not_before: dict[str, float] = {}
        self.events: queue.Queue[tuple[_Worker, Event | None]] = queue.Queue()
        self.workers: list[_Worker] = []

    def drain(self) -> Outcome:
        try:
            self._take_stock()
            while self.waiting or self.workers:
                self._start_ready()
                self._handle_one()
        except KeyboardInterrupt:
            self.outcome.stopped = True
        except Broken as error:
            self.outcome.broken = str(error)
        except OSError as error:
            self.outcome.broken = storage_problem(error, self.store.root)
        finally:
            self._stop_all()
        return self.outcome

    def _take_stock(self) -> None:
        """Which runs have a record, which are to be made; what killed processes left of the former is removed."""
        leftovers = self.store.leftovers()
        students = [run for run in self.plan.runs if run.teachers and not self.store.settled(run.id)]
        for teacher in sorted({teacher for run in students for teacher in run.teachers}):
            if self.store.forget_without_weights(teacher):
                self.report(
                    {"event": "remark", "says": f"run {teacher} is made again: a student needs its lost weights"}
                )
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
        settled = self.outcome.finished | self.outcome.failed.keys()
        self.waiting = shards(self.plan, settled, self.options.jobs, self.options.lanes)

    def _failed(self, run: str, reason: str) -> None:
        self.outcome.failed[run] = reason
        self.report({"event": "failed", "run": run, "reason": reason})

    def _start_ready(self) -> None:
        now, left = time.monotonic(), []
        for whole in self.waiting:
            lost = self.outcome.failed.keys() | self.outcome.blocked
            self.outcome.blocked |= {run.id for run in whole if not lost.isdisjoint(run.teachers)}
            shard = tuple(run for run in whole if lost.isdisjoint(run.teachers))
            ready = all(self.outcome.finished.issuperset(run.teachers) for run in shard)
            if not shard:
                continue
            if ready and len(self.workers) < self.options.jobs and self.not_before.get(shard[0].id, 0) <= now:
                left += self._start_free(shard)
            else:
                left.append(shard)
        self.waiting = left

    def _start_free(self, shard: tuple[Run, ...]) -> list[tuple[Run, ...]]:
        """Start what no other process holds or has made; what another holds waits alone."""
        free, held = [], []
        for run in shard:
            with self.store.claim(run.id) as mine:
                if not mine:
                    held.append((run,))
                    self.not_before[run.id] = time.monotonic() + RETRY_S
                elif record := self.store.settled(run.id):
                    self._settled({"event": record.status, "run": run.id, "reason": record.reason, "elsewhere": True})
                else:
                    free.append(run)
        if free:
            self._start(tuple(free))
        return held

    def _start(self, shard: tuple[Run, ...]) -> None:
        cell = self.plan.cell(shard[0].cell)
        job = {
            "cell": cell.model_dump(mode="json"),
            "runs": [run.model_dump(mode="json") for run in shard],
            "suite_version": self.plan.suite_version,
            "profile": self.plan.profile,
            "device": self.options.device,
            "checkpoint_s": self.options.checkpoint_s,
            "limits": self.options.limits.model_dump(),
        }
        log = self.store.root / "logs" / f"{shard[0].id}.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "bench.executors.worker"],
                env=os.environ | ENVIRONMENT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # Ctrl-C reaches the parent alone
            )
        worker = _Worker(process, shard, log)
        self.workers.append(worker)
        assert process.stdin is not None
        assert process.stdout is not None
        order = {"job": job, "results": str(self.store.root.absolute()), "parent": os.getpid()}
        with contextlib.suppress(BrokenPipeError):  # killed at once: the end of its output tells
            process.stdin.write(json.dumps(order) + "\n")
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        threading.Thread(target=self._read, args=(worker, process.stdout), daemon=True).start()
        self.report({"event": "started", "label": cell.label, "runs": [run.id for run in shard]})

    def _read(self, worker: _Worker, lines: IO[str]) -> None:
        with lines, contextlib.suppress(ValueError):  # a killed worker's last line may be torn
            for line in lines:
                self.events.put((worker, json.loads(line)))
        self.events.put((worker, None))

    def _handle_one(self) -> None:
        """Wait for an event, at most as long as a run that another process holds wants."""
        try:
            worker, event = self.events.get(timeout=0.5)
        except queue.Empty:
            return
        if event is None:
            self._ended(worker)
        elif event["event"] == "error":
            worker.error = event["reason"]
        elif event["event"] == "broken":
            raise Broken(event["reason"])
        elif event["event"] in ("finished", "failed"):
            self._settled(event)
        else:
            if event["event"] == "busy":
                run = next(r for r in worker.runs if r.id == event["run"])
                self.waiting.append((run,))
                self.not_before[run.id] = time.monotonic() + RETRY_S
            self.report(event)

    def _settled(self, event: Event) -> None:
        """A run has its record, made by a worker of ours or, as the event says, elsewhere."""
        if event["event"] == "failed":
            self._failed(event["run"], event["reason"])
            return
        self.outcome.finished.add(event["run"])
        if event.get("elsewhere"):
            self.outcome.elsewhere.add(event["run"])
        self.report(event)

    def _ended(self, worker: _Worker) -> None:
        code = worker.process.wait()
        self.workers.remove(worker)
        settled = self.outcome.finished | self.outcome.failed.keys() | {r.id for shard in self.waiting for r in shard}
        for run in worker.runs:
            if run.id not in settled:
                reason = worker.error or _ending(code, worker.log)
                self._failed(run.id, f"{reason} (log: {worker.log})")

    def _stop_all(self) -> None:
        """Ask, wait a little, kill."""
        for worker in self.workers:
            worker.process.terminate()
        deadline = time.monotonic() + GRACE_S
        for worker in self.workers:
            try:
                worker.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()


def _ending(code: int, log: Path) -> str:
    """Why a process ended that said nothing itself."""
    if code < 0:
        return f"killed by signal {-code}, for want of memory perhaps; the same command goes on from its checkpoint"
    return f"the process ended with code {code}: {_last_line(log)}"


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return lines[-1] if lines else "no message"
