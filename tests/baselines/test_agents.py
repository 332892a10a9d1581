"""Axes: S seed, B batch, T time step, N agent, O observation entry, A action, I input entry, H hidden unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import LSTM, GRUCell, Linear, Module, ReLU, Sequential

from baselines.dec_hdrqn import initial_multi_task_lstm, multi_task_lstm_q
from baselines.kernels.layers import initial_linear, part
from baselines.mkt_marl import MultiTaskNetwork, embedded_state, initial_mappings
from baselines.networks import agents
from baselines.streams import Streams

S, B, T, N, O, A, H = 3, 2, 5, 4, 6, 3, 8  # noqa: E741 (the axes' names)
I = O + N  # noqa: E741


def learned(parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: p.requires_grad_() for name, p in parameters.items()}


def streams() -> list[Streams]:
    return [Streams(seed) for seed in range(S)]


def loaded(module: Module, parameters: Mapping[str, Tensor], names: Mapping[str, str], s: int) -> Module:
    """A torch.nn module with one seed's parameters; names: ours by torch's."""
    module.double().load_state_dict({name: parameters[ours][s].detach() for name, ours in names.items()})
    return module


def plain_mlp(parameters: Mapping[str, Tensor], s: int) -> Sequential:
    modules = []
    for layer in range(len(parameters) // 2):
        out, entries = parameters[f"weight_{layer}"].shape[1:]
        names = {"weight": f"weight_{layer}", "bias": f"bias_{layer}"}
        modules += [loaded(Linear(entries, out), parameters, names, s), ReLU()]
    return Sequential(*modules[:-1])


def assert_gradients_agree(
    q: Tensor, parameters: Mapping[str, Tensor], expected: Tensor, modules: Sequence[Sequence[Module]]
) -> None:
    """Of a nonlinear sum; modules: each seed's, in the order of the parameters."""
    mine = torch.autograd.grad(q.sin().sum(), list(parameters.values()))
    for s, seeds_modules in enumerate(modules):
        leaves = [p for module in seeds_modules for p in module.parameters()]
        theirs = torch.autograd.grad(expected[s].sin().sum(), leaves, retain_graph=True)
        for name, a, b in zip(parameters, mine, theirs, strict=True):
            torch.testing.assert_close(a[s], b, rtol=0, atol=1e-12, msg=lambda text, name=name: f"{name}: {text}")


def test_inputs_are_observation_last_action_and_identity():
    obs = torch.tensor([[[[[0.1, 0.2], [0.3, 0.4]]]]])
    last = torch.tensor([[[[2, -1]]]])
    assert agents.agent_inputs(obs).tolist()[0][0][0] == pytest.approx(
        [pytest.approx([0.1, 0.2, 1, 0]), pytest.approx([0.3, 0.4, 0, 1])]
    )
    both = agents.agent_inputs(obs, last, 3)
    assert both[0, 0, 0, 0].tolist() == pytest.approx([0.1, 0.2, 0, 0, 1, 1, 0])
    assert both[0, 0, 0, 1].tolist() == pytest.approx([0.3, 0.4, 0, 0, 0, 0, 1])
    assert agents.agent_inputs(obs, last, 3, agent_id=False).shape[-1] == 5


def test_mlp_equals_a_plain_loop():
    torch.manual_seed(0)
    agent = learned(initial_linear([I, H, H, A], streams(), "cpu", torch.float64))
    obs = torch.randn(S, B, T, N, O, dtype=torch.float64)
    q = agents.mlp_q(agent, agents.agent_inputs(obs))
    assert q.shape == (S, B, T, N, A)
    networks = [plain_mlp(agent, s) for s in range(S)]
    identity = torch.eye(N, dtype=torch.float64)
    expected = torch.stack(
        [
            torch.stack([network(torch.cat([obs[s, :, :, i], identity[i].expand(B, T, N)], -1)) for i in range(N)], 2)
            for s, network in enumerate(networks)
        ]
    )
    torch.testing.assert_close(q, expected, rtol=0, atol=1e-14)
    assert_gradients_agree(q, agent, expected, [[network] for network in networks])


def test_gru_equals_a_plain_loop():
    """Seed by seed, agent by agent, step by step, with torch's GRUCell."""
    torch.manual_seed(0)
    agent = learned(agents.initial_recurrent((I, H, A), streams(), "cpu", torch.float64))
    inputs = torch.randn(S, B, T, N, I, dtype=torch.float64)
    start = torch.randn(S, B, N, H, dtype=torch.float64)
    q, hidden = agents.recurrent_q(agent, inputs, start)
    assert q.shape == (S, B, T, N, A)
    expected, last, modules = torch.empty_like(q), torch.empty_like(hidden), []
    for s in range(S):
        first, out = (plain_mlp(part(agent, name), s) for name in ("in", "out"))
        gru = part(agent, "gru")
        cell = loaded(GRUCell(H, H), gru, {name: name for name in gru}, s)
        modules.append([first, cell, out])
        for i in range(N):
            h = start[s, :, i]
            for t in range(T):
                h = cell(first(inputs[s, :, t, i]).relu(), h)
                expected[s, :, t, i] = out(h)
            last[s, :, i] = h
    torch.testing.assert_close(q, expected, rtol=0, atol=1e-14)
    torch.testing.assert_close(hidden, last, rtol=0, atol=1e-14)
    assert_gradients_agree(q, agent, expected, modules)


