"""Corrections against statsmodels and hand-worked numbers; families of decisions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr
from statsmodels.stats.multitest import multipletests

from bench.stats.decisions import Decision, conjunction, ordering, untested
from bench.stats.estimates import StatisticsError
from bench.stats.families import at_least, corrected, majority
from bench.stats.multiplicity import benjamini_hochberg, holm, intersection_union, most, partial_conjunction

quick = settings(max_examples=60, deadline=None, derandomize=True, database=None)
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def made(p: float, seeds: tuple[int, ...] = (5, 5)) -> Decision:
    """An ordering with this p."""
    outcome = "yes" if p < 0.05 else "no" if p > 0.95 else "undecided"
    return Decision(outcome, 1 - p, None, None, 0.9, p, seeds, "made", None, 1 - p)


UNTESTED = ordering([1, 2], [3, 4], False, 0)


@given(p_values)
@settings(quick, max_examples=15)
def test_corrections_agree_with_statsmodels(p: list[float]):
    """Also with ties and zeros."""
    for ours, name in ((holm, "holm"), (benjamini_hochberg, "fdr_bh")):
        assert ours(p) == pytest.approx(multipletests(p, method=name)[1], abs=1e-12)


def test_corrections_by_hand():
    """.01, .04, .03. Holm: .03, .06, .06. Benjamini-Hochberg: 3 * .01, then min(3/2 * .03, .04) = .04 for both."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert benjamini_hochberg([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.04, 0.04))
    assert intersection_union([0.01, 0.04, 0.03]) == 0.04


def test_partial_conjunction_by_hand():
    """At least 3 of 5: (5 - 3 + 1) times the third smallest, 3 * .015 = .045."""
    p = [0.9, 0.001, 0.015, 0.01, 0.8]
    assert partial_conjunction(p, 3) == pytest.approx(0.045)
    assert partial_conjunction(p, 5) == intersection_union(p)
    assert partial_conjunction(p, 1) == pytest.approx(0.005)
    assert partial_conjunction(p, 4) == 1
    assert [most(count) for count in (1, 2, 3, 4, 5)] == [1, 2, 2, 3, 3]


@given(p_values, st.data())
@quick
def test_asking_for_more_is_harder(p: list[float], data: st.DataObject):
    """And a smaller p never makes anything harder."""
    r = data.draw(st.integers(1, len(p)))
    assert partial_conjunction(p, r) <= partial_conjunction([min(1.0, 1.5 * x) for x in p], r)
    assert partial_conjunction(p, len(p)) >= min(p)


@pytest.mark.parametrize("p", [[], [0.5, float("nan")], [-0.1], [1.1], [[0.5]]])
def test_what_is_no_p_value_is_refused(p: list[float]):
    """By every function."""
    for function in (holm, benjamini_hochberg, intersection_union, lambda values: partial_conjunction(values, 1)):
        with pytest.raises(StatisticsError, match="p_values"):
            function(p)
    with pytest.raises(StatisticsError, match="at_least"):
        partial_conjunction([0.5], 2)


def test_most_of_them():
    """Yes by three of five at .015 (p .045), undecided at .02; no where three are reversed."""
    yes = majority([made(p) for p in (0.015, 0.01, 0.001, 0.5, 0.99)], names=list("abcde"))
    assert (yes.outcome, yes.p, yes.estimate) == ("yes", pytest.approx(0.045), 0.6)
    assert yes.reason == "most means 3 of 5; 3 hold each by itself, not shown: d, e"
    assert majority([made(p) for p in (0.02, 0.01, 0.001, 0.5, 0.99)]).outcome == "undecided"
    no = majority([made(p) for p in (0.985, 0.99, 0.999, 0.5, 0.01)])
    assert (no.outcome, no.p_against) == ("no", pytest.approx(0.045))
    four = majority([made(p) for p in (0.99, 0.99, 0.01, 0.01)])
    assert (four.outcome, four.p_against) == ("no", pytest.approx(0.03))  # 3 of 4 cannot hold: 2 are reversed, 3 * .01


