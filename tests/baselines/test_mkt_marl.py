"""Axes: S seed, B batch, T time step, N agent, A action."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from baselines import mkt_marl
from baselines.qmix import td_loss

S, B, T, N, A = 2, 3, 4, 2, 5


def batch() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Teacher's and student's Q, available actions and mask; seeds differ in the number of steps played."""
    g = torch.Generator().manual_seed(0)
    teacher, student = torch.randn(2, S, B, T, N, A, generator=g, dtype=torch.float64) * 3
    avail = torch.rand(S, B, T, N, A, generator=g) < 0.6
    avail[..., 0] |= ~avail.any(-1)
    mask = torch.arange(T) < torch.tensor([[4, 2, 3], [1, 4, 1]]).unsqueeze(-1)
    return teacher, student, avail, mask


def logits(*values: float) -> Tensor:
    return torch.tensor(values).view(1, 1, 1, 1, -1)


def loss(teacher: Tensor, student: Tensor, temperature: float = 1.0) -> float:
    avail = torch.ones_like(teacher, dtype=torch.bool)
    mask = torch.ones(teacher.shape[:3], dtype=torch.bool)
    return mkt_marl.distillation_loss(teacher, student, avail, mask, temperature).item()


def test_equal_policies_cost_nothing_at_temperature_one():
    teacher = batch()[0][:1]
    assert loss(teacher, teacher + 100) == pytest.approx(0, abs=1e-12)
    assert loss(teacher, teacher, 2.0) > 0.01


def test_the_temperature_softens_the_teacher_alone():
    """Teacher (0, 2 log 3) at t = 2 is (1/4, 3/4); against a student of (1/4, 3/4) nothing, against (1/2, 1/2) this."""
    teacher = logits(0.0, 2 * math.log(3))
    assert loss(teacher, logits(0.0, math.log(3)), 2.0) == pytest.approx(0, abs=1e-6)
    assert loss(teacher, logits(0.0, 0.0), 2.0) == pytest.approx(math.log(1 / 2) / 4 + 3 * math.log(3 / 2) / 4)


def test_the_divergence_is_of_the_teacher_from_the_student():
    teacher, student = logits(0.0, math.log(3)), logits(0.0, 0.0)
    assert loss(teacher, student) == pytest.approx(math.log(1 / 2) / 4 + 3 * math.log(3 / 2) / 4)
    assert loss(student, teacher) == pytest.approx(math.log(2) / 2 + math.log(2 / 3) / 2)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_the_loss_equals_a_plain_loop(temperature):
    """Over the steps played, the agents and the available actions, in all readings."""
    teacher, student, avail, mask = batch()
    mean = mkt_marl.distillation_loss(teacher, student, avail, mask, temperature)
    total = mkt_marl.distillation_loss(teacher, student, avail, mask, temperature, "sum")
    steps = mkt_marl.distillation_loss(teacher, student, avail, mask, temperature, "mean over steps")
    episodes = mkt_marl.distillation_loss(teacher, student, avail, mask, temperature, "mean over episodes")
    for s in range(S):
        terms = []
        for b in range(B):
            for t in range(T):
                for i in range(N):
                    if mask[s, b, t]:
                        can = avail[s, b, t, i]
                        p = torch.softmax(teacher[s, b, t, i][can] / temperature, 0)
                        q = torch.softmax(student[s, b, t, i][can], 0)
                        terms.append((p * (p / q).log()).sum().item())
        assert len(terms) == N * [9, 6][s]
        assert total[s].item() == pytest.approx(sum(terms), rel=1e-12)
        assert mean[s].item() == pytest.approx(sum(terms) / len(terms), rel=1e-12)
        assert steps[s].item() == pytest.approx(sum(terms) / [9, 6][s], rel=1e-12)
        assert episodes[s].item() == pytest.approx(sum(terms) / B, rel=1e-12)


def test_episodes_without_a_step_are_not_counted():
    """One of three in the first seed, all in the second, which then has 0."""
    teacher, student, avail, mask = batch()
    mask[0, 2], mask[1] = False, False
    total = mkt_marl.distillation_loss(teacher, student, avail, mask, 1.0, "sum")
    episodes = mkt_marl.distillation_loss(teacher, student, avail, mask, 1.0, "mean over episodes")
    assert episodes.tolist() == pytest.approx([total[0].item() / 2, 0], rel=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "mean over steps", "mean over episodes", "sum"])
def test_the_gradient_is_zero_where_student_equals_teacher(reduction):
    teacher, _, avail, mask = batch()
    student = teacher.clone().requires_grad_()
    losses = mkt_marl.distillation_loss(teacher, student, avail, mask, 1.0, reduction)
    (gradient,) = torch.autograd.grad(losses.sum(), student)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-15)


