"""What a suite file holds, as frozen, validated models; `loading.py` reads one. See docs/suite-files.md.

A suite is a paper: scenarios, methods, experiments, measures, claims, deviations, profiles.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from baselines.specs import ALGORITHMS
from bench.explain import Problem

SCHEMA = 1  # of the file format
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]*$")]
Quantity = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]*:[A-Za-z0-9_]+$")]  # "method:measure"
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Text = Annotated[str, Field(min_length=1)]
Series = Annotated[str, Field(pattern=r"^(training|evaluation|loss/[a-z_]+)$")]
Kind = Literal["stated", "inherited", "assumed"]
Scalar = str | bool | int | float


class SuiteError(Exception):
    """A suite file, or a request about one, that cannot be meant. One message for all problems of a file."""

    def __init__(self, source: str | Path, problems: list[Problem]):
        self.source, self.problems = str(source), problems
        super().__init__("\n".join([f"{source}: {len(problems)} problem(s)", *map(str, problems)]))


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


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


class Scenario(Model):
    id: Id
    where: Text
    says: Text
    family: Text
    params: dict[str, Scalar]
    episode_limit: Count  # environment steps
    metric: Literal["step_reward"]
    anchors: Anchors | None = None


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
    hyperparameters: dict[str, Setting]


class Seeds(Model):
    value: Count
    source: Text
    kind: Kind = "stated"


class Budget(Model):
    """How long a run trains, in episodes."""

    episodes: Count
    source: Text
    kind: Kind = "stated"


class Recording(Model):
    """What is looked at, in episodes: a training point, a greedy evaluation, and how many episodes one takes."""

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
    id: Id
    scenarios: Annotated[tuple[Id, ...], Field(min_length=1, max_length=1, strict=False)]


class Teachers(Model):
    """Whose runs the students learn from. instead: other teachers for some students."""

    experiment: Id
    method: Id
    pairing: Literal["same seed"]
    instead: dict[Id, Id] = {}


class Experiment(Model):
    id: Id
    where: Text
    says: Text
    methods: Annotated[tuple[Id, ...], Field(min_length=1, strict=False)]
    training_sets: Annotated[tuple[TrainingSet, ...], Field(min_length=1, max_length=1, strict=False)]
    seeds: Seeds
    budget: Budget
    recording: Recording
    teachers: Teachers | None = None
    baseline: Id | None = None  # what the transfer metrics compare with

    @property
    def training_set(self) -> TrainingSet:
        return self.training_sets[0]

    def episodes(self, change: BudgetChange | None = None) -> dict[str, int]:
        """Budget and recording as one table of numbers, under a profile's change."""
        own = {**self.budget.model_dump(), **self.recording.model_dump()}
        numbers = {key: own[key] for key in BudgetChange.model_fields}
        return numbers | (change.model_dump(exclude_none=True) if change else {})


class Profile(Model):
    """A declared reduction of every experiment's budget."""

    says: Text
    seeds: Count | None = None
    budget: BudgetChange = BudgetChange()


class Margin(Model):
    """The smallest difference that matters. Exactly one of three scales."""

    share_of_scale: Annotated[float, Field(gt=0)] | None = None  # of good script - no-information script
    share_of_budget: Annotated[float, Field(gt=0)] | None = None  # of the training episodes
    relative: Annotated[float, Field(gt=0)] | None = None  # of the smaller side's mean

    @model_validator(mode="after")
    def _one_scale(self) -> Margin:
        if len(self.model_fields_set) != 1:
            raise ValueError("exactly one of share_of_scale, share_of_budget, relative")
        return self


class Window(Model):
    """Mean of a curve over shares of the budget, from the start or from the first update on."""

    id: Id
    says: Text
    kind: Literal["window"]
    series: Series
    after: Literal["start", "first_update"] = "start"
    window: Annotated[tuple[Share, Share], Field(strict=False)]

    @model_validator(mode="after")
    def _ordered(self) -> Window:
        if self.window[0] >= self.window[1]:
            raise ValueError("window = [start, stop] with start < stop")
        return self


class Untrained(Model):
    """Mean of a curve up to the first update."""

    id: Id
    says: Text
    kind: Literal["untrained"]
    series: Series


class FirstReach(Model):
    """Episodes until a curve reaches a level and stays; censored at the budget."""

    id: Id
    says: Text
    kind: Literal["first_reach"]
    series: Series
    level: Quantity  # its mean over seeds, less `below`
    below: Margin
    smooth: Count  # points in the moving average
    hold: Count  # points at or above the level


