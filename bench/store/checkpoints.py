"""Weights and checkpoints as safetensors: never unpickled, written atomically, no larger than they must be.

A checkpoint is one file with the learner's tensors, the random streams and the curves so far, and an append-only log
of the replay: each checkpoint adds only the entries since the last one, so that a run writes its replay once. What an
entry is, an episode or a transition, is the replay's own matter (`baselines.learner.Replay`).

Each of these files says in its metadata which format it has, which run it is of, which part of the checkpoint it is,
and the SHA-256 of all that and of its tensors. Reading checks it: no file counts as another run's, or in another place.
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
FORMAT = "3"  # of a checkpoint's files; those of format 1 had no metadata, 2 counted in episodes alone
STATE = "state"  # the part of a checkpoint that is not of the replay log
PROGRESS = "progress"  # the array that holds the checkpoint's JSON, as bytes
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
        """Which part of the checkpoint it is, as its metadata says."""
        return f"replay {self.start}-{self.stop}"

    def read(self) -> dict[str, np.ndarray]:
        """Its rows. Raises StoreError where it cannot be read, or is not what was written there."""
        return _read(self.path, self.run, self.place)


@dataclass(frozen=True)
class Checkpoint:
    """How far a run is. name: what it is kept as, a run's id or another's. progress: JSON-able; "done" counts what is
    done of the budget, in its unit; "replay_first" is the oldest entry that the replay still holds, "replay_stop" one
    more than the newest. replay: the log's parts in order, from the one that holds "replay_first" up to "replay_stop";
    each is read when it is asked for, so that none is held twice.
    """

    name: str
    arrays: Arrays
    progress: Mapping[str, Any]
    replay: tuple[Part, ...]


def packed_weights(arrays: Arrays) -> bytes:
    """A run's policy as a file holds it."""
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
    """Write where the run is; the replay up to progress["replay_stop"] must have been appended before.

    Parts of the replay log older than progress["replay_first"] are then removed.
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
    """The last whole checkpoint; None where there is none, or none that is this run's, whole and of this format.

    Such a one is dropped, and `says` is told why. The log's parts are checked when they are read.
    """
    try:
        arrays = _read(_path(store, run), run, STATE)
        progress = json.loads(arrays.pop(PROGRESS).tobytes())
        for key in COUNTS:
            if type(progress[key]) is not int:
                raise ValueError(f"{key}: got {progress[key]!r}; allowed: a whole number")
        return Checkpoint(run, arrays, progress, _log(store, run, progress["replay_first"], progress["replay_stop"]))
    except FileNotFoundError:  # none was written yet; parts of a log may have been, before a kill
        store.drop_checkpoint(run)
    except StoreError as error:
        drop_checkpoint(store, run, str(error), says)
    except (KeyError, ValueError, TypeError) as error:
        drop_checkpoint(store, run, f"{_path(store, run)}: its progress is not what is written there ({error!r})", says)
    return None


def has_checkpoint(store: Store, run: str) -> bool:
    """Whether one was written, whatever is in it."""
    return _path(store, run).is_file()


def drop_checkpoint(store: Store, run: str, why: str, says: Callable[[str], None]) -> None:
    """Remove a run's checkpoint, and say why."""
    store.drop_checkpoint(run)
    says(f"run {run} starts again, its checkpoint is dropped: {why}")


def read_progress(store: Store, run: str) -> Mapping[str, Any] | None:
    """How far an unfinished run is, without its tensors, and "age_s", how long ago that was. Nothing is changed.

    None where that cannot be read, or is of another format or run: such a run starts again. The hash is not checked.
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
    """The log's parts that hold entries [first, stop); StoreError at a gap.

    Later parts, written before a kill, are removed.
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
    """What `_write` wrote. Raises FileNotFoundError, and StoreError where it is something else or cannot be read."""
    try:
        content = read_bytes(path, MOST_TENSORS)
        arrays = load(content)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise StoreError(f"{path}: not a whole safetensors file ({error})") from error
    length = int.from_bytes(content[:8], "little")  # of the header, as the format has it
    metadata = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    if problem := _problem(metadata, run, place):
        raise StoreError(f"{path}: {problem}")
    stated = metadata.pop("sha256", "none")
    if stated != (own := _digest(metadata, arrays)):
        raise StoreError(f"{path}: sha256: got {own[:12]}... of what is in it; it states {stated[:12]}...")
    return arrays


def _problem(metadata: Mapping[str, str], run: str, place: str) -> str:
    """Why a file is not a run's, in this place; nothing where it says that it is."""
    if (found := metadata.get("format", "1")) != FORMAT:
        return f"format: got {found}; allowed: {FORMAT}, which this version writes"
    for key, allowed in (("run", run), ("place", place)):
        if (found := metadata.get(key, "none")) != allowed:
            return f"{key}: got {found}; allowed: {allowed}"
    return ""


def _digest(metadata: Mapping[str, str], arrays: Arrays) -> str:
    """SHA-256 of what a file says it is, of names, types and shapes, and of all bytes."""
    described = {name: [str(array.dtype), list(array.shape)] for name, array in arrays.items()}
    found = hashlib.sha256(canonical([metadata, described]))
    for name in sorted(arrays):
        found.update(arrays[name].reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def _contiguous(arrays: Arrays) -> dict[str, np.ndarray]:
    """As safetensors needs them; of the same shapes (np.ascontiguousarray would make a scalar [1])."""
    return {name: np.asarray(array, order="C") for name, array in arrays.items()}
