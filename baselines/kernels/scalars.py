"""A learned positive number for each network, such as a temperature: exp(x), with Adam on x.

Axes: S seed, M member; R entry of a vector register.

Each number fills a whole register, R times. So no rounding of exp can depend on a place in memory, and thus on other
seeds (layers.py). State and value are [S, M].
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from baselines.kernels.layers import WHOLE_REGISTERS
from baselines.kernels.optim import FusedAdam, by_call


class LearnedScalars:
    """exp(x) [S, M], with the initial value `start`."""

    def __init__(self, start: float, shape: Sequence[int], lr: float, device: torch.device | str, dtype: torch.dtype):
        self._log = torch.full((*shape, WHOLE_REGISTERS), math.log(start), dtype=dtype, device=device)
        self._adam = FusedAdam({"log": self._log}, shape[1], lr)

    @property
    def value(self) -> Tensor:
        return self._log.exp()[..., 0]

    def descend(self, gradient: Tensor) -> None:
        """One Adam step of each x along its gradient [S, M]."""
        wide = gradient.unsqueeze(-1).expand_as(self._log).contiguous()
        for call, own in enumerate(by_call({"log": wide}, wide.shape[1])):
            self._adam.step(call, list(own.values()))

    def state(self) -> dict[str, Tensor]:
        """x, its moments [S, M], and the step count [S]; copies."""
        own = {"log": self._log, **self._adam.state()}
        return {name: (p if name == "step" else p[..., 0]).clone() for name, p in own.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        wide = {n: p if n == "step" else p.unsqueeze(-1).expand_as(self._log) for n, p in state.items()}
        self._log.copy_(wide.pop("log"))
        self._adam.load_state(wide)
