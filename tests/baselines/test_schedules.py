"""Axes: S seed, E environment copy, N agent, A action."""

import pytest
import torch

from baselines import schedules


@pytest.mark.parametrize(
    ("done", "epsilon"), [(0, 1.0), (25_000, 0.525), (50_000, 0.05), (50_001, 0.05), (1_250_000, 0.05)]
)
def test_epsilon_falls_linearly(done, epsilon):
    assert schedules.linear(1.0, 0.05, 50_000, done) == pytest.approx(epsilon, abs=1e-12)


def test_both_ends_are_exact_up_and_down():
    for start, end in ((0.1, 0.95), (0.95, 0.1), (1.0, 0.05)):
        assert schedules.linear(start, end, 30_000, 0) == start
        assert schedules.linear(start, end, 30_000, 30_000) == end
    assert schedules.linear(1.0, 0.05, 0, 0) == 0.05


def test_greedy_at_epsilon_zero_and_random_below_the_first_noise():
    q = torch.tensor([[[[1.0, 9.0, 3.0, 2.0]]]])
    avail = torch.tensor([[[[True, False, True, True]]]])
    noise = torch.tensor([[[[0.0, 0.5, 0.9, 0.2, 0.7]]]])
    assert schedules.epsilon_greedy(q, avail, 0.0, noise).item() == 2
    assert schedules.epsilon_greedy(q, avail, 0.05, noise).item() == 3


def test_random_actions_are_uniform_over_the_available_ones():
    """Each of the three within five standard deviations; epsilon is the share that is not greedy, corrected."""
    samples = 40_000
    noise = torch.rand(1, samples, 1, 5, generator=torch.Generator().manual_seed(0))
    avail = torch.tensor([True, False, True, True]).expand(1, samples, 1, 4)
    q = torch.tensor([0.0, 9.0, 1.0, 0.0]).expand(1, samples, 1, 4)
    taken = schedules.epsilon_greedy(q, avail, 0.6, noise).flatten().bincount(minlength=4) / samples
    assert taken.tolist() == pytest.approx([0.2, 0.0, 0.6, 0.2], abs=5 * (0.25 / samples) ** 0.5)
    assert taken[1] == 0
