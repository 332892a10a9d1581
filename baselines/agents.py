"""The agents' network Q_i, shared by a team: MLP or GRU, and MKT-MARL's multi-task form (its Fig. 4), MLP or LSTM.

Axes: S seed, B batch of episodes, T time step, N agent, O observation entry, A action, I input entry, H hidden unit,
X state entry. B stands for environment copies in a rollout, with T = 1. Q-values are [S, B, T, N, A] views whose memory
has A outside: reductions over A are fastest after `q.movedim(-1, 1)`.
torch.nn's default initialisation throughout, as EPyMARL and PyMARL2 keep it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import one_hot, pad

from baselines.layers import (
    WHOLE_REGISTERS,
    columns,
    gru_cell,
    initial_gru,
    initial_linear,
    initial_lstm,
    linear,
    lstm_cell,
    mlp,
    named,
    part,
    rows,
)
from baselines.nn import Parameters
from baselines.streams import Streams

Carried = tuple[Tensor, Tensor]  # an LSTM's hidden state and cell, [S, H, M] each: a column for each (B, N), filled up


def agent_inputs(obs: Tensor, last_actions: Tensor | None = None, actions: int = 0, agent_id: bool = True) -> Tensor:
    """Observation, last action, agent id, in EPyMARL's order: [S, B, T, N, O] -> [S, B, T, N, I].

    last_actions [S, B, T, N] int64: the action that each agent took one step before, as a one-hot vector of `actions`
    entries; -1 for none, at an episode's start: zeros. None leaves it out, agent_id=False the identity.
    """
    parts = [obs]
    if last_actions is not None:
        parts.append(one_hot(last_actions + 1, actions + 1)[..., 1:].to(obs.dtype))
    if agent_id:
        agents = obs.shape[-2]
        parts.append(torch.eye(agents, dtype=obs.dtype, device=obs.device).expand(*obs.shape[:-1], agents))
    return torch.cat(parts, -1)


def mlp_q(agent: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
    """Q_i [S, B, T, N, A] of inputs [S, B, T, N, I] by Linear - ReLU - Linear - ReLU - Linear.

    EPyMARL's `RNNAgent` with `use_rnn=False` (4bcbb1c). Parameters: `initial_linear([I, H, H, A], ...)`.
    """
    return rows(mlp(agent, columns(inputs)), inputs.shape[1:-1])


def initial_recurrent(
    sizes: tuple[int, int, int], streams: Sequence[Streams], device: torch.device | str, dtype: torch.dtype
) -> Parameters:
    """Parameters of `recurrent_q`; sizes: I, H, A. Names: in.*, gru.* and out.*."""
    inputs, hidden, actions = sizes
    first = named("in", initial_linear([inputs, hidden], streams, device, dtype))
    gru = named("gru", initial_gru(hidden, hidden, streams, device, dtype))
    return first | gru | named("out", initial_linear([hidden, actions], streams, device, dtype))


def recurrent_q(agent: Mapping[str, Tensor], inputs: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Q_i by Linear - ReLU - GRU - Linear, and the hidden state after the last step.

    inputs [S, B, T, N, I], hidden [S, B, N, H] or None for zeros -> Q_i [S, B, T, N, A], hidden [S, B, N, H].
    EPyMARL's `RNNAgent` with `use_rnn=True` (4bcbb1c), PyMARL2's likewise. Only the hidden state's product waits for
    the step before; all others take the whole sequence at once.
    """
    seeds, batch, time, agents, _ = inputs.shape
    lines = batch * agents
    by_step = inputs.transpose(1, 2).flatten(2, 3)  # [S, T, B*N, I]
    x = columns(pad(by_step, (0, 0, 0, -lines % WHOLE_REGISTERS)))
    x = mlp(part(agent, "in"), x).relu()
    gru = part(agent, "gru")
    gates = linear(gru["weight_ih"], gru["bias_ih"], x).unflatten(-1, (time, -1))
    width = gru["weight_hh"].shape[-1]
    h = columns(inputs.new_zeros(seeds, lines, width) if hidden is None else hidden)
    states = []
    for t in range(time):
        h = gru_cell(gates[:, :, t], linear(gru["weight_hh"], gru["bias_hh"], h), h)
        states.append(h)
    q = mlp(part(agent, "out"), torch.stack(states, 2).flatten(2)).unflatten(-1, (time, -1))[..., :lines]
    q = q.unflatten(-1, (batch, agents)).permute(0, 3, 2, 4, 1)
    return q, rows(h, (batch, agents))


def initial_multi_task(
    input_sizes: Sequence[int],
    action_sizes: Sequence[int],
    embedding_width: int,
    hidden_layers: int,
    hidden_width: int,
    streams: Sequence[Streams],
    device: torch.device | str,
    dtype: torch.dtype,
) -> Parameters:
    """Parameters of `multi_task_q` for K tasks, by the paper's letters: E_0.*, ..., F.*, EA_0.*, ...

    input_sizes, action_sizes: I and A of each task. hidden_layers: of F alone; that E_k and EA_k are not counted in
    "the same number of MLP layers as the single-task network" (Sec. IV-B) is the reading of the suite file.
    """
    parameters: Parameters = {}
    for k, size in enumerate(input_sizes):
        parameters |= named(f"E_{k}", initial_linear([size, embedding_width], streams, device, dtype))
    body = [embedding_width, *[hidden_width] * hidden_layers]
    parameters |= named("F", initial_linear(body, streams, device, dtype))
    for k, size in enumerate(action_sizes):
        parameters |= named(f"EA_{k}", initial_linear([body[-1], size], streams, device, dtype))
    return parameters


