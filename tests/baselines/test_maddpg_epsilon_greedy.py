"""MADDPG as DVM uses it: its losses and samples by literal numbers, its exploration, and that it learns.

Axes: S seed, E environment copy, N agent, B batch, O observation entry, A action entry.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from baselines import specs
from baselines.kernels.nn import joint_values
from baselines.learner import Layout, Rollout, Seen, Task
from baselines.maddpg_epsilon_greedy import EpsilonGreedyMADDPG, best, hard_sample, targets
from baselines.streams import Streams

SETTINGS: dict[str, Any] = {
    "hidden_layers": 2,
    "hidden_width": 32,
    "initial_weights": "linear",
    "optimizer": "adam",
    "lr": 0.01,
    "gamma": 0.9,
    "tau": 0.05,
    "batch_size": 64,
    "batches": "own",
    "replay_size": 10_000,
    "warmup_transitions": 64,
    "update_episodes": 4,
    "grad_clip": 0.5,
    "logit_penalty": 0.001,
    "reward_standardisation": True,
    "time_limit_terminal": True,
    "target_actions": "argmax",
    "others_actions": "argmax",
    "actor_sample": "gumbel_softmax_hard",
    "exploration": "epsilon_greedy",
    "epsilon_start": 0.5,
    "epsilon_end": 0.0,
    "epsilon_episodes": 100,
    "sampled_below": 0.05,
    "evaluation_action": "no_noise",
}
STEPS = 5


def task(agents: int = 2, obs: int = 3, actions: int = 3, episodes: int = 1000) -> Task:
    return Task(agents, obs, actions, STEPS, episodes, Layout(obs, tuple(range(obs))))


def learner(*seeds: int, own: Task | None = None, lanes: int | None = None, **changed: Any) -> EpsilonGreedyMADDPG:
    settings = specs.EpsilonGreedyMADDPG.model_validate(SETTINGS | changed)
    streams = [Streams(seed) for seed in seeds]
    return EpsilonGreedyMADDPG([own or task()], settings, streams, "cpu", lanes_per_call=lanes)


def world(team: Any, streams: list[Streams], own: Task, episodes_done: int, copies: int = 4) -> Rollout:
    """A round in which every agent should choose the largest of the first A entries that it sees."""
    act, shape = team.exploring(0, episodes_done), (copies, STEPS + 1, own.agents, own.obs_size)
    obs = torch.stack([torch.randn(shape, generator=s["environment"]) for s in streams])
    avail = torch.ones(*obs.shape[:-1], own.action_size, dtype=torch.bool)
    first = torch.zeros(len(obs), copies, dtype=torch.bool)
    actions = torch.stack([act(Seen(obs[:, :, t], avail[:, :, t], first)) for t in range(STEPS)], 2)
    rewards = (actions * obs[:, :, :-1, :, : own.action_size]).sum(-1)
    terminated = torch.zeros(*rewards.shape[:3], dtype=torch.bool)
    return Rollout(obs, actions, rewards, terminated, avail)


def test_targets_are_eq_6() -> None:
    rewards, q = torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[10.0, 10.0]]])
    assert targets(rewards, q, torch.tensor([[[False, True]]]), 0.5).tolist() == [[[6.0, 2.0]]]


def test_a_hard_sample_is_one_hot_and_has_the_soft_gradient() -> None:
    logits = torch.tensor([[[[1.0], [2.0], [0.5]]]], requires_grad=True)
    noise = torch.tensor([[[[1.5], [0.0], [0.0]]]])
    sample = hard_sample(logits, noise)
    assert sample.flatten().tolist() == [1, 0, 0]
    weights = torch.tensor([3.0, -1.0, 2.0]).view(1, 1, 3, 1)
    (got,) = torch.autograd.grad((sample * weights).sum(), logits)
    (soft,) = torch.autograd.grad(((logits + noise).softmax(2) * weights).sum(), logits)
    assert torch.equal(got, soft)
    assert best(logits).flatten().tolist() == [0, 1, 0]


def test_epsilon_falls_in_a_straight_line_and_starts_again() -> None:
    team = learner(0)
    assert [team.epsilon(n) for n in (0, 50, 100, 500)] == [0.5, 0.25, 0.0, 0.0]
    team.epsilon_start, team.explored_from = 0.6, 200
    assert [round(team.epsilon(n), 9) for n in (200, 250, 300)] == [0.6, 0.3, 0.0]


def explored(team: EpsilonGreedyMADDPG, done: int) -> Tensor:
    """Share of actions [E] that are not the likeliest, in 40,000 of each copy."""
    own = team.task
    act, copies = team.exploring(0, done), team.copies
    obs = torch.zeros(len(team.streams), copies, own.agents, own.obs_size)
    avail = torch.ones(*obs.shape[:-1], own.action_size, dtype=torch.bool)
    seen = Seen(obs, avail, torch.zeros(obs.shape[:2], dtype=torch.bool))
    chosen = torch.stack([act(seen) for _ in range(own.episode_limit)])
    return (chosen != team.greedy(0)(seen)).any(-1).float().mean((0, 1, 3))


def test_each_episode_explores_by_its_own_epsilon() -> None:
    """2 of 3 random actions are not the likeliest; where the policy is sampled it is nearly uniform here."""
    team = learner(0, own=Task(200, 3, 3, 100, 1000, Layout(3, (0, 1, 2))), replay_size=100_000, epsilon_episodes=8)
    found = explored(team, 0)
    assert (found - torch.tensor([0.5, 0.4375, 0.375, 0.3125]) * 2 / 3).abs().max() < 0.02
    sampled = explored(team, 96)  # epsilon 0
    assert (sampled > 0.5).all()
    above = learner(0, epsilon_start=0.06, epsilon_end=0.06)
    assert (explored(above, 0) < 0.2).all()


def test_rewards_are_standardised_by_all_that_is_stored() -> None:
    team = learner(3, warmup_transitions=10_000)
    rounds = [world(team, list(team.streams), team.task, 4 * i) for i in range(3)]
    for rollout in rounds:
        assert team.learn(0, rollout, 0) == {}
    stored = torch.cat([r.rewards[0].flatten(0, 1) for r in rounds]).double()
    mean, sd = team.replay.reward_moments(slice(None))
    assert torch.allclose(mean[0], stored.mean(0).float())
    assert torch.allclose(sd[0], stored.std(0, correction=0).float())
    team.replay.clear(12)
    assert (team.replay.stored, team.replay.first, team.replay.entries) == (0, 12, 12)
    team.learn(0, rounds[2], 0)
    assert torch.allclose(team.replay.reward_moments(slice(None))[0][0], rounds[2].rewards[0].flatten(0, 1).mean(0))
    assert torch.equal(team.replay.rows(0, 12, 16)["rewards"], rounds[2].rewards[0])
    with pytest.raises(ValueError, match="are not all stored"):
        team.replay.rows(0, 11, 16)


def test_the_last_step_of_an_episode_does_not_bootstrap() -> None:
    team = learner(0)
    team.learn(0, world(team, list(team.streams), team.task, 0), 4)
    assert team.replay.rows(0, 0, 4)["terminated"].tolist() == [[False] * 4 + [True]] * 4


def test_the_others_act_by_their_own_policies() -> None:
    """In an actor's loss: their actions in the replay do not count."""
    states = []
    for flip in (False, True):
        team = learner(0, reward_standardisation=False, lr=1e-3, batch_size=20, warmup_transitions=20)
        rollout = world(team, list(team.streams), team.task, 0)
        if flip:  # agent 1's actions, and the critics are held still
            rollout.actions[..., 1, :] = rollout.actions[..., 1, :].flip(-1)
        team._critic_adam.step = lambda *_: None  # pyright: ignore
        team.learn(0, rollout, 4)
        states.append({name: p for name, p in team.state().items() if name.startswith("actor.")})
    assert all(torch.equal(p, states[1][name]) for name, p in states[0].items())


