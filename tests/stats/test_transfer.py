"""Transfer metrics on curves small enough to work by hand.

Axes: S seed, P point of a curve.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.stats.estimates import StatisticsError
from bench.stats.intervals import ratio_interval
from bench.stats.transfer import (
    Times,
    area,
    area_ratio,
    asymptote,
    fluctuation,
    fraction_reached,
    jump_start,
    median_time,
    moving_average,
    restricted_mean,
    time_ratio,
    time_to_threshold,
    window_mean,
)

quick = settings(max_examples=60, deadline=None, derandomize=True, database=None)
X = [0, 10, 20, 30, 40]
Y = [[0, 1, 2, 3, 4], [4, 0, 4, 0, 4]]


def times(values: list[float], reached: list[bool]) -> Times:
    """Times from lists."""
    return Times(np.array(values, dtype=float), np.array(reached))


def test_window_mean_is_half_open():
    """(0, 20] holds the points 10 and 20, (20, 40] the points 30 and 40: none is shared, the untrained one is out."""
    assert window_mean(X, Y, 0, 20).tolist() == [1.5, 2.0]
    assert window_mean(X, Y, 20, 40).tolist() == [3.5, 2.0]
    assert window_mean(X, Y, -1, 40).tolist() == [2.0, 2.4]
    with pytest.raises(StatisticsError, match=r"no point in the window \(1, 9\]; x runs from 0 to 40"):
        window_mean(X, Y, 1, 9)


def test_moving_average_looks_back_only():
    """Two points: .5, 1.5, 2.5, 3.5, belonging to x = 10, 20, 30, 40; one point changes nothing; five give the mean."""
    assert moving_average(Y, 2).tolist() == [[0.5, 1.5, 2.5, 3.5], [2, 2, 2, 2]]
    assert moving_average(Y, 1).tolist() == Y
    assert moving_average(Y, 5)[:, 0] == pytest.approx([2, 2.4])
    for points in (0, 6):
        with pytest.raises(StatisticsError, match="1 to 5"):
            moving_average(Y, points)


def test_jump_start_is_student_minus_baseline_by_seed():
    """Differences 1, 2, 3: 2 -+ 2.484138, positive where the student starts higher."""
    interval = jump_start([11, 22, 33], [10, 20, 30])
    assert interval.estimate == 2
    assert (interval.low, interval.high) == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-6)
    assert jump_start([1, 2], [0, 0]).low is None
    with pytest.raises(StatisticsError):
        jump_start([1, 2, 3], [1, 2])


def test_time_to_threshold_needs_to_stay():
    """Threshold 2, hold 2.

    Seed 0 is at or above 2 from x = 20 on. Seed 1 is above at 0, 20, 40, never twice running. Seed 2 rises at the last
    point only, too late for 2 points. Seed 3 is there from the start.
    """
    y = [*Y, [0, 0, 0, 0, 9], [2, 2, 0, 0, 0]]
    result = time_to_threshold(X, y, threshold=2, hold=2, budget=40)
    assert result.values.tolist() == [20, 40, 40, 0]
    assert result.reached.tolist() == [True, False, False, True]


def test_time_to_threshold_at_the_budget():
    """Hold 1 counts the last point; points after the budget are not seen; a hold longer than the curve is censored."""
    last = [[0, 0, 0, 0, 9]]
    assert time_to_threshold(X, last, 9, 1, 40).reached.tolist() == [True]
    assert time_to_threshold(X, last, 9, 1, 40).values.tolist() == [40]
    early = time_to_threshold(X, last, 9, 1, 35)
    assert (early.values.tolist(), early.reached.tolist()) == ([35], [False])
    long = time_to_threshold(X, [[9] * 5], 9, 6, 40)
    assert (long.values.tolist(), long.reached.tolist()) == ([40], [False])
    assert time_to_threshold(X, last, 10, 1, 45).values.tolist() == [45]  # the next point would be due at 50
    for budget in (51, -1, math.nan):
        with pytest.raises(StatisticsError, match="runs from 0 to 40"):
            time_to_threshold(X, last, 9, 1, budget)
    for threshold, hold in ((9, 0), (math.nan, 1)):
        with pytest.raises(StatisticsError, match="hold"):
            time_to_threshold(X, last, threshold, hold, 40)


@given(st.lists(st.lists(st.integers(0, 3), min_size=6, max_size=6), min_size=1, max_size=5), st.integers(1, 7))
@quick
def test_time_to_threshold_agrees_with_a_plain_loop(y: list[list[int]], hold: int):
    """It is never earlier for a higher threshold or a longer hold."""
    x = [1, 2, 3, 5, 8, 13]

    def plain(row: list[int], threshold: int) -> tuple[float, bool]:
        for start in range(6 - hold + 1):
            if all(score >= threshold for score in row[start : start + hold]):
                return float(x[start]), True
        return 13.0, False

    found = [time_to_threshold(x, y, threshold, hold, 13) for threshold in (1, 2)]
    for threshold, result in zip((1, 2), found, strict=True):
        assert list(zip(result.values, result.reached, strict=True)) == [plain(row, threshold) for row in y]
    assert (found[0].values <= found[1].values).all()
    assert (found[0].values <= time_to_threshold(x, y, 1, hold + 1, 13).values).all()


def test_restricted_mean_counts_censored_seeds_with_tau():
    """min(T, 30) of 10, 40 and a seed censored at 50 is 10, 30, 30; only beyond 50 is the last one unknown."""
    censored = times([10, 40, 50], [True, True, False])
    assert restricted_mean(censored, 30).tolist() == [10, 30, 30]
    assert restricted_mean(censored, 50).tolist() == [10, 40, 50]
    with pytest.raises(StatisticsError, match="followed for only 50 episodes"):
        restricted_mean(censored, 51)
    for tau in (0, math.inf, math.nan):
        with pytest.raises(StatisticsError, match="tau"):
            restricted_mean(censored, tau)


def test_fraction_and_median_with_censoring():
    """Kaplan-Meier by hand.

    10, 20, 30 reached of 5, two censored at 50: the share that has not reached falls .8, .6, .4; half is passed at 30.
    10, 20 of 4: exactly one half at 20. 10 of 3: falls to 2/3 only. Early censoring counts: 10, then one censored
    at 15, then 20: 2/3 and 2/3 * 0 = 0 at 20.
    """
    five = times([10, 20, 30, 50, 50], [True, True, True, False, False])
    assert fraction_reached(five) == 0.6
    assert median_time(five) == 30
    assert median_time(times([10, 20, 50, 50], [True, True, False, False])) == 20
    assert median_time(times([10, 50, 50], [True, False, False])) is None
    assert median_time(times([50, 50, 50], [False, False, False])) is None
    assert fraction_reached(times([50, 50, 50], [False, False, False])) == 0
    assert median_time(times([10, 15, 20], [True, False, True])) == 20
    assert median_time(times([7.0], [True])) == 7
    six = times([1, 2, 3, 9, 9, 9], [True] * 3 + [False] * 3)  # 5/6 * 4/5 * 3/4, one half up to rounding
    assert median_time(six) == 3


def test_time_ratio_by_hand():
    """Means of 10, 20, 30 and of 20, 40, 40 (the last censored) at tau 40: 20 / 33.333 = .6, not 20 / 30 = .667."""
    a, b = times([10, 20, 30], [True] * 3), times([20, 40, 40], [True, True, False])
    interval = time_ratio(a, b, 40)
    plain = ratio_interval([10, 20, 30], [20, 40, 40])
    assert interval.estimate == pytest.approx(0.6, rel=1e-12)
    assert (interval.low, interval.high) == (plain.low, plain.high)
    assert interval.method == "ratio of restricted means, log-delta t"


def test_time_ratio_where_little_is_known():
    """No seed reached: no ratio. Too few seeds: none. Every seed there at 0: no ratio. One side reached: fine."""
    never, soon = times([40, 40, 40], [False] * 3), times([10, 20, 30], [True] * 3)
    nothing = time_ratio(never, never, 40)
    assert math.isnan(nothing.estimate)
    assert (nothing.low, nothing.high) == (None, None)
    assert nothing.reason == "no seed of either side reached the threshold before 40"
    assert time_ratio(soon, soon, 5).low is None
    assert time_ratio(times([1, 2], [True] * 2), soon, 40).reason.startswith("n < 3")
    assert math.isnan(time_ratio(times([0, 0, 0], [True] * 3), soon, 40).estimate)
    assert time_ratio(soon, never, 40).low is not None
    same = time_ratio(times([10] * 3, [True] * 3), never, 40)
    assert (same.low, same.high) == (0.25, 0.25)
    assert same.reason.startswith("constant scores")


def test_simulated_time_ratio_is_unbiased_where_dropping_is_not():
    """Exponential times of mean 60 against 80, budget 60, 10 seeds a side: about a third to a half never reach.

    The restricted means are 60 (1 - e^-1) = 37.93 and 80 (1 - e^-.75) = 42.21, ratio .8986. The mean over seeds that
    reached would give 25.08 / 26.29 = .954: outside the band asked for below.
    """
    rng, covered, logs = np.random.default_rng(7), 0, []
    truth = 60 * (1 - math.exp(-1)) / (80 * (1 - math.exp(-0.75)))
    for _ in range(1000):
        drawn = [rng.exponential(mean, 10) for mean in (60, 80)]
        interval = time_ratio(*(Times(np.minimum(t, 60), t <= 60) for t in drawn), tau=60)
        assert interval.low is not None
        assert interval.high is not None
        covered += interval.low <= truth <= interval.high
        logs.append(math.log(interval.estimate))
    assert math.exp(np.mean(logs)) == pytest.approx(truth, abs=0.025)
    assert covered / 1000 >= 0.93


def test_asymptote_is_the_last_share_of_the_budget():
    """Last half of 40 episodes: (20, 40], points 30 and 40. All of it leaves out the untrained point only."""
    assert asymptote(X, Y, 0.5).tolist() == [3.5, 2]
    assert asymptote(X, Y, 1).tolist() == [2.5, 2]
    assert asymptote(X, Y, 0.01).tolist() == [4, 4]
    assert asymptote(range(1, 11), [list(range(1, 11))], 0.9).tolist() == [6]  # (1, 10], not (.9999999, 10]
    for share in (0, 1.1, math.nan):
        with pytest.raises(StatisticsError, match="share"):
            asymptote(X, Y, share)


def test_area_is_the_mean_height():
    """A straight line from 0 to 4: 2. Zigzag: (20 * 4) / 40 = 2. Uneven x: 0 to 2 over 1, then 2 over 3: 7 / 4."""
    assert area(X, Y).tolist() == [2, 2]
    assert area([0, 1, 4], [[0, 2, 2]]).tolist() == [1.75]
    with pytest.raises(StatisticsError, match="one point"):
        area([1], [[1]])


def test_area_ratio_above_the_floor():
    """Student -20, -19, -21 and baseline -30, -29, -31 above -40: 20 / 10 = 2. Without the floor: -20 / -30 = .67."""
    interval = area_ratio([-20, -19, -21], [-30, -29, -31], floor=-40)
    plain = ratio_interval([20, 21, 19], [10, 11, 9])
    assert interval.estimate == pytest.approx(2, rel=1e-12)
    assert (interval.low, interval.high) == (plain.low, plain.high)
    assert area_ratio([3, 4], [2, 3], 0).reason == "n < 3: no interval at all"
    assert area_ratio([0.4] * 3, [0.3] * 3, 0.1).reason.startswith("constant scores")


@pytest.mark.parametrize(
    ("student", "baseline", "named"),
    [
        ([1, 2, 3], [5, 6, 7], "(student)"),
        ([5, 6, 7], [1, 2, 3], "(baseline)"),
        ([0, 0, 0], [1, 2, 3], "(student, baseline)"),
    ],
)
def test_area_ratio_is_undefined_at_or_below_the_floor(student: list[float], baseline: list[float], named: str):
    """A mean of 2 is at the floor 2."""
    interval = area_ratio(student, baseline, floor=2)
    assert math.isnan(interval.estimate)
    assert (interval.low, interval.high) == (None, None)
    assert interval.reason.endswith(f"at or below the floor 2 {named}")


def test_area_ratio_does_not_take_rounding_for_height():
    """.1 + .2 is above .3 by rounding only: still at the floor."""
    assert "floor" in area_ratio([0.1 + 0.2] * 3, [0.5, 0.6, 0.7], floor=0.3).reason
    with pytest.raises(StatisticsError, match="floor"):
        area_ratio([1, 2, 3], [1, 2, 3], math.nan)


def test_fluctuation_by_hand():
    """A straight line: 0. Zigzag 4, 0, 4, 0, 4: differences -4, 4, -4, 4, mean 0, sd 4, over sqrt(2) 2.828427."""
    assert fluctuation(Y) == pytest.approx([0, 2.828427], abs=1e-6)
    with pytest.raises(StatisticsError, match="at least 3"):
        fluctuation([[1, 2]])


def test_fluctuation_finds_the_noise_under_a_trend():
    """Noise of sd 2 on a line that climbs 100: 2 is found, where the plain sd would say about 29."""
    y = np.linspace(0, 100, 400) + np.random.default_rng(3).normal(0, 2, (50, 400))
    assert fluctuation(y).mean() == pytest.approx(2, rel=0.03)
    assert y.std(axis=1).min() > 25


def test_fluctuation_is_unbiased_on_short_curves():
    """Mean square over many curves of 5 points, sd 1: 1 - 1 / 16 = .9375 with ddof 0 (ddof 1 would give 1.25)."""
    y = np.random.default_rng(4).normal(size=(40_000, 5))
    assert np.square(fluctuation(y)).mean() == pytest.approx(0.9375, abs=0.02)


@given(st.integers(-9, 9), st.integers(-9, 9))
@quick
def test_shifts_and_trends(shift: int, slope: int):
    """A shift moves means by its size and does not change fluctuation; neither does a straight trend."""
    y = np.array(Y, dtype=float)
    assert area(X, y + shift) == pytest.approx(area(X, y) + shift)
    assert window_mean(X, y + shift, 0, 20) == pytest.approx(window_mean(X, y, 0, 20) + shift)
    assert fluctuation(y + shift + slope * np.arange(5)) == pytest.approx(fluctuation(y), abs=1e-9)


def test_bad_curves_are_refused():
    """NaN, x that does not increase, shapes that do not fit."""
    for x, y, message in (
        (X, [[0, 1, math.nan, 3, 4]], r"y\[0, 2\] is nan"),
        ([0, 1, 1, 2, 3], Y, "strictly increase"),
        ([0, 1, 2], Y, r"\[S, 3\]"),
        (X, Y[0], "2 axes"),
    ):
        for metric in (area, lambda x, y: asymptote(x, y, 0.5), lambda x, y: time_to_threshold(x, y, 1, 1, 3)):
            with pytest.raises(StatisticsError, match=message):
                metric(x, y)
    with pytest.raises(StatisticsError, match=r"y\[1, 0\] is inf"):
        fluctuation([[1, 2, 3], [math.inf, 1, 2]])


def test_bad_times_are_refused_and_good_ones_frozen():
    """Shapes, types, negative times; a Times does not change with the array that it was made from."""
    for values, reached in (([1.0, 2.0], [True]), ([1.0], [1]), ([-1.0], [True]), ([math.nan], [True])):
        with pytest.raises(StatisticsError):
            Times(np.array(values), np.array(reached))
    source = np.array([1.0, 2.0])
    frozen = Times(source, np.array([True, False]))
    source[0] = 5
    assert frozen.values.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        frozen.values[0] = 3


def test_kaplan_meier_agrees_with_scipys_curve():
    """Without censoring the estimate is the empirical distribution, and the median its lower median."""
    values = np.random.default_rng(5).exponential(10, 15)
    assert median_time(Times(values, np.ones(15, dtype=bool))) == np.sort(values)[7]
    assert stats.ecdf(values).sf.evaluate(np.sort(values)[7]) < 0.5
