"""Axes: S seed, N agent, B batch, O observation entry, A action entry."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import leaky_relu, linear

from baselines.knowru import annealed_alpha, combined_loss, knowru, knowru_adversaries, magnitude_scale
from baselines.learner import Layout
from baselines.maddpg import MADDPG
from baselines.teachers import ActorTeachers


@pytest.mark.parametrize(
    ("episodes_done", "alpha"), [(0, 0.5), (1250, 0.38), (2500, 0.26), (5000, 0.02), (5001, 0.02), (9999, 0.02)]
)
def test_alpha_falls_linearly(episodes_done, alpha):
    assert annealed_alpha(0.5, 0.02, 5000, episodes_done) == pytest.approx(alpha, abs=1e-12)


@pytest.mark.parametrize("episodes_done", [0, 12, 9999])
def test_alpha_that_starts_below_the_end_stays(episodes_done):
    assert annealed_alpha(0.01, 0.02, 24, episodes_done) == 0.01


def test_reported_alpha_follows_the_share_of_the_budget(start):
    """60 episodes, half of them to anneal in, two a round, the first update after the second round."""
    run = start(knowru, seeds=(0,)).play(20)
    alphas = [losses["alpha"].item() for losses in run.losses[1:]]
    assert alphas[0] == pytest.approx(0.5 - 0.48 * 4 / 30)
    assert alphas[13] == pytest.approx(0.02)
    assert alphas[-1] == pytest.approx(0.02)


def test_scale_is_a_power_of_ten():
    loss_q, reuse = torch.tensor([[-200.0, 0.5, 1.0]]), torch.tensor([[0.1, 0.1, 1e3]])
    assert magnitude_scale(loss_q, reuse).tolist()[0] == pytest.approx([1e3, 10.0, 1e-3])


def test_scale_survives_zeros_and_is_a_constant():
    zero = torch.zeros(1, 1, requires_grad=True)
    scales = [magnitude_scale(zero, zero), magnitude_scale(zero + 1, zero), magnitude_scale(zero, zero + 1)]
    assert [scale.item() for scale in scales] == pytest.approx([1, 1e8, 1e-8])
    assert not any(scale.requires_grad for scale in scales)


def test_equation_10():
    assert combined_loss(torch.tensor([[2.0]]), torch.tensor([[-4.0]]), 0.25).item() == 0.25 * 2 - 0.75 * 4


def test_alpha_zero_is_maddpg(start):
    """Bit for bit: the reuse term's gradient is then zero."""
    mixed = start(knowru, alpha_start=0.0, alpha_end=0.0, reuse_scale="none").play(6)
    maddpg = start(MADDPG).play(6)
    ours, theirs = mixed.learner.state(), maddpg.learner.state()
    assert all(torch.equal(ours[name], p) for name, p in theirs.items())


def test_reuse_alone_imitates_the_teacher(start):
    run = start(knowru, alpha_start=1.0, alpha_end=1.0, reuse_scale="none").play(50)
    reuse = torch.stack([losses["reuse"] for losses in run.losses[1:]])
    assert (reuse[-1] < reuse[0] / 3).all()
    assert {"critic", "actor", "q", "reuse", "alpha"} == set(run.losses[-1])


def test_a_teacher_is_needed(start):
    with pytest.raises(ValueError, match="needs one teacher per task"):
        start(knowru, taught=False)


def test_a_teacher_that_reads_more_than_the_student_stores_is_refused(start, toy):
    """The student leaves out communication entries, its teacher was trained with them."""
    taught = start(knowru).task
    task = replace(toy(), layout=Layout(5, (0, 1, 2)), teacher=taught.teacher)
    with pytest.raises(ValueError, match="the teacher reads 4 entries of an observation, the student stores 3"):
        start(knowru, task=task)


def test_adversaries_are_needed_where_they_alone_reuse(start, toy):
    task = replace(toy(), kinds=("agent",) * 3)
    with pytest.raises(
        ValueError, match=r"students: got 'adversary'; allowed: a kind of this task's agents, \['agent'\]"
    ):
        start(knowru_adversaries, task=task)


def test_and_their_numbers_do_not_depend_on_companions(start, toy):
    """L_reuse is the adversary's alone: that of a team which is all adversaries differs."""

    def own(seeds, kinds):
        task = replace(toy(), kinds=kinds)
        run = start(knowru_adversaries, seeds=seeds, task=task, teacher_kinds=("adversary", "agent")).play(8)
        return run.lane(len(seeds) - 1)

    alone, company = (own(seeds, ("adversary", "adversary", "agent")) for seeds in ((3,), (1, 2, 3)))
    assert all(torch.equal(p, company[name]) for name, p in alone.items())
    assert not torch.equal(alone["7.reuse"], own((3,), ("adversary",) * 3)["7.reuse"])


def test_a_teachers_own_activation_is_kept(start):
    """A leaky teacher gives a ReLU student other targets than a ReLU teacher with the same weights."""
    obs = torch.randn(2, 8, 3, 4, generator=torch.Generator().manual_seed(0))
    task = start(knowru, seeds=(0, 1), activation="leaky_relu").task
    leaky, relu = (
        ActorTeachers(replace(task.teacher, hyperparameters=own), 3, obs).logits(obs)
        for own in (task.teacher.hyperparameters, {})
    )
    assert not torch.allclose(leaky, relu, atol=1e-4)
    weights = {name: p[0, 0] for name, p in task.teacher.weights.items()}
    x = torch.zeros(8, 6)
    x[:, list(task.layout.slots)] = obs[0, :, 0].flip(-1)
    for layer in range(4):
        x = linear(x, weights[f"weight_{layer}"], weights[f"bias_{layer}"])
        x = leaky_relu(x, 0.01) if layer < 3 else x
    torch.testing.assert_close(leaky[0, 0].mT, x)


def test_a_small_task_is_learned(learned_score):
    assert learned_score(knowru) > 0.9
