"""Decisions against printed values: hand-worked numbers, statsmodels and scipy, and every odd paper.

Axes: S seed.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW, ttost_ind

from bench.stats import published as module
from bench.stats.decisions import equivalence
from bench.stats.estimates import StatisticsError, mean_estimate
from bench.stats.intervals import prediction_interval
from bench.stats.published import EQUAL_VARIANCE, UNKNOWN, Published, reaches, same_value

quick = settings(max_examples=40, deadline=None, derandomize=True, database=None)
samples = st.lists(st.integers(0, 80).map(lambda number: number / 80), min_size=3, max_size=8).filter(
    lambda values: len(set(values)) > 1
)
OURS = [0.78, 0.8, 0.82, 0.79, 0.81]  # mean .8, sd .0158114


def test_a_printed_spread_stands_for_the_papers_seeds():
    """The same decision as with the seeds that have this mean and spread; only the seeds to decide differ."""
    theirs = [0.7, 0.75, 0.9, 0.8]
    printed = Published(float(np.mean(theirs)), float(np.std(theirs, ddof=1)), 4)
    for margin in (0.02, 0.05, 0.2):
        ours, expected = same_value(OURS, printed, margin).decision, equivalence(OURS, theirs, False, margin)
        assert (ours.outcome, ours.n) == (expected.outcome, expected.n)
        assert (ours.p, ours.p_against, ours.low, ours.high) == pytest.approx(
            (expected.p, expected.p_against, expected.low, expected.high), abs=1e-12
        )


@given(samples, samples, st.floats(0.02, 0.5))
@quick
def test_agrees_with_statsmodels(ours: list[float], theirs: list[float], margin: float):
    """TOST with unequal variances; and for m = infinity one-sample TOST."""
    printed = Published(float(np.mean(theirs)), float(np.std(theirs, ddof=1)), len(theirs))
    expected = ttost_ind(np.array(ours), np.array(theirs), -margin, margin, usevar="unequal")[0]
    assert same_value(ours, printed, margin).decision.p == pytest.approx(expected, abs=1e-9)
    exact = module._equal_variance(mean_estimate(ours), Published(printed.mean), math.inf).decide(-margin, margin)
    one_sample = DescrStatsW(np.array(ours)).ttost_mean(printed.mean - margin, printed.mean + margin)[0]
    assert exact.p == pytest.approx(one_sample, abs=1e-9)


def test_without_a_spread_ours_stands_in_by_hand():
    """n = m = 5, sd .0158114: standard error .0158114 sqrt(2/5) = .01, 4 degrees of freedom.

    At margin .05 and printed .78 the difference .02 is t = .03 / .01 = 3 below the upper edge:
    P(T > 3) = 1/2 - s (3 - s^2) / 4 with s = 3 / sqrt(13) = .832050: .0199711.
    """
    found = same_value(OURS, Published(0.78, seeds=5), 0.05)
    assert found.decision.p == pytest.approx(0.0199711, abs=1e-6)
    assert (found.decision.outcome, found.rule, found.tags) == ("yes", "seeds", (EQUAL_VARIANCE,))
    assert found.decision.n == (5, 5)


def test_a_mean_alone_needs_all_readings_to_agree():
    """Printed .76, margin .08: .04 apart, decided with m = 5, not with m = 1 (standard error .0173, t 2.31 on 4)."""
    lone = same_value(OURS, Published(0.76), 0.075)
    assert dict(lone.sensitivity) == {"m = 1": "undecided", "m = 3": "yes", "m = 5": "yes", "m = inf": "yes"}
    assert (lone.decision.outcome, lone.rule, lone.tags) == ("undecided", "mean", (EQUAL_VARIANCE, UNKNOWN))
    assert lone.decision.n == (5,)
    assert same_value(OURS, Published(0.79), 0.1).decision.outcome == "yes"
    assert same_value(OURS, Published(0.5), 0.1).decision.outcome == "no"
    with_spread = same_value(OURS, Published(0.76, spread=0.02), 0.075)
    assert replace(with_spread, rule="mean") == lone  # a spread of unknown m cannot be used


def test_ddof_is_shown_as_sensitivity():
    """A spread that was divided by m is sqrt(m / (m - 1)) too small: sqrt(1.5) at m = 3."""
    read_as_1 = same_value(OURS, Published(0.8, 0.05, 3), 0.1)
    assert read_as_1.sensitivity[0][0] == "ddof 0"
    read_as_0 = same_value(OURS, Published(0.8, 0.05, 3, ddof=0), 0.1)
    assert read_as_0.sensitivity == (("ddof 1", read_as_1.decision.outcome),)
    wider = same_value(OURS, Published(0.8, 0.05 * math.sqrt(1.5), 3), 0.1)
    assert replace(read_as_0.decision, depends=False) == replace(wider.decision, depends=False)
    outcomes = {reading.decision.outcome for reading in (read_as_0, read_as_1)}
    assert read_as_0.decision.depends == read_as_1.decision.depends == (len(outcomes) > 1)


def test_compatible_is_a_tag_and_never_the_verdict():
    """Noisy seeds are compatible with almost anything, and nothing follows."""
    noisy = [0.2, 0.9, 0.5, 0.7]
    found = same_value(noisy, Published(0.8, 0.3, 5), 0.1)
    assert (found.decision.outcome, found.compatible) == ("undecided", True)
    assert found.prediction == prediction_interval(noisy, 5)
    assert same_value(OURS, Published(0.5, seeds=5), 0.5).compatible is False
    assert same_value(OURS, Published(0.8), 0.1).compatible is True
    assert same_value(OURS, Published(0.5), 0.1).compatible is False
    assert same_value(OURS, Published(0.76), 0.1).compatible is None  # inside for m = 1, outside for infinity


def test_prediction_interval_by_hand():
    """1, 2, 3, one further seed: 2 -+ 4.302653 sqrt(1 + 1/3) = 4.968275; all further seeds: the mean's interval."""
    one, all_ = prediction_interval([1, 2, 3], 1), prediction_interval([1, 2, 3], math.inf)
    assert one.low is not None
    assert 2 - one.low == pytest.approx(4.968275, abs=1e-5)
    assert (all_.low, all_.high) == pytest.approx(stats.t.interval(0.95, 2, 2, 1 / math.sqrt(3)))
    assert prediction_interval([1, 2], 1).low is None
    assert prediction_interval([2, 2, 2], 1).reason == "constant scores: zero-width interval"
    with pytest.raises(StatisticsError, match="seeds"):
        prediction_interval([1, 2, 3], 0)


