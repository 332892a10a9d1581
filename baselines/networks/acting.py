"""How a team that shares one network acts while a round is played: its best actions, or epsilon-greedy ones.

Axes: S seed, E environment copy, T time step, N agent, O observation entry, A action, I input entry, M sample (a
column, see layers.py), H hidden unit.

With few samples, a step's cost is its calls, not its arithmetic. So whatever stays the same within an episode is
prepared once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from baselines.kernels.layers import mlp, rows
from baselines.learner import Seen
from baselines.networks.agents import agent_inputs, recurrent_q
from baselines.schedules import epsilon_greedy

STEP_COLUMNS = 16  # samples are padded to this, one AVX-512 register; fewer columns make a product slower, not faster


Inform = Callable[[Tensor, Tensor], Tensor]  # inputs [S, E, 1, N, I], state [S, E, 1, X] -> z [S, E, 1, N, Z]


class Play:
    """`Acting` under frozen weights; actions are one-hot.

    agent: the network's parameters, of `agents.mlp_q` or, with use_rnn, of `agents.recurrent_q`.
    noise [T, S, E, N, 1 + A] for `epsilon_greedy`, if epsilon > 0; None: always the best action.
    inform: makes z once per step, for a network that reads it.
    """

    def __init__(
        self,
        agent: Mapping[str, Tensor],
        use_rnn: bool,
        agent_id: bool,
        last_action: bool,
        epsilon: float = 0.0,
        noise: Tensor | None = None,
        inform: Inform | None = None,
    ):
        self._agent, self._use_rnn, self._agent_id, self._last_action = agent, use_rnn, agent_id, last_action
        self._epsilon, self._noise, self._inform = epsilon, noise, inform
        self._dtype = next(iter(agent.values())).dtype
        self._calls = 0
        self._last: Tensor | None = None  # the choices one step before, [S, E, N]; -1: none yet
        self._hidden: Tensor | None = None
        self._inputs = self._one_hot = torch.empty(0)

    @torch.no_grad()
    def __call__(self, seen: Seen) -> Tensor:
        """Actions [S, E, N, A]; each call uses the next of the T rows of noise."""
        if bool(seen.first.all()):
            self._begin(seen.obs, seen.avail_actions.shape[-1])
        elif bool(seen.first.any()):
            self._forget(seen.first.to(seen.obs.device))
        q = self._recurrent_q(seen) if self._use_rnn else self._mlp_q(seen.obs)
        chosen = self._chosen(q, seen.avail_actions, self._calls)
        self._calls += 1
        self._last = chosen if self._last_action else None
        return self._one_hot[chosen]

    def _chosen(self, q: Tensor, avail_actions: Tensor, call: int) -> Tensor:
        """Action numbers [S, E, N] of q [S, E, N, A]."""
        if self._noise is None:
            return q.masked_fill(~avail_actions, -torch.inf).argmax(-1)
        return epsilon_greedy(q, avail_actions, self._epsilon, self._noise[call])

    def _forget(self, first: Tensor) -> None:
        """Reset episodes that begin, first [S, E]: no last action, a hidden state of zeros."""
        if self._last is not None:
            self._last = self._last.masked_fill(first.unsqueeze(-1), -1)
        if self._hidden is not None:
            self._hidden = self._hidden.masked_fill(first[..., None, None], 0)

    def _begin(self, obs: Tensor, actions: int) -> None:
        """Prepare the inputs as columns [S, I, M]: observation, last action (none yet), agent id."""
        seeds, copies, agents, entries = obs.shape
        self._last = self._hidden = None
        self._one_hot = torch.eye(actions, dtype=self._dtype, device=obs.device)
        none_yet = torch.full((seeds, copies, agents), -1, device=obs.device) if self._last_action else None
        if self._use_rnn:
            self._last = none_yet
            return
        last = actions if self._last_action else 0
        size = entries + last + agents * self._agent_id
        samples = copies * agents
        self._inputs = obs.new_zeros(seeds, size, samples + -samples % STEP_COLUMNS, dtype=self._dtype)
        if self._agent_id:
            ids = torch.eye(agents, dtype=self._dtype, device=obs.device).repeat(1, copies)  # [N, E*N]
            self._inputs[:, entries + last :, :samples] = ids

    def _mlp_q(self, obs: Tensor) -> Tensor:
        entries, samples = obs.shape[-1], obs.shape[1] * obs.shape[2]
        self._inputs[:, :entries, :samples] = obs.flatten(1, 2).mT
        if self._last is not None:
            actions = len(self._one_hot)
            taken = self._one_hot[self._last.clamp(min=0)].masked_fill(self._last.unsqueeze(-1) < 0, 0)
            self._inputs[:, entries : entries + actions, :samples] = taken.flatten(1, 2).mT
        return rows(mlp(self._agent, self._inputs), obs.shape[1:-1])

    def _recurrent_q(self, seen: Seen) -> Tensor:
        obs = seen.obs
        last = None if self._last is None else self._last.unsqueeze(2)
        inputs = agent_inputs(obs.to(self._dtype).unsqueeze(2), last, len(self._one_hot), self._agent_id)
        state = obs.flatten(-2) if seen.state is None else seen.state
        z = None if self._inform is None else self._inform(inputs, state.to(self._dtype).unsqueeze(2))
        q, self._hidden = recurrent_q(self._agent, inputs, self._hidden, z)
        return q.squeeze(2)
