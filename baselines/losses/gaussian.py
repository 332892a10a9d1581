"""Gaussians with samples squashed by tanh: actions in [-1, 1], and their likelihoods.

Axes: any leading axes, A action entry, B batch. On the CPU B is a multiple of a vector register's entries
(`kernels.layers.WHOLE_REGISTERS`), so no rounding depends on a place in memory.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus


def gaussian(heads: Tensor, log_std_min: float, log_std_max: float) -> tuple[Tensor, Tensor]:
    """Means and log standard deviations, [..., A, B] each, from a network's outputs [..., 2 A, B], means first.

    Values cut off at the bounds get no gradient.
    """
    mean, log_std = heads.chunk(2, -2)
    return mean, log_std.clamp(log_std_min, log_std_max)


def squashed(mean: Tensor, log_std: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Actions tanh(u) with u = mean + std noise, and their log likelihoods: [..., A, B] x3 -> [..., A, B], [..., B].

    log pi = sum over A of log N(u) - log(1 - tanh(u)^2) (Haarnoja et al. 2018, arXiv 1812.05905, App. C). The second
    logarithm is written as 2 (log 2 - u - softplus(-2 u)), which stays finite when tanh(u) rounds to 1.
    """
    u = mean + log_std.exp() * noise
    of_normal = -0.5 * noise.square() - log_std - 0.5 * math.log(2 * math.pi)
    of_tanh = 2 * (math.log(2) - u - softplus(-2 * u))
    return u.tanh(), (of_normal - of_tanh).sum(-2)


def squashed_gradient(
    heads: Tensor, log_std: Tensor, noise: Tensor, actions: Tensor, of_actions: Tensor, of_log_prob: Tensor
) -> Tensor:
    """A loss's gradient by the network's outputs `heads` [..., 2 A, B], from those by the results of `squashed`.

    heads [..., 2 A, B]; log_std, noise, actions, of_actions [..., A, B], with log_std after the bounds of `gaussian`;
    of_log_prob [..., B]. With u = mean + std noise: d tanh(u) = 1 - tanh(u)^2 and d log pi = 2 tanh(u), since the
    Gaussian's own likelihood does not depend on its mean. log_std moves u by std noise and log pi by a further -1.
    """
    of_log_prob = of_log_prob.unsqueeze(-2)
    of_u = of_actions * (1 - actions.square()) + 2 * of_log_prob * actions
    of_log_std = of_u * log_std.exp() * noise - of_log_prob
    return torch.cat([of_u, of_log_std * (heads.chunk(2, -2)[1] == log_std)], -2)


def divergence(mean: Tensor, log_std: Tensor, other_mean: Tensor, other_log_std: Tensor) -> Tensor:
    """KL(first || other) of Gaussians without correlations, summed over A: [..., A, B] x4 -> [..., B].

    It is the same for squashed ones, since tanh is one to one.
    """
    narrower = other_log_std - log_std
    spread = (-2 * narrower).exp() + ((mean - other_mean) / other_log_std.exp()).square()
    return (narrower + 0.5 * (spread - 1)).sum(-2)