def test_reaches_and_exceeds():
    """One-sided: far above is accepted and reported; far below is a no."""
    above = reaches(OURS, Published(0.6, 0.02, 5), 0.1)
    assert (above.decision.outcome, above.exceeds) == ("yes", True)
    assert above.decision.reason == "reaches the printed 0.6 minus 0.1; exceeds it by more than 0.1"
    assert same_value(OURS, Published(0.6, 0.02, 5), 0.1).decision.outcome == "no"
    level = reaches(OURS, Published(0.8, 0.02, 5), 0.1)
    assert (level.decision.outcome, level.exceeds) == ("yes", False)
    assert reaches(OURS, Published(0.95, 0.02, 5), 0.1).decision.outcome == "no"
    assert reaches(OURS, Published(0.9, 0.02, 5), 0.1).decision.outcome == "undecided"


def test_no_number_of_our_seeds_makes_up_for_the_papers():
    """With m = 5 and infinitely many of ours, 80% power to say "same" at no difference needs a margin of 1.31 sd.

    (z_.95 + z_.9) / sqrt(5) = (1.645 + 1.282) / 2.236 = 1.309.
    """
    sd = float(np.std(OURS, ddof=1))
    printed = Published(float(np.mean(OURS)), seeds=5)
    question = module._equal_variance(mean_estimate(OURS), printed, 5)
    below, above = (question.power(1e9, -margin, margin) for margin in (1.30 * sd, 1.32 * sd))
    assert below < 0.8 < above
    found = same_value(OURS, printed, 1.2 * sd).decision
    assert (found.outcome, found.seeds_to_decide) == ("undecided", None)
    assert found.reason.endswith("seeds to decide: none: limited by the paper's 5 seeds")
    alone = same_value([0.7, 0.9, 0.8], Published(0.8), 0.1).decision
    assert alone.reason.endswith("limited by the paper's 1 seed, assumed")
    assert same_value([0.7, 0.9, 0.8], Published(0.8, seeds=1), 0.1).decision.reason.endswith("the paper's 1 seed")


