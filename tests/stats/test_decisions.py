"""Decisions against hand-worked numbers and scipy, and their properties.

Axes: S seed.
"""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.stats.decisions import (
    equivalence,
    not_greater,
    ordering,
    ratio,
)
from bench.stats.estimates import StatisticsError, exact_estimate
from bench.stats.intervals import difference_interval, paired_interval, ratio_interval

quick = settings(max_examples=60, deadline=None, derandomize=True, database=None)
samples = st.lists(st.integers(-400, 400).map(lambda number: number / 8), min_size=3, max_size=8)
positive = st.lists(st.integers(8, 400).map(lambda number: number / 8), min_size=3, max_size=8)
OPPOSITE = {"yes": "no", "no": "yes", "undecided": "undecided"}
LOW, HIGH = [1.0, 2.0, 3.0], [11.0, 12.0, 13.0]


def known(number: float | None) -> float:
    """A number that must be there."""
    assert number is not None
    return number


def scipy_p(result: Any) -> float:
    """The p-value of a test of scipy."""
    return float(result.pvalue)


def test_ordering_by_hand():
    """3, 4, 5 against 1, 2, 3.

    Difference 2, standard error sqrt(1/3 + 1/3) = .816497, t = 2.449490, 4 degrees of freedom (equal variances).
    For 4 degrees of freedom P(T > t) = 1/2 - s (3 - s^2) / 4 with s = t / sqrt(t^2 + 4) = .774597:
    .5 - .774597 * 2.4 / 4 = .0352420. The 95% quantile is 2.131847, the interval 2 -+ 1.740645.
    """
    decision = ordering([3, 4, 5], [1, 2, 3], paired=False, margin=1)
    assert decision.outcome == "yes"
    assert (decision.p, decision.p_against) == pytest.approx((0.0352420, 0.9647580), abs=1e-7)
    assert (decision.estimate, decision.low, decision.high) == pytest.approx((2, 0.259355, 3.740645), abs=1e-5)
    assert (decision.level, decision.n, decision.reason, decision.seeds_to_decide) == (0.9, (3, 3), "greater", None)


def test_paired_ordering_by_hand():
    """Differences 1, 2, 3: t = 2 sqrt(3) = 3.464102 on 2 degrees of freedom.

    P(T > t) = (1 - t / sqrt(2 + t^2)) / 2 = (1 - .925820) / 2 = .0370900.
    """
    decision = ordering([11, 22, 33], [10, 20, 30], paired=True, margin=0)
    assert (decision.outcome, decision.n) == ("yes", (3,))
    assert decision.p == pytest.approx(0.0370900, abs=1e-7)
    assert ordering([10, 20, 30], [11, 22, 33], paired=True, margin=0).outcome == "no"
    assert ordering([11, 22, 33], [10, 20, 30], paired=False, margin=0).outcome == "undecided"


@given(samples, samples, st.booleans())
@quick
def test_ordering_agrees_with_scipy(a: list[float], b: list[float], paired: bool):
    """ttest_ind with unequal variances and ttest_rel, alternative greater; the interval is ours at 90%."""
    if paired:
        a, b = a[: len(b)], b[: len(a)]
        assume(np.ptp(np.subtract(a, b)) > 0)
        expected, interval = scipy_p(stats.ttest_rel(a, b, alternative="greater")), paired_interval(a, b, 0.9)
    else:
        assume(np.ptp(a) > 0 and np.ptp(b) > 0)
        expected = scipy_p(stats.ttest_ind(a, b, equal_var=False, alternative="greater"))
        interval = difference_interval(a, b, 0.9)
    decision = ordering(a, b, paired, margin=1)
    assert decision.p == pytest.approx(expected, abs=1e-10)
    assert decision.outcome == ("yes" if expected < 0.05 else "no" if expected > 0.95 else "undecided")
    assert (decision.estimate, decision.low, decision.high) == (interval.estimate, interval.low, interval.high)


