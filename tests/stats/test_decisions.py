"""Decisions against hand-worked numbers and scipy, their error rates by simulation, and their properties.

Axes: S seed.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.stats import decisions
from bench.stats.decisions import (
    Decision,
    conjunction,
    equivalence,
    holm,
    not_greater,
    ordering,
    ratio,
    seeds_to_decide,
)
from bench.stats.estimates import Estimate, StatisticsError
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


def made(p: float | None, p_against: float | None, seeds: int | None = None, estimate: float = 0.0) -> Decision:
    """A decision with these p-values."""
    outcome = (
        "undecided"
        if p is None or p_against is None
        else "yes"
        if p < 0.05
        else "no"
        if p_against < 0.05
        else "undecided"
    )
    return Decision(outcome, estimate, None, None, 0.9, p, (5, 5), "made", seeds, p_against)


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
    assert equivalence(LOW, HIGH, True, 11).outcome == "yes"


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
    """2 -+ 1.740645: below a margin of 4, above one of .2, undecided at 2; a clearly lesser a is not greater."""
    outcomes = [not_greater([3, 4, 5], [1, 2, 3], False, margin).outcome for margin in (4, 2, 0.2)]
    assert outcomes == ["yes", "undecided", "no"]
    assert not_greater(LOW, HIGH, False, 0).outcome == "yes"
    assert not_greater(HIGH, LOW, True, 0).outcome == "no"
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


def test_ratio_is_undecided_without_a_ratio():
    """A mean that is not above 0; or too few seeds."""
    undefined = ratio([-1, -2, -3], [1, 2, 3], 1, 0.1)
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
    """However far apart they are."""
    for function in (ordering, equivalence, not_greater):
        for a, b in (([9.0], [1.0]), ([9.0, 9.1], [1.0, 1.1])):
            decision = function(a, b, paired, 1.0)
            assert (decision.outcome, decision.reason) == ("undecided", "n < 3: no interval at all")
            assert (decision.low, decision.high, decision.p, decision.p_against) == (None,) * 4
            assert decision.seeds_to_decide is None
            assert decision.estimate == 8
    assert ordering([9, 9, 9], [1, 2], False, 1).n == (3, 2)


@pytest.mark.parametrize("paired", [False, True])
def test_constant_scores_decide_by_the_value(paired: bool):
    """The p is 0 or 1, or 1/2 on an edge; .3 - .2 is .1 to within rounding."""
    low, high = [0.2] * 3, [0.3] * 3
    cases = [
        (ordering, high, low, 0.5, "yes", 0.0),
        (ordering, low, high, 0.5, "no", 1.0),
        (ordering, low, low, 0.5, "undecided", 0.5),
        (equivalence, high, low, 0.2, "yes", 0.0),
        (equivalence, high, low, 0.05, "no", 1.0),
        (equivalence, high, low, 0.1, "undecided", 0.5),
        (not_greater, high, low, 0.2, "yes", 0.0),
        (not_greater, high, low, 0.05, "no", 1.0),
        (not_greater, high, low, 0.1, "undecided", 0.5),
    ]
    for function, a, b, margin, outcome, p in cases:
        decision = function(a, b, paired, margin)
        assert (decision.outcome, decision.p, decision.low) == (outcome, p, decision.high)
        assert decision.reason.startswith("constant scores")
        assert decision.seeds_to_decide is None
    outcomes = [
        ratio(high, low, 1.5, 0.1).outcome,
        ratio(high, low, 1.2, 0.1).outcome,
        ratio(high, low, 1.2, 0.3).outcome,
    ]
    assert outcomes == ["yes", "no", "undecided"]


def test_constant_differences_are_constant_scores_for_pairs():
    """Each seed gains exactly .1; unpaired, the spread between seeds stays."""
    a, b = [0.3, 0.5, 0.8], [0.2, 0.4, 0.7]
    assert ordering(a, b, True, 0).p == 0
    assert ordering(a, b, False, 0).outcome == "undecided"


@given(samples, samples, st.integers(-40, 40), st.sampled_from([0.25, 2.0, 16.0]), st.integers(1, 40))
@quick
def test_shift_and_scale_change_nothing(a: list[float], b: list[float], shift: int, scale: float, margin: int):
    """A constant added to both sides, or one unit for another (margin included), leaves outcome and p as they are."""
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
    """With the margin p falls and p_against rises, from no by undecided to yes; orderings do not move."""
    rank = {"no": 0, "undecided": 1, "yes": 2}
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
    plain, better = ordering(a, b, False, 0), ordering(np.array(a) + gain, b, False, 0)
    assert known(better.p) <= known(plain.p) + 1e-12
    assert better.estimate == pytest.approx(known(plain.estimate) + gain)


def test_holm_by_hand():
    """.01, .04, .03: 3 * .01 = .03, then 2 * .03 = .06, then max(.06, .04) = .06."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.9, 0.5]) == (1.0, 1.0)
    assert holm([0.2]) == (0.2,)