def test_more_than_a_thousand_is_not_the_papers_fault():
    """A paper of 100,000 seeds, and our own with too wide a spread."""
    found = same_value([0.0, 1.0, 0.5], Published(0.5, seeds=100_000), 0.03).decision
    assert found.reason.endswith("seeds to decide: more than 1000")


@pytest.mark.parametrize(
    ("ours", "printed", "margin"),
    [
        ([0.6, 1.0, 0.8, 0.86], Published(0.8, 0.03, 5), 0.1),
        ([0.6, 1.0, 0.8, 0.86], Published(0.8, seeds=8), 0.2),
        ([0.72, 0.88, 0.8], Published(0.81), 0.26),
    ],
)
def test_the_number_named_is_the_first_with_enough_power(ours: list[float], printed: Published, margin: float):
    """Power is below 80% before it and not at it; the paper's seeds stay what they are."""
    named = same_value(ours, printed, margin).decision.seeds_to_decide
    assert named is not None
    assert named > len(ours)
    with_spread = printed.spread is not None
    known = printed.seeds or 1
    question = (
        module._with_spread(mean_estimate(ours), printed)
        if with_spread
        else module._equal_variance(mean_estimate(ours), printed, known)
    )
    powers = [question.power(n, -margin, margin) for n in range(3, named + 1)]
    assert powers[-1] >= 0.8
    assert max(powers[:-1]) < 0.8


@pytest.mark.parametrize("seeds", [1, 2])
def test_too_few_seeds_decide_nothing(seeds: int):
    """Too few of ours, whatever the paper's number; too few of the paper's, where its spread is used."""
    for printed in (Published(0.8, 0.1, 5), Published(0.8, seeds=5), Published(0.8)):
        for ask in (same_value, reaches):
            found = ask(OURS[:seeds], printed, 0.1)
            assert (found.decision.outcome, found.decision.p) == ("undecided", None)
            assert found.decision.reason == "n < 3: no interval at all"
            assert (found.prediction, found.compatible, found.exceeds) == (None, None, False)
    two = same_value(OURS, Published(0.8, 0.1, 2), 0.1)
    assert (two.decision.outcome, two.decision.reason) == ("undecided", "n < 3: no interval at all")
    assert two.compatible is True
    assert same_value(OURS, Published(0.8, seeds=2), 0.1).decision.outcome == "yes"


def test_equal_scores_decide_nothing():
    """Ours alone decide nothing; beside a printed spread they count."""
    constant = [0.8] * 4
    for printed in (0.75, 0.7, 0.1):
        found = same_value(constant, Published(printed, seeds=5), 0.1)
        assert (found.decision.outcome, found.decision.p, found.decision.seeds_to_decide) == ("undecided", None, None)
        assert found.decision.reason.startswith("equal scores")
        assert found.compatible is False
    assert same_value(constant, Published(0.8, seeds=5), 0.1).compatible is True
    assert same_value(constant, Published(0.75, 0.2, 5), 0.1).decision.outcome == "undecided"
    assert same_value(constant, Published(0.75, 0.0, 5), 0.1).decision.outcome == "undecided"


def test_papers_that_cannot_be_meant_are_refused():
    """And our NaN."""
    papers: list[tuple[float, float | None, int | None]] = [
        (math.nan, None, None),
        (0.8, -0.1, 5),
        (0.8, 0.1, 1),
        (0.8, math.inf, 5),
        (0.8, None, 0),
    ]
    for mean, spread, seeds in papers:
        with pytest.raises(StatisticsError):
            Published(mean, spread, seeds)
    for ask in (same_value, reaches):
        with pytest.raises(StatisticsError):
            ask([0.8, math.nan, 0.7], Published(0.8), 0.1)
        with pytest.raises(StatisticsError):
            ask(OURS, Published(0.8), math.nan)
    with pytest.raises(StatisticsError, match="above 0"):
        same_value(OURS, Published(0.8), 0)
