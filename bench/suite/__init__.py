"""The contents of a suite file as frozen, validated models. See docs/suite-files.md.

A suite is a paper: what it runs (`parts`), what it prints (`published`) and what it says (`claims`). `loading` reads a
file. `contradictions` finds mistakes that no single entry shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from statistics import fmean
from typing import Annotated, Any

from pydantic import Field

from baselines.specs import ALGORITHMS, Hyperparameters, Unit
from bench.envs import FAMILIES
from bench.suite.base import LARGEST_COUNT, MOST, Count, Id, Kind, Model, Protocol, Scalar, SuiteError, Text
from bench.suite.budgets import RECORDING, Budget, BudgetChange, Recording, unit_of
from bench.suite.claims import (
    Averaged,
    Between,
    Change,
    Claim,
    Difference,
    Equivalence,
    MeanOrdering,
    NotGreater,
    Ordering,
    Product,
    Ratio,
    Test,
    Untestable,
    Value,
    by_margin,
    quantities,
    split,
)
from bench.suite.measures import (
    AtTurn,
    CurveMeasure,
    Declared,
    Final,
    FirstReach,
    Fluctuation,
    Groups,
    Margin,
    Measure,
    MemberMeasure,
    MemberShare,
    PolicySize,
    RelativeTime,
    Retention,
    Spread,
    Surpass,
    TimeOfBest,
    Untrained,
    Window,
)
from bench.suite.metrics import BOUNDED, METRICS, Metric, metric_names
from bench.suite.parts import (
    Anchors,
    Deviation,
    Experiment,
    Limit,
    Method,
    Paper,
    Place,
    Profile,
    Scenario,
    ScenarioSet,
    Setting,
    Substitute,
    Teachers,
    TrainingSet,
    Transfer,
)
from bench.suite.published import Derived, Mean, Printed, Published, Repeat, Retained, cells, number
from bench.suite.readings import PRIMARY, Conflict, Reading, own_choices
from bench.suite.seeds import NIGHTLY, Looks, Schedule, Seeds
from bench.suite.tuning import Tuning, one_sided

SCHEMA = 2  # version of the file format
LISTS = (
    *("scenario", "set", "method", "experiment", "published", "repeat", "measure", "claim", "deviation"),
    *("reading", "conflict"),
)


class Suite(Model):
    """One paper. Lists keep the file's order; ids are unique within each list."""

    schema_: int = Field(alias="schema")
    """The version of this format."""
    version: Annotated[int, Field(ge=1, le=LARGEST_COUNT)]
    """The version of the suite; it goes up when a claim, margin or value changes."""
    paper: Paper
    """What is reproduced."""
    scenario: Annotated[tuple[Scenario, ...], Field(min_length=1, max_length=MOST, strict=False)]
    """What is played."""
    set_: Annotated[tuple[ScenarioSet, ...], Field(max_length=MOST, strict=False, alias="set")] = ()
    """Scenarios that the paper averages or groups."""
    method: Annotated[tuple[Method, ...], Field(min_length=1, max_length=MOST, strict=False)]
    """What is trained."""
    experiment: Annotated[tuple[Experiment, ...], Field(min_length=1, max_length=MOST, strict=False)]
    """What is run."""
    profile: Annotated[dict[Id, Profile], Field(max_length=MOST)]
    """Declared reductions, by name; `full` is the paper's own."""
    published: Annotated[tuple[Published, ...], Field(max_length=MOST, strict=False)] = ()
    """Printed tables."""
    repeat: Annotated[tuple[Repeat, ...], Field(max_length=MOST, strict=False)] = ()
    """Values that are printed more than once."""
    measure: Annotated[tuple[Measure, ...], Field(max_length=MOST, strict=False)] = ()
    """Numbers read off runs."""
    transfer: Transfer | None = None
    """Which measures the transfer metrics are taken from."""
    claim: Annotated[tuple[Claim, ...], Field(max_length=MOST, strict=False)] = ()
    """Printed sentences made testable."""
    deviation: Annotated[tuple[Deviation, ...], Field(max_length=MOST, strict=False)] = ()
    """Declared differences from the paper."""
    reading: Annotated[tuple[Reading, ...], Field(max_length=MOST, strict=False)] = ()
    """Other things the paper could mean, fixed before their results are seen."""
    conflict: Annotated[tuple[Conflict, ...], Field(max_length=MOST, strict=False)] = ()
    """Where the authors' code does not do what the paper says."""

    @property
    def id(self) -> str:
        return self.paper.id

    def entries(self, kind: str) -> tuple[Any, ...]:
        """A list by its name in the file, e.g. "scenario"."""
        return getattr(self, "set_" if kind == "set" else kind)

    def __getitem__(self, key: tuple[str, str]) -> Any:
        """`suite["method", "knowru"]`: the entry of a list by its id."""
        kind, id_ = key
        return self._by_id[kind][id_]

    @cached_property
    def _by_id(self) -> dict[str, dict[str, Any]]:
        return {kind: {entry.id: entry for entry in reversed(self.entries(kind))} for kind in LISTS}

    @cached_property
    def readings(self) -> dict[str, Reading]:
        """Every reading except the primary one, by id, in the file's order. An entry with `vary` gives several."""
        return {one.id: one for entry in self.reading for one in entry.each()}

    @property
    def pinned(self) -> str:
        """The reading that canaries and nightly runs use: the last pinned one, else the primary one."""
        return next((r.id for r in reversed(self.reading) if r.pinned), PRIMARY)

    def under(self, reading: str) -> Suite:
        """The suite under another reading. KeyError if unknown; ValidationError if it makes a measure invalid."""
        if reading == PRIMARY:
            return self
        chosen = self.readings[reading]
        kind = "assumed" if chosen.kind == "assumption" else "inherited"
        changed = {
            "method": [_set(m, chosen.methods.get(m.id, {})) for m in self.method],
            "scenario": [_played(s, chosen) for s in self.scenario],
            "experiment": [
                e.changed(chosen.budget.get(e.id), f"reading {reading}: {chosen.says}", kind) for e in self.experiment
            ],
            "measure": [_measured(m, chosen.measures.get(m.id)) for m in self.measure],
            "claim": [_with(c, "margin", chosen.margins.get(c.id, c.margin)) for c in self.claim],
        }
        return self.model_copy(update={name: tuple(entries) for name, entries in changed.items()})

    def on(self, profile: str) -> Suite:
        """The suite under a profile: with the profile's substitute, if it declares one. KeyError if unknown."""
        stands_in = self.profile[profile].substitute
        if stands_in is None:
            return self
        changed = {
            "scenario": tuple(_stood_in(s, stands_in) for s in self.scenario),
            "experiment": tuple(
                e.model_copy(
                    update={"training_sets": tuple(stands_in.training_sets.get(t.id, t) for t in e.training_sets)}
                )
                for e in self.experiment
            ),
        }
        return self.model_copy(update=changed)

    def lineage(self, method_id: str) -> list[Method]:
        """A method and those it extends, itself first."""
        method = self["method", method_id]
        return [method, *(self.lineage(method.extends) if method.extends else [])]

    def tuning(self, method_id: str) -> Tuning | None:
        """How a method's settings, its own or inherited, were chosen; None where nothing is stated."""
        return next((method.tuning for method in self.lineage(method_id) if method.tuning), None)

    def settings(self, method_id: str, scenario: str = "") -> dict[str, Setting]:
        """A method's hyperparameters in runs that are trained on a scenario, inherited ones included.

        scenario: "" means one for which nothing is stated. What a method states comes before what it inherits, of all
        scenarios or of one.
        """
        merged: dict[str, Setting] = {}
        for method in reversed(self.lineage(method_id)):
            merged |= method.hyperparameters | method.hyperparameters_on.get(scenario, {})
        return merged

    def variants(self, method_id: str) -> dict[str, dict[str, Setting]]:
        """Its `settings` by scenario: "", and each scenario for which it states or inherits some."""
        apart = [scenario for m in reversed(self.lineage(method_id)) for scenario in m.hyperparameters_on]
        return {scenario: self.settings(method_id, scenario) for scenario in dict.fromkeys(["", *apart])}

    def hyperparameters(self, method_id: str, scenario: str = "") -> Hyperparameters:
        """A method's settings in runs that are trained on a scenario, as its algorithm's model.

        Raises ValidationError if the algorithm refuses them, KeyError if there is no such algorithm.
        """
        if (method_id, scenario) not in self._hyperparameters:
            model = ALGORITHMS[self["method", method_id].algorithm].hyperparameters
            values = {name: setting.value for name, setting in self.settings(method_id, scenario).items()}
            self._hyperparameters[method_id, scenario] = model.model_validate(values)
        return self._hyperparameters[method_id, scenario]

    @cached_property
    def _hyperparameters(self) -> dict[tuple[str, str], Hyperparameters]:
        return {}

    def teaching(
        self, experiment: Experiment, t: TrainingSet, method_id: str
    ) -> tuple[tuple[Experiment, TrainingSet, str], ...]:
        """Whose runs teach a method, if it needs teachers: experiment, training set and method for each of its tasks.

        A task is left out if the teachers' experiment has no training set for it; `contradictions` refuses such files.
        """
        algorithm = ALGORITHMS.get(self["method", method_id].algorithm)
        return self.teachers_of(experiment, t, method_id) if algorithm is not None and algorithm.teacher else ()

    def teachers_of(
        self, experiment: Experiment, t: TrainingSet, method_id: str = ""
    ) -> tuple[tuple[Experiment, TrainingSet, str], ...]:
        """The teachers of an experiment's students, in the form of `teaching`.

        method_id: the student. Its entry in `instead` comes first; without one, the experiment's usual teacher counts.
        """
        teachers = experiment.teachers
        if teachers is None:
            return ()
        home, method = self["experiment", teachers.experiment], teachers.instead.get(method_id, teachers.method)
        taught = [home.taught_on(scenario) for scenario in t.scenarios]
        return tuple((home, own, method) for own in taught if own is not None)

    def place(self, quantity: str, experiment: Experiment) -> tuple[str, str, str]:
        """Whose runs a quantity is read from: the experiment's id, the method and the measure.

        The experiment is the one that the quantity names, else this one. A teacher that is not among this experiment's
        methods is read from the teachers' experiment if that covers all scenarios of this one.
        """
        method, named, measure = split(quantity)
        if named:
            return named, method, measure
        teachers = experiment.teachers
        if teachers and method not in experiment.methods and method in (teachers.method, *teachers.instead.values()):
            home = self["experiment", teachers.experiment]
            if {*experiment.scenarios} <= {*home.scenarios}:
                return home.id, method, measure
        return experiment.id, method, measure

    def waits_for(self, experiment: Experiment, method_id: str, t: TrainingSet | None = None) -> str:
        """What is missing before a method can run on a training set; "" if it can run. None: on any of them."""
        missing = [self._missing(experiment, method_id, own) for own in ((t,) if t else experiment.training_sets)]
        return "; ".join(dict.fromkeys(why for reasons in missing for why in reasons)) if all(missing) else ""

    def _missing(self, experiment: Experiment, method_id: str, t: TrainingSet) -> list[str]:
        parts = [self["scenario", id_] for id_ in t.scored]
        reasons = [p.waits_for for p in (self["method", method_id], experiment, *parts) if p.waits_for]
        if reasons:
            return reasons
        taught = [self.waits_for(e, m, own) for e, own, m in self.teaching(experiment, t, method_id)]
        return [f"its teacher: {why}" for why in taught if why]

    def members(self, id_: str) -> tuple[str, ...]:
        """The scenarios that an id stands for: the members of a set, or the scenario itself."""
        named = self._by_id["set"].get(id_)
        return named.scenarios if named else (id_,)

    def scope(self, claim: Claim, experiment: Experiment) -> tuple[str, ...]:
        """The scenarios that a claim is about in an experiment, and sets for which tables print an average.

        A claim that names none is about all scored scenarios; a claim about training curves, about the trained ones.
        """
        if claim.scenarios is None:
            return experiment.trained if claim.protocol == "training" else experiment.scenarios
        named = [(id_,) if id_ in self._averaged else self.members(id_) for id_ in claim.scenarios]
        return tuple(dict.fromkeys(id_ for ids in named for id_ in ids))

    def places(self, claim: Claim, experiment: Experiment) -> tuple[Place, ...]:
        """The places where a claim is judged in an experiment: its scenarios, each in its groups, and averaged sets."""
        scope = self.scope(claim, experiment)
        found = [(Place(s),) if s in self._averaged else experiment.places(s, claim.groups) for s in scope]
        return tuple(place for places in found for place in places)

    def scale(self, scenario: str) -> float | None:
        """How far the good script's score is above the uninformed script's; the mean for a set. None if unknown."""
        anchors = [self["scenario", id_].anchors for id_ in self.members(scenario)]
        known = [a.good - a.no_information for a in anchors if a is not None]
        return fmean(known) if known and len(known) == len(anchors) else None

    def printed_in(self, experiment_id: str) -> list[Printed]:
        """The printed values of an experiment."""
        return self._printed_by_experiment.get(experiment_id, [])

    @cached_property
    def _printed_by_experiment(self) -> dict[str, list[Printed]]:
        found: dict[str, list[Printed]] = {}
        for value in self.printed:
            found.setdefault(value.experiment, []).append(value)
        return found

    @cached_property
    def _averaged(self) -> frozenset[str]:
        """Sets for which a table prints an average."""
        return frozenset(value.scenario for value in self.printed) & {s.id for s in self.set_}

    @cached_property
    def printed(self) -> tuple[Printed, ...]:
        """Every printed value, table by table."""
        methods = {m.id for m in self.method}
        found: list[Printed] = []
        for table in self.published:
            experiment: Experiment = self["experiment", table.experiment]
            found += cells(table, table.columns[0] in methods, partial(_budget, experiment, table.group))
        return tuple(found)


