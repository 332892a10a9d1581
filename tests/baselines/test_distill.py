"""Axes: S seed, N agent, A action entry, B batch."""

import math

import pytest
import torch

from baselines import knowru
from baselines.losses import pairing

TEACHER = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]]).T.reshape(1, 1, 2, 2)  # p = (1/4, 3/4), then (1/2, 1/2)
STUDENT = torch.zeros(1, 1, 2, 2)  # p = (1/2, 1/2), twice


def test_mse_is_the_mean_over_actions_and_batch():
    teacher = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    student = torch.tensor([[[[0.0, 2.0], [1.0, 1.0]]]])
    assert knowru.mse(teacher, student).tolist() == [[(1 + 0 + 4 + 9) / 4]]


def test_cross_entropy_by_hand():
    """Against a uniform student each sample costs log 2; the other way round it differs."""
    assert knowru.cross_entropy(TEACHER, STUDENT).item() == pytest.approx(math.log(2))
    reverse = (-(math.log(1 / 4) + math.log(3 / 4)) / 2 + math.log(2)) / 2
    assert knowru.cross_entropy(STUDENT, TEACHER).item() == pytest.approx(reverse)


def test_kl_is_of_the_student_from_the_teacher():
    """Eq. 7: KL(q_s, q_t) = 1/2 log(2) + 1/2 log(2/3) in the first sample, none in the second."""
    assert knowru.kl(TEACHER, STUDENT).item() == pytest.approx((math.log(2) + math.log(2 / 3)) / 4)
    other_way = (math.log(1 / 2) / 4 + 3 * math.log(3 / 2) / 4) / 2
    assert knowru.kl(STUDENT, TEACHER).item() == pytest.approx(other_way)


@pytest.mark.parametrize("loss", knowru.LOSSES.values(), ids=knowru.LOSSES)
def test_losses_keep_seeds_and_agents_apart_and_spare_the_teacher(loss):
    torch.manual_seed(0)
    teacher = torch.randn(2, 3, 5, 7, requires_grad=True)
    student = torch.randn(2, 3, 5, 7, requires_grad=True)
    losses = loss(teacher, student)
    assert losses.shape == (2, 3)
    alone = loss(teacher[1:, 2:], student[1:, 2:])
    assert losses[1, 2].item() == alone.item()
    gradients = torch.autograd.grad(losses.sum(), (teacher, student), allow_unused=True)
    assert gradients[0] is None
    assert gradients[1].abs().sum() > 0


def test_six_students_of_four_teachers_repeat_the_pairing():
    weights = {"weight_0": torch.arange(4.0).reshape(1, 4, 1, 1).expand(2, 4, 1, 1)}
    order = pairing.partners(["agent"] * 6, ["agent"] * 4)
    paired = pairing.paired(weights, order, like=torch.zeros((), dtype=torch.float64))["weight_0"]
    assert paired[1].flatten().tolist() == [0, 1, 2, 3, 0, 1]
    assert paired.dtype == torch.float64


def test_students_learn_from_their_own_kind():
    """KnowRU's tasks VII and VIII: 6 collectors of 4, 2 banks of 1; and adversaries, who come first, of one."""
    taught = ["collector"] * 4 + ["bank"]
    assert pairing.partners(["collector"] * 6 + ["bank"] * 2, taught) == [0, 1, 2, 3, 0, 1, 4, 4]
    assert pairing.partners(["adversary"] * 3, ["adversary", "agent", "agent"]) == [0, 0, 0]
    with pytest.raises(ValueError, match="student of kind 'adversary': allowed: a kind that teaches, bank, collector"):
        pairing.partners(["bank", "adversary"], taught)
