"""Confidence intervals for means, differences and ratios of per-seed numbers.

Axes: S seed. `a` [S] and `b` [S'] hold one number per seed, in any unit; the interval has the same unit, a ratio none.

All functions raise StatisticsError for NaN, infinity, an empty or many-axed array, or a level outside (0, 1).
With n < 3 on a side there is an estimate but no interval. Constant scores give a zero-width interval. Both say so in
`reason`. The percentile bootstrap is not used here: for one cell's mean it covers .75 at n = 3 instead of .95.

The coverage of 95% intervals is simulated: docs/statistics.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.stats.estimates import (
    MINIMUM_SEEDS,
    Estimate,
    Seeds,
    StatisticsError,
    difference_estimate,
    finite,
    from_log,
    further_seeds_estimate,
    log_ratio_estimate,
    mean_estimate,
    paired_estimate,
)
from bench.stats.special import stdtrit

TOO_FEW = "n < 3: no interval at all"
CONSTANT = "constant scores: zero-width interval"
UNBOUNDED = "unbounded"


@dataclass(frozen=True)
class Interval:
    """An estimate with a two-sided interval of confidence `level`.

    `low` and `high` are both None if there is no bounded interval; `reason` then says why. `estimate` is NaN if the
    estimate itself does not exist, which happens only for ratios. `n` counts the seeds of each side; a paired interval
    has one side, the pairs.
    """

    estimate: float
    low: float | None
    high: float | None
    level: float
    n: tuple[int, ...]
    method: str
    reason: str = ""


def checked_level(level: float) -> float:
    """The level, if it lies between 0 and 1; StatisticsError otherwise."""
    if not 0 < level < 1:
        raise StatisticsError(f"level: got {level}; a number between 0 and 1 is needed, such as .95")
    return level


def _student(estimate: Estimate, level: float, method: str) -> Interval:
    if not estimate.enough:
        return Interval(estimate.value, None, None, checked_level(level), estimate.n, method, TOO_FEW)
    low, high = estimate.bounds(checked_level(level))
    return Interval(estimate.value, low, high, level, estimate.n, method, "" if estimate.error > 0 else CONSTANT)


def mean_interval(values: Seeds, level: float = 0.95) -> Interval:
    """Mean over seeds with Student's t interval (Student 1908). values [S].

    Simulated coverage: docs/statistics.md.
    """
    return _student(mean_estimate(values), level, "Student t")


def mean_band(values: ArrayLike, level: float = 0.95) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`mean_interval` at each point of curves: low [P] and high [P]. values [S, P].

    Pointwise: at each point by itself, not over the whole curve. StatisticsError for fewer than 3 seeds.
    """
    curves = finite(values, "values", axes=2)
    seeds = len(curves)
    if seeds < MINIMUM_SEEDS:
        raise StatisticsError(f"values: got {seeds} seeds; at least {MINIMUM_SEEDS} are needed")
    half = stdtrit(seeds - 1, (1 + checked_level(level)) / 2) * curves.std(axis=0, ddof=1) / math.sqrt(seeds)
    return curves.mean(axis=0) - half, curves.mean(axis=0) + half


