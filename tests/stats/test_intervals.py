"""Intervals against hand-worked numbers, scipy, and the required properties of an interval.

Axes: S seed.
"""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.stats.estimates import StatisticsError, finite
from bench.stats.intervals import (
    difference_interval,
    fieller_interval,
    half_deviation_band,
    mean_band,
    mean_interval,
    paired_interval,
    ratio_interval,
)

quick = settings(max_examples=60, deadline=None, derandomize=True, database=None)
numbers = st.floats(-100, 100).map(lambda value: round(value, 3))
samples = st.lists(numbers, min_size=3, max_size=8)
positive = st.lists(st.floats(1, 100).map(lambda value: round(value, 3)), min_size=3, max_size=8)

T2 = 4.3026527297  # 97.5% quantile of t with 2 degrees of freedom; T2 / sqrt(3) = 2.484138 is used throughout


def test_the_quantile_used_below_is_right():
    """With 2 degrees of freedom t has the closed form q = sqrt(2 c^2 / (1 - c^2)), c = .95 the two-sided level."""
    assert math.sqrt(2 * 0.95**2 / (1 - 0.95**2)) == pytest.approx(T2, rel=1e-10)
    assert T2 / math.sqrt(3) == pytest.approx(2.484138, abs=1e-6)


def test_mean_by_hand():
    """1, 2, 3: mean 2, sd 1, standard error 1 / sqrt(3) = .577350, half width 4.302653 * .577350 = 2.484138."""
    interval = mean_interval([1, 2, 3])
    assert interval.estimate == 2
    assert interval.low == pytest.approx(2 - 2.484138, abs=1e-6)
    assert interval.high == pytest.approx(2 + 2.484138, abs=1e-6)
    assert (interval.level, interval.n, interval.method, interval.reason) == (0.95, (3,), "Student t", "")


def test_paired_by_hand():
    """Differences of 11, 12, 13 and 10, 10, 10 are 1, 2, 3: the interval of the test above."""
    paired, plain = paired_interval([11, 12, 13], [10, 10, 10]), mean_interval([1, 2, 3])
    assert (paired.estimate, paired.n, paired.method) == (2, (3,), "paired t")
    assert (paired.low, paired.high) == pytest.approx((plain.low, plain.high), rel=1e-12)


def test_difference_by_hand():
    """1, 2, 3 minus 2, 4, 6, 8.

    Means 2 and 5; variances of the means 1 / 3 and (20 / 3) / 4 = 5 / 3; standard error sqrt(2). Degrees of freedom
    2^2 / ((1/3)^2 / 2 + (5/3)^2 / 3) = 4 / (.0555556 + .9259259) = 4.0754717.
    """
    interval = difference_interval([1, 2, 3], [2, 4, 6, 8])
    half = stats.t.ppf(0.975, 4.0754717) * math.sqrt(2)
    assert interval.estimate == -3
    assert (interval.low, interval.high) == pytest.approx((-3 - half, -3 + half), rel=1e-7)
    assert (interval.n, interval.method) == ((3, 4), "Welch t")


def test_ratio_by_hand():
    """9, 10, 11 over 4, 5, 6.

    Means 10 and 5, sds 1 and 1, coefficients of variation .1 and .2. Standard error of the log ratio
    sqrt((.01 + .04) / 3) = .1290994; degrees of freedom .05^2 / (.01^2 / 2 + .04^2 / 2) = .0025 / .00085 = 2.9411765.
    """
    interval = ratio_interval([9, 10, 11], [4, 5, 6])
    factor = math.exp(stats.t.ppf(0.975, 2.9411765) * 0.12909944)
    assert interval.estimate == pytest.approx(2, rel=1e-12)
    assert (interval.low, interval.high) == pytest.approx((2 / factor, 2 * factor), rel=1e-6)
    assert (interval.n, interval.reason) == ((3, 3), "")


