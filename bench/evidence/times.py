"""When runs reach a level, and that time against a baseline's own. Axes: S seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.evidence.readings import Floats, Score, joined, stacked, turn_of
from bench.stats import transfer
from bench.stats.estimates import StatisticsError
from bench.suite import FirstReach, RelativeTime


def to_highest(measure: RelativeTime, levels: Mapping[str, float]) -> tuple[FirstReach, str]:
    """The time to the highest of these levels, and the quantity that is the time of this level's own method."""
    highest = max(levels, key=lambda level: levels[level])
    first = FirstReach(
        id=measure.id,
        says=measure.says,
        kind="first_reach",
        series=measure.series,
        level=highest,
        below=measure.below,
        smooth=measure.smooth,
        hold=measure.hold,
    )
    return first, f"{highest.rpartition(':')[0]}:{measure.id}"


def ratio(
    ours: Mapping[int, float], reached: Mapping[int, bool], theirs: Mapping[int, float]
) -> tuple[tuple[int, ...], NDArray[np.float64], NDArray[np.bool_]]:
    """By seed: times, whether they were reached, a baseline's -> seeds of both, times over times [S], reached [S].

    Methods share no randomness, so a seed's two times are two draws, and the ratios carry the spread of both.
    """
    seeds = tuple(seed for seed in ours if seed in theirs)
    if not seeds:
        raise StatisticsError("no seed finished on both sides")
    return seeds, np.array([ours[s] / theirs[s] for s in seeds]), np.array([reached[s] for s in seeds], dtype=np.bool_)


def when_reached(measure: FirstReach, scores: Sequence[Score], level: float, budget: int) -> transfer.Times:
    """The time to threshold of each of these runs, by its own points; in a second phase, counted from the turn."""
    curves = [*stacked(measure.series, scores)]
    begin = turn_of(scores[0]) if measure.after == "turn" else 0

    def times(x: Floats, y: Floats) -> transfer.Times:
        if begin:
            x, y = x[x > begin] - begin, y[:, x > begin]
        smooth = transfer.moving_average(y, measure.smooth)
        return transfer.time_to_threshold(x[measure.smooth - 1 :], smooth, level, measure.hold, budget - begin)

    return joined(times(x, y) for x, y in curves)
