"""Success rates: the uncertainty from episodes and unseen seeds."""

import math

import numpy as np
import pytest
from scipy import stats

from bench.stats.decisions import ordering, ratio
from bench.stats.estimates import mean_estimate
from bench.stats.intervals import mean_interval
from bench.stats.published import Published, same_value
from bench.stats.rates import Rate, combined_bounds, p_values, unseen
from bench.stats.stated import between


def test_unseen_modes():
    """.05^(1/5) = .549: five seeds cannot exclude a mode of 45% of seeds."""
    assert unseen(5) == pytest.approx(1 - 0.05**0.2)
    assert [round(unseen(n), 2) for n in (3, 5, 10)] == [0.63, 0.45, 0.26]


def test_bounds_are_wilsons_within_what_unseen_seeds_leave():
    """Half of the error each; scipy has Wilson's interval."""
    low, high = Rate(0.75, 4, 32).bounds(0.05)
    wilson = stats.binomtest(96, 128).proportion_ci(0.95, "wilson")
    hidden = unseen(4, 0.025)
    assert low == pytest.approx((1 - hidden) * wilson.low)
    assert high == pytest.approx((1 - hidden) * wilson.high + hidden)
    assert Rate(1.0, 4, 32).bounds(0.05)[1] == 1.0
    assert Rate(0.0, 4, 32).bounds(0.05)[0] == 0.0


def test_three_wins_of_96_against_none_show_nothing():
    """Three seeds of 1/32 against three of 0/32: equal seeds on each side do not give p = 0."""
    decision = ordering([1 / 32] * 3, [0.0] * 3, False, 0.1, episodes=32)
    assert decision.outcome == "undecided"
    assert decision.p is not None
    assert decision.p > 0.12  # Fisher's exact test of the 192 episodes, taken as independent


def test_many_seeds_that_are_plainly_apart_decide():
    """20 seeds that all win against 20 that all lose decide; 3 of each do not, because most seeds were not seen."""
    for paired in (False, True):
        assert ordering([1.0] * 20, [0.0] * 20, paired, 0, episodes=32).outcome == "yes"
        assert ordering([0.0] * 20, [1.0] * 20, paired, 0, episodes=32).outcome == "no"
        assert ordering([1.0] * 3, [0.0] * 3, paired, 0, episodes=32).outcome == "undecided"


def test_p_values_are_the_errors_at_which_the_bounds_decide():
    rates = ((1.0, Rate(0.9, 12, 32)), (-1.0, Rate(0.1, 12, 32)))
    p, against = p_values(0.8, rates, 0.0, math.inf)
    assert combined_bounds(0.8, rates, 1.01 * p)[0] > 0
    assert combined_bounds(0.8, rates, 0.99 * p)[0] < 0
    assert against == 1.0


@pytest.mark.parametrize("seeds", [[0.9, 1.0, 0.95], [30 / 32, 31 / 32, 30 / 32, 31 / 32]])
def test_episodes_widen_and_never_narrow(seeds: list[float]):
    """Few episodes widen the interval, many leave the seeds' interval unchanged."""
    plain = between(seeds, 0.5, math.inf)
    few, many = between(seeds, 0.5, math.inf, episodes=4), between(seeds, 0.5, math.inf, episodes=10**6)
    assert (many.low, many.high) == (plain.low, plain.high)
    assert few.low is not None
    assert plain.low is not None
    assert few.low < plain.low


def test_equal_rates_have_an_interval_of_a_width():
    """The comparison with a printed value has one too; the paper's seeds count."""
    ours = mean_estimate([1.0] * 5, episodes=32)
    shown = mean_interval(ours)
    assert shown.low is not None
    assert shown.low < 0.6
    assert same_value(ours, Published(0.95, seeds=5), 0.1).decision.outcome == "undecided"
    assert same_value(ours, Published(0.35, 0.0, 20), 0.1).decision.outcome == "undecided"
    many = mean_estimate([1.0] * 60, episodes=32)
    assert same_value(many, Published(0.05, 0.0, 60), 0.1).decision.outcome == "no"


def test_equal_rates_are_rarely_wrong():
    """Seeds that always win, but one in ten never does, against a bound at their mean of .9, 2,000 times."""
    rng = np.random.default_rng(17)
    wins = 1.0 * (rng.random((2000, 5)) > 0.1)
    outcomes = [between(row, 0.9, math.inf, episodes=32).outcome for row in wins]
    assert "yes" not in outcomes
    assert [between(row, 0.9, math.inf).outcome for row in wins].count("yes") == 0


@pytest.mark.parametrize("paired", [False, True])
def test_episodes_widen_a_ratio_too(paired: bool):
    """A teacher that never lost in 25 episodes may still lose; equal seeds on both sides decide nothing."""
    student, teacher = [0.8, 1.0, 1.0, 1.0, 1.0], [1.0] * 5
    bare, widened = (ratio(student, teacher, 1, 0.15, paired, episodes) for episodes in (None, 5))
    assert bare.outcome == "yes"
    assert widened.outcome == "undecided"
    equal = ratio([1.0] * 5, teacher, 1, 0.2, paired, 5)
    assert (equal.outcome, equal.p) == ("undecided", None)