@pytest.mark.parametrize("lanes", [1, 3])
def test_a_seed_s_numbers_do_not_depend_on_its_companions(lanes: int) -> None:
    found = []
    for seeds, index in (((3,), 0), ((1, 2, 3), 2)):
        team = learner(*seeds, lanes=lanes, batch_size=512, warmup_transitions=64)
        losses = [team.learn(0, world(team, list(team.streams), team.task, 4 * i), 0) for i in range(32)]
        assert sum(map(bool, losses)) >= 5
        own = {name: p[index] for name, p in team.state().items()}
        found.append(own | {f"{i}.{n}": x[index] for i, one in enumerate(losses) for n, x in one.items()})
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(x, found[1][name]) for name, x in found[0].items())


def test_it_learns() -> None:
    """The best action scores .85 a step, a random one 0; with the wrong sign it stays below -.5."""
    own = task(actions=3)
    team = learner(0, 1, own=own)
    for i in range(150):
        team.learn(0, world(team, list(team.streams), own, 4 * i), 0)
    obs = torch.randn(2, 500, 2, 3, generator=torch.Generator().manual_seed(0))
    avail = torch.ones(2, 500, 2, 3, dtype=torch.bool)
    actions = team.greedy(0)(Seen(obs, avail, torch.zeros(2, 500, dtype=torch.bool)))
    assert ((actions * obs).sum(-1).mean((1, 2)) > 0.6).all()


def test_critics_read_all_agents_in_one_order() -> None:
    """Every critic has the same joint input; agents with the same critic give the same values."""
    team = learner(0)
    for p in team.critic.values():
        p[:, 1] = p[:, 0]
    q = joint_values(team.critic, torch.randn(1, 8, 2 * 6, generator=torch.Generator().manual_seed(1)))
    assert torch.equal(q[:, 0], q[:, 1])
