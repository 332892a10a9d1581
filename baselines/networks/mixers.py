"""Mixers: from the agents' Q_i to Q_tot. VDN (Sunehag et al. 2017), QMIX (Rashid et al. 2018).

Axes: S seed, B batch of episodes, T time step, N agent, X state entry, E mixing entry (mixing_embed_dim), M sample.

A mixer is a frozen record of sizes with two functions: `initial` draws its parameters, `q_tot` mixes with given
parameters. So a target mixer is the same mixer with other parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn.functional import elu

from baselines.kernels.layers import columns, initial_linear, mlp, named, part
from baselines.kernels.nn import Parameters
from baselines.networks.packing import Packed
from baselines.streams import Streams


@dataclass(frozen=True)
class Chosen:
    """What a mixer may read about a joint action. VDN reads q, QMIX q and state, QPLEX everything.

    q [S, B, T, N]: Q_i of agent i's chosen action. actions [S, B, T, N] int64: the chosen actions. state [S, B, T, X]:
    that of task number `task`. best [S, B, T, N]: Q_i of each agent's best available action, without a gradient, for
    mixers that compare.
    """

    q: Tensor
    actions: Tensor
    state: Tensor
    task: int = 0
    best: Tensor | None = None

    def only(self, kept: Packed) -> Chosen:
        """Of the steps that are kept."""
        best = None if self.best is None else kept.picked(self.best)
        return Chosen(kept.picked(self.q), kept.picked(self.actions), kept.picked(self.state), self.task, best)


class Mixer(Protocol):
    @property
    def compares(self) -> bool:
        """Whether it reads the value of each agent's best action."""
        ...

    def initial(self, streams: Sequence[Streams], device: torch.device | str, dtype: torch.dtype) -> Parameters:
        """Parameters, each leading with [S], from each seed's "initialisation" stream."""
        ...

    def q_tot(self, parameters: Parameters, chosen: Chosen) -> Tensor:
        """Q_tot [S, B, T]."""
        ...


@dataclass(frozen=True)
class VDN:
    """Q_tot = sum_i Q_i, for any number of agents; no parameters."""

    @property
    def compares(self) -> bool:
        return False

    def initial(self, streams: Sequence[Streams], device: torch.device | str, dtype: torch.dtype) -> Parameters:
        return {}

    def q_tot(self, parameters: Parameters, chosen: Chosen) -> Tensor:
        return chosen.q.sum(-1)


@dataclass(frozen=True)
class QMIX:
    """Q_tot = elu(q |W1(s)| + b1(s)) |w_final(s)| + V(s): monotonic in each Q_i (Rashid et al. 2018, Sec. 4, Fig. 2).

    Hypernetworks as in EPyMARL (uoe-agents/epymarl bc68887; PyMARL2's have the same form): |W1| and |w_final| come from
    one Linear, or from Linear - ReLU - Linear with `hypernet_embed` units, b1 from one Linear, V from
    Linear - ReLU - Linear with E units. Drawn in that code's order: W1, w_final, b1, V; torch.nn.Linear's defaults.
    """

    agents: int
    state_size: int
    mixing_embed_dim: int
    hypernet_layers: Literal[1, 2]
    hypernet_embed: int  # not read if hypernet_layers is 1

    @property
    def compares(self) -> bool:
        return False

    def initial(self, streams: Sequence[Streams], device: torch.device | str, dtype: torch.dtype) -> Parameters:
        """Parameters of the four hypernetworks, named hyper_w_1.*, hyper_w_final.*, hyper_b_1.* and V.*."""
        embed = self.mixing_embed_dim
        inner = [self.state_size, self.hypernet_embed] if self.hypernet_layers == 2 else [self.state_size]
        sizes = {
            "hyper_w_1": [*inner, self.agents * embed],
            "hyper_w_final": [*inner, embed],
            "hyper_b_1": [self.state_size, embed],
            "V": [self.state_size, embed, 1],
        }
        parameters: Parameters = {}
        for name, layers in sizes.items():
            parameters |= named(name, initial_linear(layers, streams, device, dtype))
        return parameters

    def q_tot(self, parameters: Parameters, chosen: Chosen) -> Tensor:
        batch, time, agents = chosen.q.shape[1:]
        q, state = columns(chosen.q), columns(chosen.state)  # [S, N, M], [S, X, M]
        w_1, w_final, b_1, v = (
            mlp(part(parameters, name), state) for name in ("hyper_w_1", "hyper_w_final", "hyper_b_1", "V")
        )
        w_1 = w_1.abs().unflatten(1, (agents, self.mixing_embed_dim))  # [S, N, E, M]
        hidden = elu((q.unsqueeze(2) * w_1).sum(1) + b_1)  # [S, E, M]
        q_tot = (hidden * w_final.abs()).sum(1) + v.squeeze(1)  # [S, M]
        return q_tot[:, : batch * time].unflatten(-1, (batch, time))
