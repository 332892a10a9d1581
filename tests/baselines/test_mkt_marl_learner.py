"""MKT-MARL as a learner: lanes, stops, lambda, its teachers. test_mkt_marl.py has its losses.

Axes: S seed, E environment copy, B batch, T time step, N agent, A action; K task.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from baselines.learner import Task
from baselines.mkt_marl import mkt_marl
from baselines.qmix_multi import qmix_multi
from baselines.teachers import TeamTeacher
from tests.teams import Watching, assert_same, distilling, several, started, taught, toy_task

TASKS = [toy_task(), toy_task(2, 5, 3, 7, state_size=4)]
UNEQUAL = [toy_task(), toy_task(3, 2, 3, 4)]
KINDS = [("qmix", TASKS, {}), ("vdn", UNEQUAL, {"use_rnn": True, "obs_last_action": True})]


@pytest.mark.parametrize(("mixer", "tasks", "teacher"), KINDS)
def test_a_seeds_numbers_do_not_depend_on_its_companions(mixer, tasks, teacher):
    alone = started(mkt_marl, [taught(t, (3,), **teacher) for t in tasks], distilling(mixer), (3,)).play(6)
    assert alone.seen[-1].keys() >= {"td", "kl", "lambda"}
    for seeds in ((0, 1, 2, 3, 4), (3, 8), (4, 9, 3)):
        company = started(mkt_marl, [taught(t, seeds, **teacher) for t in tasks], distilling(mixer), seeds).play(6)
        assert_same(company.lane(seeds.index(3)), alone.lane(0))


def test_a_stopped_run_ends_as_an_uninterrupted_one():
    seeds, order = (0, 1, 2), [1, 2, 0]
    whole = started(mkt_marl, [taught(t, seeds) for t in TASKS], distilling(), seeds).play(13)
    first = started(mkt_marl, [taught(t, (2, 0, 1)) for t in TASKS], distilling(), (2, 0, 1)).play(11)
    second = started(mkt_marl, [taught(t, seeds) for t in TASKS], distilling(), seeds)
    second.learner.load_state({name: x[order] for name, x in first.learner.state().items()})
    for lane, own in enumerate(order):
        second.streams[lane].load_state(first.streams[own].state())
        for new, old in zip(second.learner.replays, first.learner.replays, strict=True):
            new.restore(lane, old.first, old.rows(own, old.first, old.episodes))
    second.rounds = 11
    assert_same(second.play(2).learner.state(), whole.learner.state())


@pytest.mark.parametrize("mixer", ["qmix", "vdn"])
def test_lambda_one_is_the_multi_task_learner_to_the_last_bit(mixer):
    constant = {"lambda_start": 1.0, "lambda_end": 1.0, "lambda_schedule": "constant"}
    ours = started(mkt_marl, [taught(t, (0, 1)) for t in TASKS], distilling(mixer, **constant), (0, 1)).play(8)
    plain = started(qmix_multi, TASKS, several(mixer), (0, 1)).play(8)
    assert_same(ours.learner.state(), plain.learner.state())


def weights_of(task: Task) -> dict[str, Tensor]:
    assert task.teacher is not None
    return dict(task.teacher.weights)


@pytest.mark.parametrize("reduction", [None, "mean", "mean over steps", "mean over episodes", "sum"])
def test_the_losses_are_equations_3_and_6(reduction):
    """Rounds of 2 episodes: the 5th belongs to epochs 8 and 9, of 240 in which lambda goes from .1 to .95."""
    tasks = [taught(t, (0, 1), torch.float64) for t in TASKS]
    h = distilling(grad_clip=1e9, distill_reduction=reduction)
    run = started(mkt_marl, tasks, h, (0, 1), torch.float64).play(4)
    seen, original = [], run.learner._extra_loss
    assert original is not None

    def spy(task, batch, q, loss_td, coefficients):
        loss, terms = original(task, batch, q, loss_td, coefficients)
        seen.append((task, batch, q.detach(), loss_td.detach(), loss.detach(), terms))
        return loss, terms

    run.learner._extra_loss = Watching(spy, original)
    run.play(1)
    for task, batch, q, loss_td, loss, terms in seen:
        weights = weights_of(tasks[task])
        annealing = 0.1 + 0.85 * 8 / 240
        assert terms["lambda"].tolist() == pytest.approx([annealing] * 2)
        for s in range(2):
            found = []
            for b, t in batch.mask[s].nonzero().tolist():
                for n in range(2):
                    x = torch.cat([batch.obs[s, b, t, n], torch.eye(2, dtype=torch.float64)[n]])
                    for layer in range(3):
                        x = weights[f"weight_{layer}"][s] @ x + weights[f"bias_{layer}"][s]
                        x = x if layer == 2 else x.relu()
                    can = batch.avail_actions[s, b, t, n]
                    teacher, student = x[can].softmax(0), q[s, b, t, n][can].softmax(0)
                    found.append((teacher * (teacher / student).log()).sum().item())
            episodes = int(batch.mask[s].any(-1).sum())
            parts = {"mean over steps": len(found) / 2, "mean over episodes": episodes, "sum": 1}
            kl = sum(found) / parts.get(reduction, len(found))
            assert terms["kl"][s].item() == pytest.approx(kl, rel=1e-9)
            assert loss[s].item() == pytest.approx((1 - annealing) * kl + annealing * loss_td[s].item(), rel=1e-9)


def test_a_teacher_reads_what_it_was_trained_on():
    """A teacher that knows its last action, but neither its number nor the world beyond the first entry."""
    teacher = taught(toy_task(obs=1), (0, 1), torch.float64, obs_agent_id=False, obs_last_action=True).teacher
    assert teacher is not None
    task = replace(toy_task(), teacher=replace(teacher, view=lambda obs: obs[..., :1]))
    learner = started(mkt_marl, [task], distilling(), (0, 1), torch.float64).play(4).learner
    batch = learner.replays[0].sample(6)
    q = TeamTeacher.of(task, 0, "cpu", torch.float64).q_values(batch)
    for t, last in ((0, torch.zeros(2, 6, 2, 4)), (3, torch.nn.functional.one_hot(batch.actions[:, :, 2], 4))):
        x = torch.cat([batch.obs[:, :, t, :, :1], last], -1).flatten(1, 2)
        for layer in range(3):
            x = x @ teacher.weights[f"weight_{layer}"].mT + teacher.weights[f"bias_{layer}"].unsqueeze(1)
            x = x if layer == 2 else x.relu()
        torch.testing.assert_close(q[:, :, t].flatten(1, 2), x, rtol=0, atol=1e-12)


def test_the_teachers_weights_stay():
    tasks = [taught(t, (0, 1)) for t in TASKS]
    kept = [{n: w.clone() for n, w in weights_of(task).items()} for task in tasks]
    started(mkt_marl, tasks, distilling(), (0, 1)).play(6)
    for task, weights in zip(tasks, kept, strict=True):
        assert_same(weights_of(task), weights)


def test_every_task_needs_a_teacher():
    with pytest.raises(ValueError, match="task 1 of this training set has none"):
        started(mkt_marl, [taught(TASKS[0], (0,)), TASKS[1]], distilling(), (0,))


def test_a_teacher_of_another_task_is_refused():
    other = replace(TASKS[0], teacher=taught(TASKS[1], (0,)).teacher)
    with pytest.raises(ValueError, match="task 0: its teacher has 7 inputs and 3 actions, the task gives 5 and 4"):
        started(mkt_marl, [other], distilling(), (0,))


def test_a_constant_lambda_has_one_value():
    with pytest.raises(ValueError, match=r'lambda_start = 0.1 and lambda_end = 0.95 with lambda_schedule = "constant"'):
        distilling(lambda_schedule="constant")
