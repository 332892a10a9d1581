"""Records -> one number a seed. The measures that a suite declares, read off the curves of its runs.

Axes: S seed, P curve point.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.plan import Cell, Plan, Selection, cells_of, make_plan
from bench.stats import transfer
from bench.stats.estimates import StatisticsError
from bench.store import Found, Record, Store
from bench.suite import (
    CurveMeasure,
    Experiment,
    Final,
    FirstReach,
    Fluctuation,
    Margin,
    Measure,
    Suite,
    TimeOfBest,
    Untrained,
    Window,
)

Floats = NDArray[np.float64]


class NotRun(Exception):
    """A quantity for which there is no finished run."""


@dataclass(frozen=True)
class Values:
    """A quantity of every seed that has a finished run. reached: whether a time was reached, or censored."""

    seeds: tuple[int, ...]
    values: Floats  # [S]
    reached: NDArray[np.bool_]  # [S]
    cell: Cell

    @property
    def times(self) -> transfer.Times:
        return transfer.Times(self.values, self.reached)


@dataclass(frozen=True)
class Standing:
    """What became of a plan's runs, by run id. blocked: their teacher, or its teacher, failed."""

    done: frozenset[str]
    failed: Mapping[str, str]  # why
    blocked: frozenset[str]

    @property
    def settled(self) -> frozenset[str]:
        """Runs of which nothing is left to do."""
        return self.done | self.failed.keys() | self.blocked


def standing(plan: Plan, records: Iterable[Record]) -> Standing:
    """Where a plan stands on these records."""
    by_run = {record.run: record for record in records}
    own = [by_run[run.id] for run in plan.runs if run.id in by_run]
    failed = {record.run: record.reason for record in own if record.status == "failed"}
    done = frozenset(record.run for record in own) - failed.keys()
    blocked: set[str] = set()
    for run in plan.runs:  # teachers come first
        if run.id not in done | failed.keys() and run.teacher in failed.keys() | blocked:
            blocked.add(run.id)
    return Standing(done, failed, frozenset(blocked))


class Evidence:
    """What a results folder says about a suite under a selection: the one way from records to numbers."""

    def __init__(self, suite: Suite, selection: Selection, store: Store):
        self.suite, self.selection, self.store = suite, selection, store
        self.plan: Plan = make_plan(suite, selection)
        self._cells: dict[str, dict[str, Cell]] = {}  # experiment -> method -> cell
        self._found = store.cells({cell.key for cell in self.plan.cells}, selection.seeds)

    @property
    def damaged(self) -> tuple[str, ...]:
        """Records that are not what was written, one line each; they count nowhere."""
        return next(iter(self._found.values())).damaged if self._found else ()

    @property
    def records(self) -> list[Record]:
        """All sound records, finished or not."""
        return [record for found in self._found.values() for record in found.records.values()]

    @property
    def standing(self) -> Standing:
        return standing(self.plan, self.records)

    @property
    def failures(self) -> list[str]:
        """Runs that failed, one line each."""
        cells = {cell.key: cell.label for cell in self.plan.cells}
        failed = [(r, cells[r.cell]) for r in self.records if r.status == "failed"]
        failed.sort(key=lambda entry: (entry[1], entry[0].seed))
        return [f"run {record.run}, seed {record.seed} of {label}: {record.reason}" for record, label in failed]

    def losses(self, cells: Iterable[Cell]) -> list[str]:
        """Why seeds of these cells count nowhere: how many of each failed, and how many wait for a failed teacher."""
        lost, now = [], self.standing
        for cell in {cell.key: cell for cell in cells}.values():
            ids = {run.id for run in self.plan.runs if run.cell == cell.key}
            if failed := len(ids & now.failed.keys()):
                lost.append(f"{failed} of {len(ids)} seeds of {cell.label} failed")
            if blocked := len(ids & now.blocked):
                lost.append(f"{blocked} of {len(ids)} seeds of {cell.label} wait for a teacher that failed")
        return lost

    def cell(self, experiment: Experiment, method: str) -> Cell:
        """The cell of a method in an experiment; another experiment or method may share its records. Raises NotRun."""
        if why := self.suite.waits_for(experiment, method):
            raise NotRun(f"{method} in {experiment.id} cannot run yet: {why}")
        if experiment.id not in self._cells:
            self._cells[experiment.id] = cells_of(self.suite, self.selection, experiment)
        return self._cells[experiment.id][method]

    def found(self, cell: Cell) -> Found:
        return self._found[cell.key]

    def finished(self, cell: Cell) -> dict[int, Record]:
        """Finished runs by seed."""
        records = self._found[cell.key].records
        return {seed: records[seed] for seed in sorted(records) if records[seed].status == "finished"}

    def values(self, experiment: Experiment, quantity: str) -> Values:
        """A quantity "method:measure" of every finished seed. Raises NotRun, StatisticsError."""
        home, method, name = self.suite.place(quantity, experiment)
        cell = self.cell(self.suite["experiment", home], method)
        records = self.finished(cell)
        if not records:
            raise NotRun(f"no finished run of {cell.label}")
        measure: Measure = self.suite["measure", name]
        if not isinstance(measure, CurveMeasure | Final):
            raise NotRun(f"the measure {name} is not taken from runs yet")
        seeds = tuple(records)
        if isinstance(measure, FirstReach):
            times = self._first_reach(experiment, measure, records)
            return Values(seeds, times.values, times.reached, cell)
        values = np.array([one_number(measure, record) for record in records.values()])
        return Values(seeds, values, np.ones(len(values), dtype=np.bool_), cell)

    def final_scores(self, cell: Cell) -> Floats:
        """The final evaluation of every finished seed of a cell [S]. Raises NotRun, StatisticsError."""
        records = self.finished(cell)
        if not records:
            raise NotRun(f"no finished run of {cell.label}")
        return np.array([final_score(record) for record in records.values()])

    def threshold(self, experiment: Experiment, measure: FirstReach) -> float:
        """The level that a time to threshold asks for, in the scenario's metric."""
        level = float(self.values(experiment, measure.level).values.mean())
        return level - self.margin(experiment, measure.below, smaller=level)

    def margin(self, experiment: Experiment, margin: Margin | None, smaller: float) -> float:
        """A declared margin as a number, 0 where none is. smaller: the mean that a relative margin is a share of."""
        if margin is None:
            return 0.0
        if margin.absolute is not None:
            return margin.absolute
        if margin.share_of_budget is not None:
            return margin.share_of_budget * self._budget(experiment)
        if margin.relative is not None:
            return margin.relative * abs(smaller)
        anchors = self.suite["scenario", experiment.training_set.scenarios[0]].anchors
        return (margin.share_of_scale or 0.0) * (anchors.good - anchors.no_information)

    def _budget(self, experiment: Experiment) -> int:
        ready = next(m for m in experiment.methods if not self.suite.waits_for(experiment, m))
        return self.cell(experiment, ready).settings["budget"]["episodes"]

    def _first_reach(
        self, experiment: Experiment, measure: FirstReach, records: Mapping[int, Record]
    ) -> transfer.Times:
        curves = [series(record, measure.series) for record in records.values()]
        x, y = curves[0][0], np.stack([y for _, y in curves])
        level = self.threshold(experiment, measure)
        smooth = transfer.moving_average(y, measure.smooth)
        budget = self._budget(experiment)
        return transfer.time_to_threshold(x[measure.smooth - 1 :], smooth, level, measure.hold, budget)