def test_all_of_them_need_no_correction_for_yes():
    """Three p of .04 are a yes, with p .04; one of .06 is not, and is named as the limit."""
    yes = conjunction([made(0.04, 0.96, estimate=1.0), made(0.01, 0.99), made(0.03, 0.97)])
    assert (yes.outcome, yes.p, yes.estimate, yes.n) == ("yes", 0.04, 1.0, (5, 5))
    assert yes.reason == "all 3 hold; limited by comparison 1 of 3: p = 0.04"
    limited = conjunction([made(0.04, 0.96), made(0.06, 0.94, 11, estimate=2.0)], names=["push", "adversary"])
    assert (limited.outcome, limited.estimate, limited.seeds_to_decide) == ("undecided", 2.0, 11)
    assert limited.reason == "limited by adversary: p = 0.06"


def test_a_reversal_must_survive_holm():
    """A p against of .02 of 2: .04, a no. Of 3: .06, undecided, and no number of seeds is given."""
    reversal = made(0.98, 0.02, estimate=-3.0)
    no = conjunction([made(0.01, 0.99), reversal], names=["push", "adversary"])
    assert (no.outcome, no.p_against, no.estimate) == ("no", 0.04, -3.0)
    assert no.reason == "reversed after Holm's correction: adversary"
    weak = conjunction([made(0.01, 0.99), reversal, made(0.2, 0.8, 30)])
    assert (weak.outcome, weak.p_against, weak.seeds_to_decide) == ("undecided", pytest.approx(0.06), None)
    both = conjunction([made(0.99, 0.01), made(0.98, 0.02)])
    assert both.reason.endswith("comparison 1 of 2, comparison 2 of 2")


def test_untested_comparisons_limit_all_of_them():
    """Fewer than 3 seeds somewhere: never a yes, but a reversal elsewhere still stands, corrected over all."""
    untested = ordering([1, 2], [3, 4], False, 0)
    limited = conjunction([made(0.01, 0.99), untested])
    assert (limited.outcome, limited.reason, limited.n) == ("undecided", "untested: comparison 2 of 2", (2, 2))
    assert limited.seeds_to_decide is None
    assert conjunction([made(0.99, 0.01), untested]).outcome == "no"
    nothing = conjunction([untested])
    assert (nothing.outcome, nothing.p, nothing.p_against) == ("undecided", None, None)


def test_seeds_of_all_is_the_greatest():
    """The hardest of the undecided, None where one cannot be decided."""
    several = [made(0.2, 0.8, 7), made(0.01, 0.99), made(0.3, 0.7, 40)]
    assert conjunction(several).seeds_to_decide == 40
    assert conjunction([*several, made(0.5, 0.5, None)]).seeds_to_decide is None


def test_one_decision_is_its_own_conjunction():
    """For each kind and outcome: same outcome, p and interval."""
    a, b = [3.0, 4, 5], [1.0, 2, 3]
    kinds = [
        *(
            function(x, y, False, 2)
            for function in (ordering, equivalence, not_greater)
            for x, y in ((a, b), (LOW, HIGH))
        ),
        equivalence(a, b, False, 0.2),
        ratio(a, b, 2, 0.5),
    ]
    for decision in kinds:
        alone = conjunction([decision])
        assert replace(alone, reason="") == replace(decision, reason="")
    with pytest.raises(StatisticsError, match="none"):
        conjunction([])
    with pytest.raises(StatisticsError, match="got 1 for 2"):
        conjunction(kinds[:2], names=["one"])


