"""Distillation with value matching: its losses by literal numbers, and the abilities of distilled and matched networks.

Axes: S seed, N agent, B batch, P permutation, O observation entry, A action entry.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from baselines import specs
from baselines.dvm import DVM, distillation_loss, dvm_masac, matching_loss, orders, parts_of, permuted
from baselines.kernels.nn import actor_logits, joint_values
from baselines.learner import Rollout, Task
from baselines.streams import Streams
from tests.baselines.test_maddpg_epsilon_greedy import SETTINGS as MADDPG
from tests.baselines.test_maddpg_epsilon_greedy import STEPS, task, world
from tests.baselines.test_masac import SETTINGS as MASAC
from tests.baselines.test_masac import task as continuous
from tests.baselines.test_masac import world as reaching

SETTINGS: dict[str, Any] = MADDPG | {
    "distillation_iterations": 300,
    "matching_iterations": 300,
    "distillation_loss": "kl_agent_to_distilled",
    "temperature": 1.0,
    "matching_loss": "mse",
    "matched": "q",
    "permutations": "all",
    "distilled_start": "fresh",
    "distillation_batch_size": 128,
    "distillation_lr": 0.003,
    "distillation_grad_clip": 0.5,
    "copied": "both",
    "copying": "hard",
    "copy_targets": True,
    "keep_learning": True,
    "clear_replay": True,
    "epsilon_restart": 0.6,
}


def learner(*seeds: int, own: Task | None = None, lanes: int | None = None, **changed: Any) -> Any:
    settings, own = specs.DVMMADDPG.model_validate(SETTINGS | changed), own or task()
    return DVM([own, own], settings, [Streams(seed) for seed in seeds], "cpu", lanes_per_call=lanes)


def stored(team: Any, obs: Tensor) -> None:
    """Episodes with these observations [E, T+1, N, O] of seed 0, and random actions; nothing is learned."""
    own = team.team.task
    generator = torch.Generator().manual_seed(5)
    drawn = torch.randint(own.action_size, obs.shape[:3], generator=generator)[:, :-1]
    actions = torch.nn.functional.one_hot(drawn, own.action_size).float().unsqueeze(0)
    rewards = torch.zeros(actions.shape[:-1])
    avail = torch.ones(1, *obs.shape[:3], own.action_size, dtype=torch.bool)
    team.team.replay.append(Rollout(obs.unsqueeze(0), actions, rewards, torch.zeros(rewards.shape[:3]).bool(), avail))


def prepared(team: Any) -> Any:
    while not team.ready():
        pass
    return team


def test_distillation_is_eq_3() -> None:
    """KL(agent || distilled) of softmax with a temperature: (3/4, 1/4) against (1/2, 1/2)."""
    agent, distilled = torch.tensor([[[[2 * math.log(3)], [0.0]]]]), torch.zeros(1, 1, 2, 1)
    expected = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert distillation_loss(agent, distilled, 2.0).item() == pytest.approx(expected)
    assert distillation_loss(distilled, agent, 2.0).item() != pytest.approx(expected)


def test_matching_is_eq_6() -> None:
    agent, matched = torch.tensor([[1.0, 2.0]]), torch.tensor([[[1.0, 4.0], [0.0, 2.0]]])
    assert matching_loss(agent, matched).tolist() == [(0 + 4 + 1 + 0) / 2]


def test_permutations_keep_actions_with_observations() -> None:
    """Two agents, O = 2, A = 1: [o1 o1 o2 o2 a1 a2]."""
    joint = torch.tensor([[[1.0, 2.0, 3.0, 4.0, 10.0, 30.0]]])
    found = permuted(joint, 2, 1, orders("all", 2, [Streams(0)], "cpu"))
    assert found.tolist() == [[[[1, 2, 3, 4, 10, 30]], [[3, 4, 1, 2, 30, 10]]]]


def test_all_orders_are_all_and_a_random_one_is_each_equally_often() -> None:
    every = orders("all", 4, [Streams(0), Streams(1)], "cpu")
    assert every.shape == (2, 24, 4)
    assert {tuple(o) for o in every[1].tolist()} == set(itertools.permutations(range(4)))
    streams = [Streams(0)]
    drawn = [tuple(orders("random", 3, streams, "cpu")[0, 0].tolist()) for _ in range(600)]
    assert all(60 < drawn.count(order) < 140 for order in itertools.permutations(range(3)))


def placed(agents: int, episodes: int, seed: int) -> Tensor:
    """Observations [E, T+1, N, 3] each agent in a region of its own: the first entry, around 2 i - N + 1."""
    obs = torch.randn(episodes, STEPS + 1, agents, 3, generator=torch.Generator().manual_seed(seed))
    obs[..., 0] = 0.3 * obs[..., 0] + 2 * torch.arange(agents) - agents + 1
    return obs


def test_a_matched_critic_agrees_over_all_permutations_and_still_explains_the_critic() -> None:
    """Three agents with one critic. 90% of the variance of its values in the original order is explained.

    A constant agrees, too, and explains nothing. Observations permuted without their actions are other states.
    """
    team = learner(0, own=task(agents=3), matching_iterations=700, distillation_iterations=1, hidden_width=64)
    for name, p in team.team.critic.items():
        p *= 4.0 if name.startswith("weight") else 1.0
        p[:] = p[:, :1].clone()
    stored(team, placed(3, 400, 1))
    prepared(team)
    batch = team.team.replay.sample(500, slice(None)).joint
    original = joint_values(team.team.critic, batch)[0, 0]

    def matched(inputs: Tensor) -> Tensor:
        """[P, B]."""
        return joint_values(team.distilled.critics["critic"], inputs.flatten(1, 2)).view(-1, 500)

    def explained(values: Tensor) -> float:
        return 1 - float((values - original).square().mean() / original.var(correction=0))

    every = orders("all", 3, [Streams(0)], "cpu")
    values, spread = matched(permuted(batch, 3, 3, every)), original.std()
    apart = values.std(0).square().mean().sqrt() / spread
    assert explained(values[0]) > 0.9
    assert explained(original.mean().expand_as(original)) < 0.9
    assert apart < 0.2
    obs, actions = batch.split([9, 9], -1)
    wrong = permuted(torch.cat([obs, torch.zeros_like(actions)], -1), 3, 3, every)[..., :9]
    mismatched = matched(torch.cat([wrong, actions.unsqueeze(1).expand(-1, 6, -1, -1)], -1))
    assert mismatched.std(0).square().mean().sqrt() / spread > 2 * apart


def test_a_distilled_policy_is_each_agent_s_where_that_agent_was() -> None:
    """Two agents in regions of their own; in the other's region the policy of one does something that it was never
    taught.
    """
    team = learner(0, matching_iterations=1, distillation_iterations=600)
    for name, p in team.team.actor.items():
        p *= 6.0 if name == "weight_2" else 2.0 if name.startswith("weight") else 1.0
    stored(team, placed(2, 400, 1))
    prepared(team)
    obs = placed(2, 100, 2).flatten(0, 1).permute(1, 2, 0).unsqueeze(0)  # [1, N, O, B]
    actors = team.team.actors

    def chosen(network: dict[str, Tensor], agent: int, region: int) -> Tensor:
        own = {name: p[:, agent : agent + 1] for name, p in network.items()}
        return actors.logits(own, obs[:, region : region + 1]).argmax(2).flatten()

    for region in (0, 1):
        theirs = chosen(team.team.actor, region, region)
        assert (chosen(team.distilled.policy, 0, region) == theirs).float().mean() > 0.95
        assert (chosen(team.team.actor, 1 - region, region) == theirs).float().mean() < 0.7


@pytest.mark.parametrize("copied", ["none", "policy", "critic", "both"])
def test_the_turn_copies_what_it_is_told(copied: str) -> None:
    team = learner(0, 1, copied=copied, distillation_iterations=3, matching_iterations=2)
    for i in range(8):
        team.learn(0, world(team, list(team.team.streams), team.team.task, 4 * i), 0)
    prepared(team)
    before, distilled = team.state(), team.distilled
    assert set(team.turn()) == {"distillation", "matching"}
    after = team.state()
    for name, p in after.items():
        kind, _, key = name.partition(".")
        if kind in ("actor", "target_actor", "critic", "target_critic"):
            net = distilled.policy if "actor" in kind else distilled.critics["critic"]
            wanted = copied in (("policy", "both") if "actor" in kind else ("critic", "both"))
            assert torch.equal(p, net[key].expand_as(p) if wanted else before[name]), name
        elif name != "count.turned_at":
            assert torch.equal(p, before[name]), name  # Adam goes on
    assert team.team.replay.stored == 0
    assert team.team.epsilon(32) == 0.6


def test_without_learning_a_team_stays_as_it_is() -> None:
    team = learner(0, keep_learning=False, distillation_iterations=1, matching_iterations=1)
    for i in range(8):
        team.learn(0, world(team, list(team.team.streams), team.team.task, 4 * i), 0)
    prepared(team)
    team.turn()
    before = team.policy()
    for i in range(8, 24):
        assert team.learn(1, world(team, list(team.team.streams), team.team.task, 4 * i), 0) == {}
    assert all(torch.equal(p, before[name]) for name, p in team.policy().items())


@pytest.mark.parametrize("permutations", ["all", "random"])
def test_a_seed_s_numbers_do_not_depend_on_its_companions(permutations: str) -> None:
    found = []
    for seeds, index in (((3,), 0), ((1, 2, 3), 2)):
        sizes = {"distillation_iterations": 4, "matching_iterations": 3, "distillation_batch_size": 512}
        team = learner(*seeds, own=task(agents=3), permutations=permutations, **sizes)
        for i in range(8):
            team.learn(0, world(team, list(team.team.streams), team.team.task, 4 * i), 0)
        prepared(team)
        losses = team.turn()
        for i in range(8, 16):
            team.learn(1, world(team, list(team.team.streams), team.team.task, 4 * i), 0)
        own = {name: p[index] for name, p in team.state().items()} | {n: x[index] for n, x in losses.items()}
        found.append(own)
    assert all(torch.equal(x, found[1][name]) for name, x in found[0].items())


def two_teams(*seeds: int, **changed: Any) -> Any:
    settings = specs.DVMMADDPG.model_validate(SETTINGS | changed)
    return DVM([task()] * 3, settings, [Streams(seed) for seed in seeds], "cpu")


def played(team: Any, tasks: tuple[int, ...], rounds: range) -> None:
    for i in rounds:
        for k in tasks:
            who = team._playing(k)
            team.learn(k, world(who, list(who.streams), who.task, 4 * i), 0)


@pytest.mark.parametrize("copied", ["none", "both"])
def test_the_first_agent_of_each_team_goes_on(copied: str) -> None:
    """Two tasks come first, a team each. Adam's moments go along; both replays stay in step."""
    team = two_teams(0, 1, copied=copied, distillation_iterations=2, matching_iterations=2)
    played(team, (0, 1), range(8))
    first = [own.state() for own in team._teams]
    assert not torch.equal(first[0]["actor.weight_0"], first[1]["actor.weight_0"])
    prepared(team)
    team.turn()
    state = team.team.state()
    for k in (0, 1):
        for name in ("adam_actor.exp_avg.weight_1", "adam_critic.exp_avg_sq.weight_0"):
            assert torch.equal(state[name][:, k], first[k][name][:, 0])
        for name in ("actor.weight_1", "target_critic.bias_0"):
            net = team.distilled.policy if "actor" in name else team.distilled.critics["critic"]
            expected = first[k][name][:, 0] if copied == "none" else net[name.partition(".")[2]][:, 0]
            assert torch.equal(state[name][:, k], expected)
    assert [replay.stored for replay in team.replays] == [0, 0]
    played(team, (2,), range(8, 16))
    assert [replay.entries for replay in team.replays] == [64, 64]
    assert not torch.equal(team.policy()["weight_0"], state["actor.weight_0"])


