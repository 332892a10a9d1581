"""QPLEX's hyperparameters. Torch-free."""

from __future__ import annotations

from typing import Literal

from baselines.specs.base import Algorithm, Count, Width
from baselines.specs.qmix import LOSSES, UNITS, ValueDecomposition


class QPLEX(ValueDecomposition):
    """Wang et al. 2020. Its own mixer has no mixing network; hypernetwork_width: units of those for w and b."""

    mixer: Literal["qplex"]  # type: ignore[assignment]  # another, which has other sizes
    mixing_width: None = None  # type: ignore[assignment]
    hypernetwork_layers: None = None  # type: ignore[assignment]
    hypernetwork_width: Width  # type: ignore[assignment]
    advantage_layers: Literal[1, 2]  # of the networks that make lambda
    advantage_width: Width  # units of these networks
    kernels: Count  # of lambda

    def _sizes_fit(self) -> None:
        """Nothing to check: the types require all of them."""

    def _mixing_weights(self, agents: int, state_size: int) -> int:
        """Multiply-adds of the hypernetworks for one step; actions count as one entry per agent."""
        outer = 2 * self.hypernetwork_width * (state_size + agents)
        inner = self.advantage_width * (3 * state_size + 3 * agents + 1)
        single = state_size * (2 * agents + 1) + agents**2
        return outer + self.kernels * (inner if self.advantage_layers == 2 else single)


ALGORITHMS = {
    "qplex": Algorithm(
        learner="baselines.qplex:qplex", version=1, hyperparameters=QPLEX, teacher=False, losses=LOSSES, units=UNITS
    ),
}
