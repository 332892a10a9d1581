"""Scenarios, methods, experiments, profiles, deviations: what a paper runs.

`waits_for`, wherever it stands, says what is missing before that part can run here. The plan leaves such cells out and
names them; their claims and printed values are `not_run`.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal, NamedTuple

from pydantic import Discriminator, Field, Tag, model_validator

from bench.suite.base import Count, Id, Ids, Kind, Model, Scalar, SomeIds, Text

# What a scenario can be scored by. All: higher is better.
METRICS = {
    "step_reward": "an episode's reward averaged over its steps and agents",
    "return": "an episode's undiscounted return",
    "return_sum": "an episode's undiscounted return, summed over agents",
    "win_rate": "share of episodes won",
    "ndcg": "normalised discounted cumulative gain of the ranking",
}
BOUNDED = ("win_rate", "ndcg")  # metrics between 0 and 1
BUDGET_UNITS = ("episodes", "steps", "epochs", "updates")


class Paper(Model):
    id: Id
    title: Text
    authors: Text
    year: int


class Anchors(Model):
    """The scale of a scenario in its metric, measured by `bench anchors`."""

    random: float
    no_information: float
    good: float
    measured: Text  # command, date, machine


class Limit(Model):
    """An episode's length where the paper does not state it."""

    value: Count  # environment steps
    source: Text
    kind: Kind = "stated"


def _number_or_table(value: object) -> str:
    return "table" if isinstance(value, dict | Limit) else "number"


class Place(NamedTuple):
    """Where a number is read: a scenario, or a set that a table averages; group: the training set, where it matters."""

    scenario: str
    group: str | None = None

    def __str__(self) -> str:
        return f"{self.scenario} ({self.group})" if self.group else self.scenario


class Scenario(Model):
    id: Id
    where: Text
    says: Text
    family: Text
    params: dict[str, Scalar]
    episode_limit: Annotated[
        Annotated[Count, Tag("number")] | Annotated[Limit, Tag("table")], Discriminator(_number_or_table)
    ]  # environment steps
    metric: Literal["step_reward", "return", "return_sum", "win_rate", "ndcg"]
    anchors: Anchors | None = None
    waits_for: Text | None = None

    @property
    def steps(self) -> int:
        """The longest episode, in environment steps."""
        return self.episode_limit.value if isinstance(self.episode_limit, Limit) else self.episode_limit


class ScenarioSet(Model):
    """Scenarios that a paper averages or groups; none where it does not say which."""

    id: Id
    where: Text
    says: Text
    scenarios: Ids


class Setting(Model):
    """A hyperparameter's value and where it comes from."""

    value: Scalar
    source: Text
    kind: Kind = "stated"


class Method(Model):
    id: Id
    where: Text
    says: Text
    algorithm: Text
    extends: Id | None = None  # takes over that method's hyperparameters and deviations
    hyperparameters: dict[str, Setting] = Field(default={})
    waits_for: Text | None = None


class Seeds(Model):
    value: Count
    source: Text
    kind: Kind = "stated"


class Budget(Model):
    """How long a run trains, in one unit; `unknown` where nothing is stated and nothing can be inferred."""

    episodes: Count | None = None  # of each task
    steps: Count | None = None  # environment steps
    epochs: Count | None = None  # as the paper defines them
    epoch_episodes: Count | None = None  # episodes of each task in an epoch, where that is known
    updates: Count | None = None  # gradient updates
    unknown: Literal[True] | None = None
    source: Text
    kind: Kind = "stated"

    @model_validator(mode="after")
    def _one_unit(self) -> Budget:
        if sum(getattr(self, unit) is not None for unit in (*BUDGET_UNITS, "unknown")) != 1:
            raise ValueError(f"exactly one of {', '.join(BUDGET_UNITS)}, unknown")
        if self.epoch_episodes and not self.epochs:
            raise ValueError("epoch_episodes: allowed beside epochs alone")
        return self

    @property
    def task_episodes(self) -> int | None:
        """Episodes of each task, where the budget says how many."""
        return self.epochs * self.epoch_episodes if self.epochs and self.epoch_episodes else self.episodes

    @property
    def unit(self) -> str:
        return next((unit for unit in BUDGET_UNITS if getattr(self, unit) is not None), "")

    def __str__(self) -> str:
        named = [f"{getattr(self, unit):,} {unit}" for unit in BUDGET_UNITS if getattr(self, unit) is not None]
        return named[0] if named else "unknown"


