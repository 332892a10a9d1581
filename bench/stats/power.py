"""The chance of a decision, and how many seeds make it great enough.

By the noncentral t distribution. Observed or piloted values and spreads are taken as the true ones, so every number
here is as uncertain as the few seeds behind them.
"""

import math
from bisect import bisect_left
from dataclasses import replace

from bench.stats.estimates import ERROR, MINIMUM_SEEDS, Estimate
from bench.stats.special import nctdtr, stdtr, stdtrit

POWER = 0.8  # the convention of Cohen (1988)
MOST_SEEDS = 1000  # beyond any budget of this field


def seeds_to_decide(estimate: Estimate, low: float, high: float) -> int | None:
    """Smallest n per side, 3 to 1000, with which the test of `low` < value < `high` decides with power of 80% or more.

    It takes the observed value and spreads as the true ones, and asks for the outcome that this value points to: yes
    inside the region, no outside. Ends may be infinite; value and ends are on the same scale. Power as in `power`,
    with Satterthwaite's (1946) degrees of freedom. Welch's test loses a little by estimating its degrees of freedom:
    simulated power is .72 to .75 if the answer is 3, .75 to .82 from 4 on. The number is as uncertain as the few seeds
    that the spread was taken from. None if 1000 do not suffice, as for a value on an edge. Constant scores: 3.
    """
    if estimate.error == 0:
        edge = min(abs(estimate.value - low), abs(high - estimate.value))
        return None if edge <= estimate.resolution else MINIMUM_SEEDS
    numbers = range(MINIMUM_SEEDS, MOST_SEEDS + 1)
    first = bisect_left(numbers, POWER, key=lambda n: _power(estimate, low, high, n))  # power grows with n
    return numbers[first] if first < len(numbers) else None


def _power(estimate: Estimate, low: float, high: float, n: int) -> float:
    """Power of the answer that the value points to, at n seeds per side."""
    planned = replace(estimate, n=(n,) * len(estimate.n))
    return power(estimate.value, planned.error, planned.df, low, high)


def power(value: float, error: float, df: float, low: float, high: float) -> float:
    """Power of the answer that a true `value` points to: yes inside (low, high), no outside.

    error: standard error of its estimate, above 0. df: degrees of freedom. By the noncentral t distribution (Johnson &
    Welch 1940). For a yes by two one-sided tests it is the sum of their powers minus 1 (Bonferroni's inequality), at
    most the true power, which Phillips (1990) gives exactly.
    """
    critical = float(stdtrit(df, 1 - ERROR))
    from_low, from_high = (value - low) / error, (high - value) / error
    if min(from_low, from_high) > 0:
        return _exceeds(critical, df, from_low) + _exceeds(critical, df, from_high) - 1
    second_tail = float(stdtr(df, -critical - (high - low) / error))  # of `_p_against`; at most 2.5% in all
    critical = float(stdtrit(df, 1 - max(ERROR - second_tail, ERROR / 2)))
    return _exceeds(critical, df, max(-from_low, -from_high))


def _exceeds(critical: float, df: float, centre: float) -> float:
    """Probability that noncentral t around `centre` >= 0 exceeds `critical`.

    From 50 on, infinity included, it is 1 to double precision: df is at least 2 and critical at most 4.4 here.
    `scipy.special.nctdtr` gives NaN at some ordinary arguments (scipy 1.17.1: 4.5, 49, 2). scipy.stats then answers,
    but takes half a second to load.
    """
    if centre > 50:
        return 1.0
    within = float(nctdtr(df, centre, critical))
    if not math.isnan(within):
        return 1 - within
    from scipy.stats import nct

    return float(nct.sf(critical, df, centre))
