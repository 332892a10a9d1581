"""Results on disk: one JSON record per run, weights, checkpoints. Atomic, hashed, versioned; folders merge by copying.

    <results>/records/<run id>.json            what a run measured, and where it comes from
    <results>/weights/<run id>.safetensors     its trained policy
    <results>/checkpoints/<run id>...          its state so far; removed when the record is written
    <results>/locks/<run id>.lock              held while a process trains it
    <results>/guests/, set-aside/              who wrote what while methods from elsewhere ran (ledger.py)

A file is written under a temporary name, synced and renamed: it is complete or absent. A record has two hashes:
`numbers_hash` over all that must repeat on the same platform, `content_hash` over everything.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from bench.store.files import (
    MENDS,
    MOST_TENSORS,
    WRITABLE,
    StoreError,
    canonical,
    readable,
    sha256,
    write_atomically,
)
from bench.store.ledger import STRANGER, Ledger
from bench.store.reading import MOST_BYTES, false_teacher, read_record, sound
from bench.store.records import Record, numbers_hash
from bench.suite.foreign import read_bytes


@dataclass(frozen=True)
class Found:
    """A folder's records of one cell: sound ones by seed, and the problems of the others."""

    records: dict[int, Record]
    damaged: tuple[str, ...]


@dataclass(frozen=True)
class Contents:
    """A folder's records: sound ones by cell and seed, and the problems of the others."""

    cells: Mapping[str, dict[int, Record]]
    damaged: tuple[str, ...]

    def of(self, cell: str) -> Found:
        return Found(self.cells.get(cell, {}), self.damaged)

    def without(self, store: Store, wrong: Callable[[Record], str]) -> Contents:
        """The contents without records for which `wrong` gives a reason; these move to the damaged ones."""
        others = {r.run: why for records in self.cells.values() for r in records.values() if (why := wrong(r))}
        if not others:
            return self
        kept = {key: {s: r for s, r in own.items() if r.run not in others} for key, own in self.cells.items()}
        lines = (f"{store.record_path(run)}: {why}; delete it" for run, why in others.items())
        return Contents({key: own for key, own in kept.items() if own}, (*self.damaged, *lines))


