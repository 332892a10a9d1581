"""Questions of the harness to the process of a learner from elsewhere, and how tensors travel there and back.

Axes: S = 1 seed, E episode copy, T step, N agent, O observation entry, A action entry.

The harness asks, the process answers, one question at a time:

| {"ask": ...} | with it | tensors | the answer |
|---|---|---|---|
| "copies" | | | {"copies": E of a round, "steps": None} |
| "exploring", "greedy" | task, episodes (done) | | {}: this policy acts from now on |
| "act" | | those of a `Seen` | actions [S, E, N, A] |
| "learn" | task, episodes (done) | those of a `Rollout` | losses by name, [S] each |
| "policy" | | | {"packages": versions by name}; the policy by name, [S, ...] each |

Every answer has {"do": "answer"}. Tensors are safetensors: names, types, shapes and numbers, but no code.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from safetensors.numpy import load, save
from torch import Tensor


def packed(tensors: Mapping[str, Tensor], asked: str = "tensors") -> bytes:
    """asked: the question that they answer. Raises TypeError if a learner has answered something else."""
    if not isinstance(tensors, Mapping):
        raise TypeError(f"{asked}: got {type(tensors).__name__}; allowed: tensors by name")
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{asked}: {name}: got {type(tensor).__name__}; allowed: a tensor")
    return save({name: np.asarray(tensor.detach().cpu().numpy(), order="C") for name, tensor in tensors.items()})


def unpacked(content: bytes) -> dict[str, Tensor]:
    """The tensors by name; none for no bytes. Raises SafetensorError; KeyError for a type that numpy lacks."""
    arrays = load(content) if content else {}
    return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
