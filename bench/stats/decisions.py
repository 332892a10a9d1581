"""Decisions on per-seed numbers: yes, no or undecided, each error at most 5% for normal seeds.

Axes: S seed. `a` [S] and `b` [S'] hold one number per seed; paired ones are both [S], in the same order. Higher is
better.

Every decision asks whether a difference (or the logarithm of a ratio) lies in a region, by one-sided t tests at 5%:
*yes* if each test that it lies outside is rejected (two one-sided tests, Schuirmann 1987), *no* if the test that it
lies inside is rejected. The 90% interval is shown with it; its ends are the two one-sided 95% bounds. Non-significance
is never "the same".

All functions raise StatisticsError for NaN, infinity, empty input, unequal paired sides, or a bad margin. With n < 3
on a side the outcome is undecided. It is also undecided if the scores of measured seeds do not vary at all, because
equal seeds do not mean certainty. For success rates, their episodes and the share of seeds that may yet behave
otherwise decide (`bench.stats.rates`). A computed quantity, which is not measured, decides by its value.

`asked`: if a question is asked at several looks, as seeds are added, each look judges it at a nominal level in place of
5%, and the interval's ends are the bounds at that level (`bench.stats.looks`). A p-value is that of the look;
corrections for several questions take it over all looks.

The rates of wrong answers are simulated, by shape, difference and number of seeds: docs/statistics.md.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from bench.stats.estimates import (
    LEVEL,
    MINIMUM_SEEDS,
    Estimate,
    Seeds,
    StatisticsError,
    difference_estimate,
    from_log,
    log_ratio_estimate,
    mean_estimate,
    paired_estimate,
)
from bench.stats.intervals import TOO_FEW, Interval, fieller_interval
from bench.stats.looks import ONCE, Asked
from bench.stats.multiplicity import holm
from bench.stats.power import seeds_to_decide
from bench.stats.rates import p_values, unseen
from bench.stats.special import stdtr
from bench.stats.typical import Typical, typical

Outcome = Literal["yes", "no", "undecided"]


@dataclass(frozen=True)
class Decision:
    """An outcome with its basis.

    estimate, low, high: the difference or ratio with its interval at `level`; None if undefined. p: of the finding
    "yes"; p_against: of the finding "no"; None if nothing could be tested. n: seeds of each side, pairs count once.
    seeds_to_decide: seeds per side (the same on both) that would decide, only if undecided; None if 1000 do not.
    paired, correlation: as in `bench.stats.estimates.Estimate`. margin: the one judged with. typical: for orderings.
    tags: remarks beside the outcome, a few words each. undefined: no number of seeds can decide. depends: another
    reading of the source gives another outcome. compatible: for a printed value, whether seeds like ours could have
    given it; None if that is not known. It is never the outcome.
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
    paired: bool = False
    correlation: float | None = None
    margin: float | None = None
    typical: Typical | None = None
    tags: tuple[str, ...] = ()
    undefined: bool = False
    depends: bool = False
    compatible: bool | None = None


MEAN_AND_SEED = "the typical seed says otherwise"


def ordering(
    greater: Seeds, less: Seeds, paired: bool, margin: float, episodes: int | None = None, asked: Asked = ONCE
) -> Decision:
    """Whether mean(greater) - mean(less) > 0, by a one-sided Welch (1947) t test, or a paired t test.

    p < .05 is yes, p > .95 no. The margin does not enter the outcome. The reason says if the interval shows that the
    advantage is smaller than the margin, so a proven trifle and an excluded advantage can both be recognised.
    `typical` is the second answer, about the typical seed; a tag says if it points the other way.
    episodes: of each seed, if the scores are success rates.
    Simulated errors: docs/statistics.md.
    """
    require_margin(margin, positive=False)
    decision = decide(_difference(greater, less, paired, episodes), 0, math.inf, asked=asked)
    decision = _with_typical(decision, greater, less, asked)
    decision = replace(decision, margin=margin)
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


def clearly_greater(
    greater: Seeds, less: Seeds, paired: bool, margin: float, episodes: int | None = None, asked: Asked = ONCE
) -> Decision:
    """Whether mean(greater) - mean(less) > margin: superiority by the margin, the mirror of `not_greater`.

    Yes if the one-sided 95% lower bound of the difference is above the margin, no if the upper bound is below it. These
    are the tests of `not_greater` with yes and no exchanged, so the errors are the same.
    """
    require_margin(margin, positive=False)
    words: dict[Outcome, str] = {
        "yes": f"greater by more than the margin {margin:g}",
        "no": f"not greater by the margin {margin:g} or more",
        "undecided": f"neither an advantage above nor one below the margin {margin:g} is shown",
    }
    decision = decide(_difference(greater, less, paired, episodes), margin, math.inf, asked=asked)
    decision = _with_typical(decision, greater, less, asked)
    return explained(replace(decision, margin=margin), words)


