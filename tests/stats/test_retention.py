"""Retention ratios against `ratio_interval`, Fieller's by test inversion, hand-worked numbers, and unusual teachers.

Axes: S seed.
"""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.stats import decisions
from bench.stats.estimates import StatisticsError
from bench.stats.intervals import (
    aggregate_interval,
    fieller_interval,
    mean_interval,
    ratio_interval,
    shared_teacher_interval,
)
from bench.stats.retention import retention, retention_interval

quick = settings(max_examples=60, deadline=None, derandomize=True, database=None)
scores = st.lists(st.integers(200, 400).map(lambda number: number / 8), min_size=3, max_size=8).filter(
    lambda values: len(set(values)) > 1
)
STUDENT, TEACHER = [0.70, 0.74, 0.78], [0.85, 0.9, 0.95]


@given(scores, scores)
@quick
def test_without_a_floor_it_is_the_ratio(student: list[float], teacher: list[float]):
    """Log-delta t where the teacher is clear of 0."""
    found, expected = retention_interval(student, teacher), ratio_interval(student, teacher)
    assume("log-delta" in found.method)
    assert (found.estimate, found.low, found.high) == pytest.approx((expected.estimate, expected.low, expected.high))
    assert found.method == "PRR, log-delta t"
    decision, plain = retention(student, teacher, 1, 0.2), decisions.ratio(student, teacher, 1, 0.2)
    assert (decision.outcome, decision.p) == (plain.outcome, pytest.approx(plain.p))


@given(scores, scores, st.integers(-100, 20))
@quick
def test_an_exact_floor_shifts_both_sides(student: list[float], teacher: list[float], floor: int):
    """(S - R) / (T - R) is the ratio of the shifted scores."""
    found = retention_interval(student, teacher, floor)
    assume("log-delta" in found.method)
    expected = ratio_interval(np.subtract(student, floor), np.subtract(teacher, floor))
    assert (found.estimate, found.low, found.high) == pytest.approx((expected.estimate, expected.low, expected.high))


def test_negative_returns_need_the_floor():
    """-26 against -28 with a floor of -163: kept (-26 + 163) / (-28 + 163) = 137 / 135; without it undefined."""
    student, teacher = [-25.0, -26, -27], [-27.0, -28, -29]
    undefined = retention_interval(student, teacher)
    assert math.isnan(undefined.estimate)
    assert (undefined.low, undefined.high) == (None, None)
    assert undefined.reason.startswith("ratio undefined: the teacher's mean is not above the floor")
    kept = retention_interval(student, teacher, -163)
    assert kept.estimate == pytest.approx(137 / 135)
    assert kept.method == "PRR above the floor, log-delta t"
    assert retention(student, teacher, 1, 0.1).outcome == "undecided"
    assert retention(student, teacher, 1, 0.1).estimate is None
    assert retention(student, teacher, 1, 0.1, -163).outcome == "yes"


@pytest.mark.parametrize("teacher", [[0.0, 0, 0], [-1.0, 0, 1], [0.2, 0.3, 0.1]])
def test_a_teacher_at_or_below_the_floor_is_undefined(teacher: list[float]):
    """At it to within rounding, too."""
    floor = 0.2 if max(teacher) == 0.3 else 0.0
    for paired in (False, True):
        found = retention_interval(STUDENT, teacher, floor, paired)
        assert math.isnan(found.estimate)
        assert found.reason.startswith("ratio undefined")
        assert retention(STUDENT, teacher, 1, 0.1, floor, paired).outcome == "undecided"


def test_near_the_floor_fieller_takes_over():
    """The same set as `fieller_interval`; unbounded where the teacher is not clear of the floor."""
    teacher = [0.2, 0.3, 0.4]  # t .05 ... / .3: half width .248, g = .69
    found, expected = retention_interval(STUDENT, teacher), fieller_interval(STUDENT, teacher)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.method == "PRR, Fieller"
    wide = retention_interval(STUDENT, [0.0, 0.3, 0.6])
    assert (wide.low, wide.high) == (None, None)
    assert wide.reason.startswith("unbounded")
    judged = retention(STUDENT, [0.2, 0.3, 0.4], 2, 0.1)
    assert (judged.outcome, judged.p) == ("undecided", None)
    assert judged.reason == "too near the floor: no ratio is judged there"


def test_fieller_with_a_measured_floor_inverts_its_test():
    """At each end |S - r T - (1 - r) R| is t standard errors: the definition, computed afresh."""
    student, teacher, floor = [0.5, 0.6, 0.8, 0.4], [0.7, 1.2, 0.9], [0.2, 0.5, 0.3]
    found = retention_interval(student, teacher, floor)
    assert found.method == "PRR above the floor, Fieller"
    sides = [np.array(side) for side in (student, teacher, floor)]
    means, shares = [side.mean() for side in sides], [side.var(ddof=1) / len(side) for side in sides]

    def weights(r: float) -> np.ndarray:
        return np.array([1, -r, r - 1])

    parts = weights(found.estimate) ** 2 * shares
    df = parts.sum() ** 2 / (parts**2 / [len(side) - 1 for side in sides]).sum()
    for end in (found.low, found.high):
        assert end is not None
        statistic = weights(end) @ means / math.sqrt(weights(end) ** 2 @ shares)
        assert abs(statistic) == pytest.approx(stats.t.ppf(0.975, df))


