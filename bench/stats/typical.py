"""The typical seed: how often one side's seed is better than the other's. Means may hang on a few collapsed seeds.

Axes: S seed. `a` [S] and `b` [S'] hold one number per seed; paired ones are both [S]. Higher is better.
"""

from dataclasses import dataclass
from typing import Literal

from numpy.typing import ArrayLike

from bench.stats.aggregates import improvement
from bench.stats.estimates import ERROR, MINIMUM_SEEDS, finite, matching
from bench.stats.special import betaincinv


@dataclass(frozen=True)
class Typical:
    """Probability that a seed of a is better than one of b, with ties counted half, and its interval at `level`.

    outcome: yes if it is shown to be above a half, no if below. n: pairs, or the seeds of the smaller side. low and
    high are None if n < 3.
    """

    probability: float
    low: float | None
    high: float | None
    level: float
    n: int
    outcome: Literal["yes", "no", "undecided"]


def typical(a: ArrayLike, b: ArrayLike, paired: bool, error: float = ERROR) -> Typical:
    """P(A > B) + P(A = B) / 2, for pairs the share of pairs, with the interval of Clopper & Pearson (1934).

    For pairs it is the sign test, exact for any distribution of scores. For independent sides the estimate is
    Mann-Whitney's U / (S S'), whose variance is at most that of min(S, S') pairs (Birnbaum & Klose 1957), and the
    interval is that of so many pairs. Fewer than five pairs can never decide: 2^-4 > 5%.
    error: of each one-sided bound.
    Simulated for shapes that differ between the sides: docs/statistics.md. StatisticsError as in
    `bench.stats.estimates`.
    """
    left, right = matching(a, b) if paired else (finite(a, "a"), finite(b, "b"))
    n = min(len(left), len(right))
    if paired:
        share = float(((left > right) + 0.5 * (left == right)).mean())
    else:
        share = float(improvement(left[:, None], right[:, None]))
    if n < MINIMUM_SEEDS:
        return Typical(share, None, None, 1 - 2 * error, n, "undecided")
    wins = share * n
    low = float(betaincinv(wins, n - wins + 1, error)) if wins > 0 else 0.0
    high = float(betaincinv(wins + 1, n - wins, 1 - error)) if wins < n else 1.0
    return Typical(share, low, high, 1 - 2 * error, n, "yes" if low > 0.5 else "no" if high < 0.5 else "undecided")
