"""Boards: methods that were run on the same scenarios, each as one number with an interval, and where it ranks.

Experiments with the same methods share a board. A score is the final evaluation of one seed on the scenario's scale:
0 is its random policy, 1 its good script. A metric that is a share already stays as it is. docs/leaderboard.md has the
rules.

Axes: S seed, P place (a training set scored on a scenario).
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bench.evidence.measures import Evidence
from bench.evidence.values import NotRun
from bench.guests.places import Entry
from bench.plan import Cell, cells_of
from bench.stats.estimates import StatisticsError
from bench.stats.intervals import Interval, aggregate_interval, mean_interval
from bench.stats.ranks import Rank, rank_intervals
from bench.suite import BOUNDED, Experiment, Scenario, Suite

Floats = NDArray[np.float64]
APART = "substitute"
REFERENCE = "full"  # the profile of the papers' own budgets


@dataclass(frozen=True)
class Place:
    """Where a method is scored."""

    experiment: str
    training_set: str
    scenario: str


@dataclass(frozen=True)
class Final:
    """A method in a place. score: the mean of its seeds' final evaluations, in the scenario's metric.

    If there is no score, `state` says why.
    """

    cell: str | None  # its key; None if it cannot run
    score: Interval | None
    seeds: int
    asked: int  # seeds that the plan asks for
    state: str


@dataclass(frozen=True)
class Row:
    """A method on a board. aggregate: of scores on their scales. If it or the rank is None, `state` says why."""

    method: str
    outside: bool  # from elsewhere: not of the suite, but run and evaluated like its methods
    finals: tuple[Final, ...]  # [P]
    aggregate: Interval | None
    rank: Rank | None
    state: str


@dataclass(frozen=True)
class Board:
    """Methods side by side. kind: "reference", APART or "reduced".

    counted: the places that the aggregate averages: those that have a scale and in which any method can run.
    """

    kind: str
    experiments: tuple[str, ...]
    places: tuple[Place, ...]
    counted: tuple[bool, ...]
    rows: tuple[Row, ...]

    @property
    def ranked(self) -> int:
        return sum(row.rank is not None for row in self.rows)

    @property
    def compared(self) -> int:
        """In how many places two or more methods have a finished run."""
        columns = zip(*(row.finals for row in self.rows), strict=True)
        return sum(sum(final.seeds > 0 for final in column) > 1 for column in columns)

    @property
    def finished(self) -> int:
        """How many of its cells have a finished run."""
        return sum(final.seeds > 0 for row in self.rows for final in row.finals)


def boards(evidence: Evidence, reduced: bool, entered: Sequence[Entry] = ()) -> list[Board]:
    """Every board of a suite, in the file's order; a board of substitutes comes after its reference.

    entered: methods from elsewhere. They stand below the suite's own.
    """
    groups: dict[tuple[str, ...], list[Experiment]] = {}
    for experiment in evidence.suite.experiment:
        groups.setdefault(experiment.methods, []).append(experiment)
    return [board for own in groups.values() for board in _Group(evidence, own, reduced, entered).boards()]


def main_board(found: Sequence[Board], kind: str) -> Board | None:
    """The board for an overview: the one that compares in most places, then with most runs, then the largest."""
    own = [board for board in found if board.kind == kind]
    return max(own, key=lambda b: (b.compared, b.finished, len(b.rows) * len(b.places)), default=None)


class _Group:
    """Experiments with the same methods."""

    def __init__(self, evidence: Evidence, experiments: Sequence[Experiment], reduced: bool, entered: Sequence[Entry]):
        self.evidence, self.experiments, self.reduced = evidence, experiments, reduced
        ids = {e.id for e in experiments}
        self.entered = {  # by label, the entrant's cells by experiment and training set
            label: cells
            for label, own in zip(labels(entered), entered, strict=True)
            if (cells := {(c.experiment.id, c.group): c.cell for c in own.contests if c.experiment.id in ids})
        }
        self.methods = (*experiments[0].methods, *self.entered)
        self.places = [Place(e.id, t.id, s) for e in experiments for t in e.training_sets for s in t.scored]

    @cached_property
    def cells(self) -> Mapping[tuple[str, str, str], Cell]:
        """By experiment, method and training set."""
        suite, selection = self.evidence.suite, self.evidence.selection
        return {(e.id, *key): c for e in self.experiments for key, c in cells_of(suite, selection, e).items()}

    def cell(self, method: str, place: Place) -> Cell | None:
        if method in self.entered:
            return self.entered[method].get((place.experiment, place.training_set))
        return self.cells.get((place.experiment, method, place.training_set))

    def boards(self) -> list[Board]:
        """The reference, then places where some method is a substitute, then methods that are one everywhere."""
        if self.reduced:
            return [self._board("reduced", self.methods, self.places)]
        stands_in = {(m, p) for m in self.methods for p in self.places if self._substitute(m, p)}
        apart = [m for m in self.methods if all((m, p) in stands_in for p in self.places)]
        if len(apart) == len(self.methods):
            return [self._board(APART, self.methods, self.places)]
        others = [m for m in self.methods if m not in apart]
        away = [p for p in self.places if any((m, p) in stands_in for m in others)]
        kept = [p for p in self.places if p not in away]
        found = [("reference", others, kept), (APART, others, away), (APART, apart, self.places)]
        return [self._board(kind, methods, places) for kind, methods, places in found if methods and places]

    def _substitute(self, method: str, place: Place) -> bool:
        cell = self.cell(method, place)
        return cell is not None and any(note.class_ == APART for note in cell.notes_on(place.scenario))

    def _board(self, kind: str, methods: Sequence[str], places: Sequence[Place]) -> Board:
        methods = [m for m in methods if m not in self.entered or any(self.cell(m, p) for p in places)]
        runs = [any(self.cell(m, p) for m in methods) for p in places]
        scales = [on_scale(self.evidence.suite["scenario", p.scenario]) for p in places]
        finals = {m: tuple(self._final(m, p) for p in places) for m in methods}
        counted = tuple(ready and scale for ready, scale in zip(runs, scales, strict=True))
        found = {m: self._cell_scores(m, [*itertools.compress(places, counted)]) for m in methods}
        complete = {m: scores for m, scores in found.items() if not isinstance(scores, str)}
        draws = np.random.default_rng(_entropy(self.evidence, kind, places))
        ranks = (
            dict(zip(complete, rank_intervals([*complete.values()], draws), strict=True)) if len(complete) > 1 else {}
        )
        rows = tuple(self._row(m, finals[m], found[m], ranks.get(m)) for m in methods)
        return Board(kind, tuple(e.id for e in self.experiments), tuple(places), counted, rows)

    def _row(self, method: str, finals: tuple[Final, ...], scores: list[Floats] | str, rank: Rank | None) -> Row:
        if isinstance(scores, str):
            return Row(method, method in self.entered, finals, None, None, scores)
        return Row(method, method in self.entered, finals, aggregate_interval(scores), rank, "")

    def _final(self, method: str, place: Place) -> Final:
        cell = self.cell(method, place)
        if cell is None and method in self.entered:
            return Final(None, None, 0, 0, "not entered")
        if cell is None:
            suite = self.evidence.suite
            experiment = suite["experiment", place.experiment]
            own = next(t for t in experiment.training_sets if t.id == place.training_set)
            return Final(None, None, 0, 0, f"waits for {suite.waits_for(experiment, method, own)}")
        try:
            scores = self._scores(cell, place.scenario)
        except (NotRun, StatisticsError) as why:
            return Final(cell.key, None, 0, len(cell.seeds), str(why))
        return Final(cell.key, mean_interval(scores), len(scores), len(cell.seeds), "")

    def _scores(self, cell: Cell, scenario: str) -> Floats:
        """The final evaluation of every finished seed [S]. Raises NotRun, StatisticsError."""
        return np.array([score.final for score in self.evidence.scores(cell, scenario).values()])

    def _cell_scores(self, method: str, places: Sequence[Place]) -> list[Floats] | str:
        """The scores [S] of each cell of the method, whose plain mean is the mean over places; or why there are none.

        A run that is scored in k places counts once, by its mean over them: seeds are the unit.
        """
        if not places:
            return "not run"
        by_cell: dict[str, list[Floats]] = {}
        missing = []
        for place in places:
            cell = self.cell(method, place)
            try:
                if cell is None:
                    raise NotRun("waits")
                raw = self._scores(cell, place.scenario)
            except (NotRun, StatisticsError):
                missing.append(place.scenario)
                continue
            by_cell.setdefault(cell.key, []).append(scaled(self.evidence.suite["scenario", place.scenario], raw))
        if missing:
            count = f"{len(places) - len(missing)} of {len(places)}"
            return "not run" if len(missing) == len(places) else f"incomplete: {count} scenarios"
        share = len(by_cell) / len(places)
        return [np.sum(columns, axis=0) * share for columns in by_cell.values()]


def labels(entered: Sequence[Entry]) -> list[str]:
    """The names of entrants; if two share a name, each also has a hash of its code."""
    names = [own.method.name for own in entered]
    return [f"{m.name} ({m.source[:8]})" if names.count(m.name) > 1 else m.name for m in (e.method for e in entered)]


def on_scale(scenario: Scenario) -> bool:
    return scenario.metric in BOUNDED or scenario.anchors is not None


def scaled(scenario: Scenario, scores: Floats) -> Floats:
    """Scores on the scale of their scenario. [S] -> [S]."""
    if scenario.metric in BOUNDED or scenario.anchors is None:
        return scores
    anchors = scenario.anchors
    return (scores - anchors.random) / (anchors.good - anchors.random)


def _entropy(evidence: Evidence, kind: str, places: Sequence[Place]) -> int:
    """A random stream for each board, which does not depend on other boards."""
    name = "/".join(
        [evidence.suite.id, evidence.selection.profile, kind, *(f"{p.experiment}:{p.scenario}" for p in places)]
    )
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def needs(suite: Suite) -> list[str]:
    """What a suite waits for, each reason once; nothing if any of it can run."""
    reasons = [[suite.waits_for(e, m) for m in e.methods] for e in suite.experiment]
    return list(dict.fromkeys(why for own in reasons for why in own if why)) if all(map(all, reasons)) else []
