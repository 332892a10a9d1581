"""CIKD's losses and their gradients, beside torch's own.

Axes: S seed, M member, B batch, O observation entry, A action entry.
"""

from __future__ import annotations

import torch

from baselines.cikd import (
    critic_gradient,
    critic_loss,
    policy_gradient,
    policy_loss,
)
from baselines.losses.gaussian import divergence, gaussian


def test_the_divergence_is_torch_s() -> None:
    drawn = [
        torch.randn(2, 3, 4, 32, generator=torch.Generator().manual_seed(i), dtype=torch.float64) for i in range(4)
    ]
    first, second = (torch.distributions.Normal(mean, log_std.exp()) for mean, log_std in (drawn[:2], drawn[2:]))
    theirs = torch.distributions.kl_divergence(first, second).sum(-2)
    assert torch.allclose(divergence(*drawn), theirs, rtol=1e-12, atol=1e-12)


def test_gradients_are_autograd_s() -> None:
    """Some log standard deviations are beyond their bounds, and get no gradient."""
    heads, theirs = (3 * torch.randn(2, 2, 6, 32, dtype=torch.float64) for _ in (0, 1))
    heads.requires_grad_()
    teacher, student = gaussian(theirs, -2, 2), gaussian(heads, -2, 2)
    (expected,) = torch.autograd.grad(policy_loss(teacher, student).sum(), heads)
    assert (expected[:, :, 3:] == 0).any()
    assert torch.allclose(policy_gradient(teacher, student, heads), expected, rtol=1e-12, atol=1e-14)
    q, own = (torch.randn(2, 2, 2, 32, dtype=torch.float64) for _ in (0, 1))
    own.requires_grad_()
    (expected,) = torch.autograd.grad(critic_loss(q, own).sum(), own)
    assert torch.allclose(critic_gradient(q, own), expected, rtol=1e-12, atol=1e-14)


def test_the_gradient_is_zero_where_a_student_equals_its_teacher() -> None:
    mean, log_std, q = (torch.randn(1, 2, n, 32, dtype=torch.float64) for n in (3, 3, 2))
    student = [x.clone().requires_grad_() for x in (mean, log_std, q)]
    loss = policy_loss((mean, log_std), (student[0], student[1])).sum() + critic_loss(q, student[2]).sum()
    assert loss.item() == 0
    assert all(not gradient.any() for gradient in torch.autograd.grad(loss, student))
    mean[0, 0, 0, 0] += 1
    assert policy_loss((mean, log_std), (student[0], student[1])).tolist()[0][0] > 0
