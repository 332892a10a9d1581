"""Ranks of methods by an aggregate over tasks, with intervals from resampled seeds.

Axes: M method, B repetition, S seed, C cell.

A bare rank hides that seeds decide it. Here the seeds of every cell are resampled, all methods are ranked each time,
and a method's interval is the middle share of its ranks. Each cell is resampled by itself, n - 1 of n seeds (Rao & Wu
1988), as in `bench.stats.bootstrap`. An interval says between which ranks a method stands. It is no test of any pair:
no number of seeds decides between methods that are equal.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.stats.bootstrap import REPETITIONS
from bench.stats.estimates import MINIMUM_SEEDS, StatisticsError, finite
from bench.stats.intervals import checked_level

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rank:
    """A method's rank; 1 is best. low and high are None if a cell has too few seeds to draw from."""

    rank: int
    low: int | None
    high: int | None


def rank_intervals(
    methods: Sequence[Sequence[ArrayLike]],
    generator: np.random.Generator,
    repetitions: int = REPETITIONS,
    level: float = 0.95,
) -> tuple[Rank, ...]:
    """The rank of each method by the mean of its cells' means; higher is better. Equal methods share the better rank.

    methods: for each of M methods its cells, each [S], with equal weights; S may differ. Cells are drawn method by
    method, so the answer depends only on their order. StatisticsError for a method without a cell, NaN or infinity.
    """
    cells = [[finite(cell, f"methods[{m}][{c}]") for c, cell in enumerate(own)] for m, own in enumerate(methods)]
    if not all(cells):
        raise StatisticsError("methods: each needs at least one cell")
    ranks = _ranks(np.array([[np.mean([cell.mean() for cell in own]) for own in cells]]).reshape(1, -1))[0]
    if min((len(cell) for own in cells for cell in own), default=0) < MINIMUM_SEEDS:
        return tuple(Rank(int(rank), None, None) for rank in ranks)
    drawn = np.stack([_resampled(own, generator, repetitions) for own in cells], axis=1)
    below = (1 - checked_level(level)) / 2
    low, high = np.quantile(_ranks(drawn), (below, 1 - below), axis=0, method="inverted_cdf")
    return tuple(Rank(int(r), int(a), int(b)) for r, a, b in zip(ranks, low, high, strict=True))


def _resampled(cells: Sequence[Floats], generator: np.random.Generator, repetitions: int) -> Floats:
    """The mean of cells' means under resampled seeds [B]. Only one cell's draws are in memory at a time."""
    total = np.zeros(repetitions)
    for cell in cells:
        drawn = generator.integers(0, len(cell), (repetitions, len(cell) - 1))
        total += cell[drawn].mean(axis=1)
    return total / len(cells)


def _ranks(values: NDArray[np.floating]) -> NDArray[np.intp]:
    """1 + how many are greater. [B, M] -> [B, M]."""
    rows = zip(np.sort(values, axis=1), values, strict=True)
    greater = [values.shape[1] - np.searchsorted(ordered, own, side="right") for ordered, own in rows]
    return 1 + np.array(greater).reshape(values.shape)
