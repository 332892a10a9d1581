"""Corrections for asking several questions at once. Plain p-values in, corrected p-values out.

All functions raise StatisticsError for no p-values, or one that is not a number from 0 to 1. A comparison that could
not be tested counts with p = 1: leaving it out would make the family look smaller than the question that was asked.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.stats.estimates import StatisticsError


def _checked(p_values: Sequence[float]) -> NDArray[np.float64]:
    array = np.asarray(p_values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or not ((array >= 0) & (array <= 1)).all():
        raise StatisticsError(f"p_values: got {list(p_values)}; one or more numbers from 0 to 1 are needed")
    return array


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's (1979) step-down corrected p-values, in the order given. Each is at most 1; ties stay ties.

    Rejecting those below 5% keeps the chance of any wrong rejection at 5%, under any dependence. For headline claims,
    since each will be quoted alone.
    """
    p = _checked(p_values)
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(1, np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order]))
    return tuple(corrected.tolist())


def benjamini_hochberg(p_values: Sequence[float]) -> tuple[float, ...]:
    """Benjamini & Hochberg's (1995) step-up corrected p-values, in the order given.

    Rejecting those below 5% keeps the expected share of wrong ones among the rejections at 5%, for independent tests
    and for positive dependence (Benjamini & Yekutieli 2001), such as comparisons that share a baseline. For the cells
    of a table.
    """
    p = _checked(p_values)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(1, np.minimum.accumulate(scaled[::-1])[::-1])
    return tuple(corrected.tolist())


def intersection_union(p_values: Sequence[float]) -> float:
    """p-value of "all of them hold": the greatest (Berger 1982). No correction is needed."""
    return float(_checked(p_values).max())


def partial_conjunction(p_values: Sequence[float], at_least: int) -> float:
    """p-value of "at least r of the K hold": (K - r + 1) p_(r), at most 1 (Benjamini & Heller 2008, Bonferroni form).

    `at_least` r from 1 to K. Valid under any dependence. r = K is `intersection_union`, r = 1 is Bonferroni's.
    The running maximum over ranks of the paper's Holm-like variants is not needed: one question is asked.
    """
    p = np.sort(_checked(p_values))
    if not 1 <= at_least <= len(p):
        raise StatisticsError(f"at_least: got {at_least}; 1 to {len(p)} (the number of p-values) is allowed")
    return float(min(1.0, (len(p) - at_least + 1) * p[at_least - 1]))


def most(count: int) -> int:
    """How many of `count` are "most": more than half, floor(K / 2) + 1."""
    return count // 2 + 1