def test_seeds_to_decide_against_normal_theory():
    """Normal theory, 2 (1.645 + .842)^2 / d^2, plus the correction 1.645^2 / 4 for t (Guenther 1981), rounded up.

    d = .5: 49.5 + .7, 51. d = .8: 19.3 + .7, on the line between 20 and 21. d = 1: 12.4 + .7, 14. One sample of
    differences, d = .5: half of 49.5 and twice the correction, 24.7 + 1.4, 27. Equivalence at no difference, sd 1,
    margin 1, where each of the two tests may miss 10%: 2 (1.645 + 1.282)^2 + .7 = 17.8, 18.
    """
    sides = {effect: seeds_to_decide(Estimate(effect, (1, 1), (5, 5), 0), 0, math.inf) for effect in (0.5, 0.8, 1.0)}
    assert (sides[0.5], sides[0.8]) == (51, 21)
    assert sides[1.0] == 14
    assert seeds_to_decide(Estimate(0.5, (1,), (5,), 0), 0, math.inf) == 27
    assert seeds_to_decide(Estimate(0, (1, 1), (5, 5), 0), -1, 1) == 18


def test_seeds_to_decide_at_the_edges():
    """Nothing decides on an edge; 1000 are the most; constants need 3; the sign of the effect does not matter."""
    assert seeds_to_decide(Estimate(0, (1, 1), (3, 3), 0), 0, math.inf) is None
    assert seeds_to_decide(Estimate(1, (1, 1), (3, 3), 0), -1, 1) is None
    assert seeds_to_decide(Estimate(0.01, (1, 1), (3, 3), 0), 0, math.inf) is None
    assert seeds_to_decide(Estimate(1, (0, 0), (3, 3), 1e-15), 0, math.inf) == 3
    assert seeds_to_decide(Estimate(0, (0, 0), (3, 3), 1e-15), 0, math.inf) is None
    for value in (-0.7, -3.0):
        mirrored = Estimate(-value, (1, 2), (3, 3), 0)
        assert seeds_to_decide(Estimate(value, (1, 2), (3, 3), 0), 0, math.inf) == seeds_to_decide(
            mirrored, 0, math.inf
        )
    outcome = ordering([1, 2, 3], [1, 2, 3], False, 0)
    assert (outcome.outcome, outcome.seeds_to_decide) == ("undecided", None)


def test_undecided_names_more_seeds_than_there_were():
    """Differences 1, 2, 3 unpaired: at least one more seed than the 3 that did not decide."""
    decision = ordering([2, 3, 4], [1, 2, 3], False, 0)
    assert decision.outcome == "undecided"
    assert decision.seeds_to_decide is not None
    assert decision.seeds_to_decide > 3


def test_bad_input_is_refused():
    """Not-numbers, empty sides, unequal pairs, margins and printed values that cannot be meant."""
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


REPETITIONS = 2000
WRONG = 0.05 + 3 * math.sqrt(0.05 * 0.95 / REPETITIONS)  # 5% and three Monte-Carlo standard errors


def rates(decide) -> dict[str, float]:
    """Share of each outcome in seeded repetitions; `decide` takes a generator."""
    rng = np.random.default_rng(1987)
    with pytest.MonkeyPatch.context() as patch:  # the search for a number of seeds takes most of the time
        patch.setattr(decisions, "seeds_to_decide", lambda *_: None)
        outcomes = [decide(rng).outcome for _ in range(REPETITIONS)]
    return {outcome: outcomes.count(outcome) / REPETITIONS for outcome in OPPOSITE}


@pytest.mark.parametrize(("n", "spread"), [(3, 1.0), (5, 0.5), (10, 2.0)])
def test_simulated_orderings_are_rarely_wrong(n: int, spread: float):
    """Without a difference each direction is claimed at most 5% of the time, and for pairs not much less."""
    unpaired = rates(lambda rng: ordering(rng.normal(0, 1, n), rng.normal(0, spread, n), False, 1))
    paired = rates(lambda rng: ordering(rng.normal(0, 1, n), rng.normal(0, spread, n), True, 1))
    for outcome in ("yes", "no"):
        assert unpaired[outcome] <= WRONG
        assert 0.1 - WRONG <= paired[outcome] <= WRONG