def _with(entry: Any, key: str, value: Any) -> Any:
    """The entry with another value; the entry itself if the value is the same."""
    return entry if getattr(entry, key) == value else entry.model_copy(update={key: value})


def _set(method: Method, changes: Mapping[str, Setting]) -> Method:
    """A method under a reading, whose settings hold on all scenarios."""
    if not changes:
        return method
    apart = {
        scenario: {name: own for name, own in settings.items() if name not in changes}
        for scenario, settings in method.hyperparameters_on.items()
    }
    return method.model_copy(
        update={"hyperparameters": method.hyperparameters | dict(changes), "hyperparameters_on": apart}
    )


def _played(scenario: Scenario, reading: Reading) -> Scenario:
    """A scenario under a reading: its params, its metric, and the scale that belongs to both."""
    changed = _with(scenario, "params", scenario.params | reading.scenarios.get(scenario.id, {}))
    changed = _with(changed, "metric", reading.metrics.get(scenario.id, scenario.metric))
    return _with(changed, "anchors", reading.anchors.get(scenario.id, scenario.anchors))


def _stood_in(scenario: Scenario, by: Substitute) -> Scenario:
    """A scenario as another family plays it. It waits if that family lacks it. The old scale does not apply."""
    if scenario.family != by.of:
        return scenario
    name = scenario.params.get("name")
    there = by.family in FAMILIES and name in FAMILIES[by.family].scenarios
    changed = {"family": by.family, "params": {"name": name}, "episode_limit": by.episode_limit, "anchors": None}
    return scenario.model_copy(
        update=changed | {"waits_for": None if there else f"{name} on {by.family}: {by.missing}"}
    )


def _measured(measure: Measure, changes: Mapping[str, Any] | None) -> Measure:
    if not changes:
        return measure
    return type(measure).model_validate(measure.model_dump(mode="json", exclude_unset=True) | dict(changes))


def _budget(experiment: Experiment, group: str | None, scenario: str) -> Budget:
    """The budget that a scenario is trained with: its training set's own, else the experiment's."""
    return next((t.budget for t in experiment.sets_of(scenario, group) if t.budget), experiment.budget)
