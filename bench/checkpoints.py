"""Weights and checkpoints as safetensors: never unpickled, written atomically, no larger than they must be.

A checkpoint is one file with the learner's tensors, the random streams and the curves so far, and an append-only log
of the replay: each checkpoint adds only the episodes since the last one, so that a run writes its replay once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load, save

from bench.store import Store, StoreError, sha256, write_atomically

Arrays = Mapping[str, np.ndarray]
PROGRESS = "progress"  # the array that holds the checkpoint's JSON, as bytes
AGAIN = "copy it back, or delete the run's record, and the run is made again"


@dataclass(frozen=True)
class Checkpoint:
    """How far a run is. progress: JSON-able; "episodes" counts the episodes done, "replay_first" is the oldest of them
    that the replay still holds. replay: parts by their first episode, in order, up to the last episode done.
    """

    arrays: Arrays
    progress: Mapping[str, Any]
    replay: dict[int, Arrays]


def save_weights(store: Store, run: str, arrays: Arrays) -> str:
    """Write a run's policy; the file's SHA-256."""
    content = save(_contiguous(arrays))
    write_atomically(store.weights_path(run), content)
    return sha256(content)


def load_weights(store: Store, run: str, expected: str) -> dict[str, np.ndarray]:
    """A run's policy. expected: the SHA-256 that its record states. Raises StoreError."""
    path = store.weights_path(run)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; the record of run {run} needs it; {AGAIN}") from error
    if sha256(content) != expected:
        raise StoreError(f"{path}: SHA-256 {sha256(content)[:12]}... is not the record's {expected[:12]}...; {AGAIN}")
    try:
        return load(content)
    except SafetensorError as error:
        raise StoreError(f"{path}: not a safetensors file ({error}); {AGAIN}") from error


def save_checkpoint(store: Store, run: str, arrays: Arrays, progress: Mapping[str, Any]) -> None:
    """Write where the run is; the replay up to progress["episodes"] must have been appended before.

    Parts of the replay log older than progress["replay_first"] are then removed.
    """
    text = np.frombuffer(json.dumps(progress, sort_keys=True).encode(), dtype=np.uint8)
    write_atomically(_path(store, run), save(_contiguous({**arrays, PROGRESS: text})))
    for _, stop, path in _parts(store, run):
        if stop <= progress["replay_first"]:
            path.unlink()


def append_replay(store: Store, run: str, start: int, stop: int, rows: Arrays) -> None:
    """Add episodes [start, stop) to the run's replay log."""
    folder = store.checkpoints / run
    folder.mkdir(exist_ok=True)
    write_atomically(folder / f"{start:09d}-{stop:09d}.safetensors", save(_contiguous(rows)))


def load_checkpoint(store: Store, run: str) -> Checkpoint | None:
    """The last whole checkpoint; None where there is none, or none that can be read (the run starts again)."""
    path = _path(store, run)
    try:
        arrays = load(path.read_bytes())
        progress = json.loads(arrays.pop(PROGRESS).tobytes())
        replay = _read_replay(store, run, progress["replay_first"], progress["episodes"])
    except (OSError, SafetensorError, KeyError, ValueError):
        store.drop_checkpoint(run)
        return None
    return Checkpoint(arrays, progress, replay)


def read_progress(store: Store, run: str) -> Mapping[str, Any] | None:
    """How far an unfinished run is, without its tensors, and "age_s", how long ago that was. Nothing is changed.

    None where that cannot be read.
    """
    try:
        age_s = max(0.0, time.time() - _path(store, run).stat().st_mtime)
        with safe_open(_path(store, run), framework="numpy") as file:
            return json.loads(file.get_tensor(PROGRESS).tobytes()) | {"age_s": age_s}
    except (OSError, SafetensorError, ValueError):
        return None


def _read_replay(store: Store, run: str, first: int, episodes: int) -> dict[int, Arrays]:
    """The log's parts that hold episodes [first, episodes), by their start; ValueError at a gap.

    Later parts, written before a kill, are removed.
    """
    found: dict[int, Arrays] = {}
    reached = None
    for start, stop, path in _parts(store, run):
        if start >= episodes:
            path.unlink()
        elif stop > first:
            if start > first if reached is None else start != reached:
                raise ValueError(f"{path}: starts at {start}, expected {first if reached is None else reached}")
            found[start], reached = load(path.read_bytes()), stop
    if (first if reached is None else reached) != episodes:
        raise ValueError(f"replay of run {run}: ends at {reached}, expected {episodes}")
    return found


def _parts(store: Store, run: str) -> list[tuple[int, int, Path]]:
    """The files of the replay log: first episode, end, path, in order."""
    paths = sorted((store.checkpoints / run).glob("[0-9]*.safetensors"))
    bounds = [path.stem.partition("-") for path in paths]
    return [(int(start), int(stop), path) for (start, _, stop), path in zip(bounds, paths, strict=True)]


def _path(store: Store, run: str) -> Path:
    return store.checkpoints / f"{run}.safetensors"


def _contiguous(arrays: Arrays) -> dict[str, np.ndarray]:
    """As safetensors needs them; of the same shapes (np.ascontiguousarray would make a scalar [1])."""
    return {name: np.asarray(array, order="C") for name, array in arrays.items()}