def multi_task_q(agent: Mapping[str, Tensor], inputs: Tensor, task: int) -> Tensor:
    """Eq. 1-2: Q_i = EA_k(F(E_k(inputs))) for task k, [S, B, T, N, I_k] -> [S, B, T, N, A_k].

    ReLU after E_k and after every layer of F: the paper names no activation, EPyMARL's agent has ReLU after every layer
    but the last. The parameters of other tasks are not read and get no gradient.
    """
    return mlp_q(task_layers(agent, task), inputs)


def task_layers(agent: Mapping[str, Tensor], task: int) -> Parameters:
    """E_k, F and EA_k as the layers of one MLP, of which task k's Q-values come: names as `mlp_q` has them."""
    return joined_layers(agent, (f"E_{task}", "F", f"EA_{task}"))


def joined_layers(parameters: Mapping[str, Tensor], names: Sequence[str]) -> Parameters:
    """Several MLPs, by the prefixes of their parameters, as the layers of one."""
    stack = [part(parameters, name) for name in names]
    layers = [(p[f"weight_{i}"], p[f"bias_{i}"]) for p in stack for i in range(len(p) // 2)]
    weights = {f"weight_{i}": weight for i, (weight, _) in enumerate(layers)}
    return weights | {f"bias_{i}": bias for i, (_, bias) in enumerate(layers)}


def initial_multi_task_lstm(
    input_sizes: Sequence[int],
    action_sizes: Sequence[int],
    widths: tuple[int, int, int],
    streams: Sequence[Streams],
    device: torch.device | str,
    dtype: torch.dtype,
) -> Parameters:
    """Parameters of `multi_task_lstm_q` for K tasks: E_0.*, ..., F.*, lstm.*, EA_0.*, ...

    input_sizes, action_sizes: I and A of each task. widths: of E_k's output, of F's, and H.
    """
    embedding_width, hidden_width, recurrent_width = widths
    parameters: Parameters = {}
    for k, size in enumerate(input_sizes):
        parameters |= named(f"E_{k}", initial_linear([size, embedding_width], streams, device, dtype))
    parameters |= named("F", initial_linear([embedding_width, hidden_width], streams, device, dtype))
    parameters |= named("lstm", initial_lstm(hidden_width, recurrent_width, streams, device, dtype))
    for k, size in enumerate(action_sizes):
        parameters |= named(f"EA_{k}", initial_linear([recurrent_width, size], streams, device, dtype))
    return parameters


def multi_task_lstm_q(
    agent: Mapping[str, Tensor], inputs: Tensor, task: int, carried: Carried | None = None
) -> tuple[Tensor, Carried]:
    """Q_i = EA_k(LSTM(F(E_k(inputs)))) for task k, and what the LSTM carries to the next step.

    inputs [S, B, T, N, I_k], carried: what the call for the steps before gave, None for zeros -> Q_i [S, B, T, N, A_k],
    carried. ReLU after E_k and F, each one Linear. The parameters of other tasks are not read and get no gradient.
    """
    seeds, batch, time, agents, _ = inputs.shape
    lines = batch * agents
    x = columns(pad(inputs.transpose(1, 2).flatten(2, 3), (0, 0, 0, -lines % WHOLE_REGISTERS)))
    x = mlp(part(agent, "F"), mlp(part(agent, f"E_{task}"), x).relu()).relu()
    lstm = part(agent, "lstm")
    gates = linear(lstm["weight_ih"], lstm["bias_ih"], x).unflatten(-1, (time, -1))
    if carried is None:
        zeros = x.new_zeros(seeds, lstm["weight_hh"].shape[-1], gates.shape[-1])
        carried = zeros, zeros
    hidden, cell = carried
    states = []
    for t in range(time):
        hidden, cell = lstm_cell(gates[:, :, t], linear(lstm["weight_hh"], lstm["bias_hh"], hidden), cell)
        states.append(hidden)
    q = mlp(part(agent, f"EA_{task}"), torch.stack(states, 2).flatten(2)).unflatten(-1, (time, -1))[..., :lines]
    return q.unflatten(-1, (batch, agents)).permute(0, 3, 2, 4, 1), (hidden, cell)


def initial_state_embeddings(
    state_sizes: Sequence[int],
    width: int,
    streams: Sequence[Streams],
    device: torch.device | str,
    dtype: torch.dtype,
) -> Parameters:
    """Parameters of `embedded_state` for K tasks: SE_0.*, SE_1.*, ..."""
    parameters: Parameters = {}
    for k, size in enumerate(state_sizes):
        parameters |= named(f"SE_{k}", initial_linear([size, width], streams, device, dtype))
    return parameters


def embedded_state(embeddings: Mapping[str, Tensor], state: Tensor, task: int) -> Tensor:
    """Eq. 4's SE_k(s), the state that the mixer reads: [S, B, T, X_k] -> [S, B, T, width].

    One Linear without activation: the paper says only that it maps to one length; the hypernetworks bring their ReLU.
    """
    return rows(mlp(part(embeddings, f"SE_{task}"), columns(state)), state.shape[1:-1])
