"""Exact rank-sum tests, one or many, for scores of any distribution.

Axes: S seed. `a` [S] and `b` [S'] hold one number per seed. If both come from one distribution, every choice of S among
the S + S' pooled scores is equally likely to be `a`. So the p-values hold for any distribution, with heavy tails, two
modes or ties. The price is that few seeds cannot reach a small p at all (`least_p`).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.stats.estimates import StatisticsError, finite


def rank_sum(a: ArrayLike, b: ArrayLike) -> tuple[float, float]:
    """p of "a is lower than b" and of "a is higher", by the exact distribution of a's rank sum (Wilcoxon 1945).

    a [S], b [S']. Ties get midranks, and the distribution is that of the midranks at hand (Lehmann 1975, Sec. 1.4).
    Each is at most 1 and at least 1 / (S + S' choose S). Raises StatisticsError for empty or non-finite input.
    """
    left, right = finite(a, "a"), finite(b, "b")
    from scipy.stats import rankdata  # half a second to load, which most commands do not need

    doubled = np.rint(2 * rankdata(np.concatenate([left, right]))).astype(int)
    ways = _ways(doubled, len(left))
    own, total = int(doubled[: len(left)].sum()), float(ways.sum())
    return min(1.0, float(ways[: own + 1].sum()) / total), min(1.0, float(ways[own:].sum()) / total)


def two_sided(a: ArrayLike, b: ArrayLike) -> float:
    """p of "a and b come from different distributions": twice the smaller of `rank_sum`'s, at most 1."""
    return min(1.0, 2 * min(rank_sum(a, b)))


def least_p(n: int, m: int) -> float:
    """The smallest two-sided p that n scores against m can reach."""
    return min(1.0, 2 / math.comb(n + m, n))


def shared_level(least: Sequence[float], error: float) -> float:
    """The level of each of several exact tests that keeps the chance of any wrong rejection at most `error`.

    least: the smallest p that each can reach. Tarone (1990): error / k for the smallest k such that no more than k
    tests can reach it; a test that cannot costs nothing. Valid under any dependence. Raises StatisticsError if error
    is not inside (0, 1).
    """
    if not 0 < error < 1:
        raise StatisticsError(f"error: got {error}; a number between 0 and 1 is needed, such as .01")
    reach = np.asarray(least, dtype=float)
    shares = (error / k for k in range(1, len(reach) + 1))
    return next((level for k, level in enumerate(shares, 1) if (reach <= level).sum() <= k), error)


def _ways(ranks: NDArray[np.int_], chosen: int) -> NDArray[np.float64]:
    """How many choices of `chosen` ranks have each sum, from 0 on."""
    size = int(np.sort(ranks)[len(ranks) - chosen :].sum()) + 1
    ways = np.zeros((chosen + 1, size))
    ways[0, 0] = 1
    for rank in ranks:
        ways[1:, rank:] += ways[:-1, : size - rank].copy()
    return ways[chosen]
