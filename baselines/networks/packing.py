"""A batch without the steps that were not played, for one seed with episodes of different lengths.

Axes: S seed, here 1; B batch of episodes, T time step, N agent; P kept step.

On SMAX's 3s_vs_5z, 80 episodes of random moves lasted 43 steps on average, the longest 112 (2026-12-01). So more than
half of a batch that is cut to its longest episode is padding, whose results count nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Packed:
    """kept [B, T] bool: an episode's steps from the first on, at least one."""

    kept: Tensor

    @classmethod
    def seen(cls, mask: Tensor) -> Packed:
        """For T+1 observations: those before the steps in mask [1, B, T], and the one after the last step."""
        return cls(torch.cat([torch.ones_like(mask[0, :, :1]), mask[0]], 1))

    def picked(self, x: Tensor) -> Tensor:
        """[1, B, T, ...] -> [1, 1, P, ...]."""
        return x[0][self.kept].unsqueeze(0).unsqueeze(0)

    def back(self, x: Tensor) -> Tensor:
        """[1, 1, P, ...] -> [1, B, T, ...], zeros at the other steps."""
        whole = x.new_zeros(*self.kept.shape, *x.shape[3:])
        return whole.index_put((self.kept,), x[0, 0]).unsqueeze(0)

    def going(self) -> list[int]:
        """How many episodes have each step, T numbers."""
        return self.kept.sum(0).tolist()
