"""Estimates with a standard error and degrees of freedom: the start of every interval and every decision.

Axes: S seed. One number per seed: the seed is the unit of replication, never the episode.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.stats import LARGEST
from bench.stats.rates import Rate, Signed, combined_bounds
from bench.stats.special import stdtrit

ERROR = 0.05  # of each one-sided test, the convention of Schuirmann (1987)
LEVEL = 1 - 2 * ERROR
MINIMUM_SEEDS = 3  # ours: with n = 2 the 97.5% quantile of t is 12.7, an interval that excludes nothing
LOG_LARGEST = math.log(float(np.finfo(np.float64).max))
ROUNDING = 8 * float(np.finfo(np.float64).eps)  # the difference of two rounded numbers is off by up to 4 eps; doubled


class StatisticsError(ValueError):
    """Numbers or settings that allow no statistic; the message says which they are and what is allowed."""


@dataclass(frozen=True)
class Estimate:
    """A value and what is needed for its Student t distribution.

    `spreads` are standard deviations (ddof 1) of single seeds, one for each independent side, on the scale of
    `value`; `n` the seeds of each side; `resolution` the size of floating-point rounding in `value`.
    A spread is 0 if the seeds differ only by rounding, and NaN if a side has one seed.
    paired: whether of the differences of pairs. correlation: of the two sides over the pairs; None if one does not
    vary. exact: computed, not measured, so a spread of 0 is certain. rates: the success rates in `value`, with their
    signs. noise: the least that their episodes add to each spread; empty without rates.
    """

    value: float
    spreads: tuple[float, ...]
    n: tuple[int, ...]
    resolution: float
    paired: bool = False
    correlation: float | None = None
    exact: bool = False
    rates: tuple[Signed, ...] = ()
    noise: tuple[float, ...] = ()

    @property
    def enough(self) -> bool:
        """Whether every side has at least 3 seeds; below that `error` and `df` mean nothing."""
        return min(self.n) >= MINIMUM_SEEDS

    @property
    def equal(self) -> bool:
        """Whether measured seeds are all equal: within each side, or in the differences of all pairs."""
        return max(self.spreads) == 0 and not self.exact

    @property
    def widths(self) -> tuple[float, ...]:
        """The spreads, but no smaller than the noise of their episodes."""
        return tuple(map(max, self.spreads, self.noise)) if self.noise else self.spreads

    @cached_property
    def error(self) -> float:
        """Standard error of `value`: the root of the sum of width^2 / n over sides. 0 for equal scores."""
        return math.hypot(*(width / math.sqrt(n) for width, n in zip(self.widths, self.n, strict=True)))

    @cached_property
    def df(self) -> float:
        """Degrees of freedom (Satterthwaite 1946); n - 1 for one side. Undefined if `error` is 0."""
        shares = [(width / self.error) ** 2 / n for width, n in zip(self.widths, self.n, strict=True)]
        return 1 / sum(share**2 / (n - 1) for share, n in zip(shares, self.n, strict=True))

    def bounds(self, level: float) -> tuple[float, float]:
        """Two-sided Student t interval at `level`; (value, value) for equal scores, except rates. Needs `enough`."""
        if self.equal and self.rates:
            return combined_bounds(self.value, self.rates, (1 - level) / 2)
        half = self.error * float(stdtrit(self.df, (1 + level) / 2)) if self.error > 0 else 0.0
        return self.value - half, self.value + half


Seeds = ArrayLike | Estimate  # one number per seed, or the estimate of their mean, made once for several uses


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
        raise StatisticsError(f"{name}: got shape {array.shape}; an array with {axes} axes is needed")
    if array.size == 0:
        raise StatisticsError(f"{name}: got no values (shape {array.shape}); at least one is needed")
    sound = np.abs(array) <= LARGEST
    if not sound.all():
        wrong = np.argwhere(~sound)
        where = ", ".join(str(index) for index in wrong[0])
        raise StatisticsError(
            f"{name}[{where}] is {array[tuple(wrong[0])]}; every value must be finite and at most {LARGEST:g} in size: "
            "leave a failed run out and count it as missing"
        )
    return array


def matching(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both sides of pairs, checked. StatisticsError for unequal numbers, and as in `finite`."""
    left, right = finite(a, "a"), finite(b, "b")
    if left.shape != right.shape:
        raise StatisticsError(f"paired values need the same seeds on both sides; got {len(left)} and {len(right)}")
    return left, right


def _moments(values: NDArray[np.float64], resolution: float) -> tuple[float, float]:
    """Mean and standard deviation (ddof 1); the latter is 0 if values differ by no more than `resolution`."""
    if len(values) == 1:
        return float(values[0]), math.nan
    if np.ptp(values) <= resolution:
        return float(np.median(values)), 0.0
    return float(values.mean()), float(values.std(ddof=1))


def _resolution(*sides: NDArray[np.float64]) -> float:
    return ROUNDING * max(float(np.abs(side).max()) for side in sides)


