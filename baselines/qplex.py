"""QPLEX (Wang et al. 2020) as in PyMARL2 (8ccac7c): a duplex dueling mixer. Everything else is in qmix.py.

Axes: S seed, B batch of episodes, T time step, N agent, X state entry, A action, K kernel; M sample, a column.

| paper | here |
|---|---|
| eq. 9: V_i = w_i(s) V_i + b_i(s), A_i = w_i(s) A_i | `QPLEX.transformed` |
| eq. 10: A_tot = sum of lambda_i(s, a) A_i, lambda_i > 0 | `QPLEX.importance`, `QPLEX.q_tot` |
| eq. 11: Q_tot = V_tot + A_tot | `QPLEX.q_tot` |
| Sec. 4, appendix B: lambda of several kernels | `QPLEX.importance` |
| the loss: QMIX's | `qmix.td_loss` |

PyMARL2 writes V_tot as the sum of the transformed Q_i and weighs the advantages with lambda - 1. Q_tot is the same, but
no gradient reaches an agent's advantage through lambda, since that factor is detached from the graph there. Joint and
individual best actions agree: an advantage is at most 0, it is 0 for an agent's best action, and lambda is positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from baselines import specs
from baselines.kernels.layers import columns, initial_linear, mlp, named, part
from baselines.kernels.nn import Parameters
from baselines.learner import Task
from baselines.networks.agents import input_size, state_size
from baselines.networks.mixers import Chosen
from baselines.networks.team import SharedNetwork
from baselines.qmix import ValueDecomposition
from baselines.streams import Streams

POSITIVE = 1e-10  # added to numbers that must not be 0


@dataclass(frozen=True)
class QPLEX:
    """A `Mixer` that compares the chosen actions with each agent's best.

    width: units of the hypernetworks for w and b. layers, advantage_width: of those of lambda. kernels: K.
    Drawn in PyMARL2's order: w, b, then each kernel's key, agents and action networks.
    """

    agents: int
    actions: int
    state_size: int
    width: int
    layers: int
    advantage_width: int
    kernels: int

    @property
    def compares(self) -> bool:
        return True

    def initial(self, streams: Sequence[Streams], device: torch.device | str, dtype: torch.dtype) -> Parameters:
        """Named w.*, b.*, and key_k.*, agents_k.*, action_k.* of each kernel k."""
        where = streams, device, dtype
        outer = [self.state_size, self.width, self.agents]
        parameters = named("w", initial_linear(outer, *where)) | named("b", initial_linear(outer, *where))
        inner = [self.advantage_width] * (self.layers - 1)
        both = self.state_size + self.agents * self.actions
        sizes = {"key": [self.state_size, *inner, 1], "agents": [self.state_size, *inner, self.agents]}
        sizes["action"] = [both, *inner, self.agents]
        for name in ("key", "agents", "action"):
            for k in range(self.kernels):
                parameters |= named(f"{name}_{k}", initial_linear(sizes[name], *where))
        return parameters

    def q_tot(self, parameters: Parameters, chosen: Chosen) -> Tensor:
        """Q_tot [S, B, T]."""
        if chosen.best is None:
            raise ValueError("QPLEX: got no best values with the chosen ones; allowed: each agent's best value")
        batch, time = chosen.q.shape[1:3]
        state = columns(chosen.state)
        w, b = self.transformed(parameters, state)
        q, best = columns(chosen.q) * w + b, columns(chosen.best) * w + b  # [S, N, M]
        advantage = (q - best).detach()
        q_tot = q.sum(1) + (advantage * (self.importance(parameters, chosen) - 1)).sum(1)
        return q_tot[:, : batch * time].unflatten(-1, (batch, time))

    def transformed(self, parameters: Parameters, state: Tensor) -> tuple[Tensor, Tensor]:
        """w > 0 and b of each agent, [S, N, M] of state [S, X, M]."""
        return mlp(part(parameters, "w"), state).abs() + POSITIVE, mlp(part(parameters, "b"), state)

    def importance(self, parameters: Parameters, chosen: Chosen) -> Tensor:
        """lambda > 0 of each agent, [S, N, M]: a sum over kernels of key(s) agents_i(s) action_i(s, a)."""
        taken = torch.nn.functional.one_hot(chosen.actions, self.actions).flatten(-2).to(chosen.state.dtype)
        state, both = columns(chosen.state), columns(torch.cat([chosen.state, taken], -1))
        found = torch.zeros((), dtype=state.dtype, device=state.device)
        for k in range(self.kernels):
            key = mlp(part(parameters, f"key_{k}"), state).abs() + POSITIVE
            agents = mlp(part(parameters, f"agents_{k}"), state).sigmoid()
            found = found + key * agents * mlp(part(parameters, f"action_{k}"), both).sigmoid()
        return found


def qplex(
    tasks: Sequence[Task],
    hyperparameters: specs.QPLEX,
    streams: Sequence[Streams],
    device: torch.device | str,
    *,
    dtype: torch.dtype = torch.float32,
) -> ValueDecomposition:
    """The `Learner` on one task."""
    h, (task,) = hyperparameters, tasks
    inputs = input_size(task, h.obs_agent_id, h.obs_last_action)
    network = SharedNetwork(inputs, h.hidden_width, h.hidden_layers, task.action_size, h.use_rnn)
    sizes = h.hypernetwork_width, h.advantage_layers, h.advantage_width, h.kernels
    mixer = QPLEX(task.agents, task.action_size, state_size(task), *sizes)
    return ValueDecomposition(tasks, h, streams, device, network=network, mixer=mixer, dtype=dtype)
