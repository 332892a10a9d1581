"""Scores of several tasks as one number: the aggregates of Agarwal et al. (2021), as rliable 1.2.0 defines them.

Axes: S seed, T task. `scores` [S, T], higher is better; tasks must be on one scale, such as a win rate.

A `Statistic` called on scores checks them: StatisticsError for NaN, infinity, or another number of axes. Its `of` does
not check and takes any leading axes; resampling goes through it. Intervals are in `bench.stats.bootstrap`; the mean
has a better one, `bench.stats.intervals.aggregate_interval`. Any S >= 1 gives a point estimate.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.stats.estimates import StatisticsError, finite

Floats = NDArray[np.float64]
TRIMMED = 0.25  # cut on each side: the interquartile mean


def by_task(tasks: Sequence[ArrayLike]) -> Floats:
    """One array of seeds per task, [S] each, T of them -> [S, T].

    StatisticsError if tasks differ in their number of seeds: a pooled trimmed mean would weigh them by it. Leave seeds
    out by a rule made before looking, or use the aggregate mean, which needs no equal numbers.
    """
    columns = [finite(task, f"tasks[{index}]") for index, task in enumerate(tasks)]
    sizes = sorted({len(column) for column in columns})
    if len(sizes) != 1:
        raise StatisticsError(f"tasks: got {sizes or 'no'} seeds; each task needs the same number")
    return np.stack(columns, axis=1)


@dataclass(frozen=True)
class Statistic:
    """A number that summarises scores. of: [..., S, T] -> [...], unchecked."""

    name: str
    of: Callable[[Floats], Floats]

    def __call__(self, scores: ArrayLike) -> float:
        """The number for scores [S, T], checked."""
        return float(self.of(finite(scores, "scores", axes=2)))


def _iqm(scores: Floats) -> Floats:
    """Cuts int(S T / 4) scores on either side, like scipy.stats.trim_mean, and agrees with it except for rounding.

    scipy partitions the scores and adds them up in another order; numpy's sort takes a tenth of the time.
    """
    pooled = scores.reshape(*scores.shape[:-2], -1)
    size = pooled.shape[-1]
    cut = int(TRIMMED * size)
    return np.sort(pooled, axis=-1)[..., cut : size - cut].mean(axis=-1)


IQM = Statistic("interquartile mean", _iqm)
MEAN = Statistic("mean", lambda scores: scores.mean(axis=-2).mean(axis=-1))
MEDIAN = Statistic("median of task means", lambda scores: np.median(scores.mean(axis=-2), axis=-1))


def optimality_gap(target: float = 1.0) -> Statistic:
    """How far scores fall short of `target`, counting scores above it as `target`: target - mean(min(score, target)).

    Lower is better. The default is rliable's gamma. StatisticsError for a target that is not finite.
    """
    goal = float(finite([target], "target")[0])
    return Statistic(f"optimality gap to {goal:g}", lambda scores: goal - np.minimum(scores, goal).mean(axis=(-2, -1)))


def thresholds_of(thresholds: ArrayLike) -> Floats:
    """Thresholds of a profile [P], checked: StatisticsError unless finite and strictly increasing."""
    taus = finite(thresholds, "thresholds")
    if not (np.diff(taus) > 0).all():
        raise StatisticsError("thresholds: must strictly increase")
    return taus


def profile(scores: ArrayLike, thresholds: ArrayLike) -> Floats:
    """Performance profile (run-score distribution): share of all runs above each threshold. [S, T], [P] -> [P]."""
    array, taus = finite(scores, "scores", axes=2), thresholds_of(thresholds)
    return shares_above(np.searchsorted(taus, array.reshape(1, -1)), len(taus))[0]


def shares_above(passed: NDArray[np.intp], thresholds: int) -> Floats:
    """Share of runs above each threshold, from how many thresholds each run passes. [B, runs] -> [B, P].

    A histogram, then a sum from the top: the cost does not grow with thresholds times runs.
    """
    rows, runs = passed.shape
    cells = passed + (thresholds + 1) * np.arange(rows)[:, None]
    counts = np.bincount(cells.ravel(), minlength=rows * (thresholds + 1)).reshape(rows, thresholds + 1)
    return counts[:, :0:-1].cumsum(axis=1)[:, ::-1] / runs


def improvement(x: Floats, y: Floats) -> Floats:
    """`probability_of_improvement` unchecked, with leading axes. [..., S, T], [..., S', T] -> [...]."""
    above, below = x[..., :, None, :], y[..., None, :, :]
    wins = np.count_nonzero(above > below, axis=(-3, -2)) + 0.5 * np.count_nonzero(above == below, axis=(-3, -2))
    return (wins / (x.shape[-2] * y.shape[-2])).mean(axis=-1)


def paired_tasks(x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    """Both sides checked. StatisticsError unless x [S, T] and y [S', T] have the same tasks."""
    left, right = finite(x, "x", axes=2), finite(y, "y", axes=2)
    if left.shape[1] != right.shape[1]:
        raise StatisticsError(f"x has {left.shape[1]} tasks and y {right.shape[1]}: both need the same, in one order")
    return left, right


def probability_of_improvement(x: ArrayLike, y: ArrayLike) -> float:
    """P(X > Y) + P(X = Y) / 2 of one run of each, averaged over tasks: Mann-Whitney's U / (S S'). 0 to 1.

    x [S, T], y [S', T]; S and S' may differ. StatisticsError for different numbers of tasks (rliable 1.2.0 silently
    drops some there).
    """
    return float(improvement(*paired_tasks(x, y)))
