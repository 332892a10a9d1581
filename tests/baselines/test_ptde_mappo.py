"""PTDE on MAPPO: an update sees the z that was played with; lanes; stage 2 of such a team.

Axes: S seed, B episode, T time step, N agent, A action.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from baselines import mappo_steps, specs
from baselines.learner import Seen, Teacher
from baselines.mappo import log_policy, policy_loss, taken_log_policy
from baselines.mappo_steps import StepsMAPPO
from baselines.networks.agents import agent_inputs
from baselines.ptde_distill import Stage2
from baselines.ptde_mappo import stage_1, stage_1_in_steps
from baselines.streams import Streams
from tests.baselines.test_mappo_steps import RECURRENT, TASK, rollout, settings
from tests.informed import STAGE_2, a_task, assert_same, lane, played, trained, unseen
from tests.teams import PPO

SETTINGS = PPO | {"use_rnn": True, "update_passes": 2, "update_episodes": 8, "z_width": 6, "z_head": "additive"}
SETTINGS |= {"encoder_width": 8, "variance_floor": 0.01, "z_distribution": "gaussian", "z_execution": "sample"}


def started(kind: str, *seeds: int) -> tuple[Any, list[Streams]]:
    streams = [Streams(seed) for seed in seeds]
    h = specs.PersonalMAPPO.model_validate(SETTINGS | {"information": kind})
    return stage_1([a_task(state=6)], h, streams, "cpu"), streams


@pytest.mark.parametrize("kind", ["giu", "gip"])
def test_the_first_ratio_is_one(kind) -> None:
    """The update gives actions their probabilities from play, step by step; with other noise it does not.

    The greatest differences of log pi: float32's rounding, and far more.
    """
    learner, streams = started(kind, 0)
    task = learner.tasks[0]
    act, kept = learner.exploring(0, 0), []
    inform = act._inform
    act._inform = lambda inputs, state: kept.append(inform(inputs, state)) or kept[-1]
    learner.exploring = lambda *_: act
    rollout = played(learner, task, streams, unseen(6))
    batch = learner._batch(0, rollout)
    inputs = agent_inputs(batch.obs[:, :, :-1])
    z = learner._information.z(
        {n.removeprefix("information."): p for n, p in learner._actor.items() if n.startswith("information.")},
        inputs,
        batch.state[:, :, :-1],
        learner._z_noise,
    )
    torch.testing.assert_close(z, torch.cat(kept, 2), rtol=0, atol=1e-6)

    def of_update() -> torch.Tensor:
        log_pi = log_policy(learner._logits(learner._actor, 0, inputs, batch.state), batch.avail_actions[:, :, :-1])
        return taken_log_policy(log_pi, batch.actions)

    same, own = of_update(), learner._z_noise
    assert torch.equal(same, of_update())
    learner._z_noise = torch.randn_like(own)
    assert (of_update() - same).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["giu", "gip"])
def test_a_seeds_numbers_are_its_own_and_all_of_it_learns(kind) -> None:
    found = []
    for seeds in ((3,), (1, 3)):
        learner, streams = started(kind, *seeds)
        before = learner.state()
        state = trained(learner, learner.tasks[0], streams, 3, unseen(6)).state()
        assert not [n for n in before if n.startswith("actor.") and torch.equal(before[n], state[n])]
        found.append(lane(state, seeds.index(3)))
        task = learner.tasks[0]
        sizes = specs.TaskSizes(task.agents, task.obs_size, task.action_size, task.episode_limit)
        counted = learner.hyperparameters.policy_size([sizes]) * len(seeds)
        assert counted == sum(p.numel() for p in learner.policy().values())
    assert_same(*found)


def test_such_a_team_is_distilled() -> None:
    """The student's loss falls; the team plays for it as its actors sample."""
    team, _ = started("gip", 0)
    teacher = Teacher(team.policy(), team.tasks[0].layout, lambda obs: obs, SETTINGS | {"information": "gip"})
    streams, task = [Streams(0)], a_task(state=6, teacher=teacher)
    learner = Stage2([task], specs.PTDE.model_validate(STAGE_2 | {"distill_episodes": 50}), streams, "cpu")
    learner.learn(0, played(learner, task, streams, unseen(6)), 0)
    losses = [float(learner.learn(0, None, 0)["held_out"]) for _ in range(200)]
    assert sum(losses[-20:]) < 0.7 * sum(losses[:20])


# In rollouts of steps.

IN_STEPS = {name: SETTINGS[name] for name in ("z_width", "z_head", "encoder_width", "variance_floor")}
IN_STEPS |= {"z_distribution": "gaussian", "z_execution": "sample"}
STEPS_KINDS = {"perceptron": {"stacked_frames": 4}, "recurrent": RECURRENT}


