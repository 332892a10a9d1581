"""The decisions of bench.stats on R repetitions at once. tests/coverage/test_simulate.py checks that both agree.

Axes: R repetition, S seed. Outcomes are 1 yes, -1 no, 0 undecided. Scores are never constant here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from bench.stats.estimates import ERROR

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimates:
    """value, error, df: [R] each, as in bench.stats.estimates.Estimate."""

    value: Floats
    error: Floats
    df: Floats

    def covers(self, truth: float | Floats, level: float = 0.95) -> NDArray[np.bool_]:
        """Whether the two-sided t interval covers the value. [R]."""
        return np.abs(self.value - truth) <= stdtrit(self.df, (1 + level) / 2) * self.error

    def p_values(self, low: float, high: float) -> tuple[Floats, Floats]:
        """p of "inside" and of "outside" (low, high). [R] each."""
        below, above = self.value - low, high - self.value
        p = np.maximum(self._tail(below), self._tail(above))
        outside = np.maximum(-below, -above)
        return p, np.minimum(1, self._tail(outside) + self._tail(outside + (high - low)))

    def decide(self, low: float, high: float) -> NDArray[np.int64]:
        return outcomes(*self.p_values(low, high))

    def _tail(self, distance: Floats) -> Floats:
        return stdtr(self.df, -distance / self.error)


def outcomes(p: Floats, against: Floats) -> NDArray[np.int64]:
    return np.where(p < ERROR, 1, np.where(against < ERROR, -1, 0))


def combined(values: Floats, sides: list[tuple[Floats, int]]) -> Estimates:
    """Combines spreads [R] and numbers of seeds of independent sides."""
    parts = [spread**2 / n for spread, n in sides]
    total = np.sum(parts, axis=0)
    weights = np.sum([part**2 / (n - 1) for part, (_, n) in zip(parts, sides, strict=True)], axis=0)
    return Estimates(values, np.sqrt(total), total**2 / weights)


def spread(scores: Floats) -> Floats:
    return scores.std(axis=-1, ddof=1)


def student(scores: Floats) -> Estimates:
    """[R, S]."""
    return combined(scores.mean(-1), [(spread(scores), scores.shape[-1])])


def welch(a: Floats, b: Floats) -> Estimates:
    """a [R, S], b [R, S']."""
    return combined(a.mean(-1) - b.mean(-1), [(spread(a), a.shape[-1]), (spread(b), b.shape[-1])])


def log_ratio(a: Floats, b: Floats) -> Estimates:
    """NaN, which decides nothing, where a mean is not above 0."""
    means = [np.where(side.mean(-1) > 0, side.mean(-1), np.nan) for side in (a, b)]
    sides = [(spread(side) / mean, side.shape[-1]) for side, mean in zip((a, b), means, strict=True)]
    return combined(np.log(means[0]) - np.log(means[1]), sides)


def paired_log_ratio(a: Floats, b: Floats) -> Estimates:
    """a, b [R, S], pairs. NaN as in `log_ratio`."""
    means = [np.where(side.mean(-1) > 0, side.mean(-1), np.nan) for side in (a, b)]
    relative = student(a / means[0][:, None] - b / means[1][:, None])
    return Estimates(np.log(means[0]) - np.log(means[1]), relative.error, relative.df)


def aggregate(scores: Floats) -> Estimates:
    """[R, S, T]: mean over tasks."""
    seeds, tasks = scores.shape[1:]
    columns = scores.std(axis=1, ddof=1) / tasks
    return combined(scores.mean(axis=(1, 2)), [(columns[:, t], seeds) for t in range(tasks)])


def equal_variance(ours: Floats, printed: Floats, m: float) -> Estimates:
    """ours [R, S] against printed means [R] of m seeds, whose spread is taken from ours."""
    n = ours.shape[-1]
    error = spread(ours) * np.sqrt(1 / n + 1 / m)
    return Estimates(ours.mean(-1) - printed, error, np.full(len(ours), n - 1.0))


def agreed(ours: Floats, printed: Floats, unknown: tuple[float, ...], low: float, high: float) -> NDArray[np.int64]:
    """The outcome that all the possible m share."""
    each = np.stack([equal_variance(ours, printed, m).decide(low, high) for m in unknown])
    return np.where((each == each[0]).all(axis=0), each[0], 0)


def holm(p: Floats) -> Floats:
    """[R, K] -> [R, K]."""
    order = np.argsort(p, axis=1, kind="stable")
    count = p.shape[1]
    scaled = np.take_along_axis(p, order, 1) * (count - np.arange(count))
    corrected = np.empty_like(p)
    np.put_along_axis(corrected, order, np.minimum(1, np.maximum.accumulate(scaled, axis=1)), 1)
    return corrected


def benjamini_hochberg(p: Floats) -> Floats:
    """[R, K] -> [R, K]."""
    order = np.argsort(p, axis=1, kind="stable")
    count = p.shape[1]
    scaled = np.take_along_axis(p, order, 1) * count / np.arange(1, count + 1)
    corrected = np.empty_like(p)
    lowest = np.minimum.accumulate(scaled[:, ::-1], axis=1)[:, ::-1]
    np.put_along_axis(corrected, order, np.minimum(1, lowest), 1)
    return corrected


def partial_conjunction(p: Floats, at_least: int) -> Floats:
    """[R, K] -> [R]."""
    return np.minimum(1, (p.shape[1] - at_least + 1) * np.sort(p, axis=1)[:, at_least - 1])
