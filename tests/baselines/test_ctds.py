"""CTDS: teacher and student of one run, whichever of the two is scored.

Axes: S seed, B batch, T time step, N agent, A action.
"""

from __future__ import annotations

import torch

from baselines import specs
from baselines.ctds import CTDS, student_loss
from baselines.learner import Seen
from baselines.streams import Streams
from tests.informed import a_task, assert_same, lane, played, trained, unseen
from tests.teams import MIXING, SETTINGS

LEARNING = SETTINGS | MIXING | {"mixer": "qmix", "use_rnn": True, "distill_loss": "squared error"}


def started(role: str, *seeds: int) -> tuple[CTDS, list[Streams]]:
    streams = [Streams(seed) for seed in seeds]
    return CTDS([a_task(state=6)], specs.CTDS.model_validate(LEARNING | {"role": role}), streams, "cpu"), streams


def test_its_loss_is_a_sum_over_agents_and_actions() -> None:
    """By hand: two steps of which one was played, an agent, two actions: 1 + 4."""
    teacher = torch.tensor([1.0, 2.0, 9.0, 9.0]).view(1, 1, 2, 1, 2)
    assert student_loss(teacher, torch.zeros_like(teacher), torch.tensor([[[True, False]]])).item() == 5


def test_the_role_changes_what_is_looked_at_alone() -> None:
    """To the last bit; a seed's numbers do not depend on its company; sizes are counted without torch."""
    task, found = a_task(state=6), []
    for role, seeds in (("teacher", (3,)), ("student", (3,)), ("student", (1, 3))):
        learner, streams = started(role, *seeds)
        found.append(lane(trained(learner, task, streams, 5, unseen(6)).state(), seeds.index(3)))
        sizes = specs.TaskSizes(task.agents, task.obs_size, task.action_size, task.episode_limit)
        counted = learner.hyperparameters.policy_size([sizes]) * len(seeds)
        assert counted == sum(p.numel() for p in learner.policy().values())
    assert_same(found[0], found[1])
    assert_same(found[0], found[2])


def test_the_student_executes_on_local_inputs_alone() -> None:
    g = torch.Generator().manual_seed(3)
    obs, first = torch.randn(1, 300, 2, 3, generator=g), torch.ones(1, 300, dtype=torch.bool)
    avail, states = torch.ones(1, 300, 2, 4, dtype=torch.bool), 9 * torch.randn(2, 1, 300, 6, generator=g)
    for role, alike in (("teacher", False), ("student", True)):
        learner, _ = started(role, 0)
        one, other = (learner.greedy(0)(Seen(obs, avail, first, state)) for state in states)
        assert torch.equal(one, other) is alike


def test_the_student_comes_near_its_teacher() -> None:
    """Where the state is all observations in a row and the teacher stands still, the student's loss falls."""
    learner, streams = started("student", 0)
    task = a_task(state=6)
    for _ in range(5):
        learner.learn(0, played(learner, task, streams, lambda obs, _: obs.flatten(-2)), 0)
    batch = learner._teacher.replays[0].sample(6)
    q = torch.randn(1, 1, 1, 1, 4).expand(1, 6, 4, 2, 4)
    losses = [float(learner._student(0, batch, q, torch.zeros(1), {})[1]["distill"]) for _ in range(150)]
    assert losses[-1] < 0.2 * losses[0]