def half_deviation_band(values: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Half a standard deviation of the seeds below and above their mean, at each point: low [P] and high [P].

    It is no interval: it does not narrow with more seeds. DVM's figures (Wadhwania et al. 2019, Sec. V-B) shade it.
    values [S, P]; StatisticsError for fewer than 2 seeds.
    """
    curves = finite(values, "values", axes=2)
    if len(curves) < 2:
        raise StatisticsError(f"values: got {len(curves)} seeds; at least 2 are needed")
    half = curves.std(axis=0, ddof=1) / 2
    return curves.mean(axis=0) - half, curves.mean(axis=0) + half


def paired_interval(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> Interval:
    """Mean of a - b over the same seeds, with Student's t interval of the differences. a, b [S], same order.

    StatisticsError also if the sides differ in length. Seeds that all have the same difference are constant scores.
    Simulated coverage: docs/statistics.md.
    """
    return _student(paired_estimate(a, b), level, "paired t")


def aggregate_interval(tasks: Sequence[ArrayLike], level: float = 0.95) -> Interval:
    """Mean over tasks of the tasks' mean scores: Student t with Satterthwaite's (1946) degrees of freedom.

    tasks: [S] for each of T tasks, S may differ. Tasks are fixed and weigh the same; seeds must be independent between
    them: if one run is scored on several tasks, take each seed's mean first and use `mean_interval`. Constant tasks
    are fine among others. StatisticsError for no tasks. Coverage for 25 tasks: .945 to .955,
    whatever the shape and n.
    """
    if not tasks:
        raise StatisticsError("tasks: got none; at least one is needed")
    means = [mean_estimate(task) for task in tasks]
    return _student(
        Estimate(
            math.fsum(mean.value for mean in means) / len(means),
            tuple(mean.spreads[0] / len(means) for mean in means),
            tuple(mean.n[0] for mean in means),
            max(mean.resolution for mean in means),
        ),
        level,
        "Satterthwaite t",
    )


def shared_teacher_interval(groups: Sequence[ArrayLike], level: float = 0.95) -> Interval:
    """Mean score of students that share teachers: Student t on the teachers' mean scores.

    groups: [M] students for each of K teachers, M may differ. Teachers weigh the same, whatever their M: they are the
    independent unit, and n counts them. K < 3: no interval, however many students there are.
    Simulated coverage: docs/statistics.md.
    """
    if not groups:
        raise StatisticsError("groups: got none; at least one teacher's students are needed")
    method = "Student t on teachers' means"
    return _student(mean_estimate([mean_estimate(group).value for group in groups]), level, method)


def prediction_interval(values: Seeds, seeds: float, level: float = 0.95) -> Interval:
    """Where the mean of `seeds` further seeds of the same distribution would lie: mean -+ t s sqrt(1 / n + 1 / seeds).

    Hahn & Meeker (1991, Statistical Intervals), for the mean of m future observations.
    values [S]. seeds: 1 or more; infinity gives `mean_interval`. A printed value inside is compatible with our seeds.
    That is no evidence that it is the same: with noisy seeds everything is compatible. StatisticsError for seeds < 1.
    Simulated coverage: docs/statistics.md.
    """
    if not seeds >= 1:
        raise StatisticsError(f"seeds: got {seeds}; a number from 1 on, or infinity, is needed")
    return _student(further_seeds_estimate(values, seeds), level, "prediction")


def difference_interval(a: Seeds, b: Seeds, level: float = 0.95) -> Interval:
    """mean(a) - mean(b) for independent seeds: Welch (1947) with Satterthwaite's (1946) degrees of freedom.

    a [S], b [S']. One constant side is fine: the degrees of freedom are then those of the other.
    Simulated coverage: docs/statistics.md.
    """
    return _student(difference_estimate(a, b), level, "Welch t")


def ratio_interval(a: Seeds, b: Seeds, level: float = 0.95, paired: bool = False) -> Interval:
    """mean(a) / mean(b), of independent seeds or pairs: a t interval of log(mean) by the delta method, exponentiated.

    a [S], b [S']; pairs are both [S], in the same order. Standard error of the log response ratio, first-order delta
    method (Hedges, Gurevitch & Curtis 1999). Instead of their normal quantiles we take t with Satterthwaite's (1946)
    degrees of freedom, with coefficients of variation as spreads. Both means must be above 0, otherwise estimate (NaN)
    and interval are undefined: on negative returns a worse student would get the greater ratio. If the denominator's
    mean is not clear of 0 at this level, `reason` says so; `fieller_interval` is the honest answer there.
    Simulated coverage: docs/statistics.md.
    """
    method, above, below = "paired log-delta t" if paired else "log-delta t", mean_estimate(a), mean_estimate(b)
    log_ratio, n = log_ratio_estimate(a, b, paired), above.n if paired else above.n + below.n
    if log_ratio is None:
        reason = f"ratio undefined: both means must be above 0, got {above.value:.6g} / {below.value:.6g}"
        return Interval(math.nan, None, None, checked_level(level), n, method, reason)
    ratio, inner = above.value / below.value, _student(log_ratio, level, method)
    if inner.low is None or inner.high is None:
        return Interval(ratio, None, None, level, n, method, inner.reason)
    if log_ratio.error == 0:
        return Interval(ratio, ratio, ratio, level, n, method, CONSTANT)
    clear = below.error == 0 or below.bounds(level)[0] > 0
    reason = "" if clear else "the denominator's mean is not clear of 0: see the Fieller interval"
    return Interval(ratio, from_log(inner.low), from_log(inner.high), level, n, method, reason)


def fieller_interval(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> Interval:
    """mean(a) / mean(b) for independent seeds by Fieller (1954): all r at which mean(a) = r mean(b) is not rejected.

    a [S], b [S'], means of any sign. Degrees of freedom: Satterthwaite's at the estimated ratio. If the denominator's
    mean is not clear of 0, the set is unbounded, which is a legal answer: low and high are None and `reason` starts
    with "unbounded". The estimate is NaN if mean(b) is 0.
    Simulated coverage: docs/statistics.md.
    """
    above, below, n = mean_estimate(a), mean_estimate(b), mean_estimate(a).n + mean_estimate(b).n
    ratio = above.value / below.value if below.value else math.nan

    def answer(low: float | None, high: float | None, reason: str) -> Interval:
        return Interval(ratio, low, high, checked_level(level), n, "Fieller", reason)

    if not (above.enough and below.enough):
        return answer(None, None, TOO_FEW)
    if below.error == 0 and below.value == 0:
        return answer(None, None, "ratio undefined: the denominator is constantly 0")
    if above.error == 0 and below.error == 0:
        return answer(ratio, ratio, CONSTANT)
    # mean(a) - r mean(b) has these spreads; its degrees of freedom go to those of b as r grows without bound.
    contrast = Estimate(0.0, (above.spreads[0], ratio * below.spreads[0]), n, 0.0) if below.value else below
    contrast = contrast if contrast.error > 0 else below  # a numerator that is constantly 0
    squared = float(stdtrit(contrast.df, (1 + checked_level(level)) / 2)) ** 2
    square = below.value**2 - squared * below.error**2
    if square <= 0:
        return answer(None, None, f"{UNBOUNDED}: the denominator's mean is not clear of 0, the ratio is undefined here")
    product, constant = above.value * below.value, above.value**2 - squared * above.error**2
    half = math.sqrt(max(0.0, product**2 - square * constant))
    return answer((product - half) / square, (product + half) / square, "")
