"""Estimates with a standard error and degrees of freedom: what every interval and every decision starts from.

Axes: S seed. One number per seed: the seed is the unit of replication, never the episode.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

MINIMUM_SEEDS = 3  # ours: with n = 2 the 97.5% quantile of t is 12.7, an interval that excludes nothing
ROUNDING = 8 * float(np.finfo(np.float64).eps)  # the difference of two rounded numbers is off by up to 4 eps; doubled
LARGEST = 1e150  # its square is still a float64


class StatisticsError(ValueError):
    """Numbers or settings from which no statistic can be computed; the message says which and what is allowed."""


@dataclass(frozen=True)
class Estimate:
    """A value and what is needed for its Student t distribution.

    `spreads` are standard deviations (ddof 1) of single seeds, one for each independent side, on the scale of
    `value`; `n` the seeds of each side; `resolution` the size of floating-point rounding in `value`.
    A spread is 0 where the seeds differ by rounding only, and NaN where a side has one seed.
    """

    value: float
    spreads: tuple[float, ...]
    n: tuple[int, ...]
    resolution: float

    @property
    def enough(self) -> bool:
        """Whether every side has at least 3 seeds; below that `error` and `df` mean nothing."""
        return min(self.n) >= MINIMUM_SEEDS

    @cached_property
    def error(self) -> float:
        """Standard error of `value`: the root of the sum of spread^2 / n over sides. 0 for constant scores."""
        return math.hypot(*(spread / math.sqrt(n) for spread, n in zip(self.spreads, self.n, strict=True)))

    @cached_property
    def df(self) -> float:
        """Degrees of freedom (Satterthwaite 1946); n - 1 for one side. Undefined where `error` is 0."""
        shares = [(spread / self.error) ** 2 / n for spread, n in zip(self.spreads, self.n, strict=True)]
        return 1 / sum(share**2 / (n - 1) for share, n in zip(shares, self.n, strict=True))

    def bounds(self, level: float) -> tuple[float, float]:
        """Two-sided Student t interval at `level`; (value, value) for constant scores. Needs `enough`."""
        half = self.error * float(stdtrit(self.df, (1 + level) / 2)) if self.error > 0 else 0.0
        return self.value - half, self.value + half


Seeds = ArrayLike | Estimate  # one number a seed, or their mean's estimate, which is not taken twice then


def finite(values: ArrayLike, name: str, axes: int = 1) -> NDArray[np.float64]:
    """`values` as a float64 array with `axes` axes, checked.

    Raises StatisticsError, with `name` in the message, for another number of axes, an empty array, NaN, infinity,
    a magnitude above 1e150, or something that is no number.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatisticsError(f"{name}: not an array of numbers ({error})") from error
    if array.ndim != axes:
        raise StatisticsError(f"{name}: got shape {array.shape}, an array with {axes} axes is needed")
    if array.size == 0:
        raise StatisticsError(f"{name}: got no values (shape {array.shape}), at least one is needed")
    sound = np.abs(array) <= LARGEST
    if not sound.all():
        wrong = np.argwhere(~sound)
        where = ", ".join(str(index) for index in wrong[0])
        raise StatisticsError(
            f"{name}[{where}] is {array[tuple(wrong[0])]}; every value must be finite and at most {LARGEST:g} in size: "
            "leave a failed run out and count it as missing"
        )
    return array


def _matched(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    left, right = finite(a, "a"), finite(b, "b")
    if left.shape != right.shape:
        raise StatisticsError(f"paired values need the same seeds on both sides; got {len(left)} and {len(right)}")
    return left, right


def _moments(values: NDArray[np.float64], resolution: float) -> tuple[float, float]:
    """Mean and standard deviation (ddof 1), the latter 0 where values differ by no more than `resolution`."""
    if len(values) == 1:
        return float(values[0]), math.nan
    if np.ptp(values) <= resolution:
        return float(np.median(values)), 0.0
    return float(values.mean()), float(values.std(ddof=1))


def _resolution(*sides: NDArray[np.float64]) -> float:
    return ROUNDING * max(float(np.abs(side).max()) for side in sides)


def mean_estimate(values: Seeds, name: str = "values") -> Estimate:
    """Mean over seeds. values [S], or what this function made of them. StatisticsError, with `name`, as in `finite`."""
    if isinstance(values, Estimate):
        return values
    array = finite(values, name)
    resolution = _resolution(array)
    mean, spread = _moments(array, resolution)
    return Estimate(mean, (spread,), (len(array),), resolution)


def further_seeds_estimate(values: Seeds, seeds: float) -> Estimate:
    """Mean over seeds against the mean of `seeds` others of the same distribution, which are not known. values [S].

    Standard error s sqrt(1 / S + 1 / seeds) on S - 1 degrees of freedom (Hahn & Meeker 1991): the spread of the
    others is taken from these, so it brings no degrees of freedom of its own. `seeds` may be infinite.
    """
    mean = mean_estimate(values)
    factor = math.sqrt(1 + mean.n[0] / seeds)
    return Estimate(mean.value, (mean.spreads[0] * factor,), mean.n, mean.resolution)


def paired_estimate(a: ArrayLike, b: ArrayLike) -> Estimate:
    """Mean of a - b over the same seeds, in the same order. a, b [S]. StatisticsError also for unequal S."""
    left, right = _matched(a, b)
    mean, spread = _moments(left - right, _resolution(left, right))
    return Estimate(mean, (spread,), (len(left),), _resolution(left, right))


def difference_estimate(a: Seeds, b: Seeds) -> Estimate:
    """Difference of means of independent seeds, variances not pooled (Welch 1947). a [S], b [S']."""
    left, right = mean_estimate(a, "a"), mean_estimate(b, "b")
    resolution = max(left.resolution, right.resolution)
    return Estimate(left.value - right.value, left.spreads + right.spreads, left.n + right.n, resolution)


def log_ratio_estimate(a: Seeds, b: Seeds) -> Estimate | None:
    """Logarithm of mean(a) / mean(b) for independent seeds, by the delta method. a [S], b [S'].

    The log response ratio of Hedges, Gurevitch & Curtis (1999).
    The spread of a side is its coefficient of variation, the first-order standard deviation of log(mean) at n = 1.
    None where a mean is not above 0: the logarithm does not exist.
    """
    left, right = mean_estimate(a), mean_estimate(b)
    if left.value <= 0 or right.value <= 0:
        return None
    spreads = (left.spreads[0] / left.value, right.spreads[0] / right.value)
    value = math.log(left.value) - math.log(right.value)
    return Estimate(value, spreads, left.n + right.n, ROUNDING * (1 + abs(value)))
