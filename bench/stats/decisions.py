"""Decisions on per-seed numbers: yes, no or undecided, each error at most 5% for normal seeds.

Axes: S seed. `a` [S] and `b` [S'] hold one number per seed, paired ones [S] both, in the same order; higher is better.

Every decision asks whether a difference (or the logarithm of a ratio) lies in a region, by one-sided t tests at 5%:
*yes* where each test that it lies outside is rejected (two one-sided tests, Schuirmann 1987), *no* where the test that
it lies inside is. Shown with it is the 90% interval, whose ends are the two one-sided 95% bounds. Non-significance is
never "the same".

All functions raise StatisticsError for NaN, infinity, empty input, unequal paired sides, or a bad margin. With n < 3
on a side the outcome is undecided. Where the scores do not vary at all, the value alone decides: p is 0 or 1, or
.5 where it lies on the region's edge to within rounding, and the reason says "constant scores".

Error figures are percent of wrong answers at n = 3 / 5 / 10, the greatest over true differences of 0, .05, .1 and .3
with seeds of standard deviation .1 and a margin of .1, simulated; docs/statistics.md says how. Bounded and bimodal as
in `bench.stats.intervals`; unequal: spreads .05 and .15; collapses: the sides differ only in how many seeds collapse.
At most 5% is asked of all but the last.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import nctdtr, stdtr, stdtrit

from bench.stats.estimates import (
    MINIMUM_SEEDS,
    Estimate,
    StatisticsError,
    difference_estimate,
    log_ratio_estimate,
    paired_estimate,
)
from bench.stats.intervals import TOO_FEW
from bench.stats.multiplicity import holm

ERROR = 0.05  # of each one-sided test, the convention of Schuirmann (1987)
LEVEL = 1 - 2 * ERROR
POWER = 0.8  # the convention of Cohen (1988)
MOST_SEEDS = 1000  # beyond any budget of this field

Outcome = Literal["yes", "no", "undecided"]


@dataclass(frozen=True)
class Decision:
    """An outcome with what it rests on.

    estimate, low, high: the difference or ratio with its interval at `level`, None where undefined. p: of the finding
    "yes"; p_against: of the finding "no"; None where nothing could be tested. n: seeds of each side, pairs count once.
    seeds_to_decide: seeds per side (the same on both) that would decide, only where undecided; None if 1000 do not.
    """

    outcome: Outcome
    estimate: float | None
    low: float | None
    high: float | None
    level: float
    p: float | None
    n: tuple[int, ...]
    reason: str
    seeds_to_decide: int | None
    p_against: float | None = None


def ordering(greater: ArrayLike, less: ArrayLike, paired: bool, margin: float) -> Decision:
    """Whether mean(greater) - mean(less) > 0, by a one-sided Welch (1947) t test, or a paired t test.

    p < .05 is yes, p > .95 no. The margin does not enter the outcome; the reason says where the interval shows that
    the advantage is smaller than the margin, so that a proven trifle and an excluded advantage both can be told.
    Errors, Welch: normal 3.9 / 4.7 / 5.0, bounded 3.6 / 4.3 / 4.8, bimodal 1.7 / 3.0 / 4.6, unequal 5.2 / 5.2 / 5.1,
    collapses 2.2 / 2.3 / 2.9. Pairs: normal 4.9 / 5.0 / 5.0, bounded 4.5 / 4.8 / 5.0, bimodal 2.4 / 3.3 / 5.1,
    unequal 5.1 / 5.0 / 5.1, collapses 2.8 / 2.4 / 3.0.
    """
    require_margin(margin, positive=False)
    decision = decide(_difference(greater, less, paired), 0, math.inf)
    if decision.p is None or decision.high is None:
        return decision
    small = decision.high < margin
    words: dict[Outcome, str] = {
        "yes": "greater" + (f", but by less than the margin {margin:g}" if small else ""),
        "no": "reversed: less, not greater",
        "undecided": "neither order is shown"
        + (f"; an advantage of the margin {margin:g} or more is excluded" if small else ""),
    }
    return explained(decision, words)


def clearly_greater(greater: ArrayLike, less: ArrayLike, paired: bool, margin: float) -> Decision:
    """Whether mean(greater) - mean(less) > margin: superiority by the margin, the mirror of `not_greater`.

    Yes where the one-sided 95% lower bound of the difference is above the margin, no where the upper one is below it:
    the tests of `not_greater` with yes and no exchanged, so its error figures hold here too.
    """
    require_margin(margin, positive=False)
    words: dict[Outcome, str] = {
        "yes": f"greater by more than the margin {margin:g}",
        "no": f"not greater by the margin {margin:g} or more",
        "undecided": f"neither an advantage above nor one below the margin {margin:g} is shown",
    }
    return explained(decide(_difference(greater, less, paired), margin, math.inf), words)


def equivalence(a: ArrayLike, b: ArrayLike, paired: bool, margin: float) -> Decision:
    """Whether |mean(a) - mean(b)| < margin, by two one-sided tests (Schuirmann 1987).

    Yes where the 90% interval lies inside (-margin, margin). No where it lies wholly outside and, in addition, the
    probability of a value that far out *on either side* is below 5% at a true difference of the margin. The addition
    matters where the margin is small against the standard error: the interval alone would then err up to 10%.
    Errors, Welch: normal 3.5 / 4.5 / 5.0, bounded 3.4 / 4.3 / 4.8, bimodal 1.7 / 2.7 / 4.6, unequal 4.6 / 5.0 / 5.1,
    collapses 24.5 / 12.6 / 3.5. Pairs are not simulated.
    """
    require_margin(margin, positive=True)
    words: dict[Outcome, str] = {
        "yes": f"within the margin {margin:g}",
        "no": f"apart by more than the margin {margin:g}",
        "undecided": f"neither a difference below nor one above the margin {margin:g} is shown",
    }
    return explained(decide(_difference(a, b, paired), -margin, margin), words)


def not_greater(a: ArrayLike, b: ArrayLike, paired: bool, margin: float) -> Decision:
    """Whether mean(a) - mean(b) < margin: "a is not clearly better than b" (non-inferiority of b).

    Yes where the one-sided 95% upper bound of the difference is below the margin, no where the one-sided 95% lower
    bound is above it (Welch 1947, or paired t). Both tests meet at the margin, so whatever the truth is, only one of
    the answers can be wrong, and that one is given at most 5% of the time, for normal seeds.
    Errors, Welch: normal 4.0 / 4.7 / 5.0, bounded 3.9 / 4.5 / 4.9, bimodal 1.7 / 2.9 / 4.6, unequal 5.1 / 5.1 / 5.1,
    collapses 26.7 / 14.6 / 6.2. Pairs are not simulated.
    """
    require_margin(margin, positive=False)
    words: dict[Outcome, str] = {
        "yes": f"not better by the margin {margin:g} or more",
        "no": f"better by more than the margin {margin:g}",
        "undecided": f"neither an advantage below nor one above the margin {margin:g} is shown",
    }
    return explained(decide(_difference(a, b, paired), -math.inf, margin), words)


def ratio(numerator: ArrayLike, denominator: ArrayLike, printed: float, margin: float) -> Decision:
    """Whether mean(numerator) / mean(denominator) is within printed +- margin, by log-delta t on independent seeds.

    numerator [S], denominator [S']. Two one-sided tests (Schuirmann 1987) on the log scale, no as in `equivalence`;
    the standard error is the log response ratio's (Hedges, Gurevitch & Curtis 1999). printed counts as exact.
    Undecided where a mean is not above 0, for want of a ratio. StatisticsError unless printed and margin > 0.
    Where printed <= margin there is no lower edge: a ratio is above 0 anyway.
    Errors, printed 1, a difference of .1 on the edge: normal 3.4 / 4.4 / 4.8, bounded 3.0 / 3.4 / 4.0,
    bimodal 1.6 / 1.4 / 3.8, unequal 4.0 / 4.1 / 4.4, collapses 25.5 / 12.5 / 1.5.
    """
    require_margin(margin, positive=True)
    if not (printed > 0 and math.isfinite(printed)):
        raise StatisticsError(f"printed: got {printed}, a ratio above 0 is needed")
    logarithm = log_ratio_estimate(numerator, denominator)
    if logarithm is None:
        n = (len(np.asarray(numerator)), len(np.asarray(denominator)))
        reason = TOO_FEW if min(n) < MINIMUM_SEEDS else "ratio undefined: both means must be above 0"
        return Decision("undecided", None, None, None, LEVEL, None, n, reason, None)
    low = math.log(printed - margin) if printed > margin else -math.inf
    decision = decide(logarithm, low, math.log(printed + margin))
    estimate, low, high = (None if end is None else math.exp(end) for end in _ends(decision))
    words: dict[Outcome, str] = {
        "yes": f"within {printed:g} +- {margin:g}",
        "no": f"outside {printed:g} +- {margin:g}",
        "undecided": f"neither inside nor outside {printed:g} +- {margin:g}",
    }
    return explained(replace(decision, estimate=estimate, low=low, high=high), words)


def untested(reason: str) -> Decision:
    """A comparison for which there are no numbers: undecided, and among several one that was not shown."""
    return Decision("undecided", None, None, None, LEVEL, None, (0,), reason, None)


def conjunction(decisions: Sequence[Decision], names: Sequence[str] | None = None) -> Decision:
    """Whether all of several decisions are yes, of any kind.

    Yes where every p < .05: intersection-union, no correction needed (Berger 1982); p is the greatest. No where at
    least one reversal stands after Holm's (1979) correction over all of them; p_against is the smallest corrected one.
    Estimate, interval and n are those of the comparison that limits the outcome: for yes and undecided an untested
    one, else that of the greatest p; for no that of the smallest p_against. The reason names it, by `names` or number.
    seeds_to_decide is the greatest among the undecided, each alone; None where one of them has none, or where a
    reversal stands alone but not after correction.
    StatisticsError for no decisions or another number of names.
    Errors, three orderings, two of them by .3: normal 3.0 / 4.7 / 5.0, bounded 1.8 / 4.0 / 4.7,
    bimodal 1.1 / 2.8 / 4.6, unequal 2.8 / 4.8 / 5.0, collapses 0.8 / 0.6 / 1.9.
    """
    if not decisions:
        raise StatisticsError("decisions: got none, at least one is needed")
    if names is None:
        names = [f"comparison {number} of {len(decisions)}" for number in range(1, len(decisions) + 1)]
    if len(names) != len(decisions):
        raise StatisticsError(f"names: got {len(names)} for {len(decisions)} decisions")
    p = [1.0 if decision.p is None else decision.p for decision in decisions]
    against = holm([1.0 if decision.p_against is None else decision.p_against for decision in decisions])
    reversed_ones = [name for name, corrected in zip(names, against, strict=True) if corrected < ERROR]
    seeds = None
    if reversed_ones:
        outcome, limit = "no", int(np.argmin(against))
        reason = f"reversed after Holm's correction: {', '.join(reversed_ones)}"
    else:
        untested = [index for index, decision in enumerate(decisions) if decision.p is None]
        limit = untested[0] if untested else int(np.argmax(p))
        outcome = "yes" if max(p) < ERROR else "undecided"
        reason = f"all {len(decisions)} hold; " if outcome == "yes" else ""
        reason += f"limited by {names[limit]}: p = {p[limit]:.3g}" if not untested else f"untested: {names[limit]}"
        if outcome == "undecided":
            seeds = _seeds_of_all(decisions)
    known = any(decision.p is not None for decision in decisions)
    limiting = decisions[limit]
    return Decision(
        outcome,
        *_ends(limiting),
        LEVEL,
        max(p) if known else None,
        limiting.n,
        reason,
        seeds,
        min(against) if known else None,
    )


def seeds_to_decide(estimate: Estimate, low: float, high: float) -> int | None:
    """Smallest n per side, 3 to 1000, with which the test of `low` < value < `high` decides with power of 80% or more.

    It takes the observed value and spreads for the true ones, and asks for the outcome that this value points to: yes
    inside the region, no outside. Ends may be infinite; value and ends are on the same scale. Power as in `power`,
    with Satterthwaite's (1946) degrees of freedom. Welch's test loses a little by estimating its degrees of freedom:
    simulated power is .72 to .75 where the answer is 3, .75 to .82 from 4 on. The number is as uncertain as the few
    seeds that the spread was taken from. None where 1000 do not suffice, as for a value on an edge. Constant scores: 3.
    """
    if estimate.error == 0:
        edge = min(abs(estimate.value - low), abs(high - estimate.value))
        return None if edge <= estimate.resolution else MINIMUM_SEEDS
    numbers = range(MINIMUM_SEEDS, MOST_SEEDS + 1)
    first = bisect_left(numbers, POWER, key=lambda n: _power(estimate, low, high, n))  # power grows with n
    return numbers[first] if first < len(numbers) else None


def _power(estimate: Estimate, low: float, high: float, n: int) -> float:
    """Power at n seeds per side of the answer that the value points to."""
    planned = replace(estimate, n=(n,) * len(estimate.n))
    return power(estimate.value, planned.error, planned.df, low, high)


def power(value: float, error: float, df: float, low: float, high: float) -> float:
    """Power of the answer that a true `value` points to: yes inside (low, high), no outside.

    error: standard error above 0 of its estimate, df: degrees of freedom. By the noncentral t distribution (Johnson &
    Welch 1940). For a yes by two one-sided tests the sum of their powers less 1 (Bonferroni's inequality), which is at
    most the true power, given exactly by Phillips (1990).
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
    `scipy.special.nctdtr` gives NaN at some ordinary arguments (scipy 1.17.1: 4.5, 49, 2), where scipy.stats answers;
    that one takes half a second to load.
    """
    if centre > 50:
        return 1.0
    within = float(nctdtr(df, centre, critical))
    if not math.isnan(within):
        return 1 - within
    from scipy.stats import nct

    return float(nct.sf(critical, df, centre))


def _tail(estimate: Estimate, distance: float) -> float:
    """Probability of a value at least `distance` beyond an edge when the truth lies on the edge."""
    if estimate.error > 0:
        return float(stdtr(estimate.df, -distance / estimate.error))
    if abs(distance) <= estimate.resolution:
        return 0.5
    return 0.0 if distance > 0 else 1.0


def _p_against(estimate: Estimate, low: float, high: float) -> float:
    """With the truth on an edge, the probability of a value as far from the region's middle, on either side.

    The p-value of "outside". For a region with one edge the second side vanishes, and this is 1 - p.
    """
    outside = max(low - estimate.value, estimate.value - high)
    return min(1.0, _tail(estimate, outside) + _tail(estimate, outside + (high - low)))


def decide(
    estimate: Estimate,
    low: float,
    high: float,
    seeds_that_decide: Callable[[Estimate, float, float], int | None] | None = None,
) -> Decision:
    """Whether the value lies in (low, high), an end may be infinite; all decisions come through here.

    seeds_that_decide: in place of `seeds_to_decide`, asked only where undecided.
    """
    if not estimate.enough:
        return Decision("undecided", estimate.value, None, None, LEVEL, None, estimate.n, TOO_FEW, None)
    p = max(_tail(estimate, estimate.value - low), _tail(estimate, high - estimate.value))
    against = _p_against(estimate, low, high)
    outcome: Outcome = "yes" if p < ERROR else "no" if against < ERROR else "undecided"
    search = seeds_that_decide or seeds_to_decide
    seeds = search(estimate, low, high) if outcome == "undecided" else None
    reason = "constant scores" if estimate.error == 0 else ""
    return Decision(
        outcome, estimate.value, *estimate.bounds(LEVEL), LEVEL, p, estimate.n, reason, seeds, p_against=against
    )


def explained(decision: Decision, words: dict[Outcome, str]) -> Decision:
    """The decision with the words for its outcome as its reason, unless nothing was tested."""
    if decision.p is None:
        return decision
    reason = words[decision.outcome] if not decision.reason else f"{decision.reason}: {words[decision.outcome]}"
    return replace(decision, reason=reason)


def _difference(a: ArrayLike, b: ArrayLike, paired: bool) -> Estimate:
    return paired_estimate(a, b) if paired else difference_estimate(a, b)


def _ends(decision: Decision) -> tuple[float | None, float | None, float | None]:
    return decision.estimate, decision.low, decision.high


def _seeds_of_all(decisions: Sequence[Decision]) -> int | None:
    if any(decision.outcome == "no" for decision in decisions):
        return None
    seeds = [decision.seeds_to_decide for decision in decisions if decision.outcome == "undecided"]
    return None if None in seeds else max(number for number in seeds if number is not None)


def require_margin(margin: float, positive: bool) -> None:
    """StatisticsError unless the margin is finite and at least 0, or above 0 where it must be positive."""
    if not (math.isfinite(margin) and margin >= 0) or (positive and margin == 0):
        raise StatisticsError(
            f"margin: got {margin}, a finite number {'above' if positive else 'of at least'} 0 is needed"
        )
