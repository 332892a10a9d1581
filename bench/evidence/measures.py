"""Records -> one number per seed. The measures that a suite declares, read off the curves of its runs.

Axes: S seed, P curve point.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from statistics import fmean

import numpy as np

from bench.evidence import members
from bench.evidence.readings import Score, numbers, without_members
from bench.evidence.standing import Standing, standing
from bench.evidence.times import ratio, to_highest, when_reached
from bench.evidence.values import NotRun, Values
from bench.plan import Cell, Plan, Selection, cells_of, make_plan
from bench.plan.sizes import policy_size
from bench.stats import transfer
from bench.stats.estimates import StatisticsError
from bench.stats.looks import ONCE, Asked
from bench.store import Contents, Found, Record, Store, lost_teachers
from bench.store.names import Names
from bench.suite import (
    PRIMARY,
    CurveMeasure,
    Experiment,
    Final,
    FirstReach,
    Margin,
    Measure,
    MemberMeasure,
    MemberShare,
    Place,
    PolicySize,
    Protocol,
    Reading,
    RelativeTime,
    Suite,
    Unit,
    split,
)

RATE = "win_rate"  # the metric that is a share of episodes won
FINAL = Final(id="final", says="the final evaluation", kind="final")


class Evidence:
    """What a results folder says about a suite under a selection: the only way from records to numbers.

    asked: how questions are asked of these seeds. Every finished seed counts, unless `within` names the ones that do.
    The elected member of an ensemble is read, unless `by` says otherwise.
    """

    asked: Asked = ONCE
    _counted: Callable[[Cell], range] | None = None
    _best = False  # whether an ensemble's best member is read
    _other: Evidence | None = None  # the same evidence, with the other member of ensembles

    def __init__(self, suite: Suite, selection: Selection, store: Store):
        self.plan: Plan = make_plan(suite, selection)
        self.suite, self.selection, self.store = suite.on(selection.profile), selection, store
        self._forget()

    def _forget(self) -> None:
        """Forget everything that was derived."""
        self._cells: dict[str, dict[tuple[str, str], Cell]] = {}  # by experiment, then by method and training set
        self._places: dict[tuple[str, str, str, str | None], Cell] = {}  # by what `cell` is asked
        self._scores: dict[tuple[str, str, range | None], dict[int, Score]] = {}  # by cell, scenario, what counts
        self._firsts: dict[tuple[str, str, str | None], Cell] = {}  # by what `budget` is asked
        self._values: dict[tuple[str, str, str, str | None], Values] = {}  # by what `values` is asked
        self._finals: dict[tuple[str, str, str, str | None], Values] = {}  # by what `finals` is asked
        self._other = None

    def under(self, reading: Reading) -> Evidence:
        """The same records under another reading of this suite, which itself must be the primary one.

        Records are not read again. An analysis has the same plan.
        """
        selection = self.selection.model_copy(update={"reading": reading.id})
        other = copy.copy(self)
        other.suite, other.selection = self.suite.under(reading.id).on(selection.profile), selection
        other.__dict__ |= {"contents": self.contents}
        for derived in ("records", "standing", "_runs"):
            vars(other).pop(derived, None)
        other._forget()
        if reading.kind == "analysis":
            other._scores = self._scores
        else:
            other.plan = make_plan(other.suite, selection)
        return other

    def within(self, counted: Callable[[Cell], range], asked: Asked = ONCE) -> Evidence:
        """The same records, but only some seeds of each cell count."""
        _ = self.contents, self.standing  # read once, for both
        part = copy.copy(self)
        part._counted, part.asked, part._other = counted, asked, None
        part._scores, part._values, part._finals = {}, {}, {}
        return part

    def by(self, protocol: Protocol) -> Evidence:
        """The same as a protocol reads it: "best_member" reads the best member of an ensemble, others the elected one.

        Runs without a curve of that member count as not run.
        """
        if self._best == (protocol == "best_member"):
            return self
        if self._other is None:
            _ = self.contents, self.standing  # read once, for both
            self._other = copy.copy(self)
            self._other._best, self._other._other = not self._best, self
            self._other._scores, self._other._values, self._other._finals = {}, {}, {}
        return self._other

    @cached_property
    def contents(self) -> Contents:
        """Every record, read when first asked for, except those whose settings are of another method than they name."""
        names = Names(self.suite, primary=self.selection.reading == PRIMARY)
        return self.store.contents(self.selection.seeds).without(self.store, names.wrong)

    @property
    def damaged(self) -> tuple[str, ...]:
        """Records that are not what was written, one line each; they count nowhere."""
        return self.contents.damaged

    @cached_property
    def records(self) -> list[Record]:
        """All sound records of the plan's cells, finished or not."""
        return [record for cell in self.plan.cells for record in self.found(cell).records.values()]

    @cached_property
    def standing(self) -> Standing:
        return standing(self.plan, self.records)

    @cached_property
    def _runs(self) -> dict[str, set[str]]:
        """Ids of the plan's runs, by cell."""
        ids: dict[str, set[str]] = {cell.key: set() for cell in self.plan.cells}
        for run in self.plan.runs:
            ids[run.cell].add(run.id)
        return ids

    @property
    def failures(self) -> list[str]:
        """Failed runs, one line each."""
        cells = {cell.key: cell.label for cell in self.plan.cells}
        failed = [(r, cells[r.cell]) for r in self.records if r.status == "failed"]
        failed.sort(key=lambda entry: (entry[1], entry[0].seed))
        return [f"run {record.run}, seed {record.seed} of {label}: {record.reason}" for record, label in failed]

    @property
    def untaught(self) -> list[str]:
        """Cells with finished runs whose teachers' records are missing or do not fit them, one line each."""
        known = {record.run: record for own in self.contents.cells.values() for record in own.values()}
        lines = []
        for cell in self.plan.cells:
            finished = self.finished(cell)
            lost = {seed: [*lost_teachers(record, known)] for seed, record in finished.items()}
            seeds = [seed for seed, own in lost.items() if own]
            if seeds:
                first, of = lost[seeds[0]][0], f"{len(seeds)} of {len(finished)} seeds of {cell.label}"
                lines.append(f"{of} have no fitting teacher here, e.g. seed {seeds[0]}: {first.what}")
        return lines

    def losses(self, cells: Iterable[Cell]) -> list[str]:
        """Why seeds of these cells count nowhere: how many of each failed, and how many wait for a failed teacher."""
        lost, now = [], self.standing
        for cell in {cell.key: cell for cell in cells}.values():
            ids = self._runs.get(cell.key, set())
            if failed := len(ids & now.failed.keys()):
                lost.append(f"{failed} of {len(ids)} seeds of {cell.label} failed")
            if blocked := len(ids & now.blocked):
                lost.append(f"{blocked} of {len(ids)} seeds of {cell.label} wait for a teacher that failed")
        return lost

    def cell(self, experiment: Experiment, method: str, scenario: str, group: str | None = None) -> Cell:
        """The cell of a method in an experiment that is scored on a scenario. group: the training set.

        Another experiment or method may share its records. Raises NotRun, also if several training sets are scored on
        the scenario and none is named.
        """
        key = experiment.id, method, scenario, group
        if key not in self._places:
            self._places[key] = self._cell(experiment, method, scenario, group)
        return self._places[key]

    def _cell(self, experiment: Experiment, method: str, scenario: str, group: str | None) -> Cell:
        sets = experiment.sets_of(scenario, group)
        waiting = [why for t in sets if (why := self.suite.waits_for(experiment, method, t))]
        if len(waiting) == len(sets):
            why = "; ".join(dict.fromkeys(waiting)) or "no training set of it is scored on it"
            raise NotRun(f"{method} on {scenario} in {experiment.id} cannot run yet: {why}")
        if len(sets) > 1:
            several = ", ".join(t.id for t in sets)
            raise NotRun(f"{experiment.id} scores {scenario} in several training sets, and none is named: {several}")
        if experiment.id not in self._cells:
            self._cells[experiment.id] = cells_of(self.suite, self.selection, experiment, self.plan.cells)
        return self._cells[experiment.id][method, sets[0].id]

    def parts(self, experiment: Experiment, quantity: str, place: Place) -> list[tuple[Cell, str]]:
        """What a quantity is read off in a place: cells, each with a scenario; several if the place is a set.

        Raises NotRun.
        """
        scenarios = self.suite.members(place.scenario)
        if not scenarios:
            raise NotRun(f"which scenarios {place.scenario} averages is not stated")
        home, method, _ = self.suite.place(quantity, experiment)
        group = place.group if home == experiment.id else None
        return [(self.cell(self.suite["experiment", home], method, s, group), s) for s in scenarios]

    def found(self, cell: Cell) -> Found:
        """The records of a cell; a claim may compare with a cell that the selection leaves out."""
        return self.contents.of(cell.key)

    def finished(self, cell: Cell) -> dict[int, Record]:
        """Finished runs by seed, of the seeds that count."""
        records, counted = self.found(cell).records, self._counted(cell) if self._counted else None
        finished = [seed for seed in sorted(records) if records[seed].status == "finished"]
        return {seed: records[seed] for seed in finished if counted is None or seed in counted}

    def settled(self, cell: Cell) -> frozenset[int]:
        """The seeds of a cell with nothing left to do: finished, failed, or without a teacher for good."""
        return frozenset({*self.found(cell).records, *self._blocked.get(cell.key, ())})

    @cached_property
    def _blocked(self) -> dict[str, set[int]]:
        """Seeds that wait for a failed teacher, by cell."""
        blocked: dict[str, set[int]] = {}
        for run in self.plan.runs:
            if run.id in self.standing.blocked:
                blocked.setdefault(run.cell, set()).add(run.seed)
        return blocked

    def values(self, experiment: Experiment, quantity: str, scenario: str, group: str | None = None) -> Values:
        """A quantity "method:measure" of every finished seed in a scenario; in a set its mean over the scenarios.

        Raises NotRun, StatisticsError.
        """
        key = experiment.id, quantity, scenario, group
        if key not in self._values:
            self._values[key] = self._taken(experiment, quantity, Place(scenario, group))
        return self._values[key]

    def _taken(self, experiment: Experiment, quantity: str, place: Place) -> Values:
        measure: Measure = self.suite["measure", split(quantity)[2]]
        parts = self.parts(experiment, quantity, place)
        if isinstance(measure, MemberShare):
            for cell, scenario in parts:
                members.require(measure, [*self.scores(cell, scenario).values()], cell.label)
        if isinstance(measure, FirstReach):
            return self.times(experiment, measure, quantity, place)
        if isinstance(measure, RelativeTime):
            return self._relative(experiment, quantity, measure, place)
        return self._mean(measure, parts, place)

    def times(self, experiment: Experiment, measure: FirstReach, quantity: str, place: Place) -> Values:
        """When every finished seed of a quantity's method reaches a level. Raises NotRun, StatisticsError."""
        parts = self.parts(experiment, quantity, place)
        if len(parts) > 1:
            raise NotRun(f"the measure {measure.id} is a time, and times have no mean over scenarios")
        cell, scenario = parts[0]
        scores = self.scores(cell, scenario)
        times = self.first_reach(experiment, measure, scenario, place.group, scores.values())
        return Values(tuple(scores), times.values, times.reached, (cell,))

    def _relative(self, experiment: Experiment, quantity: str, measure: RelativeTime, place: Place) -> Values:
        levels = {level: self.values(experiment, level, *place).mean for level in measure.levels}
        first, baseline = to_highest(measure, levels)
        ours, theirs = (self.times(experiment, first, q, place) for q in (quantity, baseline))
        if not theirs.reached.any():
            raise StatisticsError(f"no run reaches its own level and stays there: {first.level}")
        reached = dict(zip(ours.seeds, ours.reached.tolist(), strict=True))
        return Values(*ratio(ours.by_seed, reached, theirs.by_seed), (*ours.cells, *theirs.cells))

    def finals(self, experiment: Experiment, method: str, scenario: str, group: str | None = None) -> Values:
        """The final evaluation of every finished seed: what tables print. Raises NotRun, StatisticsError."""
        key = experiment.id, method, scenario, group
        if key not in self._finals:
            place = Place(scenario, group)
            self._finals[key] = self._mean(self._final, self.parts(experiment, f"{method}:{FINAL.id}", place), place)
        return self._finals[key]

    @property
    def _final(self) -> Final:
        """What tables print: the suite's measure of this name, which a reading may change; else the plain mean."""
        own = next((m for m in self.suite.measure if m.id == FINAL.id), FINAL)
        return own if isinstance(own, Final) else FINAL

    def _mean(self, measure: Measure, parts: Sequence[tuple[Cell, str]], place: Place) -> Values:
        """A measure's mean over the parts, for every seed that finished all of them."""
        if not isinstance(measure, CurveMeasure | MemberMeasure | Final | PolicySize):
            raise NotRun(f"the measure {measure.id} is not taken from runs yet")
        if isinstance(measure, PolicySize):
            return self._computed(parts)
        scores = [self.scores(cell, scenario) for cell, scenario in parts]
        seeds = tuple(seed for seed in scores[0] if all(seed in one for one in scores))
        if not seeds:
            raise NotRun(f"no seed finished in every scenario of {place}")
        taken = [numbers(measure, [one[seed] for seed in seeds]) for one in scores]
        values = np.array(list(zip(*taken, strict=True))).mean(axis=1)
        cells = tuple({cell.key: cell for cell, _ in parts}.values())
        reached = np.ones(len(values), dtype=np.bool_)
        episodes = self.rate_episodes(place.scenario, cells) if isinstance(measure, Final) else None
        if episodes and isinstance(measure, Final) and measure.groups:
            episodes = measure.groups.alike
        return Values(seeds, values, reached, cells, episodes)

    def _computed(self, parts: Sequence[tuple[Cell, str]]) -> Values:
        """The size of policies: the same for every seed, and known before any run. Raises NotRun."""
        size, seeds = fmean(_policy_size(cell) for cell, _ in parts), parts[0][0].seeds
        cells = tuple({cell.key: cell for cell, _ in parts}.values())
        return Values(seeds, np.full(len(seeds), size), np.ones(len(seeds), dtype=np.bool_), cells, exact=True)

    def rate_episodes(self, scenario: str, cells: Sequence[Cell]) -> int | None:
        """Episodes of the final evaluation behind a seed's success rate; of several cells the fewest.

        None if the scenario, or one of the set, is not scored by a success rate.
        """
        if {self.suite["scenario", id_].metric for id_ in self.suite.members(scenario)} != {RATE}:
            return None
        return min(cell.settings["budget"]["final_evaluation_episodes"] for cell in cells)

    def scores(self, cell: Cell, scenario: str) -> dict[int, Score]:
        """The scores of every finished seed of a cell in a scenario. Raises NotRun."""
        key = cell.key, scenario, self._counted(cell) if self._counted else None
        if key not in self._scores:
            records, place = self.finished(cell), cell.scenarios.index(scenario)
            if self._best and (lacking := next(without_members(records.values(), place), "")):
                raise NotRun(f"{cell.label}: run {lacking} has no curve of its best member")
            self._scores[key] = {seed: Score.of(record, place, self._best) for seed, record in records.items()}
        if not self._scores[key]:
            raise NotRun(f"no finished run of {cell.label}")
        return self._scores[key]

    def threshold(self, experiment: Experiment, measure: FirstReach, scenario: str, group: str | None = None) -> float:
        """The level that a time to threshold asks for, in the scenario's metric."""
        if not isinstance(measure.level, str):
            return measure.level
        level = self.values(experiment, measure.level, scenario, group).mean
        return level - self.margin(experiment, measure.below, level, scenario, group)

    def margin(
        self, experiment: Experiment, margin: Margin | None, smaller: float, scenario: str, group: str | None = None
    ) -> float:
        """A declared margin as a number; 0 without one. smaller: the mean that a relative margin is a share of.

        The scale of a set is the mean of its scenarios' scales. Raises NotRun.
        """
        if margin is None:
            return 0.0
        if margin.absolute is not None:
            return margin.absolute
        if margin.share_of_budget is not None:
            return margin.share_of_budget * self.budget(experiment, scenario, group)
        if margin.relative is not None:
            return margin.relative * abs(smaller)
        anchors = {id_: self.suite["scenario", id_].anchors for id_ in self.suite.members(scenario)}
        if missing := [id_ for id_, one in anchors.items() if one is None]:
            raise NotRun(f"the margin is a share of a scale, and {', '.join(missing)} has no anchors")
        return (margin.share_of_scale or 0.0) * fmean(a.good - a.no_information for a in anchors.values())

    def budget(self, experiment: Experiment, scenario: str, group: str | None = None) -> int:
        """The budget of the experiment's first method that can run, in its unit."""
        return self._first(experiment, scenario, group).whole

    def unit(self, experiment: Experiment, scenario: str, group: str | None = None) -> Unit:
        """The unit that this method's runs count by."""
        return self._first(experiment, scenario, group).unit

    def _first(self, experiment: Experiment, scenario: str, group: str | None) -> Cell:
        """The cell of an experiment's first method that can run."""
        key = experiment.id, scenario, group
        if key not in self._firsts:
            self._firsts[key] = self._first_cell(experiment, scenario, group)
        return self._firsts[key]

    def _first_cell(self, experiment: Experiment, scenario: str, group: str | None) -> Cell:
        first = self.suite.members(scenario)[0]
        sets = experiment.sets_of(first, group)
        ready = (m for m in experiment.methods if any(not self.suite.waits_for(experiment, m, t) for t in sets))
        method = next(ready, experiment.methods[0])
        return self.cell(experiment, method, first, group)

    def first_reach(
        self,
        experiment: Experiment,
        measure: FirstReach,
        scenario: str,
        group: str | None,
        scores: Iterable[Score],
    ) -> transfer.Times:
        """The time to threshold of each of these runs, by its own points. Raises NotRun, StatisticsError."""
        level = self.threshold(experiment, measure, scenario, group)
        return when_reached(measure, tuple(scores), level, self.budget(experiment, scenario, group))


def _policy_size(cell: Cell) -> float:
    size = policy_size(cell.settings)
    if size is None:
        raise NotRun(f"the policy's size is not known, of a method from elsewhere or of a student: {cell.label}")
    return float(size)