def test_at_least_so_many_of_them():
    """2 of 4: 3 p_(2) = .045 is yes; no where 3 are reversed, 2 p_(3) = .04. An untested one counts as not shown."""
    yes = at_least([made(p) for p in (0.015, 0.001, 0.5, 0.99)], 2, names=list("abcd"))
    assert (yes.outcome, yes.p, yes.estimate) == ("yes", pytest.approx(0.045), 0.5)
    assert yes.reason == "2 of 4; 2 hold each by itself, not shown: c, d"
    no = at_least([made(p) for p in (0.98, 0.99, 0.999, 0.01)], 2)
    assert (no.outcome, no.p_against) == ("no", pytest.approx(0.04))
    assert at_least([made(0.97), made(0.99), made(0.999), made(0.01)], 2).outcome == "undecided"
    assert at_least([made(0.001), made(0.001), untested("lost")], 2).outcome == "yes"
    assert at_least([made(0.999), made(0.999), untested("lost")], 2).outcome == "no"
    for wrong in (0, 5):
        with pytest.raises(StatisticsError, match="at_least"):
            at_least([made(0.5)] * 4, wrong)


@given(p_values)
@quick
def test_at_least_all_is_the_conjunction(p: list[float]):
    """Same outcome, same p, both ways."""
    decisions = [made(value) for value in p]
    every, conjoined = at_least(decisions, len(p)), conjunction(decisions)
    assert (every.outcome, every.p) == (conjoined.outcome, conjoined.p)
    assert every.p_against == pytest.approx(conjoined.p_against)


@pytest.mark.parametrize("shared", [0.0, 0.8], ids=["independent", "dependent"])
@pytest.mark.parametrize("needed", [1, 2, 3, 4])
def test_at_least_errs_at_most_one_time_in_twenty(needed: int, shared: float):
    """Four z tests on the edge of the question, 2,000 times: at most 5% wrong, apart from four Monte-Carlo errors.

    All needed tests but one hold by far, and one has no difference. If the rest has none either, "yes" is wrong;
    if the rest is reversed by far, "no" would be. shared: the part of the variance that the tests have in common.
    """
    rng = np.random.default_rng([needed, int(10 * shared)])
    noise = np.sqrt(shared) * rng.normal(size=(2000, 1)) + np.sqrt(1 - shared) * rng.normal(size=(2000, 4))
    room = 4 * np.sqrt(0.05 * 0.95 / 2000)
    for wrong, rest in (("yes", 0.0), ("no", -6.0)):
        means = np.array([6.0] * (needed - 1) + [0.0] + [rest] * (4 - needed))
        outcomes = [at_least([made(float(p)) for p in ndtr(-row)], needed).outcome for row in means + noise]
        assert outcomes.count(wrong) / 2000 <= 0.05 + room


def test_untested_ones_count():
    """An untested comparison is one that was not shown."""
    assert majority([made(0.01), UNTESTED]).outcome == "undecided"
    assert majority([made(0.001), made(0.001), UNTESTED]).outcome == "yes"
    nothing = majority([UNTESTED])
    assert (nothing.outcome, nothing.p, nothing.n) == ("undecided", None, (2, 2))
    with pytest.raises(StatisticsError, match="none"):
        majority([])
    with pytest.raises(StatisticsError, match="names"):
        majority([made(0.5)], names=[])


def test_a_family_is_corrected_in_both_directions():
    """Three claims: Holm keeps .01 (.03) and loses .04 (.08); Benjamini-Hochberg keeps both (.03, .06 -> lost)."""
    family = [made(0.01), made(0.04), made(0.5), UNTESTED]
    kept = corrected(family, "holm")
    assert [one.outcome for one in kept] == ["yes", "undecided", "undecided", "undecided"]
    assert kept[0].p == pytest.approx(0.04)
    assert kept[1].reason == "yes alone, but not after the holm correction (made)"
    assert kept[3] == UNTESTED
    assert corrected([made(0.01), made(0.02)], "benjamini-hochberg")[1].outcome == "yes"
    assert corrected([made(0.99), made(0.97)], "holm")[0].outcome == "no"
    reversed_ones = corrected([made(0.97), made(0.5)], "holm")
    assert (reversed_ones[0].outcome, reversed_ones[0].seeds_to_decide) == ("undecided", None)


@given(st.lists(st.floats(0.001, 0.999), min_size=1, max_size=8))
@quick
def test_correction_never_decides(p: list[float]):
    """It only takes back, and does not change a family of one."""
    family = [made(value) for value in p]
    for name in ("holm", "benjamini-hochberg"):
        for before, after in zip(family, corrected(family, name), strict=True):
            assert after.outcome in (before.outcome, "undecided")
        assert corrected(family[:1], name)[0].outcome == family[0].outcome
    assert np.all(np.array(holm(p)) >= np.array(benjamini_hochberg(p)) - 1e-12)
