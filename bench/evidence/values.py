"""One number per seed, and how two sides of them are compared.

Axes: S seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bench.evidence.readings import Floats
from bench.plan import Cell
from bench.stats import transfer
from bench.stats.estimates import Estimate, exact_estimate, mean_estimate
from bench.stats.pairs import Matched, matched


class NotRun(Exception):
    """A quantity for which there is no finished run."""


@dataclass(frozen=True)
class Values:
    """A quantity of every seed that has a finished run. reached: whether a time was reached, or censored.

    cells: those it was read off; several if it is averaged over scenarios that were trained apart. episodes: of each
    seed's final evaluation, if the values are its success rates. exact: computed from settings, not measured.
    """

    seeds: tuple[int, ...]
    values: Floats  # [S]
    reached: NDArray[np.bool_]  # [S]
    cells: tuple[Cell, ...]
    episodes: int | None = None
    exact: bool = False

    @property
    def by_seed(self) -> dict[int, float]:
        return dict(zip(self.seeds, self.values.tolist(), strict=True))

    def against(self, other: Values) -> Matched:
        """Both sides as they are compared: pairs of the seeds that finished on both, else independent."""
        return matched(self.by_seed, other.by_seed)

    def same_runs(self, other: Values) -> bool:
        """Whether both were read off the same runs, seed by seed."""
        return {c.key for c in self.cells} == {c.key for c in other.cells}

    @cached_property
    def estimate(self) -> Estimate:
        """The estimate of the mean over seeds. Raises StatisticsError."""
        if self.exact:
            return exact_estimate(float(self.values[0]), len(self.values))
        return mean_estimate(self.values, episodes=self.episodes)

    @cached_property
    def mean(self) -> float:
        return float(self.values.mean())

    @cached_property
    def times(self) -> transfer.Times:
        return transfer.Times(self.values, self.reached)