def test_each_agent_is_distilled_from_its_own_task_s_replay() -> None:
    """Where task 0 was played the distilled policy is that of team 0's first agent; the same holds for task 1."""
    team = two_teams(0, matching_iterations=1, distillation_iterations=600)
    for k, own in enumerate(team._teams):
        for name, p in own.actor.items():
            p *= 6.0 if name == "weight_2" else 2.0 if name.startswith("weight") else 1.0
        obs = placed(2, 400, k)
        obs[..., 0] += 4 * k
        actions = torch.nn.functional.one_hot(torch.zeros(1, 400, STEPS, 2, dtype=torch.int64), 3).float()
        rewards, avail = torch.zeros(1, 400, STEPS, 2), torch.ones(1, 400, STEPS + 1, 2, 3, dtype=torch.bool)
        own.replay.append(Rollout(obs[None], actions, rewards, torch.zeros(1, 400, STEPS).bool(), avail))
    prepared(team)
    for k, own in enumerate(team._teams):
        obs = placed(2, 100, 7)
        obs[..., 0] += 4 * k
        seen = obs.flatten(0, 1)[:, :1].permute(1, 2, 0).unsqueeze(0)
        theirs, other = (
            own.actors.logits({n: p[:, :1] for n, p in net.items()}, seen).argmax(2)
            for net in (own.actor, team._teams[1 - k].actor)
        )
        assert (own.actors.logits(team.distilled.policy, seen).argmax(2) == theirs).float().mean() > 0.95
        assert (other == theirs).float().mean() < 0.8


