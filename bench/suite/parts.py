"""Scenarios, methods, experiments, profiles, deviations: what a paper runs.

`waits_for` on any part says what is missing before that part can run here. The plan leaves such cells out and names
them. Their claims and printed values are `not_run`.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    field_serializer,
    model_validator,
)

from baselines.specs import UNITS
from bench.suite.base import (
    CODE_PLACE,
    MOST,
    Count,
    Id,
    Ids,
    Kind,
    Model,
    Name,
    Says,
    Scalar,
    SomeIds,
    Source,
    Sourced,
    Text,
    Waits,
    Where,
)
from bench.suite.budgets import RECORDING, Budget, BudgetChange, Recording
from bench.suite.metrics import Metric
from bench.suite.seeds import Looks, Runs, Schedule, Seeds, fixed_or_looks, scheduled
from bench.suite.tuning import Tuning

Repository = Annotated[str, Field(pattern=r"^[\w-][\w.-]*/[\w-][\w.-]*(@[0-9a-f]{7,40})?$")]
Steps = Annotated[int, Field(ge=1, le=10**6)]  # in an episode


class Paper(Model):
    id: Name
    title: Text
    """As printed."""
    authors: Text
    """As printed."""
    year: Annotated[int, Field(ge=1900, le=2999)]
    """The year of publication."""
    doi: Annotated[Text, Field(pattern=r"^10\.\d{4,9}/[\w.()/;:-]+$")] | None = None
    """The DOI of the text that the suite is written from, e.g. `10.1109/TG.2023.3316697`."""
    arxiv: Annotated[Text, Field(pattern=r"^\d{4}\.\d{4,5}(v\d+)?$")] | None = None
    """Its number on arXiv, e.g. `2103.14891`."""
    code: Annotated[tuple[Repository, ...], Field(max_length=MOST, strict=False)] = ()
    """Its authors' repositories on GitHub, as `OWNER/NAME` or `OWNER/NAME@COMMIT`."""


class Anchors(Model):
    """The scale of a scenario in its metric, measured by `bench anchors`."""

    random: float
    """The score of random actions."""
    no_information: float
    """The score of a script that acts sensibly without knowing the goal: the 0 of the scale."""
    good: float
    """The score of a script with all knowledge: the 1 of the scale. Margins are shares of the distance between both."""
    measured: Text
    """Command, date, machine."""


class Pilot(Model):
    """How much a team learns in a scenario, in its metric, as runs have shown."""

    untrained: float
    """Before the first update."""
    trained: float
    """At the end of the full budget."""
    measured: Text
    """Method, seeds, measure."""

    @model_validator(mode="after")
    def _learned(self) -> Pilot:
        if self.trained <= self.untrained:
            raise ValueError("trained above untrained: a pilot that learns nothing gives no scale")
        return self


class Limit(Sourced):
    """An episode's length that the paper does not state."""

    value: Steps
    """Environment steps."""
    source: Source
    kind: Kind = "stated"


def _number_or_table(value: object) -> str:
    return "table" if isinstance(value, dict | Limit) else "number"


class Place(NamedTuple):
    """Where a number is read: a scenario, or a set that a table averages. group: the training set, if it matters."""

    scenario: str
    group: str | None = None

    def __str__(self) -> str:
        return f"{self.scenario} ({self.group})" if self.group else self.scenario


class Scenario(Model):
    id: Name
    where: Where
    says: Says
    family: Text
    """The family of environments that it belongs to: `particle`, `smac`, ..."""
    params: dict[str, Scalar]
    """The environment's parameters; its `name` says which."""
    episode_limit: Annotated[
        Annotated[Steps, Tag("number")] | Annotated[Limit, Tag("table")], Discriminator(_number_or_table)
    ]
    """Environment steps after which an episode ends; a table if the paper does not state it."""
    metric: Metric
    """What it is scored by: one of its family's metrics; higher is better."""
    anchors: Anchors | None = None
    """Its scale, measured by scripts."""
    pilot: Pilot | None = None
    """How much a team learns in it, if runs have shown it. Margins are compared with that."""
    waits_for: Waits = None

    @property
    def steps(self) -> int:
        """The longest episode, in environment steps."""
        return self.episode_limit.value if isinstance(self.episode_limit, Limit) else self.episode_limit


