"""A method's inputs and its run's results: evaluations, counts, streams, teachers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from baselines.streams import generator
from bench.envs.particle.environment import ParticleEnvironment
from bench.envs.particle.params import SimpleSpreadParams
from tests.compare.conftest import Played
from tests.compare.methods import leaning

PARAMS = SimpleSpreadParams(name="simple_spread", agents=4, dynamics="openai")


def scores_by_hand(seed: int, purpose: str, episodes: int) -> list[float]:
    """The mean reward of each episode of `leaning`, step by step, episode by episode."""
    environment = ParticleEnvironment(PARAMS)
    obs = environment.reset([generator(seed, purpose)], episodes)[0].numpy().astype(np.float32)
    sums = np.zeros(episodes)
    for t in range(25):
        actions = leaning({f"agent_{n}": obs[:, n] for n in range(4)}, t)
        one_hot = torch.zeros(1, episodes, 4, 5)
        for n in range(4):
            for e in range(episodes):
                one_hot[0, e, n, actions[f"agent_{n}"][e]] = 1
        seen, rewards, *_ = environment.step(one_hot)
        obs = seen[0].numpy().astype(np.float32)
        sums += rewards[0].sum(-1).numpy()
    return (sums / (25 * 4)).tolist()


def test_the_harness_plays_the_policy_on_every_method_s_episodes(played: Played) -> None:
    record = played("methods:leans", seed=3)
    (scores,) = record.numbers.scores
    assert record.status == "finished"
    assert list(scores.returns) == pytest.approx(scores_by_hand(3, "final evaluation", 4), abs=1e-12)
    curve = scores.curves["evaluation"]
    assert curve.episodes == (0, 3, 6)
    assert curve.steps == (0, 75, 150)
    expected = np.mean(scores_by_hand(3, "evaluation", 2))
    assert curve.mean == pytest.approx([expected] * 3, abs=1e-12)


def test_the_training_curve_is_of_the_episodes_that_it_trained_on(played: Played) -> None:
    record = played("methods:leans")
    curve = record.numbers.scores[0].curves["training"]
    assert curve.episodes == (2, 4, 6)
    assert curve.n == (2, 2, 2)


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(played: Played) -> None:
    first, again, other = (played("methods:leans", seed=seed).numbers for seed in (1, 1, 2))
    assert first == again
    assert first.scores[0].returns != other.scores[0].returns
    assert first.weights != other.weights


def test_the_environment_is_pettingzoo_s_and_keeps_its_own_count(played: Played) -> None:
    assert played("methods:writes_down").reason == ""


def test_running_out_of_budget_ends_training_and_not_the_run(played: Played) -> None:
    record = played("methods:runs_out")
    assert record.status == "finished"
    assert record.numbers.scores[0].curves["training"].steps == (50, 100, 150)