def test_fieller_by_hand():
    """10, 10, 10 over 49, 50, 51: 10 = r m with m = 50 -+ 2.484138 at the ends, hence 10 / 52.484 to 10 / 47.516."""
    interval = fieller_interval([10, 10, 10], [49, 50, 51])
    assert interval.estimate == pytest.approx(0.2, rel=1e-12)
    assert (interval.low, interval.high) == pytest.approx((10 / 52.484138, 10 / 47.515862), rel=1e-6)


def test_fieller_ends_are_where_the_contrast_is_just_rejected():
    """At an end r: |mean(a) - r mean(b)| = t * standard error, with means of different sign."""
    a, b = np.array([-3.0, -2, -4, -2.5]), np.array([20.0, 22, 19, 25, 21])
    interval = fieller_interval(a, b, level=0.9)
    assert interval.low is not None
    assert interval.high is not None
    assert interval.low < a.mean() / b.mean() < interval.high
    va, vb, ratio = a.var(ddof=1) / 4, b.var(ddof=1) / 5, a.mean() / b.mean()
    df = (va + ratio**2 * vb) ** 2 / (va**2 / 3 + (ratio**2 * vb) ** 2 / 4)
    for end in (interval.low, interval.high):
        t = abs(a.mean() - end * b.mean()) / math.sqrt(va + end**2 * vb)
        assert t == pytest.approx(stats.t.ppf(0.95, df), rel=1e-9)


@pytest.mark.parametrize("denominator", [[-1, 1, 2], [-1, 0, 1]])
def test_fieller_is_unbounded_where_the_denominator_is_not_clear_of_zero(denominator: list[float]):
    """Means 2/3 (t = .76) and 0: no ratio can be excluded at both ends."""
    interval = fieller_interval([1, 2, 3], denominator)
    assert (interval.low, interval.high) == (None, None)
    assert interval.reason.startswith("unbounded")
    assert math.isnan(interval.estimate) == (sum(denominator) == 0)


@given(samples, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
@quick
def test_mean_and_paired_agree_with_scipy(values: list[float], level: float):
    """scipy.stats.ttest_1samp is the oracle, wherever the values vary."""
    assume(np.ptp(values) > 0)
    expected = stats.ttest_1samp(values, 0).confidence_interval(level)
    for interval in (mean_interval(values, level), paired_interval(values, [0.0] * len(values), level)):
        assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), rel=1e-9, abs=1e-9)


@given(samples, samples, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
@quick
def test_difference_agrees_with_scipy(a: list[float], b: list[float], level: float):
    """scipy.stats.ttest_ind with unequal variances is the oracle. It warns of constant sides: those are below."""
    assume(np.ptp(a) > 0 and np.ptp(b) > 0)
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(level)
    interval = difference_interval(a, b, level)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), rel=1e-9, abs=1e-9)


@given(samples, samples, st.integers(-50, 50), st.sampled_from([0.25, 2.0, 8.0]))
@quick
def test_difference_is_equivariant(a: list[float], b: list[float], shift: int, scale: float):
    """Shifting one side shifts the interval, scaling both scales it, swapping sides mirrors it."""
    plain = difference_interval(a, b)
    moved = difference_interval(np.array(a) * scale + shift, np.array(b) * scale)
    swapped = difference_interval(b, a)
    assert plain.low is not None
    assert plain.high is not None
    assert (moved.low, moved.high) == pytest.approx((plain.low * scale + shift, plain.high * scale + shift), abs=1e-8)
    assert (swapped.low, swapped.high) == pytest.approx((-plain.high, -plain.low), abs=1e-9)


@given(positive, positive, st.sampled_from([0.25, 3.0, 100.0]))
@quick
def test_ratio_is_equivariant(a: list[float], b: list[float], scale: float):
    """Scaling the numerator scales the interval, swapping sides inverts it."""
    plain, scaled, swapped = ratio_interval(a, b), ratio_interval(np.array(a) * scale, b), ratio_interval(b, a)
    assert plain.low is not None
    assert plain.high is not None
    assert (scaled.low, scaled.high) == pytest.approx((plain.low * scale, plain.high * scale), rel=1e-9)
    assert (swapped.low, swapped.high) == pytest.approx((1 / plain.high, 1 / plain.low), rel=1e-9)