def test_gradients_reach_the_students_available_actions_alone():
    """There they are (softmax(Q^S) - softmax(Q^T)) / steps and agents."""
    teacher, student, avail, mask = batch()
    teacher.requires_grad_()
    student.requires_grad_()
    losses = mkt_marl.distillation_loss(teacher, student, avail, mask, 1.0)
    of_teacher, of_student = torch.autograd.grad(losses.sum(), (teacher, student), allow_unused=True)
    assert of_teacher is None
    p, q = (x.detach().masked_fill(~avail, -torch.inf).softmax(-1) for x in (teacher, student))
    steps = N * mask.sum((1, 2)).view(-1, 1, 1, 1, 1)
    expected = ((q - p) / steps).masked_fill(~mask.view(S, B, T, 1, 1), 0)
    torch.testing.assert_close(of_student, expected, rtol=0, atol=1e-14)
    assert not of_student[~avail].any()


def test_a_padded_step_without_any_action_does_no_harm():
    teacher, student, avail, mask = batch()
    student.requires_grad_()
    losses = mkt_marl.distillation_loss(teacher, student, avail & mask.view(S, B, T, 1, 1), mask, 1.0)
    assert torch.equal(losses, mkt_marl.distillation_loss(teacher, student, avail, mask, 1.0))
    assert torch.isfinite(torch.autograd.grad(losses.sum(), student)[0]).all()


def test_an_agent_with_one_action_left_counts_with_nothing():
    teacher, student = logits(1.0, 2.0), logits(5.0, -3.0)
    only = torch.tensor([True, False]).view(1, 1, 1, 1, 2)
    mask = torch.ones(1, 1, 1, dtype=torch.bool)
    assert mkt_marl.distillation_loss(teacher, student, only, mask, 1.0).item() == 0


def test_td_loss_has_no_half_and_counts_what_was_played():
    q_tot = torch.tensor([[[1.0, 5.0], [2.0, 9.0]]], requires_grad=True)
    targets = torch.tensor([[[3.0, 6.0], [2.0, 0.0]]], requires_grad=True)
    mask = torch.tensor([[[True, True], [True, False]]])
    assert td_loss(q_tot, targets, mask).tolist() == pytest.approx([(4 + 1 + 0) / 3])
    losses = td_loss(q_tot, targets, mask, "sum")
    assert losses.tolist() == [5]
    of_q, of_targets = torch.autograd.grad(losses.sum(), (q_tot, targets), allow_unused=True)
    assert of_q.tolist() == [[[-4, -2], [0, 0]]]
    assert of_targets is None


def test_equation_6():
    combined = mkt_marl.combined_loss(torch.tensor([2.0, 4.0]), torch.tensor([10.0, 20.0]), 0.25)
    assert combined.tolist() == [0.75 * 2 + 0.25 * 10, 0.75 * 4 + 0.25 * 20]


@pytest.mark.parametrize(
    ("epochs_done", "coefficient"),
    [(0, 0.1), (15_000, 0.525), (30_000, 0.95), (30_001, 0.95), (49_999, 0.95), (50_000, 0.95)],
)
def test_lambda_rises_and_stays_for_the_last_epochs(epochs_done, coefficient):
    rising = mkt_marl.annealing_coefficient(0.1, 0.95, 50_000, 20_000, epochs_done)
    reverse = mkt_marl.annealing_coefficient(0.95, 0.1, 50_000, 20_000, epochs_done)
    assert rising == pytest.approx(coefficient, abs=1e-12)
    assert reverse == pytest.approx(1.05 - coefficient, abs=1e-12)


def test_lambda_has_not_arrived_before_the_hold():
    assert mkt_marl.annealing_coefficient(0.1, 0.95, 50_000, 20_000, 29_999) < 0.95


@pytest.mark.parametrize("constant", [0.0, 0.5, 1.0])
def test_ablations_are_constant(constant):
    """Whatever the budget and the hold; at 0 and 1 only one loss remains, to the last bit."""
    at = {mkt_marl.annealing_coefficient(constant, constant, 50, 20_000, done) for done in (0, 25, 49)}
    assert at == {constant}
    kl, td = torch.tensor([0.3]), torch.tensor([0.7])
    assert mkt_marl.combined_loss(kl, td, 0.0).equal(kl)
    assert mkt_marl.combined_loss(kl, td, 1.0).equal(td)


def test_a_hold_that_leaves_no_time_is_an_error():
    with pytest.raises(ValueError, match=r"hold_epochs: got 20000 of 50 epochs, .* allowed: fewer than 50"):
        mkt_marl.annealing_coefficient(0.1, 0.95, 50, 20_000, 0)
