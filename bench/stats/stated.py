"""Our seeds against numbers that a paper's text states: bounds, a difference, a relative change.

Axes: S seed, higher or lower is better. A stated number counts as exact, because the text gives it no spread.
`bench.stats.published` compares the values of tables, which have seeds of their own.

Each function asks whether a value lies in a region, by the one-sided 5% t tests of `bench.stats.decisions`, and has the
errors of the interval underneath: `difference` is `decisions.equivalence` moved by the stated number, and `change` is
`decisions.ratio`, so their errors are the same. `between` rests on the Student t of one mean: for normal seeds each
error is at most 5%, for bounded or bimodal ones it is not (docs/statistics.md, "Student t, a cell's mean").

StatisticsError as in `bench.stats.decisions`. With n < 3 on a side the outcome is undecided.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from bench.stats.decisions import Decision, Outcome, decide, explained, ratio, require_margin
from bench.stats.estimates import Seeds, StatisticsError, difference_estimate, finite, mean_estimate, paired_estimate
from bench.stats.looks import ONCE, Asked


def between(values: Seeds, low: float, high: float, episodes: int | None = None, asked: Asked = ONCE) -> Decision:
    """Whether low < mean(values) < high, by Student's t. values [S]. An end that nothing can pass may be infinite.

    episodes: of each seed, if the values are success rates.

    Yes if the 90% interval lies inside, no if it lies outside (two one-sided tests, Schuirmann 1987).
    StatisticsError unless low < high.
    """
    if not low < high:
        raise StatisticsError(f"bounds: got {low:g} to {high:g}; low < high is needed")
    ends = [f"above {low:g}"] * math.isfinite(low) + [f"below {high:g}"] * math.isfinite(high)
    bounds = " and ".join(ends) or "anywhere"
    words: dict[Outcome, str] = {"yes": bounds, "no": f"not {bounds}", "undecided": f"neither {bounds} nor not"}
    return explained(decide(mean_estimate(values, episodes=episodes), low, high, asked=asked), words)


def difference(
    of: ArrayLike,
    minus: ArrayLike,
    paired: bool,
    stated: float,
    margin: float,
    episodes: int | None = None,
    asked: Asked = ONCE,
) -> Decision:
    """Whether mean(of) - mean(minus) is within stated +- margin, by Welch's (1947) t or a paired one.

    of [S], minus [S']; paired ones are both [S], in the same order. episodes: of each seed, if they are success rates.
    """
    require_margin(margin, positive=True)
    finite([stated], "stated difference")
    both = paired_estimate if paired else difference_estimate
    estimate = both(of, minus, episodes)
    words: dict[Outcome, str] = {
        "yes": f"within {stated:g} +- {margin:g}",
        "no": f"outside {stated:g} +- {margin:g}",
        "undecided": f"neither inside nor outside {stated:g} +- {margin:g}",
    }
    decision = decide(estimate, stated - margin, stated + margin, asked=asked)
    return explained(replace(decision, margin=margin), words)


def change(
    start: ArrayLike,
    end: ArrayLike,
    stated: float,
    margin: float,
    paired: bool = False,
    episodes: int | None = None,
    asked: Asked = ONCE,
) -> Decision:
    """Whether (mean(end) - mean(start)) / |mean(start)| is within stated +- margin, by log-delta t.

    start [S], end [S'], independent seeds or pairs. stated and margin are shares of |mean(start)|. Above 0 the change
    is end / start - 1, below 0 it is 1 - end / start: `decisions.ratio` of the sizes, moved back. If the means differ
    in sign, there is no ratio above 0: the answer is no if that is shown, else undecided. StatisticsError if the stated
    change leaves no ratio above 0.
    """
    before, after = finite(start, "start"), finite(end, "end")
    sign = math.copysign(1, float(np.mean(before)))
    found = ratio(sign * after, sign * before, 1 + sign * stated, margin, paired, episodes, asked)
    if found.estimate is None:
        return found
    if found.low is None or found.high is None:
        return replace(found, estimate=sign * (found.estimate - 1))

    def moved(value: float) -> float:
        return sign * (value - 1)

    low, high = sorted((moved(found.low), moved(found.high)))
    words: dict[Outcome, str] = {
        "yes": f"a change within {stated:g} +- {margin:g}",
        "no": f"a change outside {stated:g} +- {margin:g}",
        "undecided": f"a change neither inside nor outside {stated:g} +- {margin:g}",
    }
    return replace(found, estimate=moved(found.estimate), low=low, high=high, reason=words[found.outcome])
