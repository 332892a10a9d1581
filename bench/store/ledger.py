"""Who wrote a record, where code from elsewhere runs beside the results: `<results>/guests/`.

    written.txt                 run and SHA-256 of each record, a line before it is put in place by a command of ours
    <run id>.<token>.json       while a job of a method from elsewhere is under way: the records there before it

A record that is in neither, while such a job is under way or was left unfinished, was written by nobody that we know:
a stranger. It is never counted; the next command that writes moves it to `<results>/set-aside/` and names it. A guest
that can write here could add to both files: Landlock (processes/landlock.py) is what keeps it from that.
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

MOST_BYTES = 2**30  # of a file of the ledger
STRANGER = "no command of ours wrote it, and it appeared beside job {run} of a method from elsewhere"


@dataclass(frozen=True)
class Marker:
    """A job of a method from elsewhere that is under way or was left. there: SHA-256 of the records before it, by name.

    folder: the inode of the records' folder. A copy of it has another, and there the marker says nothing.
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
    """Of one results folder."""

    def __init__(self, root: Path):
        self.root, self.folder = root, root / "guests"
        self.records, self.aside = root / "records", root / "set-aside"
        self._read: dict[Path, tuple[tuple[int, int], Any]] = {}  # what files hold, by size and time

    def note(self, run: str, content: bytes) -> None:
        """A command of ours is about to put this record in place. Lines of several commands do not mix."""
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "written.txt").open("ab") as file:
            file.write(f"\n{run} {sha256(content)}\n".encode())  # whatever a full disk has left of the line before
            file.flush()
            os.fsync(file.fileno())

    def begin(self, runs: Sequence[str]) -> Watch:
        """A job of a method from elsewhere is about to start. What it is told by outlives this process."""
        self.folder.mkdir(exist_ok=True)
        marker = self.folder / f"{runs[0]}.{secrets.token_hex(4)}.json"
        lock = self._lock(marker)
        lock.acquire()
        there = {path.name: _hash(path) for path in self._records()}
        inode = self.records.stat().st_ino
        write_atomically(marker, readable({"runs": list(runs), "folder": inode, "there": there}))
        return Watch(marker, lock)

    def end(self, watch: Watch, clean: bool) -> list[str]:
        """The job is over: what `set_aside` tells. clean: nothing of it can still run; else the marker stays.

        A marker that stays is removed by the next command.
        """
        found = self.set_aside()
        if clean:
            watch.marker.unlink(missing_ok=True)
        watch.lock.release()
        return found

    def stranger(self, path: Path) -> str:
        """Beside which unfinished run a record appeared that no command of ours wrote; nothing where one did."""
        if not (markers := self.markers()):
            return ""
        hash_ = _hash(path)
        if hash_ in self._written():  # read after the record, whose line is older than itself
            return ""
        return next((m.runs[0] for m in markers.values() if m.there.get(path.name) != hash_), "")

    def set_aside(self) -> list[str]:
        """Move strangers to `set-aside/`, with the weights of their runs: a line for each. Raises OSError."""
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
        """Remove the markers of commands that are gone, after `set_aside` has looked at what they left."""
        for path in self.markers():
            with contextlib.suppress(Timeout), self._lock(path).acquire(timeout=0):
                path.unlink(missing_ok=True)

    @property
    def watching(self) -> bool:
        """Whether a job of a method from elsewhere is under way here, or was left."""
        return bool(self.markers())

    def markers(self) -> dict[Path, Marker]:
        """Those of this folder, by file; those that came by copying another folder are not."""
        found: dict[Path, Marker] = {}
        for path in sorted(self.folder.glob("[!.]*.json")):
            if (marker := self._cached(path, _marker)) and marker.folder == self.records.stat().st_ino:
                found[path] = marker
        return found

    def _lock(self, marker: Path) -> FileLock:
        """Held while the command that wrote the marker lives."""
        return FileLock(self.root / "locks" / f"guest.{marker.stem}.lock")

    def _records(self) -> list[Path]:
        return sorted(self.records.glob("[!.]*.json"))

    def _written(self) -> frozenset[str]:
        """SHA-256 of the records that commands of ours have put in place."""
        return self._cached(self.folder / "written.txt", _hashes) or frozenset()

    def _cached(self, path: Path, read: Any) -> Any:
        """What a file holds, read again where it has changed; None where it is gone."""
        try:
            stat = path.stat()
            stamp = (stat.st_size, stat.st_mtime_ns)
            if path not in self._read or self._read[path][0] != stamp:
                self._read[path] = (stamp, read(path))
        except FileNotFoundError:
            return None
        return self._read[path][1]


def _hash(path: Path) -> str:
    """SHA-256 of a record's file; nothing of what is none, such as a named pipe."""
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
        mend = "which records a method from elsewhere found is not known; delete the file if you trust all of them"
        raise StoreError(f"{path}: no marker of a job ({error}); {mend}") from error


def _hashes(path: Path) -> frozenset[str]:
    lines = (line.split() for line in read_bytes(path, MOST_BYTES).decode(errors="replace").splitlines())
    return frozenset(words[1] for words in lines if len(words) == 2)
