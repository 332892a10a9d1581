"""Axes: S seed, N agent, B batch, O observation entry, A action entry, H hidden unit; D joint entry."""

import math

import pytest
import torch
from torch.nn.functional import linear

from baselines.kernels import nn
from baselines.learner import Layout
from baselines.streams import Streams

S, N, B, OBS, A, H = 2, 3, 20, 4, 5, 8
D = N * (OBS + A)


def streams(*seeds: int) -> list[Streams]:
    return [Streams(seed) for seed in seeds]


def critic() -> nn.Parameters:
    parameters = nn.initial([D, H, H, 1], N, streams(1, 2), "cpu", torch.float64)
    return {name: p + 0.1 if "bias" in name else p for name, p in parameters.items()}


def plain(network: nn.Parameters, s: int, n: int, x: torch.Tensor) -> torch.Tensor:
    """One network of the stack, [B, in] -> [B, out]."""
    last = len(network) // 2 - 1
    for layer in range(last + 1):
        x = linear(x, network[f"weight_{layer}"][s, n], network[f"bias_{layer}"][s, n])
        x = x if layer == last else x.relu()
    return x


def test_initial_weights_are_xavier_uniform_and_the_seeds_own():
    parameters = nn.initial([200, 100, 4], N, streams(1, 2), "cpu", torch.float32)
    bound = math.sqrt(6 / 300)
    weight = parameters["weight_0"]
    assert weight.shape == (S, N, 100, 200)
    assert bound * 0.99 < weight.abs().max() <= bound
    assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)
    assert not parameters["bias_0"].any()
    alone = nn.initial([200, 100, 4], N, streams(2), "cpu", torch.float32)
    assert all(torch.equal(alone[name][0], p[1]) for name, p in parameters.items())
    assert not torch.equal(weight[0], weight[1])
    assert not torch.equal(weight[0, 0], weight[0, 1])


def test_initial_weights_with_a_leaky_relus_gain_and_linears_biases():
    """As torch.nn.init and torch.nn.Linear bound them; each seed's own, in any company."""
    drawn = nn.initial([200, 100, 4], N, streams(1, 2), "cpu", torch.float32, "xavier_leaky_relu")
    layer = torch.nn.Linear(200, 100)
    limit = 1 / math.sqrt(200)
    assert limit * 0.99 < drawn["bias_0"].abs().max() <= limit
    assert layer.bias.abs().max() <= limit
    torch.nn.init.xavier_uniform_(layer.weight, gain=torch.nn.init.calculate_gain("leaky_relu", nn.LEAK))
    bound = math.sqrt(2 / 1.0001) * math.sqrt(6 / 300)
    for weight in (drawn["weight_0"], layer.weight):
        assert bound * 0.99 < weight.abs().max() <= bound
        assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)
    alone = nn.initial([200, 100, 4], N, streams(2), "cpu", torch.float32, "xavier_leaky_relu")
    assert all(torch.equal(alone[name][0], p[1]) for name, p in drawn.items())
    assert not torch.equal(drawn["bias_0"][0, 0], drawn["bias_0"][0, 1])