class Recording(Model):
    """What is looked at, in episodes of each task: a training point, a greedy evaluation, how long that is."""

    record_every: Count
    evaluate_every: Count
    evaluation_episodes: Count
    final_evaluation_episodes: Count
    source: Text
    kind: Kind = "stated"


class BudgetChange(Model):
    episodes: Count | None = None
    record_every: Count | None = None
    evaluate_every: Count | None = None
    evaluation_episodes: Count | None = None
    final_evaluation_episodes: Count | None = None


class TrainingSet(Model):
    """Scenarios that one run is trained on, together or in order. score_on: where it is scored, if elsewhere."""

    id: Id
    scenarios: SomeIds
    score_on: SomeIds | None = None
    budget: Budget | None = None  # where it is not the experiment's

    @cached_property
    def scored(self) -> tuple[str, ...]:
        """What its runs are scored on: the scenarios they are trained on, then the others of score_on."""
        return tuple(dict.fromkeys((*self.scenarios, *(self.score_on or ()))))


class Teachers(Model):
    """Whose runs the students learn from. instead: other teachers for some students."""

    experiment: Id
    method: Id
    pairing: Literal["same seed"]
    instead: dict[Id, Id] = Field(default={})


class Experiment(Model):
    id: Id
    where: Text
    says: Text
    methods: SomeIds
    training_sets: Annotated[tuple[TrainingSet, ...], Field(min_length=1, strict=False)]
    seeds: Seeds
    budget: Budget
    recording: Recording | None = None
    teachers: Teachers | None = None
    baseline: Id | None = None  # what the transfer metrics compare with
    waits_for: Text | None = None

    @cached_property
    def scenarios(self) -> tuple[str, ...]:
        """What its runs are scored on, each once, in the file's order."""
        return tuple(dict.fromkeys(s for t in self.training_sets for s in t.scored))

    def sets_of(self, scenario: str, group: str | None = None) -> list[TrainingSet]:
        """The training sets that are scored on a scenario. group: the one of this id alone."""
        return [t for t in self._sets.get(scenario, ()) if group in (None, t.id)]

    @cached_property
    def _sets(self) -> dict[str, list[TrainingSet]]:
        """Training sets by the scenarios that they are scored on."""
        return {s: [t for t in self.training_sets if s in t.scored] for s in self.scenarios}

    def places(self, scenario: str, groups: tuple[str, ...] | None = None) -> tuple[Place, ...]:
        """Where a scenario is scored: once, or by training set where several score it. groups: these alone."""
        sets = self.sets_of(scenario)
        if len(sets) < 2:
            return (Place(scenario),) if groups is None or {t.id for t in sets} <= {*groups} else ()
        return tuple(Place(scenario, t.id) for t in sets if groups is None or t.id in groups)

    def taught_on(self, scenario: str) -> TrainingSet | None:
        """Where the teacher of a task learns: the only training set, else the one of this scenario alone."""
        if len(self.training_sets) == 1:
            return self.training_sets[0]
        return next((t for t in self.training_sets if t.scenarios == (scenario,)), None)

    def episodes(self, t: TrainingSet, change: BudgetChange | None = None) -> dict[str, int]:
        """Budget and recording of a training set that can run, as one table of numbers, under a profile's change.

        In episodes of each task.
        """
        own = self.recording.model_dump() if self.recording else {}
        own["episodes"] = (t.budget or self.budget).task_episodes
        numbers = {key: own[key] for key in BudgetChange.model_fields}
        return numbers | (change.model_dump(exclude_none=True) if change else {})


class Profile(Model):
    """A declared reduction of every experiment's budget."""

    says: Text
    seeds: Count | None = None
    budget: BudgetChange = BudgetChange()


class Transfer(Model):
    """Which measures the transfer metrics of Taylor & Stone (2009) are taken from; higher scores are better."""

    jump_start: Id
    time_to_threshold: Id
    asymptote: Id
    area: Id


class Deviation(Model):
    """A declared difference from the paper. class: see docs/verdicts.md."""

    id: Id
    class_: Literal["substitute", "reduced", "assumed", "erratum"] = Field(alias="class")
    applies_to: SomeIds
    says: Text
