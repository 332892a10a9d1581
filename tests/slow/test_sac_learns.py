"""SAC learns HalfCheetah at the suite's settings, but not with its actor's sign flipped. An hour on two cores.

Axes: S seed, E environment copy, T step.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

import pytest
import torch
from torch import Tensor

from baselines import sac, specs
from baselines.learner import Layout, Task
from baselines.sac import SAC
from baselines.streams import Streams, generator
from bench.envs import checked, make
from bench.envs.scores import episode_scores
from bench.run.playing import play
from bench.run.stepping import Stepping
from bench.suite.loading import load

WHY = "mujoco is not installed (extra `mujoco`): whether SAC learns a real task was not seen"
pytestmark = pytest.mark.skipif(find_spec("mujoco") is None, reason=WHY)
LIMIT, EPISODES = 1000, 5


def trained(seeds: Sequence[int], steps: int) -> float:
    """Mean return of greedy episodes after this many steps, over seeds."""
    torch.set_num_threads(1)
    params = checked("mujoco", {"name": "HalfCheetah-v4"})
    values = {name: setting.value for name, setting in load("cikd").settings("vanilla_sac").items()}
    streams, environment = [Streams(seed) for seed in seeds], make("mujoco", params)
    layout = Layout(params.obs_size, tuple(range(params.obs_size)))
    task = Task(1, params.obs_size, params.action_size, LIMIT, steps, layout, continuous=True)
    learner = SAC([task], specs.SAC.model_validate(values | {"replay_size": steps}), streams, "cpu")
    player = Stepping(environment, [s["environment"] for s in streams], 1, LIMIT)
    for done in range(steps):
        learner.learn(0, player.play(1, learner.exploring(0, done))[0], done + 1)
    starts = [generator(seed, "evaluation") for seed in seeds]
    rollout = play(make("mujoco", params), starts, EPISODES, LIMIT, learner.greedy(0)).rollout
    return float(episode_scores("return_sum", params, rollout.rewards).mean())


def test_it_learns_half_cheetah() -> None:
    """Untrained: between -500 and 100."""
    assert trained((0, 1, 2), 30_000) > 500


def test_with_the_sign_flipped_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = sac.actor_gradients

    def flipped(q: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
        of_q, of_log_prob = honest(q, alpha)
        return -of_q, of_log_prob

    monkeypatch.setattr(sac, "actor_gradients", flipped)
    assert trained((0,), 15_000) < 0
