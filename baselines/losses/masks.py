"""Steps that were not played and actions that cannot be taken.

Axes: S seed, B batch of episodes, T time step, N agent, A action. No reduction crosses seeds.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

UNAVAILABLE = -9_999_999.0  # EPyMARL, PyMARL2; finite, so a padded step without any action gives no NaN
Reduction = Literal["mean", "sum"]


def available_q(q: Tensor, avail_actions: Tensor) -> Tensor:
    """q [S, B, T, N, A] with `UNAVAILABLE` where avail_actions (bool, same shape) is false; no gradient there."""
    return q.masked_fill(~avail_actions, UNAVAILABLE)


def reduced(x: Tensor, mask: Tensor, reduction: Reduction) -> Tensor:
    """Mean or sum of x [S, B, T] or [S, B, T, N] over the steps in mask [S, B, T] (bool) and over agents: [S].

    A seed without any such step has 0. Values of x elsewhere do not matter, even infinite ones.
    """
    mask = mask if mask.dim() == x.dim() else mask.unsqueeze(-1).expand_as(x)
    total = _sum(torch.where(mask, x, 0.0))
    return total if reduction == "sum" else total / _sum(mask.to(x.dtype)).clamp(min=1)


def _sum(x: Tensor) -> Tensor:
    """[S, B, ...] -> [S], episode by episode first: in a single sum, threads would split the work of a lone seed."""
    return x.flatten(2).sum(-1).sum(-1)