def in_steps(kind: str, information: str, *seeds: int, **changes: Any) -> StepsMAPPO:
    values = settings(**STEPS_KINDS[kind]).model_dump(exclude_none=True) | IN_STEPS | {"information": information}
    h = specs.PersonalStepsMAPPO.model_validate(values | changes)
    return stage_1_in_steps([TASK], h, [Streams(seed) for seed in seeds], "cpu")


@pytest.mark.parametrize("information", ["giu", "gip"])
@pytest.mark.parametrize("kind", STEPS_KINDS)
def test_the_first_ratio_is_one_in_rollouts(kind, information, monkeypatch) -> None:
    """To the last bit; in the second rollout, which begins inside episodes. After a pass it is another."""
    learner, ratios = in_steps(kind, information, 0, update_passes=2, lr=0.01), []

    def noted(taken, old_taken, *others):
        ratios.append((taken.detach() - old_taken).exp())
        return policy_loss(taken, old_taken, *others)

    monkeypatch.setattr(mappo_steps, "policy_loss", noted)
    for number in range(2):
        learner.learn(0, rollout(learner, (0,), number), 0)
    first, second = ratios[2:]
    assert torch.equal(first, torch.ones_like(first))
    assert (second - 1).abs().max() > 1e-3


@pytest.mark.parametrize("kind", STEPS_KINDS)
def test_an_update_sees_what_was_played_with(kind) -> None:
    """log pi of the actions as they were played, step by step, against what a rollout's update makes of them."""
    learner: Any = in_steps(kind, "gip", 0)
    learner.learn(0, rollout(learner, (0,), 0), 0)
    played_with, act = [], learner.exploring

    def watched(task, done):
        playing: Any = act(task, done)
        inform = playing._inform
        playing._inform = lambda inputs, state: played_with.append(inform(inputs, state)) or played_with[-1]
        return playing

    learner.exploring = watched
    given: Any = rollout(learner, (0,), 1)
    carried = learner._carried
    inputs = agent_inputs(mappo_steps.stacked(given.obs.float(), given.first, carried.obs))
    z = learner._z(learner._actor, inputs, given.state.float(), learner._z_noise)
    torch.testing.assert_close(z, torch.cat(played_with, 2), rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", STEPS_KINDS)
def test_a_seed_in_rollouts_is_the_same_alone_and_after_a_stop(kind) -> None:
    """To the last bit; the stop is between the first rollout and the second, inside episodes. All of it learns."""
    both: Any = in_steps(kind, "gip", 0, 1)
    alone: Any = in_steps(kind, "gip", 1)
    before = both.state()
    for number in range(2):
        both.learn(0, rollout(both, (0, 1), number), 0)
        alone.learn(0, rollout(alone, (1,), number), 0)
        if not number:
            fresh: Any = in_steps(kind, "gip", 1)
            fresh.load_state(alone.state())
            for new, old in zip(fresh._streams, alone._streams, strict=True):
                new.load_state(old.state())
            fresh.ended, alone = alone.ended, fresh
    state = both.state()
    assert not [n for n in before if n.startswith("actor.") and torch.equal(before[n], state[n])]
    assert_same(lane(state, 1), lane(alone.state(), 0))


@pytest.mark.parametrize("information", ["giu", "gip"])
@pytest.mark.parametrize("kind", STEPS_KINDS)
@pytest.mark.parametrize("head", ["additive", "mlp"])
def test_the_policy_in_rollouts_is_as_large_as_is_said(kind, information, head) -> None:
    learner = in_steps(kind, information, 0, z_head=head)
    sizes = specs.TaskSizes(TASK.agents, TASK.obs_size, TASK.action_size, state=TASK.state_size)
    assert learner.hyperparameters.policy_size([sizes]) == sum(p.numel() for p in learner.policy().values())


@pytest.mark.parametrize("kind", STEPS_KINDS)
def test_a_team_of_rollouts_is_distilled(kind) -> None:
    """The team plays whole episodes for its student, which reads the same frames; its loss falls."""
    team = in_steps(kind, "gip", 0)
    known = team.hyperparameters.model_dump(exclude_none=True)
    task = replace(TASK, teacher=Teacher(team.policy(), TASK.layout, lambda obs: obs, known))
    streams = [Streams(0)]
    learner = Stage2([task], specs.PTDE.model_validate(STAGE_2 | {"distill_episodes": 50}), streams, "cpu")
    learner.learn(0, played(learner, task, streams, unseen(TASK.state_size)), 0)
    losses = [float(learner.learn(0, None, 0)["held_out"]) for _ in range(200)]
    assert sum(losses[-20:]) < 0.8 * sum(losses[:20])
    obs, episodes = torch.randn(1, 2, TASK.agents, TASK.obs_size), torch.ones(1, 2, dtype=torch.bool)
    avail = torch.ones(1, 2, TASK.agents, TASK.action_size, dtype=torch.bool)
    chosen = learner.greedy(0)(Seen(obs, avail, episodes, torch.randn(1, 2, TASK.state_size)))
    assert chosen.sum(-1).eq(1).all()
