"""A job on another machine: what stands there between the worker and whatever carries its words (Ray, Slurm).

The worker is the one of `executors.local`: a process of its own, with the same environment and the same events. It
claims runs and keeps checkpoints in the results folder, if this machine sees it, else in a scratch folder of its node.
Into that go the records and weights of teachers first. Nothing comes back but events; the dispatcher alone writes.
"""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.executors.dispatch import Event
from bench.executors.local import LocalWorker, LocalWorkers
from bench.run.job import Job
from bench.store import Store, StoreError, sha256
from bench.store.files import write_atomically
from bench.suite.foreign import read_bytes

MOST = 2**31  # bytes of a teacher's weights
WAIT_S = 1.0  # for the next event


class Relay:
    """One job. results: the folder that its worker claims runs in. scratch: it is this node's own, and is tidied."""

    def __init__(self, results: Path, scratch: bool):
        self.store, self.scratch = Store(results.absolute()), scratch
        self.store.open_for_writing()
        self._events: queue.Queue[Event | None] = queue.Queue()
        self._worker: LocalWorker | None = None

    def lacks(self, files: Mapping[str, str]) -> list[str]:
        """Which of these files, SHA-256 by path within a results folder, are absent or others."""
        return [path for path, digest in files.items() if self._digest(path) != digest]

    def take(self, files: Mapping[str, bytes]) -> None:
        """Write what `lacks` named."""
        for path, content in files.items():
            write_atomically(self.store.root / path, content)

    def start(self, job: Job) -> None:
        log = self.store.root / "logs" / f"{job.runs[0].id}.log"
        log.parent.mkdir(exist_ok=True)
        self._worker = LocalWorkers(self.store.root).start(job, log, self._events.put)

    def events(self) -> list[Event | None]:
        """What the worker has said since; waits a second for the first. None: it has said its last."""
        found: list[Event | None] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._events.get(timeout=WAIT_S))
            while True:
                found.append(self._events.get_nowait())
        return found

    def acknowledge(self, run: str) -> None:
        """The run's result is safe: let it go."""
        if self.scratch:
            self.store.drop_checkpoint(run)
        self._own.acknowledge(run)

    def stop(self) -> None:
        if self._worker:
            self._worker.stop()

    def kill(self) -> None:
        if self._worker:
            self._worker.kill()

    def end(self) -> tuple[bool, str]:
        """Whether the worker ended by itself, and why it ended; it has said its last."""
        end = self._own.wait()
        return end.orderly, end.says

    @property
    def _own(self) -> LocalWorker:
        assert self._worker is not None
        return self._worker

    def _digest(self, path: str) -> str | None:
        try:
            return sha256(read_bytes(self.store.root / path, MOST))
        except OSError:
            return None


def needed(store: Store, job: Job) -> dict[str, str]:
    """What a job's runs need of a results folder: SHA-256 by path of their teachers' weights, and of all records that
    bear these out. Raises StoreError where one is not there.
    """
    found: dict[str, str] = {}
    for run in job.runs:
        for teacher in run.teachers:
            path = store.weights_path(teacher)
            found[_within(store, path)] = sha256(_content(path))
            for record in _lineage(store, (teacher,)):
                path = store.record_path(record)
                found[_within(store, path)] = sha256(_content(path))
    return found


def contents(store: Store, paths: Iterable[str]) -> dict[str, bytes]:
    return {path: _content(store.root / path) for path in paths}


def _lineage(store: Store, runs: Iterable[str]) -> list[str]:
    """Runs, those that taught them, and so on: a record is sound only beside its teachers'."""
    found = []
    for run in runs:
        record = store.record(run)
        if record is not None:
            found += [run, *_lineage(store, [teacher.run for teacher in record.teachers])]
    return found


def _within(store: Store, path: Path) -> str:
    return str(path.relative_to(store.root))


def _content(path: Path) -> bytes:
    try:
        return read_bytes(path, MOST)
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror or error}; a student needs it") from error
