"""PTDE on MAPPO: an update sees the z that was played with; lanes; stage 2 of such a team.

Axes: S seed, B episode, T time step, N agent, A action.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from baselines import specs
from baselines.learner import Teacher
from baselines.mappo import log_policy, taken_log_policy
from baselines.networks.agents import agent_inputs
from baselines.ptde_distill import Stage2
from baselines.ptde_mappo import stage_1
from baselines.streams import Streams
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
