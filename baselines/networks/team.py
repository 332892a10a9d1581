"""A team's Q-network as a value decomposition holds it: how it is drawn, and which layers give a task's Q_i.

Axes: S seed. Like a mixer, a network is a frozen record of sizes and is given its parameters, so that a target
network is the same network under others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from baselines.kernels.layers import initial_linear
from baselines.kernels.nn import Parameters
from baselines.networks.agents import initial_recurrent
from baselines.streams import Streams


class TeamNetwork(Protocol):
    def initial(self, streams: Sequence[Streams], device: torch.device | str, dtype: torch.dtype) -> Parameters:
        """Parameters, each leading with [S], from each seed's "initialisation" stream."""
        ...

    def of_task(self, parameters: Mapping[str, Tensor], task: int) -> Mapping[str, Tensor]:
        """The layers that give task k's Q_i, as `agents.team_q` reads them."""
        ...


@dataclass(frozen=True)
class SharedNetwork:
    """One network for the agents of one task: an MLP, or a Linear, a GRU and a Linear."""

    inputs: int
    hidden_width: int
    hidden_layers: int
    actions: int
    use_rnn: bool

    def initial(self, streams: Sequence[Streams], device: torch.device | str, dtype: torch.dtype) -> Parameters:
        if self.use_rnn:
            return initial_recurrent((self.inputs, self.hidden_width, self.actions), streams, device, dtype)
        sizes = [self.inputs, *[self.hidden_width] * self.hidden_layers, self.actions]
        return initial_linear(sizes, streams, device, dtype)

    def of_task(self, parameters: Mapping[str, Tensor], task: int) -> Mapping[str, Tensor]:
        return parameters