def series(record: Record, name: str) -> tuple[Floats, Floats]:
    """A record's curve: episodes done [P], mean [P]. Raises StatisticsError where there is none, or a hole in it."""
    curve = record.numbers.curves.get(name)
    if curve is None:
        raise StatisticsError(f"run {record.run} has no curve {name}: there was no update within its budget")
    means = [m for m in curve.mean if m is not None]
    if len(means) < len(curve.mean):
        raise StatisticsError(f"run {record.run}: the curve {name} is not finite everywhere")
    return np.array(curve.episodes, dtype=float), np.array(means)


def final_score(record: Record) -> float:
    """The mean of a run's final evaluation. Raises StatisticsError."""
    if record.numbers.final is None:
        raise StatisticsError(f"run {record.run}: its final score is not finite")
    return record.numbers.final


def one_number(measure: Measure, record: Record) -> float:
    """A measure of a single run. Raises StatisticsError."""
    if isinstance(measure, Final):
        return final_score(record)
    if not isinstance(measure, CurveMeasure):
        raise TypeError(f"measure {measure.id} is no number of a single run")
    x, y = series(record, measure.series)
    budget = record.settings["budget"]["episodes"]
    if isinstance(measure, Window | Untrained):
        start, stop = _window(measure, record, budget)
        return float(transfer.window_mean(x, y[None], start, stop)[0])
    if isinstance(measure, Fluctuation):
        return float(transfer.fluctuation(y[None])[0])
    if isinstance(measure, TimeOfBest):
        smooth = transfer.moving_average(y[None], measure.smooth)[0]
        return float(x[measure.smooth - 1 + int(np.argmax(smooth))])
    raise TypeError(f"measure {measure.id} is no number of a single run")


def _window(measure: Window | Untrained, record: Record, budget: int) -> tuple[float, float]:
    """Episodes (start, stop]."""
    first = record.numbers.first_update
    if isinstance(measure, Untrained) or measure.after == "first_update":
        if first is None:
            raise StatisticsError(f"run {record.run} had no update within its budget")
        if isinstance(measure, Untrained):
            return 0.0, float(first)
        return first + measure.window[0] * budget, first + measure.window[1] * budget
    return measure.window[0] * budget, measure.window[1] * budget
