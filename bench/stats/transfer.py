"""Transfer metrics on learning curves (Taylor & Stone 2009): jump start, time to threshold, asymptote, area.

Axes: S seed, P point of a curve.
`x` [P]: episodes done at each point, strictly increasing, the same for all seeds. `y` [S, P]: scores, higher is better.

All functions raise StatisticsError for NaN or infinity, for shapes other than those named, and for an x that does not
increase. Per-seed results exist for any S >= 1; intervals need 3 seeds on each side (`bench.stats.intervals`).
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.stats.estimates import ROUNDING, StatisticsError, finite
from bench.stats.intervals import Interval, paired_interval, ratio_interval

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Times:
    """Times to an event, right-censored. values [S]: episodes, or the censoring time if `reached` [S] is False.

    StatisticsError for unequal shapes, a negative or non-finite time, or a `reached` that is not boolean.
    """

    values: Floats
    reached: NDArray[np.bool_]

    def __post_init__(self) -> None:
        """Check and freeze copies of both arrays."""
        values, reached = finite(self.values, "values").copy(), np.array(self.reached)
        if reached.dtype != np.bool_ or reached.shape != values.shape:
            raise StatisticsError(
                f"reached: got {reached.dtype} {reached.shape}; one bool for each of {len(values)} times is needed"
            )
        if values.min() < 0:
            raise StatisticsError(f"values: got a time of {values.min()}; times start at 0")
        for name, array in (("values", values), ("reached", reached)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)


def _curve(x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    points, scores = finite(x, "x"), finite(y, "y", axes=2)
    if scores.shape[1] != len(points):
        raise StatisticsError(f"y: got shape {scores.shape}; [S, {len(points)}] is needed, one column for each x")
    if not (np.diff(points) > 0).all():
        raise StatisticsError("x: episodes done must strictly increase from point to point")
    return points, scores


def window_mean(x: ArrayLike, y: ArrayLike, start: float, stop: float) -> Floats:
    """Mean height of the points with start < x <= stop, that is over episodes start + 1 ... stop. [S].

    The window is half open: neighbouring windows share no point, and a window from 0 leaves out the untrained policy.
    StatisticsError if no point lies in the window.
    """
    points, scores = _curve(x, y)
    inside = (points > start) & (points <= stop)
    if not inside.any():
        raise StatisticsError(f"no point in the window ({start}, {stop}]; x runs from {points[0]:g} to {points[-1]:g}")
    return np.ascontiguousarray(scores[:, inside]).mean(axis=1)  # rows in memory order: each summed as if alone


def moving_average(y: ArrayLike, points: int) -> Floats:
    """Mean of each `points` consecutive points. [S, P] -> [S, P - points + 1].

    Column j covers points j ... j + points - 1 and belongs to the last of them, x[j + points - 1]: no score is credited
    before it was earned, and no window is shorter than the others. StatisticsError for points < 1 or > P.
    """
    scores = finite(y, "y", axes=2)
    if not 1 <= points <= scores.shape[1]:
        raise StatisticsError(f"points: got {points}; 1 to {scores.shape[1]} (the points of the curve) are allowed")
    return np.lib.stride_tricks.sliding_window_view(scores, points, axis=1).mean(axis=-1)


def jump_start(student: ArrayLike, baseline: ArrayLike, level: float = 0.95) -> Interval:
    """Jump start: student minus baseline at the start of training, paired by seed. Both [S], in the score's unit.

    The inputs are `window_mean`s over the first w episodes (w declared by the caller), not scores before the first
    update: methods that share initial weights are equal there by construction. n < 3: no interval. Differences that
    do not vary: zero width. Coverage is that of `intervals.paired_interval`.
    """
    return paired_interval(student, baseline, level)


def time_to_threshold(x: ArrayLike, y: ArrayLike, threshold: float, hold: int, budget: float) -> Times:
    """Episodes until the score is at or above `threshold` and stays there for `hold` consecutive points. [S].

    The time is the x of the first of these points. Points after the budget are ignored, and a stay of fewer than `hold`
    points at the end does not count: such seeds are right-censored at the budget, not dropped. StatisticsError for
    hold < 1, a non-finite threshold, or a curve that ends more than its largest spacing before the budget (that seed
    would have been followed for less than the budget).
    """
    points, scores = _curve(x, y)
    if hold < 1 or not math.isfinite(threshold):
        raise StatisticsError(f"threshold {threshold} must be finite and hold {hold} at least 1")
    if not points[0] <= budget <= points[-1] + np.diff(points, prepend=min(0.0, points[0])).max():
        raise StatisticsError(f"budget: got {budget}; the curve runs from {points[0]:g} to {points[-1]:g} episodes")
    above = scores[:, points <= budget] >= threshold
    if above.shape[1] < hold:
        return Times(np.full(len(above), float(budget)), np.zeros(len(above), dtype=np.bool_))
    stays = np.lib.stride_tricks.sliding_window_view(above, hold, axis=1).all(axis=-1)
    reached = np.asarray(stays.any(axis=-1))
    return Times(np.where(reached, points[stays.argmax(axis=1)], float(budget)), reached)


def restricted_mean(times: Times, tau: float) -> Floats:
    """min(T, tau) of each seed [S], whose mean is the restricted mean survival time (Irwin 1949).

    StatisticsError if tau <= 0, or if a seed was censored before tau: its min(T, tau) is unknown.
    """
    if not (tau > 0 and math.isfinite(tau)):
        raise StatisticsError(f"tau: got {tau}; a positive number of episodes is needed")
    censored = times.values[~times.reached]
    if len(censored) and censored.min() < tau:
        raise StatisticsError(f"tau: got {tau}; a seed was followed for only {censored.min():g} episodes")
    return np.minimum(times.values, tau)


def fraction_reached(times: Times) -> float:
    """Share of seeds, 0 to 1, that reached the threshold before they were censored."""
    return float(times.reached.mean())


def median_time(times: Times) -> float | None:
    """Kaplan-Meier (1958) median, in episodes: the first time by which an estimated half of the seeds have reached.

    None if the estimated share never gets to one half.
    """
    from scipy.stats import CensoredData, ecdf  # half a second to load, which most commands do not need

    if not times.reached.any():
        return None
    survival = ecdf(CensoredData(uncensored=times.values[times.reached], right=times.values[~times.reached])).sf
    by_half = survival.probabilities <= 0.5 + 1e-12  # a product of fractions that should be 1/2 may round above it
    return float(survival.quantiles[by_half][0]) if by_half.any() else None


def time_ratio(a: Times, b: Times, tau: float, level: float = 0.95, paired: bool = False) -> Interval:
    """Ratio of restricted mean times to threshold up to tau, a / b: below 1 if a is faster. Log-delta t interval.

    Censored seeds count with tau and are never dropped. Estimate NaN and no interval if a mean time is 0, or if no seed
    of either side reached the threshold before tau: both are unknown. No interval if n < 3 on a side. Other constant
    times: zero width. StatisticsError as in `restricted_mean`. Coverage of 95% at n = 3 / 5 / 10, lognormal times, a
    fifth of the slower side censored: .954 / .943 / .941 (docs/statistics.md).
    """
    times_a, times_b = restricted_mean(a, tau), restricted_mean(b, tau)
    ratio = ratio_interval(times_a, times_b, level, paired)
    ratio = replace(ratio, method=f"ratio of restricted means, {ratio.method}")
    if min(times_a.min(), times_b.min()) >= tau:
        reason = f"no seed of either side reached the threshold before {tau:g}"
        return replace(ratio, estimate=math.nan, low=None, high=None, reason=reason)
    return ratio


def asymptote(x: ArrayLike, y: ArrayLike, share: float) -> Floats:
    """Asymptotic performance: mean over the last `share` of the budget, which is the x of the last point. [S].

    The window is (budget - share * budget, budget]. StatisticsError for a share outside (0, 1].
    """
    points, _ = _curve(x, y)
    if not 0 < share <= 1:
        raise StatisticsError(f"share: got {share}; a number above 0 and at most 1 is needed, such as .1")
    start = round(float(points[-1] - share * points[-1]), 6)  # episodes are whole: undo the rounding of the product
    return window_mean(points, y, start, float(points[-1]))


def area(x: ArrayLike, y: ArrayLike) -> Floats:
    """Mean height under the curve: its trapezoid integral over x divided by the length of x. [S], the score's unit.

    StatisticsError for a curve of one point.
    """
    points, scores = _curve(x, y)
    if len(points) < 2:
        raise StatisticsError("x: got one point; an area needs at least two")
    return np.trapezoid(scores, points, axis=1) / (points[-1] - points[0])


def area_ratio(
    student: ArrayLike, baseline: ArrayLike, floor: float, level: float = 0.95, paired: bool = False
) -> Interval:
    """Area ratio above a floor, (A_s - R) / (A_b - R), with a log-delta t interval. student [S], baseline [S'].

    Inputs are `area`s, one per seed. `floor` R is a random policy's score, taken as exact. Without it the ratio of
    negative returns would grow as the student gets worse. Undefined, with the reason, if a mean is at or below the
    floor. n < 3: no interval. Constant areas: zero width. Coverage is that of `intervals.ratio_interval`.
    """
    zero = float(finite([floor], "floor")[0])
    sides = {"student": finite(student, "student"), "baseline": finite(baseline, "baseline")}
    low = [name for name, side in sides.items() if side.mean() - zero <= ROUNDING * max(abs(zero), np.abs(side).max())]
    ratio = ratio_interval(sides["student"] - zero, sides["baseline"] - zero, level, paired)
    ratio = replace(ratio, method=f"area ratio above the floor, {ratio.method}")
    if low:
        reason = f"ratio undefined: mean area at or below the floor {zero:g} ({', '.join(low)})"
        return replace(ratio, estimate=math.nan, low=None, high=None, reason=reason)
    return ratio


def fluctuation(y: ArrayLike) -> Floats:
    """Size of the noise around a curve's trend: standard deviation of first differences / sqrt(2). [S, P] -> [S].

    The spread of the scores themselves would call a rising curve unstable. In the differences of neighbours a linear
    trend is a constant, which the standard deviation drops; a slow trend is nearly constant. Two independent noises of
    variance v remain, hence the 2 (von Neumann, Kent, Bellinson & Hart 1941). ddof 0: the mean of the differences is
    (last - first) / (P - 1), so its own noise is of order 1 / P^2. 0 for a straight line, within rounding.
    StatisticsError for fewer than 3 points.
    """
    scores = finite(y, "y", axes=2)
    if scores.shape[1] < 3:
        raise StatisticsError(f"y: got {scores.shape[1]} points; at least 3 are needed")
    return np.diff(scores, axis=1).std(axis=1) / math.sqrt(2)
