"""Axes: S seed, E environment copy, T time step, N agent, B batch, O observation entry, A action entry."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from baselines.knowru import knowru
from baselines.learner import Layout, Task
from baselines.maddpg import MADDPG, actor_loss, critic_loss, gumbel, maddpg_initialized, soft_sample, td_targets
from baselines.networks.actors import Actors
from baselines.replay.transitions import Batch
from baselines.specs import ALGORITHMS
from tests.baselines.conftest import Run, toy_round


def test_gumbel_by_hand():
    noise = gumbel(torch.tensor([0.0, math.exp(-1), 0.5]))
    assert torch.isfinite(noise).all()
    assert noise[1:].tolist() == pytest.approx([0.0, -math.log(math.log(2))], abs=1e-6)
    assert noise[0] < noise[1:].min()
    assert gumbel(torch.tensor(1 - 2**-24)).item() == pytest.approx(24 * math.log(2), rel=1e-4)


def test_soft_samples_by_hand():
    logits = torch.tensor([0.0, math.log(2)]).view(1, 1, 2, 1)
    noise = torch.tensor([math.log(3), 0.0]).view(1, 1, 2, 1)
    assert soft_sample(logits, noise, 1.0).flatten().tolist() == pytest.approx([3 / 5, 2 / 5])
    assert soft_sample(logits, noise, 0.5).flatten().tolist() == pytest.approx([9 / 13, 4 / 13])


def test_losses_by_hand():
    q, targets = torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[0.0, 4.0]]])
    assert critic_loss(q, targets).tolist() == [[2.5]]
    logits = torch.tensor([[[[1.0, 3.0], [2.0, 0.0]]]])
    assert actor_loss(q, logits, 0.1).item() == pytest.approx(-1.5 + 0.1 * 14 / 4)


def test_targets_by_hand():
    """Two agents, one observation entry, two actions: Q'_i = 2 obs_i + 1 + 10 x own first action.

    Equal logits under Gumbel noise (log 3, 0) make own first action 3/4.
    """
    actor = {
        "weight_0": torch.zeros(1, 2, 1, 1),
        "bias_0": torch.zeros(1, 2, 1),
        "weight_1": torch.zeros(1, 2, 2, 1),
        "bias_1": torch.zeros(1, 2, 2),
    }
    first = torch.zeros(1, 2, 1, 6)
    first[0, 0, 0, [0, 2]] = torch.tensor([2.0, 10.0])
    first[0, 1, 0, [1, 4]] = torch.tensor([2.0, 10.0])
    critic = {
        "weight_0": first,
        "bias_0": torch.zeros(1, 2, 1),
        "weight_1": torch.ones(1, 2, 1, 1),
        "bias_1": torch.ones(1, 2, 1),
    }
    next_joint = torch.tensor([[[1.0, 2.0, 9.0, 9.0, 9.0, 9.0], [3.0, 4.0, 9.0, 9.0, 9.0, 9.0]]])
    batch = Batch(
        joint=torch.zeros(1, 2, 6),
        next_joint=next_joint,
        rewards=torch.tensor([[[0.5, 0.25], [-0.5, -0.25]]]),
        terminated=torch.tensor([[[False, True]]]),
    )
    noise = torch.tensor([math.log(3), 0.0]).view(1, 1, 2, 1).expand(1, 2, 2, 2)
    actors = Actors(Layout(1, (0,)), agents=2, hidden=[1], actions=2, device="cpu")
    y = td_targets(actors, actor, critic, batch, noise, gamma=0.9, temperature=1.0)
    expected = torch.tensor([[[0.5 + 0.9 * 10.5, 0.25], [-0.5 + 0.9 * 12.5, -0.25]]])
    torch.testing.assert_close(y, expected)


def test_actions_are_soft_in_training_and_one_hot_in_evaluation(start):
    run = start(MADDPG)
    obs = torch.randn(5, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    noise = run.learner.exploration_noise()
    assert noise.shape == (5, 5, 2, 3, 3)
    actions = run.learner.explore(obs, noise[0])
    assert actions.shape == (5, 2, 3, 3)
    torch.testing.assert_close(actions.sum(-1), torch.ones(5, 2, 3))
    assert ((actions > 0) & (actions < 1)).all()
    greedy = run.learner.likeliest(obs)
    assert greedy.sum(-1).eq(1).all()
    assert greedy.amax(-1).eq(1).all()
    calm = run.learner.explore(obs, torch.zeros_like(noise[0]))
    assert torch.equal(calm.argmax(-1), greedy.argmax(-1))


def test_warm_up_and_batch_delay_the_first_update(start):
    """10 transitions a round: a batch of 16 waits for round 2, a warm-up of 31 for round 4."""
    assert [bool(losses) for losses in start(MADDPG, warmup_transitions=0).play(3).losses] == [False, True, True]
    run = start(MADDPG, warmup_transitions=31).play(5)
    assert [bool(losses) for losses in run.losses] == [False, False, False, True, True]
    assert set(run.losses[-1]) == {"critic", "actor", "q"}
    assert all(loss.shape == (5,) for loss in run.losses[-1].values())
    assert run.learner.state()["adam_actor.step"].tolist() == [2] * 5


def test_initialized_actors_are_the_teachers(start):
    run = start(maddpg_initialized, seeds=(3, 4), teacher_agents=2)
    state, teacher = run.learner.state(), run.task.teacher.weights
    fresh = start(MADDPG, seeds=(3, 4)).learner.state()
    for name, weight in teacher.items():
        for student, of in ((0, 0), (1, 1), (2, 0)):
            assert torch.equal(state[f"actor.{name}"][:, student], weight[:, of])
        assert torch.equal(state[f"target_actor.{name}"], state[f"actor.{name}"])
    critics = [name for name in state if "critic" in name]
    assert critics
    assert all(torch.equal(state[name], fresh[name]) for name in critics)
    assert not any(p.any() for name, p in state.items() if name.startswith("adam"))
    run.play(4)
    assert all(torch.equal(weight, run.task.teacher.weights[name]) for name, weight in teacher.items())


def test_initialization_says_what_does_not_fit(start):
    taught = start(maddpg_initialized).task
    wide = Task(3, 4, 3, 5, 60, Layout(7, (0, 1, 2, 3)), taught.teacher)
    with pytest.raises(ValueError, match="input has 6 entries, the student's 7"):
        start(maddpg_initialized, task=wide)
    with pytest.raises(ValueError, match="the teacher's shapes are"):
        start(maddpg_initialized, task=taught, hidden_width=17)
    with pytest.raises(ValueError, match="needs one teacher per task"):
        start(maddpg_initialized, taught=False)
    with pytest.raises(ValueError, match="activation: got leaky_relu; allowed: relu, the teacher's"):
        start(maddpg_initialized, task=taught, activation="leaky_relu")


def test_a_small_task_is_learned(learned_score):
    """A random policy scores 1/3 a step and agent."""
    assert learned_score(MADDPG) > 0.9


@pytest.mark.parametrize("method", [MADDPG, knowru])
def test_episodes_that_end_early_are_refused(method: Any, start: Callable[..., Run]) -> None:
    """Its hyperparameters say so; `bench validate` therefore refuses them first."""
    run = start(method)
    rollout = toy_round(run)
    short = torch.zeros(rollout.rewards.shape[:3], dtype=torch.bool)
    with pytest.raises(ValueError, match="episodes that end before the task's limit"):
        run.learner.learn(0, dataclasses.replace(rollout, mask=short), run.learner.copies)
    assert not ALGORITHMS[method.__name__.lower()].hyperparameters.ends_early
