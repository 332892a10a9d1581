"""Targets and advantages from rewards and values; standardised rewards.

Axes: S seed, B batch of episodes, T time step, N agent, A action.
rewards [S, B, T]. terminated [S, B, T] bool: the step ended in a terminal state, whose value is 0. A time limit is not
a terminal state unless the caller says so in `terminated`: otherwise the value of the state after it counts. mask
[S, B, T] bool: the steps that were played; a time limit before T is a step whose successor is not in the mask.
Values of states have one step more, [S, B, T+1]. Targets and advantages have no gradient.
GAE and n-step returns also accept [S, B, T, N], if all their arguments have that shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from baselines.losses.masks import reduced

INITIAL_COUNT = 1e-4  # weight of the initial mean 0 and variance 1, in rewards: EPyMARL d661753, `epsilon`
VALUE_DECAY = 0.99999  # on-policy b5c1e75, `ValueNorm`: beta,
LEAST_WEIGHT, LEAST_VARIANCE = 1e-5, 1e-2  # epsilon and the clamp of the variance


@torch.no_grad()
def td_lambda_targets(
    rewards: Tensor, terminated: Tensor, mask: Tensor, target_q_tot: Tensor, gamma: float, td_lambda: float
) -> Tensor:
    """Lambda-returns [S, B, T], 0 for steps not played; target_q_tot [S, B, T+1].

    G_t = r_t + gamma ((1 - lambda) Q_t+1 + lambda G_t+1), without the bracket if t ended in a terminal state, and with
    Q_t+1 in place of G_t+1 if t+1 was not played (Sutton and Barto 2018, eq. 12.20).
    PyMARL2 (hijkzzz/pymarl2 25e0be3, `build_td_lambda_targets`) does the same, except that after a time limit before T
    it bootstraps from the last state of the padding instead of the last state that was seen.
    """
    played_next = _played_next(mask)
    returns, later = [], target_q_tot[:, :, -1]
    for t in reversed(range(rewards.shape[2])):
        value = target_q_tot[:, :, t + 1]
        later = torch.where(played_next[:, :, t], later, value)
        ahead = (1 - td_lambda) * value + td_lambda * later
        later = rewards[:, :, t] + gamma * ahead.masked_fill(terminated[:, :, t], 0)
        returns.append(later)
    return torch.stack(returns[::-1], 2).masked_fill(~mask, 0)


@torch.no_grad()
def n_step_returns(
    rewards: Tensor, terminated: Tensor, mask: Tensor, values: Tensor, gamma: float, steps: int
) -> Tensor:
    """r_t + ... + gamma^(n-1) r_t+n-1 + gamma^n V_t+n [S, B, T], 0 for steps not played; values [S, B, T+1].

    There are fewer rewards if the episode ends sooner: a terminal state has no value, and after a time limit the value
    of the last state that was seen counts. EPyMARL (23379c2, `nstep_returns` with `add_value_last_step`) does the same,
    except that it adds the value after step T even if that state is terminal, and no value after a time limit before T.
    """
    played_next = _played_next(mask)
    ahead = values[:, :, 1:]
    returns = torch.zeros_like(rewards)
    for _ in range(steps):
        returns = rewards + gamma * ahead.masked_fill(terminated, 0)
        later = torch.cat([returns[:, :, 1:], values[:, :, -1:]], 2)
        ahead = torch.where(played_next, later, values[:, :, 1:])
    return returns.masked_fill(~mask, 0)


@torch.no_grad()
def generalised_advantages(
    rewards: Tensor, terminated: Tensor, mask: Tensor, values: Tensor, gamma: float, gae_lambda: float
) -> Tensor:
    """GAE (Schulman et al. 2016, eq. 16) [S, B, T], 0 for steps not played; values [S, B, T+1].

    A_t = delta_t + gamma lambda A_t+1, delta_t = r_t + gamma V_t+1 - V_t. V_t+1 is 0 after a terminal state. A_t+1 is 0
    there and if t+1 was not played. Returns for the critic are advantages + values[:, :, :-1].
    """
    goes_on = _played_next(mask) & ~terminated
    deltas = rewards + gamma * values[:, :, 1:].masked_fill(terminated, 0) - values[:, :, :-1]
    advantages, later = [], torch.zeros_like(deltas[:, :, -1])
    for t in reversed(range(rewards.shape[2])):
        later = deltas[:, :, t] + gamma * gae_lambda * torch.where(goes_on[:, :, t], later, 0.0)
        advantages.append(later)
    return torch.stack(advantages[::-1], 2).masked_fill(~mask, 0)


@torch.no_grad()
def open_advantages(
    rewards: Tensor,
    values: Tensor,
    following: Tensor,
    terminated: Tensor,
    ended: Tensor,
    gamma: float,
    gae_lambda: float,
) -> Tensor:
    """GAE [S, B, T, N] of T steps in which episodes may end anywhere. The last episode may be open.

    rewards, terminated, ended [S, B, T]: the team's. terminated: nothing counts after the step. ended: another episode
    begins with the next step. values, following [S, B, T, N]: values before and after each step.
    A_t = r_t + gamma V'_t - V_t + gamma lambda A_t+1, without V'_t after a terminal step, without A_t+1 across an end.
    """
    over, cut = terminated.unsqueeze(-1), ended.unsqueeze(-1)
    deltas = rewards.unsqueeze(-1) + gamma * following.masked_fill(over, 0) - values
    advantages, later = [], torch.zeros_like(deltas[:, :, -1])
    for t in reversed(range(rewards.shape[2])):
        later = deltas[:, :, t] + gamma * gae_lambda * later.masked_fill(cut[:, :, t], 0)
        advantages.append(later)
    return torch.stack(advantages[::-1], 2)


@dataclass(frozen=True)
class RewardMoments:
    """Running mean and variance of a task's rewards, for each seed alone: three tensors [S], float64."""

    mean: Tensor
    variance: Tensor
    count: Tensor

    @classmethod
    def initial(cls, seeds: int, device: torch.device | str = "cpu") -> RewardMoments:
        mean = torch.zeros(seeds, dtype=torch.float64, device=device)
        return cls(mean, torch.ones_like(mean), torch.full_like(mean, INITIAL_COUNT))

    def updated(self, rewards: Tensor, mask: Tensor) -> RewardMoments:
        """New moments with rewards [S, B, T] of steps in mask [S, B, T] (bool): EPyMARL's `RunningMeanStd` (d661753).

        Old and new moments are combined by Chan et al.'s parallel formula, with the unbiased variance (torch.var) of
        the new ones, as there. EPyMARL updates on each sampled batch before it standardises, and also counts padded
        steps: a mask of only true does the same. Departs from it: float64; a single new reward has variance 0, while
        torch.var has none.
        """
        new, n = rewards.double(), _sum(mask.double())
        mean = _sum(torch.where(mask, new, 0.0)) / n.clamp(min=1)
        squares = _sum(torch.where(mask, (new - mean.view(-1, 1, 1)).square(), 0.0))
        variance = squares / (n - 1).clamp(min=1)
        delta, count = mean - self.mean, self.count + n
        combined = self.variance * self.count + variance * n + delta.square() * self.count * n / count
        return RewardMoments(self.mean + delta * n / count, combined / count, count)

    def standardised(self, rewards: Tensor) -> Tensor:
        """r-hat of MKT-MARL's eq. 5: (r - mean) / sqrt(variance), [S, B, T]; no epsilon, as in EPyMARL."""
        shape = (-1, 1, 1)
        return ((rewards - self.mean.view(shape)) / self.variance.sqrt().view(shape)).to(rewards.dtype)