@given(samples, samples, st.integers(1, 80))
@quick
def test_equivalence_agrees_with_two_one_sided_tests_of_scipy(a: list[float], b: list[float], margin: int):
    """Its p is the greater of the two; yes exactly where the 90% interval lies inside, no only where it is outside."""
    assume(np.ptp(a) > 0 and np.ptp(b) > 0)
    above = scipy_p(stats.ttest_ind(np.add(a, margin), b, equal_var=False, alternative="greater"))
    below = scipy_p(stats.ttest_ind(np.subtract(a, margin), b, equal_var=False, alternative="less"))
    decision, interval = equivalence(a, b, False, margin), difference_interval(a, b, 0.9)
    assert decision.p == pytest.approx(max(above, below), abs=1e-10)
    assert interval.low is not None
    assert interval.high is not None
    assert (decision.outcome == "yes") == (-margin < interval.low and interval.high < margin)
    if decision.outcome == "no":
        assert interval.low > margin or interval.high < -margin


def test_equivalence_by_hand():
    """Difference 2 -+ 1.740645 of `test_ordering_by_hand`: inside 4, undecided at 2, outside .2."""
    outcomes = [equivalence([3, 4, 5], [1, 2, 3], False, margin).outcome for margin in (4, 2, 0.2)]
    assert outcomes == ["yes", "undecided", "undecided"]
    assert equivalence(HIGH, LOW, False, 2).outcome == "no"
    assert equivalence(LOW, HIGH, False, 2).outcome == "no"
    assert equivalence([1.0, 2.0, 3.1], HIGH, True, 11).outcome == "yes"


def test_equivalence_counts_both_tails_against():
    """At margin .2 the interval (.259, 3.741) lies outside, yet no is not shown.

    Its p against: P(T > (2 - .2) / .816497 = 2.204541) + P(T > (2 + .2) / .816497 = 2.694439), 4 degrees of freedom, by
    the formula above s = .740630 and .802970: .5 - .740630 * 2.451467 / 4 = .046092 and .5 - .802970 * 2.355240 / 4
    = .027203, together .073296.
    """
    decision = equivalence([3, 4, 5], [1, 2, 3], False, 0.2)
    assert decision.low is not None
    assert decision.low > 0.2
    assert decision.p_against == pytest.approx(0.073296, abs=2e-6)
    assert decision.outcome == "undecided"


def test_not_greater_by_hand():
    """2 -+ 1.740645: below a margin of 4, above one of .2, undecided at 2; a clearly smaller a is not greater."""
    outcomes = [not_greater([3, 4, 5], [1, 2, 3], False, margin).outcome for margin in (4, 2, 0.2)]
    assert outcomes == ["yes", "undecided", "no"]
    assert not_greater(LOW, HIGH, False, 0).outcome == "yes"
    assert not_greater(HIGH, [1.0, 2.0, 3.1], True, 0).outcome == "no"
    decision = not_greater([3, 4, 5], [1, 2, 3], False, 0)
    mirrored = ordering([3, 4, 5], [1, 2, 3], False, 0)
    assert (decision.p, decision.p_against) == pytest.approx((mirrored.p_against, mirrored.p), rel=1e-12)


def test_ratio_by_hand():
    """9, 10, 11 over 4, 5, 6: ratio 2, log standard error .1290994, 2.9411765 degrees of freedom (see intervals).

    Upper edge 2.5 + 1.5 = 4: t = log(4 / 2) / .1290994 = 5.369096; lower edge 1: t = log(2 / 1) / .1290994, the same.
    """
    decision = ratio([9, 10, 11], [4, 5, 6], printed=2.5, margin=1.5)
    assert decision.p == pytest.approx(stats.t.sf(5.369096, 2.9411765), rel=1e-5)
    assert decision.outcome == "yes"
    interval = ratio_interval([9, 10, 11], [4, 5, 6], 0.9)
    assert (decision.low, decision.high) == pytest.approx((interval.low, interval.high), rel=1e-12)
    assert decision.estimate == pytest.approx(2, rel=1e-12)
    assert ratio([9, 10, 11], [4, 5, 6], 2, 0.3).outcome == "undecided"
    assert ratio([9, 10, 11], [4, 5, 6], 4, 0.5).outcome == "no"
    assert ratio([9, 10, 11], [4, 5, 6], 0.5, 0.5).outcome == "no"