class ScenarioSet(Model):
    """Scenarios that a paper averages or groups."""

    id: Name
    where: Where
    says: Says
    scenarios: Ids
    """Its members; none if the paper does not say which they are."""


class Setting(Sourced):
    """A hyperparameter's value and where it comes from."""

    value: Scalar
    """The hyperparameter's value."""
    source: Source
    kind: Kind = "stated"
    contradicted: Annotated[Text, Field(pattern=CODE_PLACE)] | None = None
    """Where the authors' code leaves out an operation that the paper states, as OWNER/NAME@COMMIT:PATH:LINE."""


class Method(Model):
    id: Name
    where: Where
    says: Says
    algorithm: Text
    """The code that runs it, by its name in `baselines/specs/`."""
    extends: Id | None = None
    """A method whose hyperparameters and deviations it inherits."""
    hyperparameters: dict[str, Setting] = Field(default={})
    """By name: value, source, kind."""
    hyperparameters_on: dict[Id, dict[str, Setting]] = Field(default={}, exclude_if=lambda value: not value)
    """By scenario, what differs in runs that are trained on it."""
    tuning: Tuning | None = None
    """How they were chosen. Every method should say it; one that does not inherits this from what it extends."""
    waits_for: Waits = None


class TrainingSet(Model):
    """Scenarios that one run is trained on."""

    id: Name
    scenarios: SomeIds
    """The scenarios that one run is trained on, together or in order."""
    score_on: SomeIds | None = None
    """The scenarios that it is scored on, if they are others."""
    plays_as: dict[Id, Id] = Field(default={})
    """For a scenario that it is only scored on: the trained one whose own parts of the network it borrows."""
    budget: Budget | None = None
    """Its budget, if it is not the experiment's."""

    @cached_property
    def scored(self) -> tuple[str, ...]:
        """The scenarios that its runs are scored on: the trained ones, then the others of score_on."""
        return tuple(dict.fromkeys((*self.scenarios, *(self.score_on or ()))))


class Teachers(Model):
    """Whose runs the students learn from."""

    experiment: Id
    """The experiment that trains the teachers."""
    method: Id
    """The method that trains them."""
    pairing: Literal["same seed"]
    """Which teacher a student learns from."""
    instead: dict[Id, Id] = Field(default={})
    """By student, another method that teaches it."""


