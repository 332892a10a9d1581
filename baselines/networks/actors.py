"""The agents' own actors: S x N networks that share no parameter and read observations through a layout.

Axes: S seed, N agent, B batch, O observation entry, A action entry. See kernels/nn.py for the order of samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from baselines.kernels.nn import (
    ACTIVATIONS,
    Activation,
    InitialWeights,
    Parameters,
    actor_logits,
    detached,
    entry_slots,
    initial,
    unpadded,
)
from baselines.learner import Layout
from baselines.streams import Streams


class Actors:
    """Actors of N agents on one task. Parameters are arguments: target actors are the same with other parameters."""

    def __init__(
        self,
        layout: Layout,
        agents: int,
        hidden: Sequence[int],
        actions: int,
        device: torch.device | str,
        activation: str = "relu",
    ):
        """hidden: units of each hidden layer. actions: A. activation: a name of `nn.ACTIVATIONS`."""
        self.sizes, self.agents = [layout.width, *hidden, actions], agents
        self._activation = ACTIVATIONS[activation]
        self._slots = entry_slots(layout, device)

    def initial(
        self,
        streams: Sequence[Streams],
        device: torch.device | str,
        dtype: torch.dtype,
        weights: InitialWeights = "xavier",
    ) -> Parameters:
        """See `nn.initial`."""
        return initial(self.sizes, self.agents, streams, device, dtype, weights)

    def logits(self, actors: Parameters, obs: Tensor) -> Tensor:
        """Logits [S, N, A, B] of observations [S, N, O, B]."""
        return actor_logits(actors, obs, self._slots, self._activation)

    def playing(self, actors: Parameters) -> Playing:
        """The same for a whole round, prepared once."""
        return Playing(unpadded(detached(actors), self._slots), self._activation)


class Playing:
    """Frozen actors: observations [S, E, N, O] -> logits [S, N, A, E]."""

    def __init__(self, actors: Parameters, activation: Activation):
        self._actors, self._activation, self._dtype = actors, activation, actors["weight_0"].dtype

    def __call__(self, obs: Tensor) -> Tensor:
        return actor_logits(self._actors, obs.to(self._dtype).permute(0, 2, 3, 1), activation=self._activation)
