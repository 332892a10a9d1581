"""The cost of several looks. Constants: Pocock (1977), and simulations of our own; ours to four digits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from bench.stats.decisions import conjunction, ordering
from bench.stats.estimates import ERROR, StatisticsError
from bench.stats.families import at_least
from bench.stats.looks import ONCE, Asked, asked_at, nominal_level, overall_error
from bench.stats.multiplicity import holm

FOUR = (5, 10, 15, 20)


def reference(nominal: float, looks: tuple[int, ...]) -> float:
    """By Genz's integration of the joint normal distribution, from scipy."""
    information = np.array(looks, dtype=float)
    together = np.sqrt(np.minimum.outer(information, information) / np.maximum.outer(information, information))
    joint = multivariate_normal(np.zeros(len(looks)), cov=together, seed=0)  # pyright: ignore - its stubs
    joint.abseps = joint.releps = 1e-7  # by random points: at its own 1e-5 it missed by as much now and then
    joint.maxpts = 10**7
    return 1 - float(joint.cdf(np.full(len(looks), norm.isf(nominal))))


@pytest.mark.parametrize(
    ("error", "nominal"), [(0.05, 0.01935), (0.025, 0.00911), (0.01, 0.00342), (0.005, 0.00165), (1e-7, 2.7e-8)]
)
def test_pocock_s_constant_for_four_equal_looks(error: float, nominal: float) -> None:
    assert nominal_level(FOUR, error) == pytest.approx(nominal, abs=max(5e-6 * (error > 1e-3), 5e-10))


@pytest.mark.parametrize("looks", [(5, 10), (3, 4, 50), (5, 6, 7), (100, 101), FOUR])
@pytest.mark.parametrize("nominal", [0.3, 0.05, 0.001])
def test_the_recursion_is_the_joint_normal_distribution(looks: tuple[int, ...], nominal: float) -> None:
    assert overall_error(nominal, looks) == pytest.approx(reference(nominal, looks), abs=1e-5)
    assert overall_error(nominal_level(looks, nominal), looks) == pytest.approx(nominal, rel=1e-8)


def test_one_look_spends_its_level_and_no_looks_spend_more_than_all_of_theirs() -> None:
    assert overall_error(ERROR, (7,)) == nominal_level((7,)) == ERROR
    assert (overall_error(0, FOUR), overall_error(1, FOUR)) == (0, 1)
    assert 0.0194 < overall_error(0.0194, FOUR) < 4 * 0.0194
    many = tuple(range(3, 50, 4))
    assert overall_error(ERROR, (*many, 51)) > overall_error(ERROR, many)


@pytest.mark.parametrize("looks", [(), (0, 5), (5, 5), (10, 5)])
def test_looks_that_do_not_increase_are_refused(looks: tuple[int, ...]) -> None:
    with pytest.raises(StatisticsError, match="looks: got"):
        overall_error(0.05, looks)


def test_a_level_outside_0_to_1_is_refused() -> None:
    with pytest.raises(StatisticsError, match="nominal: got"):
        overall_error(1.5, FOUR)
    with pytest.raises(StatisticsError, match="error: got"):
        nominal_level(FOUR, 0.0)


def test_asked_once_nothing_changes() -> None:
    assert asked_at((10,)) == asked_at((10,), 0.05) == ONCE
    assert (ONCE.nominal, ONCE.level, ONCE.overall(0.03), ONCE.at_a_look(0.03)) == (0.05, 0.9, 0.03, 0.03)


def test_a_p_value_over_all_looks_is_below_5_percent_where_that_of_the_look_is_below_its_level() -> None:
    for asked in (asked_at(FOUR), Asked(0.0194, FOUR), Asked(0.01, FOUR)):
        assert asked.overall(asked.nominal) == pytest.approx(ERROR)
        assert asked.overall(asked.nominal * 0.999) < ERROR < asked.overall(asked.nominal * 1.001)
        assert asked.at_a_look(asked.overall(0.004)) == pytest.approx(0.004)
        assert [asked.at_a_look(asked.overall(p)) for p in (0.0, 1.0)] == [0.0, 1.0]
        assert 0 < asked.at_a_look(0.9999) <= 1
    assert asked_at(FOUR).overall(0.00911) == pytest.approx(0.025, abs=2e-5)


ZERO = np.zeros(5)
PAIRS = np.array([0.0, 1.0, 2.0, 3.0, 4.0]) - 0.35  # t = 1.65 / .7071: p = .0399


def test_a_look_is_judged_at_its_level_and_shown_with_its_interval() -> None:
    """p is between .0194 and .05: decided if judged once, not at a look. The interval's end agrees."""
    once, look = (ordering(PAIRS, ZERO, True, 0.1, asked=asked) for asked in (ONCE, asked_at(FOUR)))
    assert once.p == look.p == pytest.approx(0.0399, abs=1e-4)
    assert (once.outcome, look.outcome) == ("yes", "undecided")
    assert once.low is not None
    assert look.low is not None
    assert once.low > 0 > look.low
    assert look.level == pytest.approx(1 - 2 * 0.01935, abs=1e-4)
    assert once.typical is not None
    assert look.typical is not None
    assert (look.typical.low or 0) < (once.typical.low or 0)
    assert (once.seeds_to_decide, look.seeds_to_decide) == (None, None)
    edge = 1.65 - PAIRS.std(ddof=1) / math.sqrt(5) * 3.0  # t = 3, p = .01997 with 4 degrees of freedom: not below .0194
    assert ordering(PAIRS - edge, ZERO, True, 0.1, asked=asked_at(FOUR)).outcome == "undecided"
    assert ordering(PAIRS - edge + 0.05, ZERO, True, 0.1, asked=asked_at(FOUR)).outcome == "yes"


def test_holm_takes_the_constant_at_the_divided_level() -> None:
    """The smaller p of two reversals is compared with .00911, not with .01935 / 2 = .00967."""
    asked = asked_at(FOUR)
    below, above = (asked.corrected(holm, [p, 0.5])[0] for p in (0.0091, 0.0094))
    assert below < asked.nominal < above
    assert asked.nominal > 2 * 0.0094


def _decided(p_against: float):
    base = ordering(PAIRS, ZERO, True, 0.1, asked=asked_at(FOUR))
    return type(base)(**{**vars(base), "p": 1 - p_against, "p_against": p_against, "outcome": "undecided"})


def test_several_questions_of_a_look_are_corrected_over_all_looks() -> None:
    asked = asked_at(FOUR)
    for p, outcome in ((0.0091, "no"), (0.0094, "undecided")):
        both = [_decided(p), _decided(0.5)]
        assert conjunction(both, asked=asked).outcome == outcome
        assert at_least(both, 2, asked=asked).outcome == outcome
    assert conjunction([_decided(0.0094), _decided(0.5)]).outcome == "no"  # asked once