@pytest.mark.parametrize("function", [difference_interval, paired_interval, ratio_interval, fieller_interval])
def test_fewer_than_three_seeds_have_an_estimate_and_no_interval(function):
    """Both for n = 1 and n = 2; for unpaired sides one short side is enough."""
    for a, b in (([4.0], [2.0]), ([4.0, 6.0], [2.0, 3.0])):
        interval = function(a, b)
        assert math.isfinite(interval.estimate)
        assert (interval.low, interval.high, interval.reason) == (None, None, "n < 3: no interval at all")
    if function is not paired_interval:
        assert function([4.0, 5.0, 6.0], [2.0, 3.0]).reason == "n < 3: no interval at all"
    assert mean_interval([7.0]).estimate == 7
    assert mean_interval([7.0]).low is None


def test_constant_scores_have_zero_width():
    """Even if rounding makes means and differences of equal numbers unequal in their last bit."""
    reason = "constant scores: zero-width interval"
    expected = [
        (mean_interval([0.1] * 3), 0.1),
        (mean_interval([0.3, 0.1 + 0.2, 0.3]), 0.3),
        (paired_interval([0.3, 0.4, 0.7], [0.2, 0.3, 0.6]), 0.1),
        (difference_interval([0.5] * 3, [0.25] * 4), 0.25),
        (ratio_interval([0.5] * 3, [0.25] * 4), 2.0),
        (fieller_interval([0.5] * 3, [-0.25] * 4), -2.0),
    ]
    for interval, value in expected:
        assert interval.reason == reason
        assert (interval.low, interval.estimate, interval.high) == pytest.approx((value,) * 3, rel=1e-12)
        assert interval.low == interval.high


def test_one_constant_side_keeps_the_other_sides_interval():
    """10, 10, 10, 10 minus 1, 2, 3: the interval of 1, 2, 3 mirrored at 10."""
    interval = difference_interval([10] * 4, [1, 2, 3])
    assert (interval.low, interval.high) == pytest.approx((8 - 2.484138, 8 + 2.484138), abs=1e-6)
    assert interval.reason == ""


@pytest.mark.parametrize(("a", "b"), [([1, 2, 3], [0, 0, 0]), ([1, 2, 3], [-1, -2, -3]), ([-1, 1, 0], [1, 2, 3])])
def test_ratio_is_undefined_unless_both_means_are_positive(a: list[float], b: list[float]):
    """A mean of 0 or below on either side."""
    interval = ratio_interval(a, b)
    assert math.isnan(interval.estimate)
    assert (interval.low, interval.high) == (None, None)
    assert "both means must be above 0" in interval.reason


def test_ratio_points_to_fieller_where_the_denominator_is_not_clear_of_zero():
    """-1, 1, 2: mean 2/3 with t = .76. The log-delta interval exists but carries a warning."""
    interval = ratio_interval([1, 2, 3], [-1, 1, 2])
    assert interval.low is not None
    assert "Fieller" in interval.reason
    assert fieller_interval([1, 2, 3], [0, 0, 0]).reason == "ratio undefined: the denominator is constantly 0"


def test_tiny_and_huge_scores_do_not_over_or_underflow():
    """Width scales exactly by powers of two far from 1."""
    plain = difference_interval([1, 2, 3], [2, 4, 6, 8])
    assert plain.low is not None
    for power in (-400, 400):
        scaled = difference_interval(np.array([1, 2, 3]) * 2.0**power, np.array([2, 4, 6, 8]) * 2.0**power)
        assert scaled.low is not None
        assert scaled.low * 2.0**-power == pytest.approx(plain.low, rel=1e-12)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, 1e200])
