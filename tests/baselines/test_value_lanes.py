"""No bit of a seed's losses and gradients depends on its companions: the building blocks combined in one update.

Axes: S seed, B batch, T time step, N agent, O observation entry, A action, X state entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from baselines import mkt_marl
from baselines.dec_hdrqn import initial_multi_task_lstm, multi_task_lstm_q
from baselines.kernels.layers import initial_linear, joined
from baselines.losses import returns
from baselines.networks import agents
from baselines.networks.mixers import QMIX, VDN, Chosen
from baselines.qmix import greedy_values, one_step_targets, td_loss
from baselines.schedules import epsilon_greedy
from baselines.streams import Streams

PLACES = (((3,), 0), ((3, 8), 0), ((1, 3, 2), 1), ((0, 1, 2, 3), 3), ((4, 0, 3, 7, 1), 2), ((0, 1, 2, 4, 3), 4))


@dataclass(frozen=True)
class Sizes:
    batch: int = 32
    time: int = 25
    agents: int = 2
    obs: int = 11
    actions: int = 5
    state: int = 22
    hidden: int = 64
    embed: int = 32
    hypernet: int = 64


MPE = Sizes()
ODD = Sizes(batch=3, time=7, agents=5, obs=4, actions=3, state=9, hidden=17, embed=7, hypernet=13)
NARROW = Sizes(batch=1, time=1, agents=1, obs=1, actions=2, state=1, hidden=3, embed=1, hypernet=1)
WIDE = Sizes(batch=9, time=11, agents=8, obs=80, actions=14, state=168, hidden=64, embed=32, hypernet=64)


def stacked(seeds: tuple[int, ...], dtype: torch.dtype, *shape: int, purpose: int) -> Tensor:
    """Random numbers [S, *shape] that depend on each seed alone."""
    drawn = [torch.randn(shape, generator=torch.Generator().manual_seed(100 * s + purpose), dtype=dtype) for s in seeds]
    return torch.stack(drawn)


def q_values(network: str, parameters: Mapping[str, Tensor], obs: Tensor) -> Tensor:
    inputs = agents.agent_inputs(obs)
    if network == "mlp":
        return agents.mlp_q(parameters, inputs)
    if network == "gru":
        return agents.recurrent_q(parameters, inputs)[0]
    if network == "lstm":
        return multi_task_lstm_q(parameters, inputs, 1)[0]
    return agents.mlp_q(joined(parameters, ("E_1", "F", "EA_1")), inputs)


def initial_agent(network: str, z: Sizes, lanes: list[Streams], dtype: torch.dtype) -> dict[str, Tensor]:
    entries = z.obs + z.agents
    if network == "mlp":
        return initial_linear([entries, z.hidden, z.hidden, z.actions], lanes, "cpu", dtype)
    if network == "gru":
        return agents.initial_recurrent((entries, z.hidden, z.actions), lanes, "cpu", dtype)
    sizes = ((entries + 2, entries), (2, z.actions))
    if network == "lstm":
        return initial_multi_task_lstm(*sizes, (z.hidden, z.hidden, z.hidden), lanes, "cpu", dtype)
    return mkt_marl.MultiTaskNetwork(*sizes, z.hidden, 2, z.hidden).initial(lanes, "cpu", dtype)


def update(seeds: tuple[int, ...], z: Sizes, network: str, mixing: str, dtype: torch.dtype) -> dict[str, Tensor]:
    """Losses and gradients, by name, of one update as MKT-MARL makes it; all lead with [S]."""
    lanes = [Streams(seed) for seed in seeds]
    inner = QMIX(z.agents, z.state, z.embed, 2 if mixing == "qmix2" else 1, z.hypernet)
    mixer = VDN() if mixing == "vdn" else mkt_marl.EmbeddedState(inner, (3, z.state), z.state)
    agent, target = (initial_agent(network, z, lanes, dtype) for _ in range(2))
    mixing_parameters, target_mixing = (mixer.initial(lanes, "cpu", dtype) for _ in range(2))
    leaves = {
        name: p.requires_grad_()
        for name, p in (agent | mixing_parameters).items()
        if name.split(".")[0] not in ("E_0", "EA_0", "SE_0")
    }

    steps = (z.batch, z.time + 1)
    obs = stacked(seeds, dtype, *steps, z.agents, z.obs, purpose=1)
    state = stacked(seeds, dtype, *steps, z.state, purpose=2)
    avail = stacked(seeds, dtype, *steps, z.agents, z.actions, purpose=3) > -1
    rewards = stacked(seeds, dtype, z.batch, z.time, purpose=4)
    ends = stacked(seeds, dtype, z.batch, z.time, purpose=5) > 2
    mask = ends.cumsum(-1) - ends.long() == 0
    teacher_q = 3 * stacked(seeds, dtype, *steps, z.agents, z.actions, purpose=6)

    moments = returns.RewardMoments.initial(len(seeds)).updated(rewards, mask)
    q, target_q = (q_values(network, p, obs) for p in (agent, target))
    actions = epsilon_greedy(
        q.detach().flatten(1, 2),
        avail.flatten(1, 2),
        0.3,
        stacked(seeds, dtype, z.batch * (z.time + 1), z.agents, 1 + z.actions, purpose=7).sigmoid(),
    ).unflatten(1, steps)
    next_q, next_actions = greedy_values(target_q, avail, q)
    taken = q.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
    q_tot = mixer.q_tot(mixing_parameters, Chosen(taken, actions, state, 1))[:, :, :-1]
    with torch.no_grad():
        target_q_tot = mixer.q_tot(target_mixing, Chosen(next_q, next_actions, state, 1))
    terminated = ends & mask
    standardised = moments.standardised(rewards)
    one_step = one_step_targets(standardised, terminated, target_q_tot, 0.99)
    td_lambda = returns.td_lambda_targets(standardised, terminated, mask, target_q_tot, 0.99, 0.6)
    loss_kl = mkt_marl.distillation_loss(teacher_q[:, :, :-1], q[:, :, :-1], avail[:, :, :-1], mask, 1.0)
    loss_td = td_loss(q_tot, one_step, mask) + td_loss(q_tot, td_lambda, mask)
    losses = mkt_marl.combined_loss(loss_kl, loss_td, 0.4)
    gradients = torch.autograd.grad(losses.sum(), list(leaves.values()))
    found = {"kl": loss_kl, "td": loss_td, "mean": moments.mean, "variance": moments.variance, "actions": actions}
    found |= {"advantages": returns.generalised_advantages(standardised, terminated, mask, target_q_tot, 0.99, 0.95)}
    return {name: x.detach() for name, x in (found | dict(zip(leaves, gradients, strict=True))).items()}


MADE_OF = [("mlp", "qmix2"), ("mlp", "vdn"), ("gru", "qmix1"), ("gru", "qmix2"), ("multi", "qmix2"), ("lstm", "vdn")]


@pytest.mark.parametrize("sizes", [MPE, ODD, NARROW, WIDE], ids=["mpe", "odd", "narrow", "wide"])
@pytest.mark.parametrize(("network", "mixing"), MADE_OF)
def test_one_update_of_a_seed_is_the_same_in_any_company(network, mixing, sizes):
    """Bit for bit, alone and anywhere among 2 to 5 seeds, in float32, in which runs train."""
    one_update_is_the_same(network, mixing, sizes, torch.float32)


@pytest.mark.parametrize("sizes", [ODD, NARROW], ids=["odd", "narrow"])
@pytest.mark.parametrize(("network", "mixing"), MADE_OF)
def test_one_update_in_float64_is_the_same_in_any_company(network, mixing, sizes):
    """In tests/slow also at the two larger sizes."""
    one_update_is_the_same(network, mixing, sizes, torch.float64)


def one_update_is_the_same(network, mixing, sizes, dtype):
    alone = update((3,), sizes, network, mixing, dtype)
    assert all(torch.isfinite(x).all() for x in alone.values())
    assert alone["kl"].abs().sum() > 0
    for seeds, place in PLACES[1:]:
        company = update(seeds, sizes, network, mixing, dtype)
        differing = [name for name, x in company.items() if not torch.equal(x[place], alone[name][0])]
        assert not differing, (seeds, differing)


@pytest.mark.parametrize("network", ["mlp", "gru", "multi", "lstm"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_q_values_of_a_rollout_are_the_same_in_any_company(network, dtype):
    """For every number of environment copies and agents from 1 to 40 samples, in one step."""
    for team in (1, 3):
        z = Sizes(agents=team, hidden=64)
        for copies in range(1, 14):
            found = {}
            for seeds, place in PLACES:
                lanes = [Streams(seed) for seed in seeds]
                agent = initial_agent(network, z, lanes, dtype)
                q = q_values(network, agent, stacked(seeds, dtype, copies, 1, team, z.obs, purpose=1))
                found[seeds] = q[place]
            assert all(torch.equal(q, found[(3,)]) for q in found.values()), (team, copies)


def test_no_gradient_crosses_from_seed_to_seed():
    """One seed's rewards do not change the others' gradients, which `update` computes from each seed alone."""
    first = update((0, 1, 2), ODD, "mlp", "qmix2", torch.float64)
    second = update((0, 5, 2), ODD, "mlp", "qmix2", torch.float64)
    for name, x in first.items():
        assert torch.equal(x[[0, 2]], second[name][[0, 2]]), name
    assert not torch.equal(first["td"][1], second["td"][1])
