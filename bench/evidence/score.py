"""A run's score in one scenario, and its curves.

Axes: P curve point.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bench.stats.estimates import StatisticsError
from bench.store import Record, Scores
from bench.suite import Unit, unit_of

Floats = NDArray[np.float64]
BEST = "evaluation/best"  # the curve of an ensemble's best member
NEVER = "its members were never compared"


@dataclass(frozen=True)
class Score:
    """A run's score in one scenario. budget, first_update, turn: in the unit that the run counts by.

    turn: where its first phase ends, for a method that takes its tasks in order. best: an ensemble's best member is
    read, chosen anew at each evaluation; else the elected one.
    """

    run: str
    scores: Scores
    unit: Unit
    budget: int
    first_update: int | None
    turn: int | None = None
    best: bool = False

    @classmethod
    def of(cls, record: Record, scenario: int, best: bool = False) -> Score:
        """scenario: its place in the cell's `scenarios`."""
        budget = record.settings["budget"]
        unit = unit_of(budget)
        scores, first = record.numbers.scores[scenario], record.numbers.first_update
        best = best and BEST in scores.curves
        return cls(record.run, scores, unit, budget[unit], first, budget.get("first_phase"), best)

    @property
    def final(self) -> float:
        """The mean of the final evaluation. Raises StatisticsError."""
        final = self.scores.best_member if self.best else self.scores.final
        if final is None:
            raise StatisticsError(f"run {self.run}: its final score is not finite")
        return final

    @property
    def returns(self) -> Floats:
        """The returns of the final evaluation's episodes [E]. Raises StatisticsError, also for a best member."""
        if self.best or self.scores.final is None:
            raise StatisticsError(f"run {self.run}: the single episodes of its final evaluation are not known")
        return np.array(self.scores.returns, np.float64)

    def series(self, name: str) -> tuple[Floats, Floats]:
        """A curve: how much was done at each point [P], in the run's unit, and means [P].

        Raises StatisticsError if there is none, or if it has a hole.
        """
        if name not in self._series:
            self._series[name] = self._read(name)
        return self._series[name]

    def at(self, name: str) -> tuple[int, ...]:
        """The points of a curve that `series` has given, in the run's unit."""
        return self.scores.curves[self._named(name)].at(self.unit)

    @cached_property
    def _series(self) -> dict[str, tuple[Floats, Floats]]:
        return {}

    def _named(self, name: str) -> str:
        return BEST if self.best and name == "evaluation" else name

    def _read(self, name: str) -> tuple[Floats, Floats]:
        curve = self.scores.curves.get(self._named(name))
        if curve is None:
            why = {"training": "no episode ended", "elected": NEVER, "teacher": NEVER}.get(name, "there was no update")
            raise StatisticsError(f"run {self.run} has no curve {name}: {why} within its budget")
        means = [m for m in curve.mean if m is not None]
        if len(means) < len(curve.mean):
            raise StatisticsError(f"run {self.run}: the curve {name} is not finite everywhere")
        return np.array(curve.at(self.unit), dtype=float), np.array(means)
