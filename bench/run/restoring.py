"""Whether a readable checkpoint fits the learner that it is for.

Axes: S seed, P scenario (place).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from baselines.learner import Replay
from bench.store import StoreError
from bench.store.checkpoints import Checkpoint

SECONDS = ("wall_s", "cpu_s")


class NotRestored(Exception):
    """A checkpoint cannot be restored; its run starts again."""


def out_of_memory(error: Exception) -> bool:
    """Whether the machine ran out of memory. Then the checkpoint is kept for another time."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def reason(error: Exception) -> str:
    """Why a checkpoint was not restored, in one line."""
    if isinstance(error, StoreError):
        return str(error)
    said = " ".join(str(error).split()) or "no message"
    return f"it does not fit this run ({type(error).__name__}: {said})"


def far(checkpoint: Checkpoint) -> tuple[int, bool]:
    """Rounds that a run has played, and whether its first phase is over. Raises NotRestored if either is missing."""
    rounds, turned = (checkpoint.progress.get(key) for key in ("rounds", "turned"))
    if not (type(rounds) is int and type(turned) is bool):
        says = f"rounds, turned: got {rounds!r}, {turned!r}; allowed: a whole number, true or false"
        raise NotRestored(reason(ValueError(says)))
    return rounds, turned


def check(checkpoints: Sequence[Checkpoint], state: Mapping[str, Tensor], places: int) -> None:
    """Raise ValueError if a lane's checkpoint is not one that this learner would write.

    state: the new learner's, every tensor leading with [S]; names, shapes and types do not change in training.
    places: P.
    """
    for checkpoint in checkpoints:
        _check_state(checkpoint, state)
        _check_progress(checkpoint.progress, places)


def check_log(replays: Sequence[Replay], entries: int) -> None:
    """Raise ValueError if the log did not hold as many entries as its names say."""
    for replay in replays:
        if replay.entries != entries:
            raise ValueError(f"replay: got {replay.entries} entries of the log; allowed: {entries}")


def _check_state(checkpoint: Checkpoint, state: Mapping[str, Tensor]) -> None:
    prefix = "learner/"
    found = {name.removeprefix(prefix): a for name, a in checkpoint.arrays.items() if name.startswith(prefix)}
    if odd := sorted(found.keys() ^ state.keys()):
        raise ValueError(f"learner state: {odd[0]} is in only one of checkpoint and learner")
    for name, tensor in state.items():
        got = f"{found[name].dtype} {list(found[name].shape)}"
        if got != (allowed := f"{tensor[:0].cpu().numpy().dtype} {list(tensor.shape[1:])}"):
            raise ValueError(f"learner state: {name}: got {got}; allowed: {allowed}")


def _check_progress(progress: Mapping[str, Any], places: int) -> None:
    for key in SECONDS:
        if not isinstance(progress[key], float):
            raise ValueError(f"{key}: got {progress[key]!r}; allowed: seconds")
    for key in ("curves", "losses"):
        if len(progress[key]) != places:
            raise ValueError(f"{key}: got {len(progress[key])} entries; allowed: {places}, one per scenario")


def arrays_of(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Tensors in the form of a checkpoint."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}


def under(start: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays whose names begin with `start`, by the rest of their names."""
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
