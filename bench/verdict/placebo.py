"""Claims that cannot fail: each is judged again with an untrained team, or the random script, in the method's place.

Axes: S seed.
A margin wider than all that is learned, or a comparison with a curve that has not recovered yet, lets everything pass.
If the claim holds for a team that has learned nothing, it says nothing about the method.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Literal

import numpy as np

from bench.evidence.measures import Evidence
from bench.evidence.readings import Score, joined, one_number, stacked
from bench.evidence.values import NotRun, Values
from bench.stats import transfer
from bench.stats.decisions import Decision, Outcome
from bench.stats.estimates import StatisticsError
from bench.suite import (
    Change,
    Claim,
    Equivalence,
    Experiment,
    Final,
    FirstReach,
    NotGreater,
    Ordering,
    Place,
    Untrained,
    Window,
    quantities,
    split,
)
from bench.verdict.codes import Placebo
from bench.verdict.rules import Read

StandIn = Literal["untrained", "random"]
BEST_FIRST: tuple[Outcome, ...] = ("yes", "undecided", "no")
Judge = Callable[[Read], Decision]


def subject(claim: Claim, experiment: Experiment) -> str:
    """The method that a claim is about. If it does not say, the first that is not the experiment's baseline.

    Without a baseline, or with no other method, it is the one claimed to be better or as good, or where a change ends.
    """
    if claim.about:
        return claim.about
    test = claim.test
    asked = [*quantities(test)]
    if isinstance(test, NotGreater):
        asked = [*test.less, *test.greater]
    elif isinstance(test, Change):
        asked.reverse()
    methods = [split(q)[0] for q in asked]
    others = (m for m in methods if m != experiment.baseline) if experiment.baseline else iter(())
    return next(others, methods[0] if methods else "")


def placebo(evidence: Evidence, claim: Claim, experiment: Experiment, judge: Judge) -> Placebo | None:
    """The outcome of the claim's own test with each stand-in; None if neither has a number."""
    untrained = _outcome(evidence, claim, experiment, judge, "untrained")
    found = Placebo(untrained, _outcome(evidence, claim, experiment, judge, "random"))
    return found if found.untrained or found.random else None


def _outcome(evidence: Evidence, claim: Claim, experiment: Experiment, judge: Judge, who: StandIn) -> Outcome | None:
    """The best outcome over all possible replacements; None if nothing can be replaced."""
    outcomes: list[Outcome] = []
    for replaced in _replacements(evidence, claim, experiment):

        def read(home: Experiment, quantity: str, scenario: str, group: str | None = None) -> Values:
            if quantity in replaced:  # noqa: B023 - it is called before the next turn
                return _stand_in(evidence, home, quantity, Place(scenario, group), who)
            return evidence.values(home, quantity, scenario, group)

        with contextlib.suppress(NotRun, StatisticsError):
            outcomes.append(judge(read).outcome)
    return next((outcome for outcome in BEST_FIRST if outcome in outcomes), None)


def _replacements(evidence: Evidence, claim: Claim, experiment: Experiment) -> list[tuple[str, ...]]:
    """The quantities to replace, once for each way to replace them.

    In an ordering: the whole side that has the method, or the side claimed to be greater if both have it. In other
    tests: the method's quantities, or each in turn if it is compared with itself alone. What a method was before its
    first update is never replaced, because it is the stand-in itself.
    """
    own, test = subject(claim, experiment), claim.test
    if isinstance(test, Ordering | NotGreater):
        side = test.greater if any(split(q)[0] == own for q in test.greater) else test.less
    else:
        side = tuple(q for q in quantities(test) if split(q)[0] == own)
    trained = tuple(q for q in side if not _untrained(evidence, q))
    alone = isinstance(test, Equivalence) and len(side) == len(test.same)
    return [(q,) for q in trained] if alone else [trained] * bool(trained)


def _untrained(evidence: Evidence, quantity: str) -> bool:
    return isinstance(evidence.suite["measure", split(quantity)[2]], Untrained)


def _stand_in(evidence: Evidence, experiment: Experiment, quantity: str, place: Place, who: StandIn) -> Values:
    """The quantity if the team were the stand-in throughout. Raises NotRun if there is no such number.

    The random script's score is one number, measured over many episodes: it counts as exact, with no spread over seeds.
    """
    measure = evidence.suite["measure", split(quantity)[2]]
    if not isinstance(measure, Final | FirstReach | Window) or _of_losses(measure):
        raise NotRun(f"an untrained team has no {measure.id}")
    own = evidence.values(experiment, quantity, *place)
    parts = evidence.parts(experiment, quantity, place)
    scores = [[evidence.scores(cell, scenario)[seed] for seed in own.seeds] for cell, scenario in parts]
    if who == "random":
        flat = np.full(len(own.seeds), fmean(_random(evidence, scenario) for _, scenario in parts))
    else:
        before = np.array([[_before(one, measure) for one in column] for column in scores], dtype=np.float64)
        flat = before.mean(axis=0)
    if isinstance(measure, FirstReach):
        times = _times(evidence, experiment, measure, place, scores[0], flat)
        return Values(own.seeds, times.values, times.reached, own.cells, exact=who == "random")
    return Values(own.seeds, flat, np.ones(len(flat), dtype=np.bool_), own.cells, own.episodes, exact=who == "random")


def _of_losses(measure: Final | FirstReach | Window) -> bool:
    return not isinstance(measure, Final) and measure.series.startswith("loss/")


def _random(evidence: Evidence, scenario: str) -> float:
    anchors = evidence.suite["scenario", scenario].anchors
    if anchors is None:
        raise NotRun(f"{scenario} has no anchors")
    return anchors.random


def _before(score: Score, measure: Final | FirstReach | Window) -> float:
    """A run's mean return before its first update, on the measure's curve. Raises NotRun without one."""
    series = "evaluation" if isinstance(measure, Final) else measure.series
    untrained = Untrained(id="untrained", says="before the first update", kind="untrained", series=series)
    try:
        return one_number(untrained, score)
    except StatisticsError as why:
        raise NotRun(f"run {score.run} has no {series} before its first update") from why


def _times(
    evidence: Evidence,
    experiment: Experiment,
    measure: FirstReach,
    place: Place,
    scores: Sequence[Score],
    flat: np.ndarray,
) -> transfer.Times:
    """When curves that stay at these levels [S] reach the threshold: at the first point that counts, or never."""
    level, budget = evidence.threshold(experiment, measure, *place), evidence.budget(experiment, *place)
    found, done = [], 0
    for x, y in stacked(measure.series, scores):
        looked_at, done = x[measure.smooth - 1 :], done + len(y)
        curves = np.repeat(flat[done - len(y) : done, None], len(looked_at), axis=1)
        found.append(transfer.time_to_threshold(looked_at, curves, level, measure.hold, budget))
    return joined(found)
