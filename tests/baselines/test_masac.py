"""MA-SAC: its update against a plain loop in float64, its switches, lanes, stops, and that it learns.

Axes: S seed, E environment copy, N agent, K Q network, B batch, O observation entry, A action entry.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import Sequential

from baselines import masac, specs
from baselines.learner import Layout, Rollout, Seen, Task
from baselines.masac import MASAC
from baselines.replay.transitions import Batch
from baselines.streams import Streams
from tests.baselines.test_sac import network, same

AGENTS, OBS, ACTIONS, STEPS, BATCH = 3, 3, 2, 5, 32
SETTINGS: dict[str, Any] = {
    "hidden_layers": 2,
    "hidden_width": 16,
    "initial_weights": "xavier",
    "optimizer": "adam",
    "lr": 3e-3,
    "alpha": 0.3,
    "gamma": 0.9,
    "tau": 0.05,
    "q_networks": 1,
    "value_function": True,
    "target_observations": "next",
    "others_actions": "replay",
    "batch_size": BATCH,
    "batches": "own",
    "replay_size": 400,
    "warmup_transitions": 0,
    "update_episodes": 4,
    "random_episodes": 6,
    "policy": "gaussian",
    "policy_penalty": 0.05,
    "log_std_min": -0.5,
    "log_std_max": 0.2,
    "reward_standardisation": True,
    "time_limit_terminal": True,
    "evaluation_action": "deterministic",
}


def task(agents: int = AGENTS, obs: int = OBS) -> Task:
    return Task(agents, obs, ACTIONS, STEPS, 1000, Layout(obs, tuple(range(obs))), continuous=True)


def learner(*seeds: int, own: Task | None = None, dtype: torch.dtype = torch.float32, **changed: Any) -> MASAC:
    settings = specs.MASAC.model_validate(SETTINGS | changed)
    return MASAC([own or task()], settings, [Streams(seed) for seed in seeds], "cpu", dtype=dtype)


def world(team: Any, streams: list[Streams], own: Task, episodes_done: int, copies: int = 4) -> Rollout:
    """A round in which agents should output the first A entries that they see."""
    act, shape = team.exploring(0, episodes_done), (copies, STEPS + 1, own.agents, own.obs_size)
    obs = torch.stack([1.6 * torch.rand(shape, generator=s["environment"]) - 0.8 for s in streams])
    avail = torch.ones(*obs.shape[:-1], own.action_size, dtype=torch.bool)
    taken = []
    for t in range(STEPS):
        first = torch.full(obs.shape[:2], t == 0)
        taken.append(act(Seen(obs[:, :, t], avail[:, :, t], first)).to(obs.dtype))
    actions = torch.stack(taken, 2)
    rewards = -4 * (actions - obs[:, :, :-1, :, : own.action_size]).square().sum(-1)
    return Rollout(obs, actions, rewards, torch.zeros(rewards.shape[:3]).bool(), avail)


def played(team: MASAC, rounds: range) -> list[dict[str, Tensor]]:
    streams = list(team.streams)
    return [team.learn(0, world(team, streams, team.task, 4 * i), 4 * i + 4) for i in rounds]


class PlainAgent:
    """One agent of one seed, samples as rows, in torch.nn, torch.optim and torch.distributions."""

    def __init__(self, state: dict[str, Tensor], seed: int, agent: int, h: specs.MASAC):
        self.i, self.h, k = agent, h, h.q_networks
        self.policy = network(state, "actor", (seed, agent))
        self.qs = [network(state, "q", (seed, k * agent + n)) for n in range(k)]
        self.v = network(state, "v", (seed, agent))
        self.target = deepcopy(self.v)
        self.adams = [torch.optim.Adam(x.parameters(), lr=h.lr) for x in (self.policy, *self.qs, self.v)]

    def least(self, obs: Tensor, actions: Tensor) -> Tensor:
        return torch.cat([q(torch.cat([obs, actions], -1)) for q in self.qs], -1).min(-1).values

    def update(self, batch: Batch, s: int, noise: Tensor) -> dict[str, float]:
        """The batch is this agent's own: everybody's observations and actions, its rewards. noise [A, B]."""
        i, h = self.i, self.h
        obs, actions = batch.joint[s, i].tensor_split((AGENTS * OBS,), -1)
        after = batch.next_joint[s, i, :, : AGENTS * OBS]
        mean, log_std = self.policy(obs[:, i * OBS : (i + 1) * OBS]).chunk(2, -1)
        log_std = log_std.clamp(h.log_std_min, h.log_std_max)
        normal = torch.distributions.Normal(mean, log_std.exp())
        u = mean + normal.stddev * noise.T
        jacobian = torch.distributions.transforms.TanhTransform().log_abs_det_jacobian(u, u.tanh())
        log_prob = (normal.log_prob(u) - jacobian).sum(-1)
        anew = torch.cat([actions[:, : i * ACTIONS], u.tanh(), actions[:, (i + 1) * ACTIONS :]], -1)
        q_new = self.least(obs, anew)
        with torch.no_grad():
            asked = after if h.target_observations == "next" else obs
            goes_on = (~batch.terminated[s, i]).double()
            y = batch.rewards[s, i] + h.gamma * goes_on * self.target(asked).squeeze(-1)
        critic = sum(((q(torch.cat([obs, actions], -1)).squeeze(-1) - y) ** 2).mean() / 2 for q in self.qs)
        soft = (q_new - h.alpha * log_prob).detach()
        value = ((self.v(obs).squeeze(-1) - soft) ** 2).mean() / 2
        penalty = h.policy_penalty * (mean.square().mean() + log_std.square().mean())
        actor = (h.alpha * log_prob - q_new).mean() + penalty
        assert isinstance(critic, Tensor)
        groups = [self.policy, *self.qs, self.v]
        leaves = [[*x.parameters()] for x in groups]
        of = [actor, *[critic] * len(self.qs), value]
        found = [torch.autograd.grad(loss, own, retain_graph=True) for loss, own in zip(of, leaves, strict=True)]
        for adam, own, gradients in zip(self.adams, leaves, found, strict=True):
            for p, g in zip(own, gradients, strict=True):
                p.grad = g
            adam.step()
        for p, q in zip(self.target.parameters(), self.v.parameters(), strict=True):
            p.data = (1 - h.tau) * p.data + h.tau * q.data
        return {n: x.item() for n, x in (("critic", critic), ("value", value), ("actor", actor), ("q", q_new.mean()))}


@pytest.mark.parametrize("changed", [{}, {"q_networks": 2, "target_observations": "current"}], ids=["paper", "code"])
def test_twenty_updates_are_those_of_a_plain_loop(changed: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """To 1e-12, in float64: losses, networks, target. Log standard deviations are cut off on both sides."""
    team = learner(0, 5, dtype=torch.float64, **changed)
    played(team, range(1))
    plain = {(s, i): PlainAgent(team.state(), s, i, team.hyperparameters) for s in (0, 1) for i in range(AGENTS)}
    drawn, said = team._drawn, list[dict[str, Tensor]]()

    def watched() -> Any:
        batch, noise = drawn()
        assert bool(batch.terminated.any())
        found = {(s, i): own.update(batch, s, noise[s, i]) for (s, i), own in plain.items()}
        each = {n: [[found[s, i][n] for i in range(AGENTS)] for s in (0, 1)] for n in ("critic", "value", "actor", "q")}
        said.append({n: torch.tensor(x, dtype=torch.float64).mean(-1) for n, x in each.items()})
        return batch, noise

    monkeypatch.setattr(team, "_drawn", watched)
    losses = played(team, range(1, 22))
    assert len(said) >= 20
    for ours, theirs in zip(losses[-20:], said[-20:], strict=True):
        for name, loss in theirs.items():
            assert torch.allclose(ours[name], loss, rtol=1e-12, atol=1e-12), name
    state = team.state()

    def alike(name: str, place: tuple[int, int], theirs: Sequential) -> None:
        for p, q in zip(network(state, name, place).parameters(), theirs.parameters(), strict=True):
            assert torch.allclose(p, q, rtol=0, atol=1e-12), (name, place)

    for (s, i), own in plain.items():
        for name, theirs in (("actor", own.policy), ("v", own.v), ("target_v", own.target)):
            alike(name, (s, i), theirs)
        for n, q in enumerate(own.qs):
            alike("q", (s, len(own.qs) * i + n), q)
    cut = learner(0, **changed).cut(team._actor_passes.outputs(torch.randn(2, AGENTS, OBS, 32).double()))[1]
    assert bool((cut == -0.5).any())
    assert bool((cut == 0.2).any())


def test_critics_read_all_agents_in_one_order() -> None:
    """Agents with the same Q give the same value for the same team."""
    team = learner(0)
    for p in team.q.values():
        p[:, 1:] = p[:, :1].clone()
    q = team.values(0, torch.randn(1, 7, AGENTS, OBS))
    assert torch.equal(q[..., 0], q[..., 1])


@pytest.mark.parametrize("networks", [1, 2])
def test_values_are_q_of_the_means(networks: int) -> None:
    team = learner(0, 1, q_networks=networks)
    played(team, range(4))
    obs = torch.randn(2, 5, AGENTS, OBS, generator=torch.Generator().manual_seed(0))
    state = {name: p.double() for name, p in team.state().items()}
    for s in (0, 1):
        own = [network(state, "actor", (s, i))(obs[s, :, i].double())[:, :ACTIONS].tanh() for i in range(AGENTS)]
        joint = torch.cat([obs[s].double().flatten(1), *own], -1)
        for i in range(AGENTS):
            each = [network(state, "q", (s, networks * i + n))(joint) for n in range(networks)]
            assert torch.allclose(team.values(0, obs)[s, :, i].double(), torch.cat(each, -1).min(-1).values, atol=1e-5)


def test_the_first_episodes_are_uniform() -> None:
    """Six of them: all of the first round of four, two of the second."""
    team = learner(*range(40))
    policy = {name: p.clone() for name, p in team.actor.items()}
    for name, p in team.actor.items():
        p.zero_()
        if name == "bias_2":
            p[..., :ACTIONS], p[..., ACTIONS:] = 9.0, -0.5  # the policy's actions are near one
    assert policy.keys() == team.policy().keys()
    streams = list(team.streams)
    first, second, third = (world(team, streams, team.task, done).actions for done in (0, 4, 8))
    for uniform in (first, second[:, :2]):
        for share in (0.1, 0.5, 0.9):
            assert uniform.flatten().quantile(share).item() == pytest.approx(2 * share - 1, abs=0.05)
    assert min(second[:, 2:].min().item(), third.min().item()) > 0.99
    assert torch.equal(
        team.greedy(0)(Seen(torch.zeros(40, 2, AGENTS, OBS), torch.ones(0), torch.ones(0))).std(), torch.zeros(())
    )


@pytest.mark.parametrize(("networks", "agents", "width", "batch"), [(1, 3, 16, 32), (2, 2, 64, 256)])
def test_a_seed_s_numbers_do_not_depend_on_its_companions(networks: int, agents: int, width: int, batch: int) -> None:
    """The ring of 20 rounds wraps on the way."""
    found = []
    for seeds, index in (((3,), 0), ((1, 2, 3), 2)):
        sizes: dict[str, Any] = {"q_networks": networks, "hidden_width": width, "batch_size": batch}
        team = learner(*seeds, own=task(agents), **sizes)
        losses = played(team, range(24))
        own = {name: p[index] for name, p in team.state().items()}
        found.append(own | {f"{i}.{n}": x[index] for i, one in enumerate(losses) for n, x in one.items()})
    assert len(found[0]) > 5 * 8
    same(found[0], found[1])


def test_a_resumed_run_ends_bit_for_bit_like_an_uninterrupted_one() -> None:
    whole, first, second = learner(0, 1), learner(0, 1), learner(0, 1)
    played(whole, range(26))
    played(first, range(23))
    second.load_state(first.state())
    for lane, (stream, old) in enumerate(zip(second.streams, first.streams, strict=True)):
        stream.load_state(old.state())
        log = first.replay
        second.replay.restore(lane, log.first, log.rows(lane, log.first, log.episodes))
    kept = first.state()
    played(second, range(23, 26))
    same(second.state(), whole.state())
    same(first.state(), kept)


def test_settings_that_do_not_fit_are_refused() -> None:
    for changed, says in (({"batch_size": 100}, "multiple of 32"), ({"log_std_min": 3.0}, "below log_std_max")):
        with pytest.raises(ValueError, match=says):
            specs.MASAC.model_validate(SETTINGS | changed)
    with pytest.raises(ValueError, match="allowed: the same in all"):
        MASAC([task(), task(2)], specs.MASAC.model_validate(SETTINGS), [Streams(0)], "cpu")


def reaching() -> float:
    """Minus the squared distance of the greedy action and the one to be taken; zeros score -.43, random ends -1.2."""
    changed: dict[str, Any] = {"lr": 0.01, "gamma": 0.0, "alpha": 0.01, "batch_size": 64, "policy_penalty": 0.001}
    team = learner(0, 1, own=task(2, 2), replay_size=5000, log_std_min=-5.0, hidden_width=32, **changed)
    played(team, range(250))
    obs = 1.6 * torch.rand(2, 50, 2, 2, generator=torch.Generator().manual_seed(1)) - 0.8
    return -(team.greedy(0)(Seen(obs, torch.ones(0), torch.ones(0))) - obs).square().sum(-1).mean().item()


def test_it_learns_what_a_flipped_sign_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reaching() > -0.1
    honest = masac.policy_gradient_by_q
    monkeypatch.setattr(masac, "policy_gradient_by_q", lambda q: -honest(q))
    assert reaching() < -0.4
