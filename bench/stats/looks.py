"""Seeds added until a question is decided: the cost of looking several times, and the level that pays for it.

Axes: P node of a grid.
After I_k seeds the test statistic of a question is S_k / sqrt(I_k). If there is no effect, S is a Brownian motion, and
the statistics have the joint normal distribution of Armitage, McPherson & Rowe (1969). A question that is judged at
every look at a one-sided level is decided wrongly if the statistic passes that level's quantile at any of them. The
constant level that makes the chance of this 5% is Pocock's (1977).

Seeds are few and the tests are t tests, so docs/statistics.md simulates the whole rule.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from bench.stats.estimates import ERROR, StatisticsError

Floats = NDArray[np.float64]
LEAST = -9.0  # end of the grid for a standard normal number: a share of 1e-19 lies below
NODES = 30  # of the grid, over the width of what one look adds: the error is then below 1e-12
FEWEST_NODES = 60
PRECISE = 1e-10  # precision of a level that is searched for
NORMAL = NormalDist()


@dataclass(frozen=True)
class Asked:
    """How a question is asked: at which looks, and below which one-sided p a look decides it.

    looks: counts of seeds; none or one if it is asked once.
    """

    nominal: float = ERROR
    looks: tuple[int, ...] = ()

    @property
    def often(self) -> bool:
        """Whether it is asked more than once."""
        return len(self.looks) > 1

    @property
    def level(self) -> float:
        """The level of the two-sided interval whose ends are the one-sided bounds of a look: 90% if asked once."""
        return 1 - 2 * self.nominal

    def overall(self, p: float) -> float:
        """The p-value over all looks of a p-value at one look: below 5% if that is below `nominal`.

        It is the error that looking at the level `p` each time would spend, as a share of what `nominal` spends, times
        5%. So corrections for several questions, which divide the level, take Pocock's constant at the divided level.
        """
        if not self.often:
            return p
        return min(1.0, overall_error(p, self.looks) * ERROR / overall_error(self.nominal, self.looks))

    def at_a_look(self, overall: float) -> float:
        """The inverse of `overall`."""
        if not self.often or overall in (0.0, 1.0):
            return overall
        spent = overall * overall_error(self.nominal, self.looks) / ERROR
        return nominal_level(self.looks, spent) if spent < 1 else 1.0

    def corrected(self, correct: Callable[[Sequence[float]], Sequence[float]], p: Sequence[float]) -> list[float]:
        """P-values at a look, corrected over all looks and turned back into p-values at a look."""
        return [self.at_a_look(one) for one in correct([self.overall(one) for one in p])]


ONCE = Asked()


def asked_at(looks: Sequence[int], nominal: float | None = None) -> Asked:
    """A question asked at these looks. nominal: None for Pocock's constant. StatisticsError as in `overall_error`."""
    if len(looks) < 2:
        return ONCE
    counts = tuple(looks)
    return Asked(nominal_level(counts) if nominal is None else nominal, counts)


def overall_error(nominal: float, looks: Sequence[int]) -> float:
    """The probability of a p below `nominal` at any of the looks, if there is no effect.

    looks: counts of seeds, or information in any unit. By Armitage, McPherson & Rowe's (1969) recursion: the density of
    S_k, if no look has decided yet, is that of S_(k-1) folded with the normal density of what the look adds.
    StatisticsError for a level outside 0 to 1, no look, or looks that do not increase from above 0.
    """
    if not 0 <= nominal <= 1:
        raise StatisticsError(f"nominal: got {nominal}; a level from 0 to 1 is needed")
    if not looks or looks[0] <= 0 or any(a >= b for a, b in itertools.pairwise(looks)):
        raise StatisticsError(f"looks: got {list(looks)}; increasing numbers above 0 are needed")
    if nominal in (0.0, 1.0) or len(looks) == 1:
        return nominal
    return _overall_error(nominal, tuple(looks))


@lru_cache(maxsize=4096)
def _overall_error(nominal: float, looks: tuple[int, ...]) -> float:
    bound = -NORMAL.inv_cdf(nominal)
    if bound <= LEAST:
        return 1.0
    steps = [math.sqrt(1 - before / after) for before, after in itertools.pairwise(looks)]
    nodes, weights = np.polynomial.legendre.leggauss(max(FEWEST_NODES, math.ceil(NODES / min(steps))))
    z = (bound + LEAST) / 2 + (bound - LEAST) / 2 * nodes  # of each look: S_k / sqrt(I_k)
    weights = weights * (bound - LEAST) / 2
    density, spent = _normal_density(z), nominal
    for step in steps:
        moved = z * math.sqrt(1 - step**2)  # what is known before the look, in units of the look
        spent += float(weights @ (density * _above((bound - moved) / step)))
        density = _normal_density((z[:, None] - moved) / step) / step @ (weights * density)
    return min(1.0, spent)


def nominal_level(looks: Sequence[int], error: float = ERROR) -> float:
    """Pocock's (1977) constant for any looks: the one-sided level of each that gives `error` over all.

    Four equal looks at one-sided 5%: .0194. StatisticsError as in `overall_error`, and for an error outside 0 to 1.
    """
    if not 0 < error < 1:
        raise StatisticsError(f"error: got {error}; a level between 0 and 1 is needed")
    overall_error(error, looks)
    return error if len(looks) == 1 else _nominal_level(tuple(looks), error)


@lru_cache(maxsize=4096)
def _nominal_level(looks: tuple[int, ...], error: float) -> float:
    """Regula falsi (Illinois) on logarithms, where level and error are nearly on a straight line."""
    ends = [math.log(error / len(looks)), math.log(error)]  # Bonferroni's inequality, and what one look spends
    off = [_too_much(end, looks, error) for end in ends]
    while ends[1] - ends[0] > PRECISE and off[1] > 0 > off[0]:
        middle = ends[0] - off[0] * (ends[1] - ends[0]) / (off[1] - off[0])
        found = _too_much(middle, looks, error)
        if abs(found) < PRECISE:
            return math.exp(middle)
        kept = int(found < 0)
        off[kept] /= 2
        ends[1 - kept], off[1 - kept] = middle, found
    return math.exp(ends[0])


def _too_much(nominal: float, looks: tuple[int, ...], error: float) -> float:
    """How far the error that a level spends is above the one asked for, in logarithms."""
    return math.log(_overall_error(math.exp(nominal), looks) / error)


def _normal_density(z: Floats) -> Floats:
    return np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)


def _above(z: Floats) -> Floats:
    """The probability of more than z."""
    return np.array([math.erfc(one / math.sqrt(2)) / 2 for one in z])