def test_log_delta_with_a_measured_floor_by_hand():
    """Variances of log((S - R) / (T - R)): s^2 / S'^2, t^2 / T'^2 and r^2 (1 / T' - 1 / S')^2, each over n.

    Student above the floor 1, teacher 2: sds .1, .1, .1, n = 4: .0025 (1 + .25 + .25) = .00375; degrees of freedom
    3 * 1.5^2 / (1 + .0625 + .0625) = 6.
    """
    around = np.array([-1, -1, 1, 1]) * 0.1 * math.sqrt(3 / 4)
    found = retention_interval(2 + around, 3 + around, 1 + around)
    factor = math.exp(stats.t.ppf(0.975, 6) * math.sqrt(0.00375))
    assert (found.estimate, found.low, found.high) == pytest.approx((0.5, 0.5 / factor, 0.5 * factor))
    assert found.n == (4, 4, 4)


def test_pairs_share_their_ups_and_downs():
    """A student that keeps exactly 80% of its own teacher: certain for pairs, not for independent seeds."""
    teacher = [0.8, 0.9, 1.0]
    student = [0.8 * score for score in teacher]
    paired, plain = (retention_interval(student, teacher, 0.0, together) for together in (True, False))
    assert (paired.low, paired.high) == pytest.approx((0.8, 0.8))
    assert paired.n == (3,)
    assert plain.low is not None
    assert plain.low < 0.7
    with pytest.raises(StatisticsError, match="same seeds"):
        retention_interval([1, 2, 3, 4], teacher, paired=True)


def test_students_at_or_below_the_floor():
    """No logarithm: an estimate of 0 or less with Fieller's interval, and never a judgement by logarithms."""
    poor = [-0.1, 0.0, 0.05]
    found = retention_interval(poor, TEACHER)
    assert found.estimate < 0
    assert found.method == "PRR, Fieller"
    assert found.low is not None
    refuted = retention(poor, TEACHER, 0.9, 0.1)
    assert (refuted.outcome, refuted.estimate, refuted.low) == (
        "no",
        found.estimate,
        retention_interval(poor, TEACHER, level=0.9).low,
    )
    assert retention(poor, [-0.3, 0.4, 0.5], 0.9, 0.1).outcome == "undecided"
    constant = retention([0.0, 0, 0], [1.0, 1, 1], 0.9, 0.1)
    assert (constant.outcome, constant.estimate, constant.low) == ("undecided", 0, 0)


def test_few_seeds_and_constant_scores():
    """No interval below 3 seeds on any side, the floor's included; zero width where nothing varies."""
    for student, teacher, floor in (([0.7, 0.7], TEACHER, 0.0), (STUDENT, [0.9], 0.0), (STUDENT, TEACHER, [0.1, 0.2])):
        found = retention_interval(student, teacher, floor)
        assert (found.low, found.high, found.reason) == (None, None, "n < 3: no interval at all")
        assert math.isfinite(found.estimate)
    constant = retention_interval([0.5] * 3, [1.0] * 3)
    assert (constant.low, constant.high, constant.reason) == (0.5, 0.5, "constant scores: zero-width interval")
    assert retention([0.5] * 3, [1.0] * 3, 0.5, 0.1).outcome == "undecided"
    assert retention([0.5] * 3, [1.0] * 3, 0.9, 0.1).outcome == "undecided"
    for bad in (math.nan, math.inf):
        with pytest.raises(StatisticsError):
            retention_interval([0.5, bad, 0.4], TEACHER)
        with pytest.raises(StatisticsError):
            retention_interval(STUDENT, TEACHER, bad)
    for printed, margin in ((0, 0.1), (0.9, 0), (math.nan, 0.1)):
        with pytest.raises(StatisticsError):
            retention(STUDENT, TEACHER, printed, margin)


def test_aggregate_mean_by_hand():
    """1, 2, 3 and 10, 10, 10, 14: means 2 and 11; variances of the means 1/3 and 4/4 = 1.

    Mean 6.5, standard error sqrt(4/3) / 2 = .577350; degrees of freedom (4/3)^2 / ((1/9) / 2 + 1 / 3) = 4.571429.
    """
    found = aggregate_interval([[1, 2, 3], [10, 10, 10, 14]])
    half = stats.t.ppf(0.975, 4.571428571) * math.sqrt(4 / 3) / 2
    assert (found.estimate, found.low, found.high) == pytest.approx((6.5, 6.5 - half, 6.5 + half))
    one = aggregate_interval([[1, 2, 3]])
    assert (one.low, one.high) == pytest.approx(stats.t.interval(0.95, 2, 2, 1 / math.sqrt(3)))
    assert aggregate_interval([[1, 2, 3], [1, 2]]).low is None
    assert aggregate_interval([[1, 1, 1], [2, 2, 2]]).reason == "constant scores: zero-width interval"
    with pytest.raises(StatisticsError, match="none"):
        aggregate_interval([])


def test_shared_teachers_count_once():
    """Three teachers with any number of students: the interval of the three means; two teachers have none."""
    groups = [[1, 2], [4], [5, 6, 7]]
    found, means = shared_teacher_interval(groups), mean_interval([1.5, 4, 6])
    assert (found.estimate, found.low, found.high, found.n) == (means.estimate, means.low, means.high, (3,))
    assert shared_teacher_interval([[1, 2, 3, 4], [5, 6, 7, 8]]).low is None
    with pytest.raises(StatisticsError, match="none"):
        shared_teacher_interval([])
