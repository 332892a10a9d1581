"""Scenarios, methods, experiments, profiles, deviations: what a paper runs.

`waits_for`, wherever it stands, says what is missing before that part can run here. The plan leaves such cells out and
names them; their claims and printed values are `not_run`.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal, NamedTuple

from pydantic import Discriminator, Field, Tag, model_validator

from bench.suite.base import Count, Id, Ids, Kind, Model, Name, Says, Scalar, SomeIds, Source, Text, Waits, Where

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
    id: Name
    title: Text
    """As printed."""
    authors: Text
    """As printed."""
    year: int
    """Of publication."""


class Anchors(Model):
    """The scale of a scenario in its metric, measured by `bench anchors`."""

    random: float
    """What random actions reach."""
    no_information: float
    """What a script reaches that acts sensibly and is not told the goal: 0 of the scale by which margins are shares."""
    good: float
    """What a script with all knowledge reaches: the scale's other end."""
    measured: Text
    """Command, date, machine."""


class Limit(Model):
    """An episode's length where the paper does not state it."""

    value: Count
    """Environment steps."""
    source: Source
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
    id: Name
    where: Where
    says: Says
    family: Text
    """The environments that it belongs to: `particle`, `smac`, ..."""
    params: dict[str, Scalar]
    """The environment's parameters; its `name` says which."""
    episode_limit: Annotated[
        Annotated[Count, Tag("number")] | Annotated[Limit, Tag("table")], Discriminator(_number_or_table)
    ]
    """Environment steps after which an episode ends; a table where the paper does not state it."""
    metric: Literal["step_reward", "return", "return_sum", "win_rate", "ndcg"]
    """What it is scored by; higher is better."""
    anchors: Anchors | None = None
    """Its scale, measured by scripts."""
    waits_for: Waits = None

    @property
    def steps(self) -> int:
        """The longest episode, in environment steps."""
        return self.episode_limit.value if isinstance(self.episode_limit, Limit) else self.episode_limit


class ScenarioSet(Model):
    """Scenarios that a paper averages or groups; none where it does not say which."""

    id: Name
    where: Where
    says: Says
    scenarios: Ids
    """Those it holds; none where the paper does not say which."""


class Setting(Model):
    """A hyperparameter's value and where it comes from."""

    value: Scalar
    """The hyperparameter's value."""
    source: Source
    kind: Kind = "stated"


class Method(Model):
    id: Name
    where: Where
    says: Says
    algorithm: Text
    """The code that runs it, by its name in `baselines/specs.py`."""
    extends: Id | None = None
    """A method whose hyperparameters and deviations it takes over."""
    hyperparameters: dict[str, Setting] = Field(default={})
    """By name: value, source, kind."""
    waits_for: Waits = None


class Seeds(Model):
    value: Count
    """Runs of each cell; they take the seeds 0, 1, 2, ..."""
    source: Source
    kind: Kind = "stated"


class Budget(Model):
    """How long a run trains, in one unit; `unknown` where nothing is stated and nothing can be inferred."""

    episodes: Count | None = None
    """Of each task."""
    steps: Count | None = None
    """Environment steps."""
    epochs: Count | None = None
    """As the paper defines them."""
    epoch_episodes: Count | None = None
    """Episodes of each task in an epoch, where that is known."""
    updates: Count | None = None
    """Gradient updates."""
    unknown: Literal[True] | None = None
    """Nothing is stated and nothing can be inferred."""
    source: Source
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
    """Episodes of each task in a point of the training curve."""
    evaluate_every: Count
    """Episodes of each task between two greedy evaluations."""
    evaluation_episodes: Count
    """Episodes of an evaluation during training."""
    final_evaluation_episodes: Count
    """Episodes of the evaluation at the end, whose mean a run is scored by."""
    source: Source
    kind: Kind = "stated"


class BudgetChange(Model):
    episodes: Count | None = None
    """Of each task, instead of the experiment's."""
    record_every: Count | None = None
    """As in `recording`."""
    evaluate_every: Count | None = None
    """As in `recording`."""
    evaluation_episodes: Count | None = None
    """As in `recording`."""
    final_evaluation_episodes: Count | None = None
    """As in `recording`."""


class TrainingSet(Model):
    """Scenarios that one run is trained on."""

    id: Name
    scenarios: SomeIds
    """What one run is trained on, together or in order."""
    score_on: SomeIds | None = None
    """Where it is scored, if elsewhere."""
    budget: Budget | None = None
    """Where it is not the experiment's."""

    @cached_property
    def scored(self) -> tuple[str, ...]:
        """What its runs are scored on: the scenarios they are trained on, then the others of score_on."""
        return tuple(dict.fromkeys((*self.scenarios, *(self.score_on or ()))))


class Teachers(Model):
    """Whose runs the students learn from."""

    experiment: Id
    """Where the teachers are trained."""
    method: Id
    """What they are trained by."""
    pairing: Literal["same seed"]
    """Which teacher a student learns from."""
    instead: dict[Id, Id] = Field(default={})
    """By student, another method whose runs teach it."""


class Experiment(Model):
    id: Name
    where: Where
    says: Says
    methods: SomeIds
    """All that are compared."""
    training_sets: Annotated[tuple[TrainingSet, ...], Field(min_length=1, strict=False)]
    """Each method is trained on each of them."""
    seeds: Seeds
    """How many runs each cell has."""
    budget: Budget
    """How long a run trains."""
    recording: Recording | None = None
    """What is looked at and how often; asked for where it can run."""
    teachers: Teachers | None = None
    """Whose runs the students learn from."""
    baseline: Id | None = None
    """The method that transfer metrics compare with."""
    waits_for: Waits = None

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

    says: Says
    seeds: Count | None = None
    """Runs of each cell, instead of the experiments' own."""
    budget: BudgetChange = BudgetChange()
    """What changes in budget and recording."""


class Transfer(Model):
    """Which measures the transfer metrics of Taylor & Stone (2009) are taken from; higher scores are better."""

    jump_start: Id
    """The measure that it is the difference of."""
    time_to_threshold: Id
    """The measure that says when."""
    asymptote: Id
    """The measure that it is the difference of."""
    area: Id
    """The measure that it is the ratio of."""


class Deviation(Model):
    """A declared difference from the paper."""

    id: Name
    class_: Literal["substitute", "reduced", "assumed", "erratum"] = Field(alias="class")
    """How much it matters: docs/verdicts.md."""
    applies_to: SomeIds
    """Methods, scenarios, sets or experiments."""
    says: Says
