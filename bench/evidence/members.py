"""What the members of an ensemble did among themselves, read off a run's curves (`bench.run.members`).

Axes: D distillation or comparison, M member.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.evidence.score import Score
from bench.stats.estimates import StatisticsError
from bench.suite import MemberShare, Surpass


def count(score: Score) -> int:
    """M; 0 if a method has no members."""
    return sum(name.startswith("evaluation/member_") for name in score.scores.curves)


def require(measure: MemberShare, scores: Sequence[Score], label: str) -> None:
    """Raises StatisticsError if the measure is one number of several runs together: then nothing is repeated."""
    if not any(map(count, scores)):
        says = f"one number of {len(scores)} runs together, {share_of_runs(measure, scores):.3g}"
        raise StatisticsError(f"{measure.id} of {label} is {says}: nothing is repeated, so it has no interval")


def share(measure: MemberShare, score: Score) -> float:
    """One member's share of a run's comparisons. Raises StatisticsError for fewer than the measure asks."""
    _, chosen = score.series(measure.of)
    return _taken(measure, chosen.astype(int), count(score), f"run {score.run}")


def share_of_runs(measure: MemberShare, scores: Sequence[Score]) -> float:
    """The same for runs that trained apart: at each point of their training curves the highest is the best.

    Raises StatisticsError for fewer points than the measure asks, or for a single run.
    """
    if len(scores) < 2:
        raise StatisticsError("runs that trained apart are compared, but there is only one")
    curves = [dict(zip(*(part.tolist() for part in score.series("training")), strict=True)) for score in scores]
    places = sorted(set.intersection(*(set(curve) for curve in curves)))
    best = np.array([[curve[place] for place in places] for curve in curves]).argmax(0)
    return _taken(measure, best, len(scores), f"{len(scores)} runs together")


def surpassed(measure: Surpass, score: Score) -> float:
    """The share of pairs of a student and a distillation after which the student scores higher than its teacher.

    Raises StatisticsError for fewer distillations than the measure asks.
    """
    at, teacher = score.series("teacher")
    start, stop = (part * score.budget for part in measure.window)
    inside = (at > start) & (at <= stop)
    _enough(measure.least, int(inside.sum()), f"run {score.run}", "distillation")
    members = np.array([score.series(f"after/member_{m}")[1] for m in range(count(score))])[:, inside]  # [M, D]
    own = np.take_along_axis(members, teacher[inside].astype(int)[None], 0)
    return float((members > own).sum() / ((len(members) - 1) * members.shape[1]))  # no teacher surpasses itself


def _taken(measure: MemberShare, chosen: np.ndarray, members: int, who: str) -> float:
    _enough(measure.least, len(chosen), who, "comparison")
    shares = np.bincount(chosen, minlength=members) / len(chosen)
    return float(shares.max() if measure.take == "largest" else np.abs(shares - 1 / members).max())


def _enough(least: int, draws: int, who: str, what: str) -> None:
    if draws < least:
        several = "" if draws == 1 else "s"
        raise StatisticsError(f"{who}: {draws} {what}{several}; a share of fewer than {least} says nothing")