class Experiment(Model):
    id: Name
    where: Where
    says: Says
    methods: SomeIds
    """The methods that are compared."""
    training_sets: Annotated[tuple[TrainingSet, ...], Field(min_length=1, max_length=MOST, strict=False)]
    """Each method is trained on each of them."""
    seeds: Annotated[Annotated[Seeds, Tag("fixed")] | Annotated[Looks, Tag("added")], Discriminator(fixed_or_looks)]
    """How many runs each cell has: a fixed number, or looks. Claims are judged at each look as seeds are added."""
    budget: Budget
    """How long a run trains."""
    recording: Recording | None = None
    """What is recorded and how often. An experiment that runs needs it."""
    budget_of: dict[Id, Budget] = Field(default={})
    """By method, its own budget instead of the experiment's, perhaps in another unit."""
    recording_of: dict[Id, Recording] = Field(default={})
    """By method, its own recording instead of the experiment's."""
    teachers: Teachers | None = None
    """Whose runs the students learn from."""
    baseline: Id | None = None
    """The method that transfer metrics compare with."""
    shading: Literal["half_standard_deviation"] | None = None
    """How the paper shades the figure. If stated, a report also shows this shading beside its own intervals."""
    waits_for: Waits = None

    @cached_property
    def scenarios(self) -> tuple[str, ...]:
        """The scenarios that its runs are scored on, each once, in the file's order."""
        return tuple(dict.fromkeys(s for t in self.training_sets for s in t.scored))

    @cached_property
    def trained(self) -> tuple[str, ...]:
        """Those of them that its runs are trained on; only these have training curves."""
        return tuple(dict.fromkeys(s for t in self.training_sets for s in t.scenarios if s in t.scored))

    def sets_of(self, scenario: str, group: str | None = None) -> list[TrainingSet]:
        """The training sets that are scored on a scenario. group: only the one with this id."""
        return [t for t in self._sets.get(scenario, ()) if group in (None, t.id)]

    @cached_property
    def _sets(self) -> dict[str, list[TrainingSet]]:
        """Training sets by the scenarios that they are scored on."""
        return {s: [t for t in self.training_sets if s in t.scored] for s in self.scenarios}

    def schedule(self, profile: Profile) -> Schedule:
        """The seeds under a profile: its own, else the experiment's."""
        return scheduled(self.seeds if profile.seeds is None else profile.seeds)

    def places(self, scenario: str, groups: tuple[str, ...] | None = None) -> tuple[Place, ...]:
        """Where a scenario is scored: once, or per training set if several are scored on it. groups: only these."""
        sets = self.sets_of(scenario)
        if len(sets) < 2:
            return (Place(scenario),) if groups is None or {t.id for t in sets} <= {*groups} else ()
        return tuple(Place(scenario, t.id) for t in sets if groups is None or t.id in groups)

    def taught_on(self, scenario: str) -> TrainingSet | None:
        """The training set of a task's teacher: the only one there is, else the one with this scenario alone."""
        if len(self.training_sets) == 1:
            return self.training_sets[0]
        return next((t for t in self.training_sets if t.scenarios == (scenario,)), None)

    def own_budget(self, t: TrainingSet, method: str | None = None) -> Budget:
        """A method's own, else the training set's, else the experiment's. method: None for one from elsewhere."""
        return self.budget_of.get(method or "") or t.budget or self.budget

    def own_recording(self, method: str | None = None) -> Recording | None:
        """A method's own, else the experiment's."""
        return self.recording_of.get(method or "") or self.recording

    def changed(self, change: BudgetChange | None, source: str, kind: Kind) -> Experiment:
        """The experiment with another budget or recording. source, kind: those of the changed values.

        If it counts another unit itself, methods whose own budgets count the change's unit get the change instead.
        """
        if change is None:
            return self
        own, told = change.model_dump(exclude_none=True), {"source": source, "kind": kind}
        budget = {key: own.pop(key) for key in (*UNITS, "first_phase") if key in own}
        made = Budget.model_validate(budget | told) if budget else None
        update: dict[str, Any] = {} if made is None else {"budget": made}
        if own and self.recording is not None:
            update["recording"] = self.recording.model_copy(update={**own, **told})
        if change.unit not in (None, self.budget.unit):
            apart = [method for method, b in self.budget_of.items() if b.unit == change.unit]
            if apart:
                update = {"budget_of": self.budget_of | dict.fromkeys(apart, made)}
                recorded = {m: self.recording_of[m].model_copy(update={**own, **told}) for m in apart if own}
                update |= {"recording_of": self.recording_of | recorded}
        return self.model_copy(update=update)

    def numbers(self, t: TrainingSet, method: str | None = None, profile: Profile | None = None) -> dict[str, int]:
        """Budget and recording of a method on a training set, as one table, after a profile's change.

        The budget's key is its unit: "episodes" of each task, "steps" or "updates". Raises ValueError if either is
        missing.
        """
        counted, recording = self.own_budget(t, method).counted, self.own_recording(method)
        if counted is None or recording is None:
            raise ValueError(f"experiment {self.id} has no budget that can be counted, or no recording")
        found = {counted[0]: counted[1]} | {key: getattr(recording, key) for key in RECORDING}
        first = self.own_budget(t, method).first_phase
        found |= {} if first is None else {"first_phase": first}
        for change in profile.changes(self.id) if profile else ():
            if change.unit in (counted[0], None):
                found |= change.model_dump(exclude_none=True, exclude={"first_phase"} if first is None else None)
        return found