@pytest.mark.parametrize("margin", [0.05, 1.5])
@pytest.mark.parametrize(("function", "paired"), [(equivalence, False), (equivalence, True), (not_greater, False)])
def test_simulated_equivalence_is_rarely_wrong(function, paired: bool, margin: float):
    """On the edge both answers are wrong: each at most 5%, also where the margin is a tenth of the standard error.

    There the interval alone would say no up to twice as often.
    """
    wrong = rates(lambda rng: function(rng.normal(margin, 1, 8), rng.normal(0, 1, 8), paired, margin))
    assert max(wrong["yes"], wrong["no"]) <= WRONG


def test_simulated_ratio_is_rarely_wrong():
    """True ratio 1.2 on the edge of 1 -+ .2, 5 seeds a side."""
    wrong = rates(lambda rng: ratio(rng.normal(1.2, 0.1, 5), rng.normal(1, 0.05, 5), 1, 0.2))
    assert max(wrong["yes"], wrong["no"]) <= WRONG


def test_simulated_conjunction_is_rarely_wrong():
    """Two comparisons, one without a difference: a wrong yes at most 5%; three on the edge: a wrong no at most 5%."""

    def paired(rng: np.random.Generator, effects: tuple[float, ...]) -> Decision:
        return conjunction([ordering(rng.normal(e, 1, 5), rng.normal(0, 1, 5), True, 1) for e in effects])

    assert rates(lambda rng: paired(rng, (9, 0)))["yes"] <= WRONG
    assert rates(lambda rng: paired(rng, (0, 0, 0)))["no"] <= WRONG


@given(st.floats(2, 2000), st.floats(40, 60), st.floats(1.64, 4.3))
@quick
def test_distant_centres_are_certain(df: float, centre: float, critical: float):
    """The noncentral t beyond 50 is cut off: before and after, scipy says 1."""
    assert stats.nct.sf(critical, df, centre) == pytest.approx(1, abs=1e-12)
    assert decisions._exceeds(critical, df, centre) == pytest.approx(1, abs=1e-12)


@given(st.floats(-3, 3), st.sampled_from([(0.0, math.inf), (-0.5, 0.5), (-2.0, 2.0), (-math.inf, 1.0)]))
@settings(quick, max_examples=30)
def test_the_number_named_is_the_first_with_enough_power(value: float, region: tuple[float, float]):
    """Power is below 80% at every smaller number looked at, and not below at the number or a greater one."""
    estimate = Estimate(value, (1, 0.6), (5, 5), 0)
    named = seeds_to_decide(estimate, *region) or 1001
    for n in {*range(3, 20), *range(20, 1001, 98), *range(max(3, named - 2), min(1000, named + 2) + 1)}:
        assert (decisions._power(estimate, *region, n) >= 0.8) == (n >= named)


@pytest.mark.parametrize(
    ("estimate", "low", "high", "decide"),
    [
        (Estimate(1.0, (1, 0.5), (5, 5), 0), 0, math.inf, lambda a, b: ordering(a, b, False, 1)),
        (Estimate(1.0, (1,), (5,), 0), 0, math.inf, lambda a, b: ordering(a, b, True, 1)),
        (Estimate(-2.0, (1, 1), (5, 5), 0), 0, math.inf, lambda a, b: ordering(a, b, False, 1)),
        (Estimate(0.3, (1, 1), (5, 5), 0), -1.5, 1.5, lambda a, b: equivalence(a, b, False, 1.5)),
        (Estimate(1.3, (1, 1), (5, 5), 0), -0.05, 0.05, lambda a, b: equivalence(a, b, False, 0.05)),
        (Estimate(-1.0, (1, 1), (5, 5), 0), -math.inf, 0.2, lambda a, b: not_greater(a, b, False, 0.2)),
    ],
)
def test_simulated_power_at_the_named_number_of_seeds(estimate: Estimate, low: float, high: float, decide):
    """At least 75% at the number named for 80%, and less than 80% (and noise) at two thirds of it: no waste."""
    n = seeds_to_decide(estimate, low, high)
    assert n is not None
    outcome = "yes" if low < estimate.value < high else "no"
    sides = (*estimate.spreads, 1e-9)[:2]

    def draw(rng: np.random.Generator, count: int) -> Decision:
        return decide(rng.normal(estimate.value, sides[0], count), rng.normal(0, sides[1], count))

    assert rates(lambda rng: draw(rng, n))[outcome] >= 0.75
    assert rates(lambda rng: draw(rng, max(3, 2 * n // 3)))[outcome] < 0.8