def equivalence(
    a: Seeds, b: Seeds, paired: bool, margin: float, episodes: int | None = None, asked: Asked = ONCE
) -> Decision:
    """Whether |mean(a) - mean(b)| < margin, by two one-sided tests (Schuirmann 1987).

    Yes if the 90% interval lies inside (-margin, margin). No if it lies wholly outside and, in addition, the
    probability of a value that far out *on either side* is below 5% at a true difference of the margin. The addition
    matters if the margin is small against the standard error: the interval alone would then err up to 10%.
    Simulated errors: docs/statistics.md.
    """
    require_margin(margin, positive=True)
    words: dict[Outcome, str] = {
        "yes": f"within the margin {margin:g}",
        "no": f"different by more than the margin {margin:g}",
        "undecided": f"neither a difference below nor one above the margin {margin:g} is shown",
    }
    decision = decide(_difference(a, b, paired, episodes), -margin, margin, asked=asked)
    return explained(replace(decision, margin=margin), words)


def not_greater(
    a: Seeds, b: Seeds, paired: bool, margin: float, episodes: int | None = None, asked: Asked = ONCE
) -> Decision:
    """Whether mean(a) - mean(b) < margin: "a is not clearly better than b" (non-inferiority of b).

    Yes if the one-sided 95% upper bound of the difference is below the margin, no if the one-sided 95% lower bound is
    above it (Welch 1947, or paired t). Both tests meet at the margin. So whatever the truth is, only one of the answers
    can be wrong, and that one is given at most 5% of the time, for normal seeds.
    Simulated errors: docs/statistics.md.
    """
    require_margin(margin, positive=False)
    words: dict[Outcome, str] = {
        "yes": f"not better by the margin {margin:g} or more",
        "no": f"better by more than the margin {margin:g}",
        "undecided": f"neither an advantage below nor one above the margin {margin:g} is shown",
    }
    decision = decide(_difference(a, b, paired, episodes), -math.inf, margin, asked=asked)
    return explained(replace(decision, margin=margin), words)


def ratio(
    numerator: ArrayLike,
    denominator: ArrayLike,
    printed: float,
    margin: float,
    paired: bool = False,
    episodes: int | None = None,
    asked: Asked = ONCE,
) -> Decision:
    """Whether mean(numerator) / mean(denominator) is within printed +- margin, by log-delta t, of pairs or independent.

    numerator [S], denominator [S']. Two one-sided tests (Schuirmann 1987) on the log scale, no as in `equivalence`;
    the standard error is the log response ratio's (Hedges, Gurevitch & Curtis 1999). printed counts as exact.
    If a mean is not above 0, there is no logarithm, and the answer is undecided. One case is a no: the denominator is
    clear of 0, and the numerator, which is not above 0, is shown to be less than (printed - margin) times the
    denominator (Fieller 1954). StatisticsError unless printed and margin > 0.
    If printed <= margin there is no lower edge: a ratio is above 0 anyway.
    Simulated errors: docs/statistics.md.
    """
    require_margin(margin, positive=True)
    if not (printed > 0 and math.isfinite(printed)):
        raise StatisticsError(f"printed: got {printed}; a ratio above 0 is needed")
    logarithm = log_ratio_estimate(numerator, denominator, paired, episodes)
    words: dict[Outcome, str] = {
        "yes": f"within {printed:g} +- {margin:g}",
        "no": f"outside {printed:g} +- {margin:g}",
        "undecided": f"neither inside nor outside {printed:g} +- {margin:g}",
    }
    if logarithm is None:
        least = max(0.0, printed - margin)
        difference = _difference(numerator, least * np.asarray(denominator), paired, None)
        below = decide(difference, 0, math.inf, asked=asked)
        above_zero = decide(mean_estimate(denominator), 0, math.inf, asked=asked)
        if refuted := nothing_left(below, above_zero, fieller_interval(numerator, denominator, asked.level)):
            return explained(replace(refuted, margin=margin), words)
        if difference.enough and difference.equal:  # neither side varies
            return replace(below, estimate=None, low=None, high=None, margin=margin)
        n = (len(np.asarray(numerator)), len(np.asarray(denominator)))[paired:]
        few = min(n) < MINIMUM_SEEDS
        reason = TOO_FEW if few else "ratio undefined: both means must be above 0"
        return Decision("undecided", None, None, None, asked.level, None, n, reason, None, undefined=not few)
    low = math.log(printed - margin) if printed > margin else -math.inf
    decision = decide(logarithm, low, math.log(printed + margin), asked=asked)
    ends = (decision.estimate, decision.low, decision.high)
    estimate, low, high = (None if end is None else from_log(end) for end in ends)
    return explained(replace(decision, estimate=estimate, low=low, high=high, margin=margin), words)