def test_entries_after_the_layouts_are_not_read():
    actor = nn.initial([9, H, A], N, streams(1, 2), "cpu", torch.float64)
    obs = torch.randn(S, N, OBS + 2, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    slots = nn.entry_slots(Layout(9, (1, 2, 6, 0)), "cpu")
    assert torch.equal(nn.actor_logits(actor, obs, slots), nn.actor_logits(actor, obs[:, :, :OBS], slots))
    with pytest.raises(RuntimeError):
        nn.actor_logits(actor, obs[:, :, : OBS - 1], slots)


ROWS = ((1, 2, 6, 0), (3, 2, 1, 0), (8, 0, 5, 4))  # of three agents


@pytest.mark.parametrize(("batch", "slots"), [(1, ROWS[0]), (4, ROWS[0]), (20, ROWS[0]), (5, ROWS)])
def test_padded_layout_equals_explicit_zero_padding(batch, slots):
    """Also in the gradient: the entries that read zero get none. One row of slots for all agents, or one for each."""
    torch.manual_seed(0)
    layout = Layout(9, slots)
    assert layout.read == 4
    rows = slots if slots is ROWS else (slots,) * N
    actor = nn.initial([9, H, H, A], N, streams(1, 2), "cpu", torch.float64)
    actor = {name: p.requires_grad_() for name, p in actor.items()}
    obs = torch.randn(S, N, OBS, batch, dtype=torch.float64)
    padded = torch.zeros(S, N, 9, batch, dtype=torch.float64)
    for n, row in enumerate(rows):
        padded[:, n, list(row)] = obs[:, n]
    logits = nn.actor_logits(actor, obs, nn.entry_slots(layout, "cpu"))
    explicit = nn.actor_logits(actor, padded)
    torch.testing.assert_close(logits, explicit, rtol=0, atol=1e-14)
    torch.testing.assert_close(logits[1, 2], plain(actor, 1, 2, padded[1, 2].mT).mT, rtol=0, atol=1e-14)
    ours, theirs = (
        torch.autograd.grad(x.square().sum(), actor["weight_0"], retain_graph=True)[0] for x in (logits, explicit)
    )
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    for n, row in enumerate(rows):
        assert not ours[:, n, :, sorted({*range(9)} - {*row})].any()


def test_a_full_layout_needs_no_index():
    assert nn.entry_slots(Layout(3, (0, 1, 2)), "cpu") is None
    assert nn.entry_slots(Layout(3, (0, 2, 1)), "cpu") is not None


def test_joint_values_are_each_critics_own():
    torch.manual_seed(0)
    joint = torch.randn(S, B, D, dtype=torch.float64)
    q = nn.joint_values(critic(), joint)
    assert q.shape == (S, N, B)
    for s in range(S):
        for n in range(N):
            torch.testing.assert_close(q[s, n], plain(critic(), s, n, joint[s])[:, 0], rtol=0, atol=1e-14)


def test_own_action_values_replace_one_action_and_pass_gradient_to_it_alone():
    torch.manual_seed(0)
    joint = torch.randn(S, B, D, dtype=torch.float64)
    own = torch.randn(S, N, A, B, dtype=torch.float64, requires_grad=True)
    learned = {name: p.requires_grad_() for name, p in critic().items()}
    q = nn.own_action_values(learned, joint, own)
    direct = []
    for s in range(S):
        for n in range(N):
            replaced = joint[s].clone()
            replaced[:, N * OBS + n * A :][:, :A] = own[s, n].mT
            direct.append(plain(learned, s, n, replaced)[:, 0])
    torch.testing.assert_close(q, torch.stack(direct).view(S, N, B), rtol=0, atol=1e-14)
    ours = torch.autograd.grad(q.sum(), [own, *learned.values()], allow_unused=True)
    theirs = torch.autograd.grad(torch.cat(direct).sum(), own)
    torch.testing.assert_close(ours[0], theirs[0], rtol=0, atol=1e-13)
    assert all(gradient is None for gradient in ours[1:])


def test_per_agent_views_share_the_joint_inputs_memory():
    joint = torch.arange(S * B * D).view(S, B, D)
    obs, actions = nn.per_agent(joint, N, A)
    assert obs.shape == (S, N, OBS, B)
    assert actions.shape == (S, N, A, B)
    assert obs[1, 2, 3, 4] == joint[1, 4, 2 * OBS + 3]
    assert actions[1, 2, 3, 4] == joint[1, 4, N * OBS + 2 * A + 3]
    actions.fill_(-1)
    assert joint[..., N * OBS :].eq(-1).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("agents", [1, 7])
def test_a_networks_logits_do_not_depend_on_its_place_in_the_stack(agents, dtype):
    """Bit for bit, for every number of samples; without filling up to whole columns this fails."""
    torch.manual_seed(0)
    lanes = streams(1, 2, 3)
    actor = nn.initial([9, 64, 64, 3], agents, lanes, "cpu", dtype)
    for samples in [*range(1, 40), 61, 100]:
        obs = torch.randn(3, agents, 9, samples, dtype=dtype)
        stacked = nn.actor_logits(actor, obs)
        for s in range(3):
            alone = nn.actor_logits({name: p[s : s + 1].clone() for name, p in actor.items()}, obs[s : s + 1].clone())
            assert torch.equal(alone[0], stacked[s]), samples


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [4, 12, 36, 512, 1024])
def test_a_critics_values_do_not_depend_on_its_place_in_the_stack(batch, dtype):
    """Bit for bit, for a stack of one network too."""
    torch.manual_seed(0)
    networks = nn.initial([9, 64, 64, 1], 1, streams(1, 2, 3), "cpu", dtype)
    joint = torch.randn(3, batch, 9, dtype=dtype)
    stacked = nn.joint_values(networks, joint)
    for s in range(3):
        alone = {name: p[s : s + 1].clone() for name, p in networks.items()}
        assert torch.equal(nn.joint_values(alone, joint[s : s + 1].clone())[0], stacked[s])
