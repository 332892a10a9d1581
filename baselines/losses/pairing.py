"""Which teacher a student learns from. Axes: S seed, N agent."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def paired(weights: Mapping[str, Tensor], students: int, like: Tensor) -> dict[str, Tensor]:
    """Teachers' weights [S, N_teacher, ...] as one teacher a student, [S, N, ...]: student i has i mod N_teacher.

    KnowRU (Gao et al. 2021), Sec. 3.3, pairs every agent with a policy and allows repeated pairings; the order is ours.
    Copies, with the device and dtype of `like`.
    """
    return {
        name: weight[:, torch.arange(students) % weight.shape[1]].to(like, copy=True)
        for name, weight in weights.items()
    }