def test_a_number_that_is_not_finite_is_refused_and_named(wrong: float):
    """In every function and on both sides; the message names place and value."""
    good, bad = [1.0, 2.0, 3.0], [1.0, wrong, 3.0]
    with pytest.raises(StatisticsError, match=r"values\[1\] is"):
        mean_interval(bad)
    for function in (paired_interval, difference_interval, ratio_interval, fieller_interval):
        for sides in ((good, bad), (bad, good)):
            with pytest.raises(StatisticsError, match=r"\[1\] is"):
                function(*sides)


def test_other_bad_input_is_refused():
    """Empty, two axes, words, ragged, unequal pairs, an impossible level."""
    wrong: list[Any] = [[], [[1.0, 2.0]], "abc", [[1.0], [1.0, 2.0]], None]
    for bad in wrong:
        with pytest.raises(StatisticsError, match="scores"):
            finite(bad, "scores")
    with pytest.raises(StatisticsError, match="got 3 and 2"):
        paired_interval([1, 2, 3], [1, 2])
    for level in (0, 1, 95, math.nan):
        for few_or_enough in ([1.0], [1.0, 2.0, 4.0]):
            with pytest.raises(StatisticsError, match="level"):
                mean_interval(few_or_enough, level)
            with pytest.raises(StatisticsError, match="level"):
                ratio_interval(few_or_enough, few_or_enough, level)
            with pytest.raises(StatisticsError, match="level"):
                fieller_interval(few_or_enough, few_or_enough, level)
    assert issubclass(StatisticsError, ValueError)


def coverage(function, truth: float, draw, repetitions: int = 2000) -> float:
    """Share of seeded repetitions whose interval contains the true value; an unbounded one contains everything."""
    rng, hits = np.random.default_rng(2009), 0
    for _ in range(repetitions):
        interval = function(*draw(rng))
        hits += interval.low is None or interval.low <= truth <= interval.high
    return hits / repetitions


@pytest.mark.parametrize("n", [3, 5, 10])
def test_simulated_coverage(n: int):
    """Nominal 95% at 3, 5 and 10 seeds a side: at least 93% (Monte-Carlo standard error .5%), and not by being useless.

    Normal quantiles instead of t would cover about 82% of the means at n = 3.
    """

    def draw(rng: np.random.Generator):
        return rng.normal(3, 0.6, n), rng.normal(2, 0.3, n)

    assert coverage(ratio_interval, 1.5, draw) >= 0.93
    assert coverage(fieller_interval, 1.5, draw) >= 0.93
    assert coverage(difference_interval, 1.0, draw) >= 0.93
    assert 0.93 <= coverage(lambda a, _b: mean_interval(a), 3.0, draw) <= 0.97
    assert 0.93 <= coverage(lambda a, b: paired_interval(a, b), 1.0, draw) <= 0.97


def test_a_band_is_the_mean_interval_at_each_point() -> None:
    curves = np.random.default_rng(0).normal(size=(5, 7))
    low, high = mean_band(curves)
    for p in range(7):
        one = mean_interval(curves[:, p])
        assert (low[p], high[p]) == pytest.approx((one.low, one.high), rel=1e-12)
    with pytest.raises(StatisticsError, match="got 2 seeds"):
        mean_band(curves[:2])


def test_half_a_deviation_lies_around_the_mean_and_does_not_narrow() -> None:
    """Of 1 and 3: the mean 2, a deviation of sqrt(2)."""
    low, high = half_deviation_band([[1.0, 5.0], [3.0, 5.0]])
    assert low == pytest.approx([2 - math.sqrt(0.5), 5])
    assert high == pytest.approx([2 + math.sqrt(0.5), 5])
    many = np.tile([[1.0], [3.0]], (500, 1))
    assert np.subtract(*half_deviation_band(many)[::-1]) == pytest.approx([1.0], abs=0.001)
    with pytest.raises(StatisticsError, match="at least 2"):
        half_deviation_band([[1.0]])
