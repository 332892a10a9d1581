"""A job on another machine: the relay between its worker and the carrier of its events (Ray, Slurm).

The worker is that of `executors.local`: a separate process, with the same environment and the same events. It claims
runs and keeps checkpoints in the results folder if this machine sees it, else in a scratch folder of its node. Records
and weights of teachers are copied to the scratch folder first. Only events come back; only the dispatcher writes.
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

MOST = 2**31  # bytes in a teacher's weights
WAIT_S = 1.0  # for the next event


class Relay:
    """One job. results: the folder where its worker claims runs. scratch: whether it is this node's, to clean up."""

    def __init__(self, results: Path, scratch: bool):
        self.store, self.scratch = Store(results.absolute()), scratch
        self.store.open_for_writing()
        self._events: queue.Queue[Event | None] = queue.Queue()
        self._worker: LocalWorker | None = None

    def lacks(self, files: Mapping[str, str]) -> list[str]:
        """The files that are missing or differ. files: SHA-256 by path within a results folder."""
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
        """New events of the worker; waits a second for the first. None after the last event."""
        found: list[Event | None] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._events.get(timeout=WAIT_S))
            while True:
                found.append(self._events.get_nowait())
        return found

    def acknowledge(self, run: str) -> None:
        """Tell the worker that the run's result is safe and the run can be released."""
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
        """Whether the worker ended by itself, and why it ended. Call it after the last event."""
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
    """The files of a results folder that a job needs, SHA-256 by path: its teachers' weights, and the records that
    vouch for them. Raises StoreError if one is missing.
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
    """Runs, the runs that taught them, and so on: a record is only sound together with its teachers' records."""
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
