"""Distillation losses on logits, and which teacher a student learns from.

Axes: S seed, N agent, A action entry, B batch. Logits are [S, N, A, B], samples as columns (see nn.py); a loss is
[S, N], a mean over the batch. The teacher is a constant: no gradient reaches it.
Softmax temperature 1: KnowRU (Gao et al. 2021), Sec. 3.3, does not soften.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor


def mse(teacher: Tensor, student: Tensor) -> Tensor:
    """Eq. 9: mean squared difference of the logits, over actions and batch."""
    return (student - teacher.detach()).square().mean((-2, -1))


def cross_entropy(teacher: Tensor, student: Tensor) -> Tensor:
    """-sum_a p_teacher log p_student (Sec. 3.2)."""
    return -(teacher.detach().softmax(-2) * student.log_softmax(-2)).sum(-2).mean(-1)


def kl(teacher: Tensor, student: Tensor) -> Tensor:
    """Eq. 7-8 at T = 1: KL(student || teacher) = sum_a p_student (log p_student - log p_teacher)."""
    log_student = student.log_softmax(-2)
    return (log_student.exp() * (log_student - teacher.detach().log_softmax(-2))).sum(-2).mean(-1)


LOSSES: dict[Literal["mse", "ce", "kl"], Callable[[Tensor, Tensor], Tensor]] = {
    "mse": mse,
    "ce": cross_entropy,
    "kl": kl,
}


def paired(weights: Mapping[str, Tensor], students: int, like: Tensor) -> dict[str, Tensor]:
    """Teachers' weights [S, N_teacher, ...] as one teacher a student, [S, N, ...]: student i has i mod N_teacher.

    Sec. 3.3 pairs every agent with a policy and allows repeated pairings; the order is ours.
    Copies, with the device and dtype of `like`.
    """
    return {
        name: weight[:, torch.arange(students) % weight.shape[1]].to(like, copy=True)
        for name, weight in weights.items()
    }
