"""Decisions against numbers of a text: hand-worked tests, agreement with scipy, and error rates."""

import math

import numpy as np
import pytest
from scipy import stats

from bench.stats.decisions import equivalence, ratio
from bench.stats.estimates import StatisticsError
from bench.stats.stated import between, change, difference

A, B = [1.0, 1.2, 1.4], [0.1, 0.2, 0.3, 0.4]


def test_between_is_two_one_sided_t_tests():
    """Mean 1.2, sd .2, n 3: p of each side is the tail of t beyond (mean - bound) / (sd / sqrt(n))."""
    found = between(A, 1.0, 2.0)
    low = stats.t.sf((1.2 - 1.0) / (0.2 / math.sqrt(3)), 2)
    high = stats.t.sf((2.0 - 1.2) / (0.2 / math.sqrt(3)), 2)
    assert found.p == pytest.approx(max(low, high))
    assert found.estimate == pytest.approx(1.2)
    ends = stats.t.interval(0.9, 2, 1.2, 0.2 / math.sqrt(3))
    assert (found.low, found.high) == (pytest.approx(ends[0]), pytest.approx(ends[1]))


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(0.5, 2.0, "yes"), (1.1, 2.0, "undecided"), (2.0, 3.0, "no"), (-math.inf, 2.0, "yes"), (-math.inf, 0.5, "no")],
)
def test_between(low: float, high: float, outcome: str):
    assert between(A, low, high).outcome == outcome


def test_between_says_which_bounds_there_are():
    assert between(A, 0.5, 2.0).reason == "above 0.5 and below 2"
    assert between(A, -math.inf, 0.5).reason == "not below 0.5"
    assert between(A, 1.1, math.inf).reason == "neither above 1.1 nor not"


def test_between_of_constants_and_of_few():
    assert (between([1.0] * 3, 0, 2).outcome, between([1.0] * 3, 2, 3).outcome) == ("undecided", "undecided")
    assert between([1.0, 1.0], 0, 2).p is None
    with pytest.raises(StatisticsError, match="low < high"):
        between(A, 2, 2)


def test_a_difference_is_an_equivalence_that_moved():
    found, moved = difference(A, B, False, 0.95, 0.3), equivalence(np.array(A) - 0.95, B, False, 0.3)
    assert (found.outcome, found.p, found.p_against) == (
        moved.outcome,
        pytest.approx(moved.p),
        pytest.approx(moved.p_against),
    )
    assert found.estimate == pytest.approx(0.95)
    assert difference(A, [0.0, 0.2, 0.41], True, 1.0, 0.1).outcome == "yes"  # each pair is about 1 apart
    assert difference(A, B, False, 3.0, 0.3).outcome == "no"
    with pytest.raises(StatisticsError, match="margin"):
        difference(A, B, False, 1.0, 0.0)


def test_a_change_above_zero():
    """From 1.2 to 1.5 is a quarter more; the interval is the ratio's minus one."""
    end = [1.4, 1.5, 1.6]
    found, below = change(A, end, 0.25, 0.4), ratio(end, A, 1.25, 0.4)
    assert (found.outcome, found.estimate) == (below.outcome, pytest.approx(0.25))
    assert below.low is not None
    assert found.low == pytest.approx(below.low - 1)
    assert found.reason.startswith("a change")


def test_a_change_below_zero_is_a_share_of_the_size():
    """From -10 to -7.5 is 25% up, from -10 to -12 is 20% down: what papers print of negative returns."""
    start = [-10.1, -10.0, -9.9]
    up = change(start, [-7.6, -7.5, -7.4], 0.25, 0.05)
    assert (up.outcome, up.estimate) == ("yes", pytest.approx(0.25))
    assert up.low is not None
    assert up.high is not None
    assert up.low < 0.25 < up.high
    down = change(start, [-12.1, -12.0, -11.9], -0.2, 0.05)
    assert (down.outcome, down.estimate) == ("yes", pytest.approx(-0.2))
    assert change(start, [-7.6, -7.5, -7.4], -0.25, 0.05).outcome == "no"


def test_a_change_through_zero():
    """From -1 to 1.2 is 2.2 up: shown not to be .5, where the start is clear of 0; else there is no share of it."""
    found = change([-1.0, -1.1, -0.9], A, 0.5, 0.1)
    assert (found.outcome, found.estimate) == ("no", pytest.approx(2.2))
    assert found.low is not None
    assert found.low < 2.2
    near = change([-1.0, -1.1, 0.9], A, 0.5, 0.1)
    assert (near.outcome, near.estimate, near.p) == ("undecided", None, None)
    with pytest.raises(StatisticsError, match="printed"):
        change(A, A, -1.5, 0.1)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_errors_on_the_edge(seeds: int):
    """Normal seeds whose mean lies on a bound, 2,000 times: neither answer in more than 5%, apart from four errors."""
    rng = np.random.default_rng(seeds)
    room = 4 * math.sqrt(0.05 * 0.95 / 2000)
    outcomes = [between(rng.normal(0.1, 0.1, seeds), -0.1, 0.1).outcome for _ in range(2000)]
    assert outcomes.count("yes") / 2000 <= 0.05 + room
    assert outcomes.count("no") / 2000 <= 0.05 + room
    assert outcomes.count("no") / 2000 >= 0.05 - room  # and the test has its size