class TimeOfBest(Model):
    """Episodes until a curve is at its highest."""

    id: Id
    says: Text
    kind: Literal["time_of_best"]
    series: Series
    smooth: Count


class Fluctuation(Model):
    """Standard deviation of a curve from point to point."""

    id: Id
    says: Text
    kind: Literal["fluctuation"]
    series: Series


Measure = Annotated[Window | Untrained | FirstReach | TimeOfBest | Fluctuation, Field(discriminator="kind")]
Quantities = Annotated[tuple[Quantity, ...], Field(min_length=1, strict=False)]


class Ordering(Model):
    """Every quantity of `greater` is greater than every quantity of `less`."""

    kind: Literal["ordering"]
    greater: Quantities
    less: Quantities


class NotGreater(Model):
    """No quantity of `greater` exceeds one of `less` by the margin: "not clearly better"."""

    kind: Literal["not_greater"]
    greater: Quantities
    less: Quantities


class Equivalence(Model):
    """All quantities are the same within the margin."""

    kind: Literal["equivalence"]
    same: Annotated[tuple[Quantity, ...], Field(min_length=2, strict=False)]


class Ratio(Model):
    """numerator / denominator is the printed number within +-tolerance."""

    kind: Literal["ratio"]
    numerator: Quantity
    denominator: Quantity
    printed: Annotated[float, Field(gt=0)]
    tolerance: Annotated[float, Field(gt=0)]


Test = Annotated[Ordering | NotGreater | Equivalence | Ratio, Field(discriminator="kind")]


def quantities(test: Test) -> tuple[str, ...]:
    """All quantities that a test names."""
    if isinstance(test, Equivalence):
        return test.same
    if isinstance(test, Ratio):
        return (test.numerator, test.denominator)
    return (*test.greater, *test.less)


class Transfer(Model):
    """Which measures the transfer metrics of Taylor & Stone (2009) are taken from; higher scores are better."""

    jump_start: Id
    time_to_threshold: Id
    asymptote: Id
    area: Id


class Claim(Model):
    id: Id
    where: Text
    says: Text
    experiments: Annotated[tuple[Id, ...], Field(min_length=1, strict=False)]
    protocol: Literal["training", "greedy"]
    margin: Margin
    test: Test


class Deviation(Model):
    """A declared difference from the paper. class: see docs/verdicts.md."""

    id: Id
    class_: Literal["substitute", "reduced", "assumed", "erratum"] = Field(alias="class")
    applies_to: Annotated[tuple[Id, ...], Field(min_length=1, strict=False)]
    says: Text


class Suite(Model):
    """One paper. Lists keep the file's order; ids are unique within each list."""

    schema_: int = Field(alias="schema")
    version: Count
    paper: Paper
    scenario: Annotated[tuple[Scenario, ...], Field(min_length=1, strict=False)]
    method: Annotated[tuple[Method, ...], Field(min_length=1, strict=False)]
    experiment: Annotated[tuple[Experiment, ...], Field(min_length=1, strict=False)]
    profile: dict[Id, Profile]
    measure: Annotated[tuple[Measure, ...], Field(strict=False)] = ()
    transfer: Transfer | None = None
    claim: Annotated[tuple[Claim, ...], Field(strict=False)] = ()
    deviation: Annotated[tuple[Deviation, ...], Field(strict=False)] = ()

    @property
    def id(self) -> str:
        return self.paper.id

    def __getitem__(self, key: tuple[str, str]) -> Any:
        """`suite["method", "knowru"]`: the entry of a list by its id."""
        kind, id_ = key
        return next(entry for entry in getattr(self, kind) if entry.id == id_)

    def lineage(self, method_id: str) -> list[Method]:
        """A method and those it extends, itself first."""
        method = self["method", method_id]
        return [method, *(self.lineage(method.extends) if method.extends else [])]

    def settings(self, method_id: str) -> dict[str, Setting]:
        """A method's hyperparameters with what it takes over."""
        merged: dict[str, Setting] = {}
        for method in reversed(self.lineage(method_id)):
            merged |= method.hyperparameters
        return merged

    def teacher_of(self, experiment: Experiment, method_id: str) -> tuple[Experiment, str] | None:
        """The experiment and method whose runs teach this method, if it needs a teacher."""
        if not ALGORITHMS[self["method", method_id].algorithm].teacher or experiment.teachers is None:
            return None
        teachers = experiment.teachers
        return self["experiment", teachers.experiment], teachers.instead.get(method_id, teachers.method)