def test_as_many_tasks_come_first_as_there_are_agents() -> None:
    settings = specs.DVMMADDPG.model_validate(SETTINGS)
    with pytest.raises(ValueError, match="one per agent"):
        DVM([task()] * 4, settings, [Streams(0)], "cpu")


# ------------------------------------------------------------------------------------------------- on MA-SAC

GAUSSIAN: dict[str, Any] = {n: x for n, x in SETTINGS.items() if n not in MADDPG} | {"matched": "q_and_v"}


def on_masac(*seeds: int, agents: int = 2, **changed: Any) -> Any:
    own = {n: x for n, x in GAUSSIAN.items() if n not in ("temperature", "epsilon_restart")}
    settings = specs.DVMMASAC.model_validate(MASAC | own | changed)
    return dvm_masac([continuous(agents)] * 2, settings, [Streams(seed) for seed in seeds], "cpu")


def learned(team: Any, task: int, rounds: range) -> None:
    for i in rounds:
        team.learn(task, reaching(team, list(team.team.streams), team.team.task, 4 * i), 4 * i + 4)


def test_a_gaussian_s_distance_is_in_closed_form() -> None:
    """Of N(1, 2^2) from N(0, 1): log(1/2) + (4 + 1 - 1) / 2. One of the two action entries is the same in both."""
    team = on_masac(0, log_std_min=-5.0, log_std_max=2.0)
    agent = torch.tensor([1.0, 0.0, math.log(2), 0.0]).view(1, 1, 4, 1)
    found = parts_of(team.team).distance(agent, torch.zeros(1, 1, 4, 1))
    assert found.tolist() == [[pytest.approx(2 - math.log(2))]]


