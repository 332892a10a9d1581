"""Uncertainty from episodes and unseen seeds, if the seeds themselves show none: success rates, and equal scores.

Seeds with equal scores show no spread, but that is not certainty: one seed in many may still collapse, and a success
rate of a few episodes is not the true rate. Episodes may widen the interval of a rate, but never narrow it below what
the seeds say.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.stats.special import ndtri

SMALLEST = 1e-9  # p-values are not computed below this


def unseen(seeds: int, error: float = 0.05) -> float:
    """The greatest share q of seeds in a mode that so many seeds all miss with the probability `error`.

    (1 - q)^seeds = error, so 5 seeds cannot exclude a mode of 45% of seeds, nor 10 seeds one of 26%.
    """
    return 1 - error ** (1 / seeds)


@dataclass(frozen=True)
class Rate:
    """The mean success rate of some seeds, each over `episodes` episodes."""

    share: float
    seeds: int
    episodes: int

    @property
    def noise(self) -> float:
        """Standard deviation of one seed's rate by its episodes alone, at the centre of Agresti & Coull (1998)."""
        total = self.seeds * self.episodes
        centre = (self.share * total + 2) / (total + 4)
        return math.sqrt(centre * (1 - centre) / self.episodes)

    def bounds(self, error: float) -> tuple[float, float]:
        """Lower and upper bound of the true mean rate for equal seeds, each missed at most `error` of the time.

        Half of the error goes to Wilson's (1927) bound over all episodes, half to a mode that no seed showed
        (`unseen`), whose rate may be 0 or 1.
        """
        z, total, hidden = float(ndtri(1 - error / 2)), self.seeds * self.episodes, unseen(self.seeds, error / 2)
        centre = self.share + z * z / (2 * total)
        half = z * math.sqrt(max(0.0, self.share * (1 - self.share)) / total + (z / (2 * total)) ** 2)
        low, high = (end / (1 + z * z / total) for end in (centre - half, centre + half))
        return (1 - hidden) * max(0.0, low), (1 - hidden) * min(1.0, high) + hidden


Signed = tuple[float, Rate]  # its sign in a difference


def combined_bounds(value: float, rates: Sequence[Signed], error: float) -> tuple[float, float]:
    """Bounds of `value`, a sum of signed rates minus a constant, each missed at most `error` of the time.

    The error is divided among the rates (Bonferroni), so they may depend on each other.
    """
    low = high = value
    for sign, rate in rates:
        least, most = rate.bounds(error / len(rates))
        ends = sign * (least - rate.share), sign * (most - rate.share)
        low, high = low + min(ends), high + max(ends)
    return low, high


def p_values(value: float, rates: Sequence[Signed], low: float, high: float) -> tuple[float, float]:
    """The least errors at which the bounds of `value` lie inside (low, high), and outside of it; 1 if none does."""

    def inside(error: float) -> bool:
        least, most = combined_bounds(value, rates, error)
        return low < least and most < high

    def outside(error: float) -> bool:
        least, most = combined_bounds(value, rates, error)
        return least > high or most < low

    return _least(inside), _least(outside)


def _least(shown: Callable[[float], bool]) -> float:
    """The smallest error at which `shown` is true, to a thousandth of itself; it stays true for greater errors."""
    below, above = SMALLEST, 1 - SMALLEST
    if not shown(above):
        return 1.0
    if shown(below):
        return below
    while above / below > 1.001:
        middle = math.sqrt(below * above)
        below, above = (below, middle) if shown(middle) else (middle, above)
    return above
