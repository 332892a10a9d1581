"""A run's score in one scenario, and what a measure reads off its curves.

Axes: S seed, P curve point.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from bench.evidence import members
from bench.evidence.score import BEST, Floats, Score
from bench.stats import transfer
from bench.stats.estimates import StatisticsError
from bench.store import Record
from bench.suite import (
    AtTurn,
    CurveMeasure,
    Final,
    Fluctuation,
    Groups,
    Measure,
    MemberShare,
    Spread,
    Surpass,
    TimeOfBest,
    Untrained,
    Window,
)


def without_members(records: Iterable[Record], scenario: int) -> Iterator[str]:
    """Runs of an ensemble that have no curve of their best member."""
    for record in records:
        size = record.settings["hyperparameters"].get("ensemble_size", 1)
        if isinstance(size, int) and size > 1 and BEST not in record.numbers.scores[scenario].curves:
            yield record.run


def stacked(name: str, scores: Sequence[Score]) -> Iterator[tuple[Floats, Floats]]:
    """Curves of several runs: points [P], means [S, P]. All at once if their points are the same.

    Else run by run: a stretch in which no episode ended has no point, and each run is read at its own points.
    """
    curves = [score.series(name) for score in scores]
    if len({score.at(name) for score in scores}) == 1:
        yield curves[0][0], np.stack([y for _, y in curves])
    else:
        yield from ((x, y[None]) for x, y in curves)


def joined(times: Iterable[transfer.Times]) -> transfer.Times:
    """The times of all runs [S], in their order."""
    found = [*times]
    return transfer.Times(np.concatenate([t.values for t in found]), np.concatenate([t.reached for t in found]))


def numbers(measure: Measure, scores: Sequence[Score]) -> Floats:
    """A measure of several runs of a cell [S]: the same numbers as run by run. Raises StatisticsError."""
    if isinstance(measure, Spread):
        return _spread(measure, scores)
    if isinstance(measure, Window | Untrained):
        windows = {_window(measure, score) for score in scores}
        curves = [score.series(measure.series) for score in scores]
        if len(windows) == 1 and len({score.at(measure.series) for score in scores}) == 1:
            return transfer.window_mean(curves[0][0], np.stack([y for _, y in curves]), *windows.pop())
    return np.array([one_number(measure, score) for score in scores])


def one_number(measure: Measure, score: Score) -> float:
    """A measure of a single run. Raises StatisticsError."""
    if isinstance(measure, Final):
        return score.final if measure.groups is None else _grouped(measure.groups, score)
    if isinstance(measure, MemberShare):
        return members.share(measure, score)
    if isinstance(measure, Surpass):
        return members.surpassed(measure, score)
    if not isinstance(measure, CurveMeasure):
        raise TypeError(f"measure {measure.id} is not a number of a single run")
    x, y = score.series(measure.series)
    if isinstance(measure, Window | Untrained):
        start, stop = _window(measure, score)
        return float(transfer.window_mean(x, y[None], start, stop)[0])
    if isinstance(measure, AtTurn):
        return float(y[0])
    if isinstance(measure, Fluctuation):
        return float(transfer.fluctuation(y[None])[0])
    if isinstance(measure, TimeOfBest):
        smooth = transfer.moving_average(y[None], measure.smooth)[0]
        return float(x[measure.smooth - 1 + int(np.argmax(smooth))])
    raise TypeError(f"measure {measure.id} is not a number of a single run")


def _grouped(groups: Groups, score: Score) -> float:
    """The mean of an evaluation's first episodes, weighted by groups. Raises StatisticsError."""
    returns = score.returns
    if len(returns) < groups.all_episodes:
        told = f"run {score.run}: its final evaluation has {len(returns)} episodes"
        raise StatisticsError(f"{told}; the measure needs {groups.all_episodes}")
    means = returns[: groups.all_episodes].reshape(-1, groups.episodes).mean(axis=1)
    return float(np.average(means, weights=groups.weights))


def _spread(measure: Spread, scores: Sequence[Score]) -> Floats:
    """How far each run lies from the median of all, averaged over a window's points [S]. Raises StatisticsError."""
    curves = [*stacked(measure.series, scores)]
    if len(curves) > 1:
        raise StatisticsError(f"measure {measure.id}: the runs have points in different places")
    ((x, y),), (start, stop) = curves, _window(measure, scores[0])
    inside = y[:, (x > start) & (x <= stop)]
    return np.abs(inside - np.median(inside, axis=0)).mean(axis=1)


def _window(measure: Window | Untrained | Spread, score: Score) -> tuple[float, float]:
    """(start, stop], in the run's unit."""
    first, budget = score.first_update, score.budget
    if not isinstance(measure, Untrained) and measure.after == "turn":
        turn = turn_of(score)
        return turn + measure.window[0] * (budget - turn), turn + measure.window[1] * (budget - turn)
    if isinstance(measure, Untrained) or measure.after == "first_update":
        if first is None:
            raise StatisticsError(f"run {score.run} had no update within its budget")
        if isinstance(measure, Untrained):
            return 0.0, float(first)
        return first + measure.window[0] * budget, first + measure.window[1] * budget
    return measure.window[0] * budget, measure.window[1] * budget


def turn_of(score: Score) -> int:
    """Where a run's first phase ends. Raises StatisticsError if it has only one."""
    if score.turn is None:
        raise StatisticsError(f"run {score.run} has no second phase")
    return score.turn