@dataclass(frozen=True)
class ValueMoments:
    """Decaying mean and mean square of a task's returns, for each seed alone: three tensors [S], float64.

    on-policy's `ValueNorm` (marlbenchmark/on-policy b5c1e75), in float64 and without steps that were not played.
    """

    mean: Tensor
    square: Tensor
    weight: Tensor  # total weight so far; mean and square must be divided by it

    @classmethod
    def initial(cls, seeds: int, device: torch.device | str = "cpu") -> ValueMoments:
        return cls(*torch.zeros(3, seeds, dtype=torch.float64, device=device))

    def updated(self, returns: Tensor, mask: Tensor) -> ValueMoments:
        """New moments with returns [S, B, T, N] of steps in mask [S, B, T] (bool), as one observation."""
        new, share = returns.double(), 1 - VALUE_DECAY
        mean, square = (reduced(x, mask, "mean") for x in (new, new.square()))
        olds = self.mean, self.square, self.weight
        return ValueMoments(*(o * VALUE_DECAY + share * x for o, x in zip(olds, (mean, square, 1.0), strict=True)))

    def normalised(self, returns: Tensor) -> Tensor:
        """What a critic learns: (x - mean) / deviation, [S, B, T, N]."""
        mean, deviation = self._moments()
        return ((returns - mean) / deviation).to(returns.dtype)

    def denormalised(self, values: Tensor) -> Tensor:
        """The inverse, [S, B, T, N]."""
        mean, deviation = self._moments()
        return (values * deviation + mean).to(values.dtype)

    def _moments(self) -> tuple[Tensor, Tensor]:
        weight = self.weight.clamp(min=LEAST_WEIGHT)
        mean = self.mean / weight
        variance = (self.square / weight - mean.square()).clamp(min=LEAST_VARIANCE)
        return mean.view(-1, 1, 1, 1), variance.sqrt().view(-1, 1, 1, 1)


def _played_next(mask: Tensor) -> Tensor:
    """Whether step t+1 was played: [S, B, T, ...], false at the last t."""
    return torch.cat([mask[:, :, 1:], torch.zeros_like(mask[:, :, :1])], 2)


def _sum(x: Tensor) -> Tensor:
    """[S, B, T] -> [S]."""
    return x.sum(-1).sum(-1)
