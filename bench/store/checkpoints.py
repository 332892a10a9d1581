"""Weights and checkpoints as safetensors: never unpickled, written atomically, no larger than needed.

A checkpoint is one file with the learner's tensors, the random streams and the curves so far, plus an append-only log
of the replay. Each checkpoint adds only the entries since the last one, so a run writes its replay once. The replay
decides what an entry is, an episode or a transition (`baselines.learner.Replay`).

The metadata of each file states its format, its run, its part of the checkpoint, and a SHA-256 over these and its
tensors. Reading checks all of it: no file can pass as another run's or as another part.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load, save

from bench.store import Store, StoreError, canonical, sha256, write_atomically
from bench.store.files import MOST_TENSORS
from bench.suite.foreign import read_bytes

Arrays = Mapping[str, np.ndarray]
FORMAT = "3"  # of a checkpoint's files; format 1 had no metadata, format 2 counted only in episodes
STATE = "state"  # the part of a checkpoint outside the replay log
PROGRESS = "progress"  # the array with the checkpoint's JSON, as bytes
COUNTS = ("done", "replay_first", "replay_stop")
AGAIN = "copy it back, or delete the run's record, and the run is made again"


@dataclass(frozen=True)
class Part:
    """A file of the replay log: entries [start, stop) of a run."""

    run: str
    start: int
    stop: int
    path: Path

    @property
    def place(self) -> str:
        """Its part of the checkpoint, in the words of its metadata."""
        return f"replay {self.start}-{self.stop}"

    def read(self) -> dict[str, np.ndarray]:
        """Its rows. Raises StoreError if it cannot be read, or is not what was written there."""
        return _read(self.path, self.run, self.place)


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run. name: a run's id, or the name of a kept state. progress: JSON values. "done" is the used part
    of the budget, in its unit. "replay_first" is the oldest entry that the replay still holds, "replay_stop" one more
    than the newest. replay: the log's parts in order, from the one with "replay_first" up to "replay_stop". Each part
    is read on demand, so none is in memory twice.
    """

    name: str
    arrays: Arrays
    progress: Mapping[str, Any]
    replay: tuple[Part, ...]


def packed_weights(arrays: Arrays) -> bytes:
    """A run's policy as the bytes of its file."""
    return save(_contiguous(arrays))


def load_weights(store: Store, run: str, expected: str) -> dict[str, np.ndarray]:
    """A run's policy. expected: the SHA-256 that its record states. Raises StoreError."""
    path = store.weights_path(run)
    try:
        content = read_bytes(path, MOST_TENSORS)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; the record of run {run} needs it; {AGAIN}") from error
    if sha256(content) != expected:
        raise StoreError(f"{path}: SHA-256 {sha256(content)[:12]}... is not the record's {expected[:12]}...; {AGAIN}")
    try:
        return load(content)
    except SafetensorError as error:
        raise StoreError(f"{path}: not a safetensors file ({error}); {AGAIN}") from error


def save_checkpoint(store: Store, run: str, arrays: Arrays, progress: Mapping[str, Any]) -> None:
    """Write the run's state. The replay up to progress["replay_stop"] must have been appended before.

    Parts of the replay log that are older than progress["replay_first"] are then removed.
    """
    text = np.frombuffer(json.dumps(progress, sort_keys=True).encode(), dtype=np.uint8)
    _write(_path(store, run), run, STATE, {**arrays, PROGRESS: text})
    for part in _parts(store, run):
        if part.stop <= progress["replay_first"]:
            part.path.unlink()


def append_replay(store: Store, run: str, start: int, stop: int, rows: Arrays) -> None:
    """Add entries [start, stop) to the run's replay log."""
    folder = store.checkpoints / run
    folder.mkdir(exist_ok=True)
    part = Part(run, start, stop, folder / f"{start:09d}-{stop:09d}.safetensors")
    _write(part.path, run, part.place, rows)


def load_checkpoint(store: Store, run: str, says: Callable[[str], None]) -> Checkpoint | None:
    """The last complete checkpoint; None if there is none.

    A checkpoint that is damaged, of another run or of another format is dropped: `says` gets the reason, and the result
    is None. The log's parts are checked when they are read.
    """
    try:
        arrays = _read(_path(store, run), run, STATE)
        progress = json.loads(arrays.pop(PROGRESS).tobytes())
        for key in COUNTS:
            if type(progress[key]) is not int:
                raise ValueError(f"{key}: got {progress[key]!r}; allowed: a whole number")
        return Checkpoint(run, arrays, progress, _log(store, run, progress["replay_first"], progress["replay_stop"]))
    except FileNotFoundError:  # none was written yet, though a killed run may have left parts of a log
        store.drop_checkpoint(run)
    except StoreError as error:
        drop_checkpoint(store, run, str(error), says)
    except (KeyError, ValueError, TypeError) as error:
        drop_checkpoint(store, run, f"{_path(store, run)}: its progress cannot be read ({error!r})", says)
    return None


