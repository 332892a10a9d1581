"""A team's Q-network for value decomposition: how it is drawn, and which layers give a task's Q_i.

Axes: S seed, B batch of episodes, T time step, N agent, I input entry of the agents' network, X state entry, Z entry of
z. Like a mixer, a network is a frozen record of sizes, and its parameters are arguments. So a target network is the
same network with other parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from baselines.kernels.layers import initial_gru, initial_linear, named
from baselines.kernels.nn import Parameters
from baselines.networks.agents import initial_recurrent
from baselines.streams import Streams


class TeamNetwork(Protocol):
    def initial(self, streams: Sequence[Streams], device: torch.device | str, dtype: torch.dtype) -> Parameters:
        """Parameters, each leading with [S], from each seed's "initialisation" stream."""
        ...

    def of_task(self, parameters: Mapping[str, Tensor], task: int) -> Mapping[str, Tensor]:
        """The layers that give task k's Q_i, in the form of `agents.team_q`."""
        ...


class Information(Protocol):
    """A further input of the agents' network, z_i, which a method makes from the state for each agent."""

    @property
    def noise(self) -> int:
        """How many standard normal numbers it reads for an agent's step; 0: none."""
        ...

    def initial(self, streams: Sequence[Streams], device: torch.device | str, dtype: torch.dtype) -> Parameters:
        """Parameters, as a network's."""
        ...

    def z(self, parameters: Mapping[str, Tensor], inputs: Tensor, state: Tensor, noise: Tensor) -> Tensor:
        """z [S, B, T, N, Z] of inputs [S, B, T, N, I], state [S, B, T, X] and noise [S, B, T, N, noise]."""
        ...


@dataclass(frozen=True)
class InformedNetwork:
    """One network that reads z and its GRU's output (`agents.recurrent_q`); a `TeamNetwork`.

    Without a GRU (use_rnn=False) it is a perceptron whose last hidden layer takes its place (`agents.mlp_q`).

    head "additive": Linear - ReLU on the GRU's output, then one Linear on that and z, so z is added to each Q_i (PTDE
    as released). "mlp": Linear - ReLU - Linear on the GRU's output and z (the paper's words).
    """

    inputs: int
    width: int
    actions: int
    z_width: int
    head: Literal["additive", "mlp"]
    use_rnn: bool = True
    hidden_layers: int = 2

    def initial(self, streams: Sequence[Streams], device: torch.device | str, dtype: torch.dtype) -> Parameters:
        where = streams, device, dtype
        hidden = 1 if self.use_rnn else self.hidden_layers
        parameters = named("in", initial_linear([self.inputs, *[self.width] * hidden], *where))
        if self.use_rnn:
            parameters |= named("gru", initial_gru(self.width, self.width, *where))
        both = self.width + self.z_width
        if self.head == "mlp":
            return parameters | named("out", initial_linear([both, self.width, self.actions], *where))
        parameters |= named("own", initial_linear([self.width, self.width], *where))
        return parameters | named("out", initial_linear([both, self.actions], *where))

    def of_task(self, parameters: Mapping[str, Tensor], task: int) -> Mapping[str, Tensor]:
        return parameters


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
