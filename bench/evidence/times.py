"""A time to threshold against a baseline's own. Axes: S seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.stats.estimates import StatisticsError
from bench.suite import Experiment, FirstReach, Place, RelativeTime, split

if TYPE_CHECKING:
    from bench.evidence.measures import Evidence, Values


def relative_times(
    evidence: Evidence, experiment: Experiment, quantity: str, measure: RelativeTime, place: Place
) -> tuple[Values, Values]:
    """The method's own times, and those of the baseline whose level is the highest, both to that level.

    Raises NotRun, and StatisticsError where no run of the baseline comes to its own level.
    """
    levels = {level: evidence.values(experiment, level, *place).mean for level in measure.levels}
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
    baseline = f"{highest.rpartition(':')[0]}:{measure.id}"
    ours, theirs = (evidence.times(experiment, first, q, place) for q in (quantity, baseline))
    if not theirs.reached.any():
        raise StatisticsError(f"no run of {split(highest)[0]} comes to its own level and stays there")
    return ours, theirs


def ratio(ours: Values, theirs: Values) -> tuple[tuple[int, ...], np.ndarray, np.ndarray]:
    """Seeds of both, times over times [S], and whether ours was reached [S]; a baseline's late one counts as censored.

    Methods share no randomness, so that a seed's two times are two draws: the ratios carry the spread of both.
    """
    seeds = tuple(seed for seed in ours.seeds if seed in theirs.seeds)
    if not seeds:
        raise StatisticsError("no seed finished on both sides")
    a, b = ours.by_seed, theirs.by_seed
    reached = dict(zip(ours.seeds, ours.reached.tolist(), strict=True))
    return seeds, np.array([a[s] / b[s] for s in seeds]), np.array([reached[s] for s in seeds], dtype=np.bool_)