class Store:
    """A results folder."""

    def __init__(self, root: Path | str):
        self.root = Path(root)
        self.checkpoints = self.root / "checkpoints"
        self.boundaries = self.root / "boundaries"  # states between two phases: bench/run/boundary.py
        self.imported = self.root / "imported"  # results from elsewhere: bench/exchange
        self.ledger = Ledger(self.root)

    def open_for_writing(self) -> None:
        """Make the folder and check that it is writable. Raises StoreError."""
        try:
            for part in ("records", "weights", "checkpoints", "locks"):
                (self.root / part).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root / "records") as probe:
                probe.write(bytes(4096))  # a full disk still takes empty files
        except OSError as error:
            mend = f"{MENDS.get(error.errno or 0, WRITABLE)}, or name a writable folder with --results DIR"
            raise StoreError(f"results folder {self.root} cannot be written: {error.strerror}; {mend}") from error

    def record_path(self, run: str) -> Path:
        return self.root / "records" / f"{run}.json"

    def weights_path(self, run: str) -> Path:
        return self.root / "weights" / f"{run}.safetensors"

    def write(self, record: Record, weights: bytes | None) -> None:
        """Write an ended run: its policy (a safetensors file), then its record. Then drop its checkpoint.

        After a kill in between, the run either has no record and goes on from its checkpoint, or it is complete.
        """
        if weights is not None:
            write_atomically(self.weights_path(record.run), weights)
        self.write_record(record)
        self.drop_checkpoint(record.run)

    def write_record(self, record: Record) -> None:
        body = record.model_dump(mode="json") | {"numbers_hash": numbers_hash(record)}
        body["content_hash"] = sha256(canonical(body))
        content = readable(body)
        if len(content) > MOST_BYTES:
            mend = "raise record_every and evaluate_every to get fewer points"
            raise StoreError(
                f"run {record.run}: its record has {len(content):,} bytes; allowed: {MOST_BYTES:,}; {mend}"
            )
        self.ledger.note(record.run, content)
        write_atomically(self.record_path(record.run), content)

    def record(self, run: str) -> Record | None:
        """A run's record; None if there is none. Raises StoreError, which names the file, if it is damaged."""
        path = self.record_path(run)
        record = self._sound(path, self.ledger.watching) if path.exists() else None
        if record is not None and (problem := false_teacher(record, self.settled)):
            raise StoreError(f"{path}: {problem}")
        return record

    def settled(self, run: str) -> Record | None:
        """The sound record of an ended run; None if the run must still be made, or made again."""
        try:
            return self.record(run)
        except StoreError:
            return None

    def finished(self, run: str) -> bool:
        """Whether a sound record says that the run finished."""
        record = self.settled(run)
        return record is not None and record.status == "finished"

    def forget_failure(self, run: str) -> None:
        """Remove the record of a failed run, unless another process holds the run. The run is then made again."""
        with self.claim(run) as mine:
            record = self.settled(run) if mine else None
            if record is not None and record.status == "failed":
                self.record_path(run).unlink()

    def forget_without_weights(self, run: str) -> bool:
        """Remove the record of a finished run whose weights are lost or damaged. Both are then made again."""
        with self.claim(run) as mine:
            record = self.settled(run) if mine else None
            if record is None or record.status != "finished":
                return False
            path = self.weights_path(run)
            with contextlib.suppress(OSError):
                if sha256(read_bytes(path, MOST_TENSORS)) == record.numbers.weights:
                    return False
            self.record_path(run).unlink()
            return True

    def cell(self, key: str, seeds: tuple[int, ...] | None = None) -> Found:
        """The records of a cell, for all seeds or only some."""
        return self.cells({key}, seeds).get(key, Found({}, ()))

    def cells(self, keys: set[str], seeds: tuple[int, ...] | None = None) -> dict[str, Found]:
        """The records of several cells, each file read once. A damaged file is reported under every cell."""
        whole = self.contents(seeds)
        return {key: whole.of(key) for key in keys}

    def contents(self, seeds: tuple[int, ...] | None = None) -> Contents:
        """The records of the folder, for all seeds or only some; each file is read once.

        A cell has one run per seed. A file that is not the record of its own run never replaces another.
        """
        records: dict[str, Record] = {}
        damaged: list[str] = []
        watching = self.ledger.watching
        with _no_collection():
            for path in sorted((self.root / "records").glob("*.json"), key=lambda path: path.name):
                try:
                    record = self._sound(path, watching)
                except StoreError as error:
                    damaged.append(str(error))
                else:
                    records[record.run] = record
        counted, others = sound(records)
        damaged += [f"{self.record_path(run)}: {problem}" for run, problem in others.items()]
        cells: dict[str, dict[int, Record]] = {}
        for record in counted.values():
            if seeds is None or record.seed in seeds:
                cells.setdefault(record.cell, {})[record.seed] = record
        return Contents(cells, tuple(damaged))

    def _sound(self, path: Path, watching: bool) -> Record:
        """A sound record that no code from elsewhere can have put there. Raises StoreError for any other."""
        record = read_record(path)
        if watching and (run := self.ledger.stranger(path)):
            raise StoreError(f"{path}: {STRANGER.format(run=run)}; the next bench run sets it aside")
        return record

    @contextlib.contextmanager
    def claim(self, run: str) -> Iterator[bool]:
        """Whether this process got the run. No other trains it until the block ends, in any way."""
        folder = self.root / "locks"
        if not folder.is_dir():  # filelock would make the folder again, and hide that it has vanished
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
        lock = FileLock(folder / f"{run}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def drop_checkpoint(self, run: str) -> None:
        (self.checkpoints / f"{run}.safetensors").unlink(missing_ok=True)
        shutil.rmtree(self.checkpoints / run, ignore_errors=True)

    def forget_boundaries(self) -> None:
        """Remove states between two phases, except those that another command is training now.

        Our own runs no longer need them. Another command that needs one makes it again.
        """
        kept = Store(self.boundaries)
        found = kept.checkpoints.iterdir() if kept.checkpoints.is_dir() else ()
        for name in {path.name.lstrip(".").partition(".")[0] for path in found}:
            with self.claim(name) as mine:
                if mine:
                    kept.tidy(name)
                    kept.drop_checkpoint(name)

    def leftovers(self) -> dict[str, list[Path]]:
        """Checkpoints and incomplete files that unfinished runs and killed processes left, by run."""
        found: dict[str, list[Path]] = {}
        for part in ("records", "weights", "checkpoints"):
            folder = self.root / part
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                if part == "checkpoints" or path.name.startswith("."):
                    found.setdefault(path.name.lstrip(".").partition(".")[0], []).append(path)
        return found

    def tidy(self, run: str) -> None:
        """Remove what a killed process left of a run that this process holds: incomplete files, and the checkpoint
        if there is a record.
        """
        for folder in (self.root / "records", self.root / "weights", self.checkpoints):
            for path in folder.glob(f".{run}.*"):
                path.unlink(missing_ok=True)
        for path in (self.checkpoints / run).glob(".*"):
            path.unlink(missing_ok=True)
        if self.settled(run):
            self.drop_checkpoint(run)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection while many records are read: they have no cycles, and it would take a third of the time."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collected:
            gc.enable()