def has_checkpoint(store: Store, run: str) -> bool:
    """Whether a checkpoint exists, valid or not."""
    return _path(store, run).is_file()


def drop_checkpoint(store: Store, run: str, why: str, says: Callable[[str], None]) -> None:
    """Remove a run's checkpoint, and say why."""
    store.drop_checkpoint(run)
    says(f"run {run} starts again; its checkpoint is dropped: {why}")


def read_progress(store: Store, run: str) -> Mapping[str, Any] | None:
    """The progress of an unfinished run, without its tensors, and "age_s", how long ago it was. Only reads.

    None if it cannot be read, or is of another format or run: such a run starts again. The hash is not checked.
    """
    try:
        age_s = max(0.0, time.time() - _path(store, run).stat().st_mtime)
        if not _path(store, run).is_file():  # safe_open would wait for a named pipe
            return None
        with safe_open(_path(store, run), framework="numpy") as file:
            if _problem(file.metadata() or {}, run, STATE):
                return None
            return json.loads(file.get_tensor(PROGRESS).tobytes()) | {"age_s": age_s}
    except (OSError, SafetensorError, ValueError):
        return None


def _log(store: Store, run: str, first: int, stop: int) -> tuple[Part, ...]:
    """The log's parts with entries [first, stop). Raises StoreError at a gap.

    Later parts, which a killed run wrote, are removed.
    """
    found: list[Part] = []
    for part in _parts(store, run):
        if part.start >= stop:
            part.path.unlink()
        elif part.stop > first:
            if part.start > first if not found else part.start != found[-1].stop:
                expected = found[-1].stop if found else first
                raise StoreError(f"{part.path}: got entries from {part.start} on; allowed: from {expected} on")
            found.append(part)
    reached = found[-1].stop if found else first
    if reached != stop:
        raise StoreError(f"{store.checkpoints / run}: got entries up to {reached}; allowed: up to {stop}")
    return tuple(found)


def _parts(store: Store, run: str) -> list[Part]:
    """The files of the replay log, in order."""
    paths = sorted((store.checkpoints / run).glob("[0-9]*.safetensors"))
    bounds = [path.stem.partition("-") for path in paths]
    return [Part(run, int(start), int(stop), path) for (start, _, stop), path in zip(bounds, paths, strict=True)]


def _path(store: Store, run: str) -> Path:
    return store.checkpoints / f"{run}.safetensors"


def _write(path: Path, run: str, place: str, arrays: Arrays) -> None:
    """Write one of a checkpoint's files."""
    own = _contiguous(arrays)
    metadata = {"format": FORMAT, "run": run, "place": place}
    write_atomically(path, save(own, metadata | {"sha256": _digest(metadata, own)}))


def _read(path: Path, run: str, place: str) -> dict[str, np.ndarray]:
    """What `_write` wrote. Raises FileNotFoundError, and StoreError if it is anything else or cannot be read."""
    try:
        content = read_bytes(path, MOST_TENSORS)
        arrays = load(content)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise StoreError(f"{path}: not a complete safetensors file ({error})") from error
    length = int.from_bytes(content[:8], "little")  # of safetensors' header
    metadata = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    if problem := _problem(metadata, run, place):
        raise StoreError(f"{path}: {problem}")
    stated = metadata.pop("sha256", "none")
    if stated != (own := _digest(metadata, arrays)):
        raise StoreError(f"{path}: sha256: its content has {own[:12]}..., but it states {stated[:12]}...")
    return arrays


def _problem(metadata: Mapping[str, str], run: str, place: str) -> str:
    """Why a file is not this part of this run's checkpoint; "" if it says that it is."""
    if (found := metadata.get("format", "1")) != FORMAT:
        return f"format: got {found}; allowed: {FORMAT}, the format of this version"
    for key, allowed in (("run", run), ("place", place)):
        if (found := metadata.get(key, "none")) != allowed:
            return f"{key}: got {found}; allowed: {allowed}"
    return ""


def _digest(metadata: Mapping[str, str], arrays: Arrays) -> str:
    """SHA-256 over a file's metadata, its tensors' names, types and shapes, and all bytes."""
    described = {name: [str(array.dtype), list(array.shape)] for name, array in arrays.items()}
    found = hashlib.sha256(canonical([metadata, described]))
    for name in sorted(arrays):
        found.update(arrays[name].reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def _contiguous(arrays: Arrays) -> dict[str, np.ndarray]:
    """Contiguous arrays for safetensors, with the same shapes (np.ascontiguousarray would turn a scalar into [1])."""
    return {name: np.asarray(array, order="C") for name, array in arrays.items()}
