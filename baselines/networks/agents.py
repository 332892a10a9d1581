"""The agents' network Q_i, shared by a team: MLP, GRU or LSTM.

Axes: S seed, B batch of episodes, T time step, N agent, O observation entry, A action, I input entry, H hidden unit.
In a rollout B stands for environment copies, with T = 1. Q-values are [S, B, T, N, A] views with A outermost in memory:
reductions over A are fastest after `q.movedim(-1, 1)`.
All initialisation is torch.nn's default, as in EPyMARL and PyMARL2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import one_hot, pad

from baselines.kernels.gru import gru_states
from baselines.kernels.layers import (
    WHOLE_REGISTERS,
    columns,
    every_step,
    initial_gru,
    initial_linear,
    linear,
    lstm_cell,
    mlp,
    mlp_of_rows,
    named,
    part,
    rows,
)
from baselines.kernels.nn import Parameters
from baselines.learner import Task
from baselines.networks.packing import Packed
from baselines.streams import Streams

Carried = tuple[Tensor, Tensor]  # an LSTM's hidden state and cell, [S, H, M] each: a column for each (B, N), padded


def agent_inputs(obs: Tensor, last_actions: Tensor | None = None, actions: int = 0, agent_id: bool = True) -> Tensor:
    """Observation, last action, agent id, in EPyMARL's order: [S, B, T, N, O] -> [S, B, T, N, I].

    last_actions [S, B, T, N] int64: each agent's action one step before, which becomes a one-hot vector of `actions`
    entries. -1 means none (an episode's start) and becomes zeros. None leaves last actions out; agent_id=False leaves
    the identity out.
    """
    parts = [obs]
    if last_actions is not None:
        parts.append(one_hot(last_actions + 1, actions + 1)[..., 1:].to(obs.dtype))
    if agent_id:
        agents = obs.shape[-2]
        parts.append(torch.eye(agents, dtype=obs.dtype, device=obs.device).expand(*obs.shape[:-1], agents))
    return torch.cat(parts, -1)


def mlp_q(agent: Mapping[str, Tensor], inputs: Tensor, z: Tensor | None = None) -> Tensor:
    """Q_i [S, B, T, N, A] of inputs [S, B, T, N, I] by Linear - ReLU - Linear - ReLU - Linear.

    EPyMARL's `RNNAgent` with `use_rnn=False` (4bcbb1c). Parameters: `initial_linear([I, H, H, A], ...)`.
    z [S, B, T, N, Z]: as for `recurrent_q`, whose GRU is then the last of the layers in.*, each of them with ReLU.
    """
    if z is None:
        return mlp_of_rows(agent, inputs)
    x = mlp_of_rows(part(agent, "in"), inputs).relu()
    x = mlp_of_rows(own, x).relu() if (own := part(agent, "own")) else x
    return mlp_of_rows(part(agent, "out"), torch.cat([x, z], -1))


def team_q(
    agent: Mapping[str, Tensor],
    inputs: Tensor,
    use_rnn: bool,
    z: Tensor | None = None,
    packed: Packed | None = None,
) -> Tensor:
    """Q_i [S, B, T, N, A] of whole sequences of inputs [S, B, T, N, I].

    z: see `recurrent_q`; only with use_rnn. packed: the steps that matter, of episodes ordered by length, longest
    first. At other steps Q_i is any finite number.
    """
    if not use_rnn:
        return mlp_q(agent, inputs)
    if packed is None:
        return recurrent_q(agent, inputs, z=z)[0]
    states = _gru_states(agent, inputs, None, active=[count * inputs.shape[3] for count in packed.going()])
    return _q_of_states(agent, states, inputs, z)


def input_size(task: Task, agent_id: bool, last_action: bool) -> int:
    """I, the entries that `agent_inputs` gives for this task."""
    return task.obs_size + task.action_size * last_action + task.agents * agent_id


def state_size(task: Task) -> int:
    """X: the task's own, or that of all observations concatenated."""
    return task.state_size or task.agents * task.obs_size


def initial_recurrent(
    sizes: tuple[int, int, int], streams: Sequence[Streams], device: torch.device | str, dtype: torch.dtype
) -> Parameters:
    """Parameters of `recurrent_q`; sizes: I, H, A. Names: in.*, gru.* and out.*."""
    inputs, hidden, actions = sizes
    first = named("in", initial_linear([inputs, hidden], streams, device, dtype))
    gru = named("gru", initial_gru(hidden, hidden, streams, device, dtype))
    return first | gru | named("out", initial_linear([hidden, actions], streams, device, dtype))


def recurrent_q(
    agent: Mapping[str, Tensor], inputs: Tensor, hidden: Tensor | None = None, z: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Q_i by Linear - ReLU - GRU - Linear, and the hidden state after the last step.

    inputs [S, B, T, N, I], hidden [S, B, N, H] or None for zeros -> Q_i [S, B, T, N, A], hidden [S, B, N, H].
    z [S, B, T, N, Z]: a further input of the layers after the GRU. If the network has ReLU layers `own.*`, the GRU's
    output passes these first; then out.* reads both concatenated.
    It is EPyMARL's `RNNAgent` with `use_rnn=True` (4bcbb1c), and PyMARL2's. The computation is in kernels/gru.py.
    """
    states = _gru_states(agent, inputs, hidden)
    return _q_of_states(agent, states, inputs, z), rows(states[-1], (inputs.shape[1], inputs.shape[3]))


def recurrent_states(
    agent: Mapping[str, Tensor],
    inputs: Tensor,
    hidden: Tensor | None = None,
    first: Tensor | None = None,
    z: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """As `recurrent_q`, for sequences in which episodes may begin anywhere, with the hidden state after every step.

    first [S, B, T] bool: an episode begins with the step, from a hidden state of zeros; None: no episode begins.
    -> [S, B, T, N, A], hidden [S, B, T, N, H].
    """
    states = _gru_states(agent, inputs, hidden, first)
    return _q_of_states(agent, states, inputs, z), _by_agent(states, inputs)


def _gru_states(
    agent: Mapping[str, Tensor],
    inputs: Tensor,
    hidden: Tensor | None,
    first: Tensor | None = None,
    active: Sequence[int] | None = None,
) -> Tensor:
    """The GRU's hidden state after each step, [T, S, H, M]: a column for each (B, N), padded.

    active: for each step, how many columns go on; this number never grows.
    """
    x = _samples(inputs, WHOLE_REGISTERS)
    width = agent["gru.weight_hh"].shape[-1]
    h = x.new_zeros(x.shape[1], width, x.shape[2]) if hidden is None else columns(hidden)
    if first is None:
        filled = None if active is None else [count + -count % WHOLE_REGISTERS for count in active]
        return gru_states(agent, x, h, active=filled)
    begins = first.unsqueeze(-1).expand(inputs.shape[:-1]).unsqueeze(-1)
    return gru_states(agent, x, h, _samples(begins, 1).squeeze(-1))


def _samples(x: Tensor, entries: int) -> Tensor:
    """By step, a row for each (B, N): [S, B, T, N, I] -> [T, S, M, I], padded; I to a multiple of `entries`."""
    seeds, batch, time, agents, own = x.shape
    lines = batch * agents
    filled = x.new_empty(time, seeds, lines + -lines % WHOLE_REGISTERS, own + -own % entries)
    filled[:, :, :lines, :own].unflatten(2, (batch, agents)).copy_(x.permute(2, 0, 1, 3, 4))
    filled[:, :, lines:].zero_()
    filled[..., own:].zero_()
    return filled


def _by_agent(x: Tensor, inputs: Tensor) -> Tensor:
    """The inverse, from columns: [T, S, out, M] -> [S, B, T, N, out], a view."""
    _, batch, _, agents, _ = inputs.shape
    return x[..., : batch * agents].unflatten(-1, (batch, agents)).permute(1, 3, 0, 4, 2)


def _by_step(layers: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """An MLP on every step's samples, with one product per step, whose numbers fit the cache: [T, S, in, M]."""
    steps = {name: every_step(p, x.shape[0]) for name, p in layers.items()}
    return mlp(steps, x.flatten(0, 1)).unflatten(0, x.shape[:2])


def _q_of_states(agent: Mapping[str, Tensor], states: Tensor, inputs: Tensor, z: Tensor | None) -> Tensor:
    """The layers after the GRU: states [T, S, H, M], z [S, B, T, N, Z] -> [S, B, T, N, A]."""
    if z is not None:
        states = _by_step(own, states).relu() if (own := part(agent, "own")) else states
        states = torch.cat([states, _samples(z, 1).mT], 2)
    return _out(agent, states, inputs)


def _out(agent: Mapping[str, Tensor], x: Tensor, inputs: Tensor) -> Tensor:
    """The last layers: [T, S, in, M] -> [S, B, T, N, A]."""
    return _by_agent(_by_step(part(agent, "out"), x), inputs)


def lstm_q(
    body: Mapping[str, Tensor],
    lstm: Mapping[str, Tensor],
    head: Mapping[str, Tensor],
    inputs: Tensor,
    carried: Carried | None = None,
) -> tuple[Tensor, Carried]:
    """Q_i by an MLP `body` - ReLU - LSTM - an MLP `head`, and the LSTM's state for the next step.

    inputs [S, B, T, N, I], carried: the state from the call for earlier steps, None for zeros -> Q_i [S, B, T, N, A],
    carried.
    """
    seeds, batch, time, agents, _ = inputs.shape
    lines = batch * agents
    x = columns(pad(inputs.transpose(1, 2).flatten(2, 3), (0, 0, 0, -lines % WHOLE_REGISTERS)))
    x = mlp(body, x).relu()
    gates = linear(lstm["weight_ih"], lstm["bias_ih"], x).unflatten(-1, (time, -1))
    if carried is None:
        zeros = x.new_zeros(seeds, lstm["weight_hh"].shape[-1], gates.shape[-1])
        carried = zeros, zeros
    hidden, cell = carried
    states = []
    for own in gates.unbind(2):
        hidden, cell = lstm_cell(own, linear(lstm["weight_hh"], lstm["bias_hh"], hidden), cell)
        states.append(hidden)
    q = mlp(head, torch.stack(states, 2).flatten(2)).unflatten(-1, (time, -1))[..., :lines]
    return q.unflatten(-1, (batch, agents)).permute(0, 3, 2, 4, 1), (hidden, cell)
