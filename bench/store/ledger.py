"""Who wrote a record while code from elsewhere runs beside the results: `<results>/guests/`.

    written.txt                 run and SHA-256 of each record; our commands add the line before they write the record
    <run id>.<token>.json       while a job of a method from elsewhere is running: the records that were there before

While such a job is running, or was left unfinished, a record in neither file is a stranger: its writer is unknown. A
stranger never counts. The next command that writes moves it to `<results>/set-aside/` and names it. A guest that can
write here could add to both files; Landlock (processes/landlock.py) prevents that.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout

from bench.store.files import MOST_TENSORS, StoreError, readable, sha256, write_atomically
from bench.suite.foreign import read_bytes

MOST_BYTES = 2**30  # in a file of the ledger
STRANGER = "no command of ours wrote it, and it appeared beside job {run} of a method from elsewhere"


@dataclass(frozen=True)
class Marker:
    """A job of a method from elsewhere that is running or was left. there: SHA-256 of earlier records, by name.

    folder: the inode of the records' folder. A copy of the folder has another inode, so the marker does not hold there.
    """

    runs: tuple[str, ...]
    folder: int
    there: dict[str, str]


@dataclass(frozen=True)
class Watch:
    """A job of a method from elsewhere that this process watches."""

    marker: Path
    lock: BaseFileLock


class Ledger:
    """The ledger of one results folder."""

    def __init__(self, root: Path):
        self.root, self.folder = root, root / "guests"
        self.records, self.aside = root / "records", root / "set-aside"
        self._read: dict[Path, tuple[tuple[int, int], Any]] = {}  # contents of files, with size and time

    def note(self, run: str, content: bytes) -> None:
        """Note a record that a command of ours is about to write. Lines of several commands do not mix."""
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "written.txt").open("ab") as file:
            file.write(f"\n{run} {sha256(content)}\n".encode())  # a full disk may have cut the line before
            file.flush()
            os.fsync(file.fileno())

    def begin(self, runs: Sequence[str]) -> Watch:
        """Mark that a job of a method from elsewhere is about to start. The marker outlives this process."""
        self.folder.mkdir(exist_ok=True)
        marker = self.folder / f"{runs[0]}.{secrets.token_hex(4)}.json"
        lock = self._lock(marker)
        lock.acquire()
        there = {path.name: _hash(path) for path in self._records()}
        inode = self.records.stat().st_ino
        write_atomically(marker, readable({"runs": list(runs), "folder": inode, "there": there}))
        return Watch(marker, lock)

    def end(self, watch: Watch, clean: bool) -> list[str]:
        """Note that the job has ended. Returns the lines of `set_aside`. clean: none of its processes can still run.

        If it is not clean, the marker stays until the next command removes it.
        """
        found = self.set_aside()
        if clean:
            watch.marker.unlink(missing_ok=True)
        watch.lock.release()
        return found

    def stranger(self, path: Path) -> str:
        """The unfinished run beside which a record appeared that is not ours; "" if a command of ours wrote it."""
        if not (markers := self.markers()):
            return ""
        hash_ = _hash(path)
        if hash_ in self._written():  # read after the record: its line is written first
            return ""
        return next((m.runs[0] for m in markers.values() if m.there.get(path.name) != hash_), "")

    def set_aside(self) -> list[str]:
        """Move strangers to `set-aside/`, with their runs' weights. Returns a line for each. Raises OSError."""
        found = []
        for path in self._records() if self.markers() else ():
            if run := self.stranger(path):
                self.aside.mkdir(exist_ok=True)
                for own in (path, self.root / "weights" / f"{path.stem}.safetensors"):
                    if own.exists():
                        own.replace(self.aside / f"{own.stem}.{secrets.token_hex(4)}{own.suffix}")
                found.append(
                    f"{path} is set aside: {STRANGER.format(run=run)}; it is in {self.aside} and counts nowhere; "
                    "copy it back if you know where it comes from"
                )
        return found

    def forget_dead(self) -> None:
        """Remove the markers of commands that are gone. Call `set_aside` first, to check what they left."""
        for path in self.markers():
            with contextlib.suppress(Timeout), self._lock(path).acquire(timeout=0):
                path.unlink(missing_ok=True)

    @property
    def watching(self) -> bool:
        """Whether a job of a method from elsewhere is running here, or was left."""
        return bool(self.markers())

    def markers(self) -> dict[Path, Marker]:
        """The markers of this folder, by file. Markers copied from another folder are left out."""
        found: dict[Path, Marker] = {}
        for path in sorted(self.folder.glob("[!.]*.json")):
            if (marker := self._cached(path, _marker)) and marker.folder == self.records.stat().st_ino:
                found[path] = marker
        return found

    def _lock(self, marker: Path) -> FileLock:
        """A lock that is held while the command that wrote the marker lives."""
        return FileLock(self.root / "locks" / f"guest.{marker.stem}.lock")

    def _records(self) -> list[Path]:
        return sorted(self.records.glob("[!.]*.json"))

    def _written(self) -> frozenset[str]:
        """SHA-256 of the records that commands of ours have written."""
        return self._cached(self.folder / "written.txt", _hashes) or frozenset()

    def _cached(self, path: Path, read: Any) -> Any:
        """A file's content, read again if it has changed; None if it is gone."""
        try:
            stat = path.stat()
            stamp = (stat.st_size, stat.st_mtime_ns)
            if path not in self._read or self._read[path][0] != stamp:
                self._read[path] = (stamp, read(path))
        except FileNotFoundError:
            return None
        return self._read[path][1]


def _hash(path: Path) -> str:
    """SHA-256 of a record's file; "" for anything else, such as a named pipe."""
    try:
        return sha256(read_bytes(path, MOST_TENSORS))
    except FileNotFoundError:
        raise
    except OSError:
        return ""


def _marker(path: Path) -> Marker:
    try:
        body = json.loads(read_bytes(path, MOST_BYTES))
        return Marker((str(body["runs"][0]), *body["runs"][1:]), body["folder"], dict(body["there"]))
    except FileNotFoundError:  # its job has ended meanwhile
        raise
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        mend = "so it is unknown which records were there before a method from elsewhere; delete it if you trust all"
        raise StoreError(f"{path}: not a marker of a job ({error}); {mend}") from error


def _hashes(path: Path) -> frozenset[str]:
    lines = (line.split() for line in read_bytes(path, MOST_BYTES).decode(errors="replace").splitlines())
    return frozenset(words[1] for words in lines if len(words) == 2)