def test_q_and_v_are_matched_over_all_permutations_and_the_policy_is_each_agent_s() -> None:
    team = on_masac(0, matching_iterations=300, distillation_iterations=200, hidden_width=32)
    own = team.team
    for name, p in itertools.chain(own.q.items(), own.v.items(), own.actor.items()):
        p *= 3.0 if name.startswith("weight") else 1.0
    for net in (own.q, own.v):
        for p in net.values():
            p[:] = p[:, :1].clone()
    obs = placed(2, 400, 1).unsqueeze(0)
    actions = 2 * torch.rand(*obs.shape[:2], STEPS, 2, 2, generator=torch.Generator().manual_seed(0)) - 1
    avail, rewards = torch.ones(*obs.shape[:4], 2, dtype=torch.bool), torch.zeros(1, 400, STEPS, 2)
    own.replay.append(Rollout(obs, actions, rewards, torch.zeros(1, 400, STEPS).bool(), avail))
    prepared(team)
    batch = own.replay.sample(500, slice(None)).joint
    both = permuted(batch, 2, 2, orders("all", 2, [Streams(0)], "cpu")).flatten(1, 2)
    for name, critic in parts_of(own).critics.items():
        original = critic.values(critic.own, batch, 6)[0, 0]
        straight, swapped = critic.values(team.distilled.critics[name], both, 6).view(2, 500)
        assert 1 - (straight - original).square().mean() / original.var(correction=0) > 0.9, name
        assert (straight - swapped).square().mean().sqrt() / original.std() < 0.2, name
    for i in (0, 1):
        seen = placed(2, 100, 2).flatten(0, 1)[:, i : i + 1].permute(1, 2, 0).unsqueeze(0)
        heads = [
            actor_logits(net, seen)[:, :, :2].tanh()
            for net in ({n: p[:, i : i + 1] for n, p in own.actor.items()}, team.distilled.policy)
        ]
        other = actor_logits({n: p[:, 1 - i : 2 - i] for n, p in own.actor.items()}, seen)[:, :, :2].tanh()
        apart, of_other = ((x - heads[0]).abs().mean().item() for x in (heads[1], other))
        assert apart < 0.3 * of_other, (i, apart, of_other)


@pytest.mark.parametrize("networks", [1, 2])
def test_masac_s_turn_copies_q_v_and_the_target_of_v(networks: int) -> None:
    team = on_masac(0, 1, q_networks=networks, distillation_iterations=2, matching_iterations=2, agents=3)
    learned(team, 0, range(4))
    prepared(team)
    before = team.state()
    assert set(team.turn()) == {"distillation", "matching", "matching_value"}
    after, distilled = team.state(), team.distilled
    nets = {"actor": distilled.policy, "q": distilled.critics["critic"], "v": distilled.critics["value"]}
    for name, p in after.items():
        kind, _, key = name.partition(".")
        net = nets.get(kind.removeprefix("target_"))
        if net is not None:
            assert torch.equal(p.unflatten(1, (3, -1)), net[key].unsqueeze(1).expand_as(p.unflatten(1, (3, -1)))), name
        elif name != "count.turned_at":
            assert torch.equal(p, before[name]), name
    assert team.team.replay.stored == 0


@pytest.mark.parametrize("permutations", ["all", "random"])
def test_nor_do_they_on_masac(permutations: str) -> None:
    found = []
    for seeds, index in (((3,), 0), ((1, 2, 3), 2)):
        sizes = {"distillation_iterations": 3, "matching_iterations": 2, "distillation_batch_size": 512}
        team = on_masac(*seeds, agents=3, permutations=permutations, q_networks=2, **sizes)
        learned(team, 0, range(5))
        prepared(team)
        losses = team.turn()
        learned(team, 1, range(5, 9))
        found.append({n: p[index] for n, p in team.state().items()} | {n: x[index] for n, x in losses.items()})
    assert all(torch.equal(x, found[1][name]) for name, x in found[0].items())