def nothing_left(below: Decision, denominator: Decision, shown: Interval) -> Decision | None:
    """No, for a ratio whose numerator is at 0 or below, if that is shown; else None.

    below: whether numerator - least * denominator is above 0. denominator: whether it is above 0 itself; only if that
    is shown, the ratio has an edge to fall short of. shown: Fieller's interval of the ratio at their level.
    """
    if denominator.outcome != "yes" or below.outcome != "no":
        return None
    return replace(below, estimate=shown.estimate, low=shown.low, high=shown.high)


def untested(reason: str, undefined: bool = False) -> Decision:
    """A comparison without numbers: undecided, and among several one that was not shown."""
    return Decision("undecided", None, None, None, LEVEL, None, (0,), reason, None, undefined=undefined)


def conjunction(decisions: Sequence[Decision], names: Sequence[str] | None = None, asked: Asked = ONCE) -> Decision:
    """Whether all of several decisions, of any kind, are yes; each was asked as `asked` says.

    Yes if every p < .05, or below the look's level: intersection-union, no correction needed (Berger 1982); p is the
    greatest. No if at least one reversal stands after Holm's (1979) correction over all of them; p_against is the
    smallest corrected one. Estimate, interval, n, r, margin and typical seed are those of the comparison that limits
    the outcome. For yes and undecided that is an untested one, else the one with the greatest p; for no it is the one
    with the smallest p_against. The reason names it, by `names` or number.
    seeds_to_decide is the greatest among the undecided, each alone. It is None if one of them has none, or if a
    reversal stands alone but not after correction.
    StatisticsError for no decisions or another number of names.
    Simulated errors: docs/statistics.md.
    """
    if not decisions:
        raise StatisticsError("decisions: got none; at least one is needed")
    if names is None:
        names = [f"comparison {number} of {len(decisions)}" for number in range(1, len(decisions) + 1)]
    if len(names) != len(decisions):
        raise StatisticsError(f"names: got {len(names)} for {len(decisions)} decisions")
    p = [1.0 if decision.p is None else decision.p for decision in decisions]
    alone = [1.0 if decision.p_against is None else decision.p_against for decision in decisions]
    against = asked.corrected(holm, alone)
    reversed_ones = [name for name, corrected in zip(names, against, strict=True) if corrected < asked.nominal]
    seeds = None
    if reversed_ones:
        outcome, limit = "no", int(np.argmin(against))
        reason = f"reversed after Holm's correction: {', '.join(reversed_ones)}"
    else:
        untested = [index for index, decision in enumerate(decisions) if decision.p is None]
        limit = untested[0] if untested else int(np.argmax(p))
        outcome = "yes" if max(p) < asked.nominal else "undecided"
        reason = f"all {len(decisions)} hold; " if outcome == "yes" else ""
        reason += f"limited by {names[limit]}: p = {p[limit]:.3g}" if not untested else f"untested: {names[limit]}"
        if outcome == "undecided" and not asked.often:
            seeds = _seeds_of_all(decisions)
    known = any(decision.p is not None for decision in decisions)
    return replace(
        decisions[limit],
        outcome=outcome,
        p=max(p) if known else None,
        p_against=min(against) if known else None,
        reason=reason,
        seeds_to_decide=seeds,
        tags=tuple(dict.fromkeys(tag for decision in decisions for tag in decision.tags)),
        undefined=all(decision.undefined for decision in decisions),
    )


def _tail(estimate: Estimate, distance: float) -> float:
    """Probability of a value at least `distance` beyond an edge if the truth lies on the edge."""
    if estimate.error > 0:
        return float(stdtr(estimate.df, -distance / estimate.error))
    if abs(distance) <= estimate.resolution:
        return 0.5
    return 0.0 if distance > 0 else 1.0