def mean_estimate(values: Seeds, name: str = "values", episodes: int | None = None) -> Estimate:
    """Mean over seeds. values [S], or an estimate of this function. StatisticsError, with `name`, as in `finite`.

    episodes: of each seed, if the values are success rates; else None.
    """
    if isinstance(values, Estimate):
        return values
    array = finite(values, name)
    resolution = _resolution(array)
    mean, spread = _moments(array, resolution)
    found = Estimate(mean, (spread,), (len(array),), resolution)
    if episodes is None:
        return found
    rate = Rate(mean, len(array), episodes)
    return replace(found, rates=((1.0, rate),), noise=(rate.noise,))


def from_log(value: float) -> float:
    """The exponential; infinite if no float holds it, as the bound of a ratio that is hardly known at all."""
    return math.exp(value) if value < LOG_LARGEST else math.inf


def exact_estimate(value: float, seeds: int) -> Estimate:
    """A number that is computed and the same for every seed, such as a network's size."""
    return Estimate(value, (0.0,), (seeds,), ROUNDING * abs(value), exact=True)


def further_seeds_estimate(values: Seeds, seeds: float) -> Estimate:
    """Mean over seeds against the unknown mean of `seeds` further ones of the same distribution. values [S].

    Standard error s sqrt(1 / S + 1 / seeds) on S - 1 degrees of freedom (Hahn & Meeker 1991): the spread of the
    others is taken from these, so it brings no degrees of freedom of its own. `seeds` may be infinite.
    """
    mean = mean_estimate(values)
    factor = math.sqrt(1 + mean.n[0] / seeds)
    return replace(mean, spreads=(mean.spreads[0] * factor,), noise=tuple(factor * one for one in mean.noise))


def paired_estimate(a: ArrayLike, b: ArrayLike, episodes: int | None = None) -> Estimate:
    """Mean of a - b over the same seeds, in the same order. a, b [S]. StatisticsError also for unequal S.

    episodes: as in `mean_estimate`.
    """
    left, right = matching(a, b)
    mean, spread = _moments(left - right, _resolution(left, right))
    sides = [mean_estimate(side, episodes=episodes) for side in (left, right)]
    return Estimate(
        mean,
        (spread,),
        (len(left),),
        _resolution(left, right),
        paired=True,
        correlation=_correlation(left, right),
        rates=_opposed(*sides),
        noise=(math.hypot(*sides[0].noise, *sides[1].noise),) if episodes is not None else (),
    )


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    """Pearson's r over pairs; None for fewer than three, or if a side does not vary. a, b [S]."""
    if len(a) < MINIMUM_SEEDS or min(np.ptp(side) - _resolution(side) for side in (a, b)) <= 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def _opposed(a: Estimate, b: Estimate) -> tuple[Signed, ...]:
    """The rates of a, and those of b with the other sign."""
    return (*a.rates, *((-sign, rate) for sign, rate in b.rates))


def difference_estimate(a: Seeds, b: Seeds, episodes: int | None = None) -> Estimate:
    """Difference of means of independent seeds, variances not pooled (Welch 1947). a [S], b [S'].

    episodes: as in `mean_estimate`.
    """
    left, right = mean_estimate(a, "a", episodes), mean_estimate(b, "b", episodes)
    return Estimate(
        left.value - right.value,
        left.spreads + right.spreads,
        left.n + right.n,
        max(left.resolution, right.resolution),
        exact=left.exact and right.exact,
        rates=_opposed(left, right),
        noise=left.noise + right.noise,
    )


def log_ratio_estimate(a: Seeds, b: Seeds, paired: bool = False, episodes: int | None = None) -> Estimate | None:
    """Logarithm of mean(a) / mean(b) by the delta method, of independent seeds or of pairs. a [S], b [S'].

    The log response ratio of Hedges, Gurevitch & Curtis (1999).
    The spread of a side is its coefficient of variation, the first-order standard deviation of log(mean) at n = 1; for
    pairs it is that of a / mean(a) - b / mean(b). None if a mean is not above 0: the logarithm does not exist.
    episodes: as in `mean_estimate`; they widen the spreads, and equal scores stay equal.
    """
    left, right = mean_estimate(a, "a", episodes), mean_estimate(b, "b", episodes)
    if left.value <= 0 or right.value <= 0:
        return None
    value = math.log(left.value) - math.log(right.value)
    resolution = ROUNDING * (1 + abs(value))
    noise = tuple(own / side.value for side in (left, right) for own in side.noise)
    if paired:
        x, y = matching(np.asarray(a), np.asarray(b))
        relative = paired_estimate(x / left.value, y / right.value)
        return replace(relative, value=value, resolution=resolution, noise=(math.hypot(*noise),) if noise else ())
    spreads = (left.spreads[0] / left.value, right.spreads[0] / right.value)
    return Estimate(value, spreads, left.n + right.n, resolution, noise=noise)