@given(positive, positive, st.floats(0.2, 3), st.floats(0.05, 2))
@quick
def test_ratio_follows_its_interval(a: list[float], b: list[float], printed: float, margin: float):
    """Yes exactly where the 90% interval lies inside printed -+ margin, no only where outside it."""
    decision, interval = ratio(a, b, printed, margin), ratio_interval(a, b, 0.9)
    assert interval.low is not None
    assert interval.high is not None
    assert (decision.outcome == "yes") == (printed - margin < interval.low and interval.high < printed + margin)
    if decision.outcome == "no":
        assert interval.low > printed + margin or interval.high < printed - margin


def test_a_ratio_of_next_to_nothing_has_no_upper_end():
    """A mean of 3e-7 with a spread of 1: the logarithm's bound is beyond any number."""
    found = ratio([1.0, -1.0, 1e-6], [1.0, 1.1, 0.9], 1, 0.1)
    assert (found.outcome, found.low, found.high) == ("undecided", 0.0, math.inf)


def test_ratio_is_undecided_without_a_ratio():
    """A mean that is not above 0; or too few seeds."""
    undefined = ratio([1, 2, 3], [-1, -2, -3], 1, 0.1)
    assert (undefined.outcome, undefined.estimate, undefined.p, undefined.n) == ("undecided", None, None, (3, 3))
    assert "both means must be above 0" in undefined.reason
    assert ratio([1, 2], [1, 2, 3], 1, 0.1).reason == "n < 3: no interval at all"
    assert ratio([-1, -2], [1, 2, 3], 1, 0.1).reason == "n < 3: no interval at all"


def test_ordering_tells_trifles_and_excluded_advantages():
    """The margin changes the reason, never the outcome."""
    trifle = ordering([3, 4, 5], [1, 2, 3], False, margin=4)
    assert (trifle.outcome, trifle.reason) == ("yes", "greater, but by less than the margin 4")
    excluded = ordering([1, 2, 3], [1, 2, 3.5], False, margin=4)
    assert excluded.outcome == "undecided"
    assert "an advantage of the margin 4 or more is excluded" in excluded.reason
    assert "excluded" not in ordering([1, 2, 3], [1, 2, 3.5], False, margin=1).reason
    assert ordering(LOW, HIGH, False, margin=1).reason == "reversed: less, not greater"


@pytest.mark.parametrize("paired", [False, True])
def test_fewer_than_three_seeds_decide_nothing(paired: bool):
    """No matter how far apart they are."""
    for function in (ordering, equivalence, not_greater):
        for a, b in (([9.0], [1.0]), ([9.0, 9.1], [1.0, 1.1])):
            decision = function(a, b, paired, 1.0)
            assert (decision.outcome, decision.reason) == ("undecided", "n < 3: no interval at all")
            assert (decision.low, decision.high, decision.p, decision.p_against) == (None,) * 4
            assert decision.seeds_to_decide is None
            assert decision.estimate == 8
    assert ordering([9, 9, 9], [1, 2], False, 1).n == (3, 2)


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("function", [ordering, equivalence, not_greater])
def test_equal_scores_decide_nothing(function: Any, paired: bool):
    """However far apart: 1 - .05^(1/3) = 63% of seeds may still behave otherwise; nothing is tested."""
    for a, b in (([0.2] * 3, [0.3] * 3), ([9.0] * 3, [1.0] * 3), ([1.0] * 3, [1.0] * 3)):
        decision = function(a, b, paired, 0.05)
        assert (decision.outcome, decision.p, decision.p_against, decision.low) == ("undecided", None, None, None)
        assert decision.reason == "equal scores: 3 seeds cannot exclude a mode of up to 63% of seeds"
        assert decision.seeds_to_decide is None
    assert ratio([0.3] * 3, [0.2] * 3, 1.5, 0.1).outcome == "undecided"


