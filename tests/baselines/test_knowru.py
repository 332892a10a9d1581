"""Axes: S seed, N agent, B batch, O observation entry, A action entry."""

import pytest
import torch

from baselines.knowru import KnowRU, annealed_alpha, combined_loss, magnitude_scale
from baselines.maddpg import MADDPG


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
    run = start(KnowRU, seeds=(0,)).play(20)
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
    knowru = start(KnowRU, alpha_start=0.0, alpha_end=0.0, reuse_scale="none").play(6)
    maddpg = start(MADDPG).play(6)
    ours, theirs = knowru.learner.state(), maddpg.learner.state()
    assert all(torch.equal(ours[name], p) for name, p in theirs.items())


def test_reuse_alone_imitates_the_teacher(start):
    run = start(KnowRU, alpha_start=1.0, alpha_end=1.0, reuse_scale="none").play(50)
    reuse = torch.stack([losses["reuse"] for losses in run.losses[1:]])
    assert (reuse[-1] < reuse[0] / 3).all()
    assert {"critic", "actor", "q", "reuse", "alpha"} == set(run.losses[-1])


def test_a_teacher_is_needed(start):
    with pytest.raises(ValueError, match="needs a teacher"):
        start(KnowRU, taught=False)


def test_a_small_task_is_learned(learned_score):
    assert learned_score(KnowRU) > 0.9