def _listed(value: object) -> object:
    """A single table counts as a list of one."""
    return (value,) if isinstance(value, dict | BudgetChange) else tuple(value) if isinstance(value, list) else value


def _or_one(schema: dict[str, Any]) -> None:
    """The JSON Schema, too, accepts one entry without a list."""
    kept = {key: schema.pop(key) for key in ("type", "items")}
    schema["anyOf"] = [kept["items"], kept]


class Substitute(Model):
    """A family that replaces another one under a profile. Its results show a direction, never a reproduction."""

    of: Text
    """The family whose scenarios it plays."""
    family: Text
    """The family that plays them, by the same `name`; other parameters are not kept."""
    says: Says
    """How it differs."""
    episode_limit: Limit
    """The episode limit of all its scenarios."""
    missing: Text
    """Why the scenarios that it lacks wait."""
    training_sets: dict[Id, TrainingSet] = Field(default={})
    """For a training set that loses scenarios: what is trained instead."""


class Profile(Model):
    """A declared reduction of every experiment's budget."""

    says: Says
    seeds: (
        Annotated[Annotated[Runs, Tag("fixed")] | Annotated[Looks, Tag("added")], Discriminator(fixed_or_looks)] | None
    ) = None
    """Runs of each cell, or looks, instead of the experiments' own."""
    budget: Annotated[tuple[BudgetChange, ...], BeforeValidator(_listed), Field(json_schema_extra=_or_one)] = ()
    """Changes of budget and recording; a list with one for each unit if experiments count by several units."""

    @model_validator(mode="after")
    def _one_a_unit(self) -> Profile:
        units = [change.unit for change in self.budget]
        if len({*units}) < len(units):
            raise ValueError("budget: one table per unit")
        return self

    @field_serializer("budget", mode="wrap")
    def _as_written(self, value: tuple[BudgetChange, ...], shown: SerializerFunctionWrapHandler) -> Any:
        """A list of one is written as the table alone."""
        found = shown(value)
        return found[0] if len(found) == 1 else found

    substitute: Substitute | None = None
    """What replaces environments that are not available."""
    hyperparameters: dict[Name, Count] = Field(default_factory=dict)
    """Counts that it makes smaller in every method that states them. They are counts outside any budget, such as
    iterations between two phases."""
    of: dict[str, BudgetChange] = Field(default={}, exclude_if=lambda value: not value)
    """By experiment, its own change instead of that of `budget` in the same unit."""

    def changes(self, experiment: str) -> tuple[BudgetChange, ...]:
        """The changes for an experiment: its own, and those of `budget` in other units."""
        own = self.of.get(experiment)
        others = tuple(change for change in self.budget if own is None or change.unit not in (own.unit, None))
        return others if own is None else (own, *others)

    too_short_for: Ids = ()
    """Measures whose window can hold no point under it. What needs them is not judged under it."""


class Transfer(Model):
    """The measures behind the transfer metrics of Taylor & Stone (2009); higher scores are better."""

    jump_start: Id
    """The jump start is the difference between two methods in this measure."""
    time_to_threshold: Id
    """The measure of the time."""
    asymptote: Id
    """The gain at the end is the difference between two methods in this measure."""
    area: Id
    """The transfer ratio is the ratio of two methods in this measure."""


class Deviation(Model):
    """A declared difference from the paper."""

    id: Name
    class_: Literal["substitute", "reduced", "assumed", "erratum"] = Field(alias="class")
    """How much it matters: docs/verdicts.md."""
    applies_to: SomeIds
    """Methods, scenarios, sets or experiments."""
    under: Ids | None = None
    """The readings it is limited to; "primary" may be one of them. Left out: it holds in all."""
    says: Says