def test_equal_differences_are_equal_scores_for_pairs():
    """Each seed gains exactly .1; unpaired, the spread between seeds remains."""
    a, b = [0.3, 0.5, 0.8], [0.2, 0.4, 0.7]
    assert ordering(a, b, True, 0).p is None
    assert ordering(a, b, False, 0).p is not None


def test_what_is_computed_decides_by_its_value():
    """Network sizes do not vary between seeds: p is 0 or 1, or 1/2 on an edge."""
    more, less = exact_estimate(0.3, 3), exact_estimate(0.2, 3)
    cases = ((0.2, "yes", 0.0), (0.05, "no", 1.0), (0.1, "undecided", 0.5))
    for margin, outcome, p in cases:
        decision = equivalence(more, less, False, margin)
        assert (decision.outcome, decision.p, decision.low) == (outcome, p, decision.high)
    assert ordering(more, less, False, 0).outcome == "yes"
    assert not_greater(more, less, False, 0.05).outcome == "no"


def test_pairs_show_their_correlation():
    """1, 2, 4 and 1, 3, 4: covariances 2.3333 / sqrt(2.3333 * 2.3333) by hand: deviations -4/3, -1/3, 5/3 and -5/3,
    1/3, 4/3 give a sum of products of 39/9 against sums of squares of 42/9, r = 39 / 42.
    """
    decision = ordering([1, 2, 4], [1, 3, 4], paired=True, margin=0)
    assert (decision.paired, decision.correlation) == (True, pytest.approx(39 / 42))
    assert ordering([1, 2, 4], [1, 1, 1], paired=True, margin=0).correlation is None
    unpaired = ordering([1, 2, 4], [1, 3, 4], paired=False, margin=0)
    assert (unpaired.paired, unpaired.correlation) == (False, None)


def test_a_paired_ratio_by_hand():
    """9, 10, 11 over 4, 5, 6: relative differences .9 - .8, 0, 1.1 - 1.2, sd .1, error .1 / sqrt 3, df 2."""
    decision = ratio([9, 10, 11], [4, 5, 6], 2, 0.3, paired=True)
    half = stats.t.ppf(0.95, 2) * 0.1 / math.sqrt(3)
    assert (decision.low, decision.high) == pytest.approx((2 * math.exp(-half), 2 * math.exp(half)))
    assert (decision.n, decision.paired) == ((3,), True)
    assert decision.outcome == "undecided"
    assert ratio([9, 10, 11], [4, 5, 6], 2, 0.5, paired=True).outcome == "yes"


def test_a_ratio_whose_numerator_is_nothing_is_refuted():
    """Fieller: -.1, 0, .05 minus .8 times 1, 1.1, .9 is clearly below 0. A denominator near 0 has no such edge."""
    found = ratio([-0.1, 0.0, 0.05], [1.0, 1.1, 0.9], 0.9, 0.1)
    p = stats.ttest_ind([-0.1, 0.0, 0.05], np.multiply(0.8, [1.0, 1.1, 0.9]), equal_var=False, alternative="less")
    assert found.outcome == "no"
    assert found.p_against == pytest.approx(scipy_p(p))
    assert known(found.estimate) < 0
    assert ratio([-0.1, 0.0, 0.05], [-1.0, 1.1, 0.9], 0.9, 0.1).outcome == "undecided"
    assert ratio([-0.1, 0.0, 0.05], [0.01, 0.02, 0.05], 0.9, 0.1).outcome == "undecided"


@given(samples, samples, st.integers(-40, 40), st.sampled_from([0.25, 2.0, 16.0]), st.integers(1, 40))
@quick
def test_shift_and_scale_change_nothing(a: list[float], b: list[float], shift: int, scale: float, margin: int):
    """A constant added to both sides, or another unit (margin included), does not change outcome and p."""
    for function in (ordering, equivalence, not_greater):
        plain = function(a, b, False, margin)
        moved = function(np.array(a) * scale + shift, np.array(b) * scale + shift, False, margin * scale)
        assert moved.outcome == plain.outcome
        assert moved.p == pytest.approx(plain.p, abs=1e-9)
        assert moved.estimate == pytest.approx(known(plain.estimate) * scale, abs=1e-9)