def test_gru_step_by_step_is_the_whole_sequence():
    torch.manual_seed(0)
    agent = agents.initial_recurrent((I, H, A), streams(), "cpu", torch.float64)
    inputs = torch.randn(S, B, T, N, I, dtype=torch.float64)
    whole, end = agents.recurrent_q(agent, inputs)
    hidden, steps = None, []
    for t in range(T):
        q, hidden = agents.recurrent_q(agent, inputs[:, :, t : t + 1], hidden)
        steps.append(q)
    torch.testing.assert_close(torch.cat(steps, 2), whole, rtol=0, atol=1e-14)
    torch.testing.assert_close(hidden, end, rtol=0, atol=1e-14)


def test_multi_task_equals_a_plain_loop_and_leaves_other_tasks_alone():
    """Eq. 1-2 on the second of three tasks, each with other sizes and numbers of agents."""
    torch.manual_seed(0)
    network = MultiTaskNetwork((5, I, 9), (2, A, 4), 7, 2, H)
    agent = learned(network.initial(streams(), "cpu", torch.float64))
    inputs = torch.randn(S, B, T, N, I, dtype=torch.float64)
    q = agents.mlp_q(network.of_task(agent, 1), inputs)
    assert q.shape == (S, B, T, N, A)
    read = {name: p for name, p in agent.items() if name.split(".")[0] in ("E_1", "F", "EA_1")}
    modules = [[plain_mlp(part(agent, name), s) for name in ("E_1", "F", "EA_1")] for s in range(S)]
    expected = torch.stack(
        [
            torch.stack([head(body(embed(inputs[s, :, :, i]).relu()).relu()) for i in range(N)], 2)
            for s, (embed, body, head) in enumerate(modules)
        ]
    )
    torch.testing.assert_close(q, expected, rtol=0, atol=1e-14)
    assert_gradients_agree(q, read, expected, modules)
    others = [p for name, p in agent.items() if name not in read]
    gradients = torch.autograd.grad(agents.mlp_q(network.of_task(agent, 1), inputs).sum(), others, allow_unused=True)
    assert len(others) == 8
    assert all(gradient is None for gradient in gradients)
    assert agents.mlp_q(network.of_task(agent, 2), torch.zeros(S, 1, 1, 3, 9, dtype=torch.float64)).shape == (
        S,
        1,
        1,
        3,
        4,
    )


def test_multi_task_shapes_follow_the_paper():
    shapes = {
        name: tuple(p.shape[1:])
        for name, p in MultiTaskNetwork((5, 9), (2, 4), 7, 2, H).initial(streams(), "cpu", torch.float32).items()
        if "weight" in name
    }
    assert shapes == {
        "E_0.weight_0": (7, 5),
        "E_1.weight_0": (7, 9),
        "F.weight_0": (H, 7),
        "F.weight_1": (H, H),
        "EA_0.weight_0": (2, H),
        "EA_1.weight_0": (4, H),
    }


def test_multi_task_lstm_equals_a_plain_loop_and_leaves_other_tasks_alone():
    """On the second of three tasks, each with other sizes, with torch's LSTM from zeros."""
    torch.manual_seed(0)
    agent = learned(initial_multi_task_lstm((5, I, 9), (2, A, 4), (7, 6, H), streams(), "cpu", torch.float64))
    inputs = torch.randn(S, B, T, N, I, dtype=torch.float64)
    q, _ = multi_task_lstm_q(agent, inputs, 1)
    assert q.shape == (S, B, T, N, A)
    read = {name: p for name, p in agent.items() if name.split(".")[0] in ("E_1", "F", "lstm", "EA_1")}
    expected, modules = torch.empty_like(q), []
    for s in range(S):
        embed, body, head = (plain_mlp(part(agent, name), s) for name in ("E_1", "F", "EA_1"))
        recurrent = part(agent, "lstm")
        lstm = loaded(LSTM(6, H, batch_first=True), recurrent, {f"{name}_l0": name for name in recurrent}, s)
        modules.append([embed, body, lstm, head])
        for i in range(N):
            expected[s, :, :, i] = head(lstm(body(embed(inputs[s, :, :, i]).relu()).relu())[0])
    torch.testing.assert_close(q, expected, rtol=0, atol=1e-14)
    assert_gradients_agree(q, read, expected, modules)
    others = [p for name, p in agent.items() if name not in read]
    gradients = torch.autograd.grad(multi_task_lstm_q(agent, inputs, 1)[0].sum(), others, allow_unused=True)
    assert len(others) == 8
    assert all(gradient is None for gradient in gradients)


def test_multi_task_lstm_step_by_step_is_the_whole_sequence():
    torch.manual_seed(0)
    agent = initial_multi_task_lstm((I,), (A,), (7, 6, H), streams(), "cpu", torch.float64)
    inputs = torch.randn(S, B, T, N, I, dtype=torch.float64)
    whole, end = multi_task_lstm_q(agent, inputs, 0)
    carried, steps = None, []
    for t in range(T):
        q, carried = multi_task_lstm_q(agent, inputs[:, :, t : t + 1], 0, carried)
        steps.append(q)
    torch.testing.assert_close(torch.cat(steps, 2), whole, rtol=0, atol=1e-14)
    assert carried is not None
    torch.testing.assert_close(carried, end, rtol=0, atol=1e-14)


def test_state_embedding_is_one_linear_layer():
    torch.manual_seed(0)
    embeddings = initial_mappings("SE", ((5, 4), (9, 4)), streams(), "cpu", torch.float64)
    state = torch.randn(S, B, T, 9, dtype=torch.float64)
    embedded = embedded_state(embeddings, state, 1)
    expected = torch.stack([plain_mlp(part(embeddings, "SE_1"), s)(state[s]) for s in range(S)])
    torch.testing.assert_close(embedded, expected, rtol=0, atol=1e-14)
    assert embedded.min() < 0