def _p_against(estimate: Estimate, low: float, high: float) -> float:
    """With the truth on an edge, the probability of a value this far from the region's middle, on either side.

    The p-value of "outside". For a region with one edge the second side vanishes, and this is 1 - p.
    """
    outside = max(low - estimate.value, estimate.value - high)
    return min(1.0, _tail(estimate, outside) + _tail(estimate, outside + (high - low)))


def decide(
    estimate: Estimate,
    low: float,
    high: float,
    seeds_that_decide: Callable[[Estimate, float, float], int | None] | None = None,
    asked: Asked = ONCE,
) -> Decision:
    """Whether the value lies in (low, high); an end may be infinite. All decisions come through here.

    seeds_that_decide: replaces `seeds_to_decide`; called only if undecided. If more seeds come look by look, no number
    is given: only the declared looks may be judged.
    """
    if not estimate.enough:
        return Decision("undecided", estimate.value, None, None, asked.level, None, estimate.n, TOO_FEW, None)
    if estimate.equal:
        return _of_equal_scores(estimate, low, high, asked)
    p = max(_tail(estimate, estimate.value - low), _tail(estimate, high - estimate.value))
    against = _p_against(estimate, low, high)
    outcome = _outcome(p, against, asked)
    search = seeds_that_decide or seeds_to_decide
    seeds = search(estimate, low, high) if outcome == "undecided" and not asked.often else None
    return Decision(
        outcome,
        estimate.value,
        *estimate.bounds(asked.level),
        asked.level,
        p,
        estimate.n,
        "",
        seeds,
        p_against=against,
        paired=estimate.paired,
        correlation=estimate.correlation,
    )


def _outcome(p: float, against: float, asked: Asked) -> Outcome:
    return "yes" if p < asked.nominal else "no" if against < asked.nominal else "undecided"


def _of_equal_scores(estimate: Estimate, low: float, high: float, asked: Asked) -> Decision:
    """Seeds that do not differ: success rates decide by their bounds, other scores decide nothing."""
    hidden = f"{unseen(min(estimate.n)):.0%}"
    reason = f"equal scores: {min(estimate.n)} seeds cannot exclude a mode of up to {hidden} of seeds"
    found = Decision(
        "undecided", estimate.value, None, None, asked.level, None, estimate.n, reason, None, paired=estimate.paired
    )
    if not estimate.rates:
        return found
    p, against = p_values(estimate.value, estimate.rates, low, high)
    least, most = estimate.bounds(asked.level)
    return replace(found, outcome=_outcome(p, against, asked), low=least, high=most, p=p, p_against=against)


def explained(decision: Decision, words: dict[Outcome, str]) -> Decision:
    """The decision with the words for its outcome as its reason, unless nothing was tested."""
    if decision.p is None:
        return decision
    reason = words[decision.outcome] if not decision.reason else f"{decision.reason}: {words[decision.outcome]}"
    return replace(decision, reason=reason)


def _difference(a: Seeds, b: Seeds, paired: bool, episodes: int | None) -> Estimate:
    if paired and not isinstance(a, Estimate) and not isinstance(b, Estimate):
        return paired_estimate(a, b, episodes)
    return difference_estimate(a, b, episodes)


def _with_typical(decision: Decision, greater: Seeds, less: Seeds, asked: Asked) -> Decision:
    """The decision with its second answer, and a tag if one is shown and the other points the other way."""
    if isinstance(greater, Estimate) or isinstance(less, Estimate):
        return decision
    seed = typical(greater, less, decision.paired, asked.nominal)
    opposed = decision.estimate is not None and decision.estimate * (seed.probability - 0.5) < 0
    shown = "undecided" not in (decision.outcome, seed.outcome) or decision.outcome != seed.outcome
    return replace(decision, typical=seed, tags=(*decision.tags, MEAN_AND_SEED) if opposed and shown else decision.tags)


def _seeds_of_all(decisions: Sequence[Decision]) -> int | None:
    if any(decision.outcome == "no" for decision in decisions):
        return None
    seeds = [decision.seeds_to_decide for decision in decisions if decision.outcome == "undecided"]
    return None if None in seeds else max(number for number in seeds if number is not None)


def require_margin(margin: float, positive: bool) -> None:
    """StatisticsError unless the margin is finite and at least 0, or above 0 if it must be positive."""
    if not (math.isfinite(margin) and margin >= 0) or (positive and margin == 0):
        raise StatisticsError(
            f"margin: got {margin}; a finite number {'above' if positive else 'of at least'} 0 is needed"
        )