@given(samples, samples, st.booleans(), st.integers(1, 40))
@quick
def test_swapping_sides(a: list[float], b: list[float], paired: bool, margin: int):
    """Flips an ordering, leaves an equivalence."""
    a, b = (a[: len(b)], b[: len(a)]) if paired else (a, b)
    there, back = ordering(a, b, paired, margin), ordering(b, a, paired, margin)
    assert there.outcome == OPPOSITE[back.outcome]
    assert there.p == pytest.approx(back.p_against, abs=1e-12)
    assert there.seeds_to_decide == back.seeds_to_decide
    same, again = equivalence(a, b, paired, margin), equivalence(b, a, paired, margin)
    assert (same.outcome, same.seeds_to_decide) == (again.outcome, again.seeds_to_decide)
    assert same.p == pytest.approx(again.p, abs=1e-12)


@given(samples, samples, st.integers(1, 60), st.integers(0, 60))
@quick
def test_wider_margins_are_easier_to_keep(a: list[float], b: list[float], margin: int, more: int):
    """With the margin p falls and p_against rises, from no through undecided to yes; orderings do not change."""
    rank = {"no": 0, "undecided": 1, "yes": 2}
    assume(max(np.ptp(a), np.ptp(b)) > 0)
    for function in (equivalence, not_greater):
        narrow, wide = function(a, b, False, margin), function(a, b, False, margin + more)
        assert known(wide.p) <= known(narrow.p)
        assert known(wide.p_against) >= known(narrow.p_against)
        assert rank[wide.outcome] >= rank[narrow.outcome]
    assert ordering(a, b, False, margin).outcome == ordering(a, b, False, margin + more).outcome


@given(samples, samples, st.integers(0, 50))
@quick
def test_a_higher_score_is_better(a: list[float], b: list[float], gain: int):
    """Adding a constant to the greater side can only lower p."""
    assume(max(np.ptp(a), np.ptp(b)) > 0)
    plain, better = ordering(a, b, False, 0), ordering(np.array(a) + gain, b, False, 0)
    assert known(better.p) <= known(plain.p) + 1e-12
    assert better.estimate == pytest.approx(known(plain.estimate) + gain)


def test_bad_input_is_refused():
    """Not-numbers, empty sides, unequal pairs, impossible margins and printed values."""
    for function in (ordering, equivalence, not_greater):
        for a, b, paired in (([1, math.nan, 3], LOW, False), (LOW, [1, 2, math.inf], True), ([], LOW, False)):
            with pytest.raises(StatisticsError):
                function(a, b, paired, 1)
        with pytest.raises(StatisticsError, match="same seeds"):
            function([1, 2, 3, 4], LOW, True, 1)
        for margin in (-1, math.nan, math.inf):
            with pytest.raises(StatisticsError, match="margin"):
                function(LOW, HIGH, False, margin)
    with pytest.raises(StatisticsError, match="above 0"):
        equivalence(LOW, HIGH, False, 0)
    for printed, margin in ((0, 1), (-1, 1), (math.nan, 1), (1, 0)):
        with pytest.raises(StatisticsError):
            ratio(LOW, HIGH, printed, margin)
    with pytest.raises(StatisticsError):
        ratio([math.nan] * 3, HIGH, 1, 1)


@pytest.mark.parametrize("paired", [True, False])
def test_a_student_that_keeps_exactly_nothing_is_refuted(paired: bool) -> None:
    found = ratio([0.0] * 5, [1, 1.1, 0.9, 1.05, 0.95], 0.9, 0.1, paired)
    assert (found.outcome, found.estimate, found.low, found.high) == ("no", 0.0, 0.0, 0.0)
    equal = ratio([0.0] * 5, [1.0] * 5, 0.9, 0.1, paired)
    assert (equal.outcome, equal.undefined) == ("undecided", False)
    assert "equal scores" in equal.reason
