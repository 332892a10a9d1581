"""How long a method trains, and what is recorded meanwhile: budgets and recordings, each in one unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from baselines.specs import UNITS, Unit
from bench.suite.base import Count, Kind, Model, Source, Sourced

BUDGET_UNITS = ("episodes", "steps", "epochs", "updates")
RECORDING = ("record_every", "evaluate_every", "evaluation_episodes", "final_evaluation_episodes")
Episodes = Annotated[int, Field(ge=1, le=10**6)]  # in one evaluation: they are played in parallel


class Budget(Sourced):
    """How long a run trains, in one unit; `unknown` if nothing is stated and nothing can be inferred."""

    example: ClassVar[str] = '{ episodes = 5000, source = "..." }'

    episodes: Count | None = None
    """Episodes of each task."""
    steps: Count | None = None
    """Environment steps."""
    epochs: Count | None = None
    """Epochs as the paper defines them."""
    epoch_episodes: Count | None = None
    """Episodes of each task in an epoch, if known."""
    updates: Count | None = None
    """Gradient updates."""
    first_phase: Count | None = None
    """Where the first of two phases ends, in the budget's unit, for methods that have two."""
    unknown: Literal[True] | None = None
    """Nothing is stated and nothing can be inferred."""
    source: Source
    kind: Kind = "stated"

    @model_validator(mode="after")
    def _one_unit(self) -> Budget:
        if sum(getattr(self, unit) is not None for unit in (*BUDGET_UNITS, "unknown")) != 1:
            raise ValueError(f"exactly one of {', '.join(BUDGET_UNITS)}, unknown")
        if self.epoch_episodes and not self.epochs:
            raise ValueError("epoch_episodes: only together with epochs")
        if self.first_phase and (self.epochs or self.unknown):
            raise ValueError("first_phase: only together with episodes, steps or updates")
        return self

    @property
    def unit(self) -> str:
        """The unit that the file uses; "" if the budget is unknown."""
        return next((unit for unit in BUDGET_UNITS if getattr(self, unit) is not None), "")

    @property
    def counted(self) -> tuple[Unit, int] | None:
        """The unit that a run counts by, and how many of it; None if unknown. Epochs are counted in episodes."""
        if self.epochs:
            return ("episodes", self.epochs * self.epoch_episodes) if self.epoch_episodes else None
        return next(((unit, n) for unit in UNITS if (n := getattr(self, unit)) is not None), None)

    def __str__(self) -> str:
        first = f", the first {self.first_phase:,} of them a phase of their own" if self.first_phase else ""
        return f"{getattr(self, self.unit):,} {self.unit}{first}" if self.unit else "unknown"


class Recording(Sourced):
    """How often training points and greedy evaluations are recorded, and how long an evaluation is.

    It counts in the budget's unit: episodes of each task (also for epochs), environment steps or gradient updates.
    """

    record_every: Count
    """How much of the budget a point of the training curve covers."""
    evaluate_every: Count
    """How much of the budget lies between two greedy evaluations."""
    evaluation_episodes: Episodes
    """Episodes of an evaluation during training."""
    final_evaluation_episodes: Episodes
    """Episodes of the evaluation at the end. Their mean is the run's score."""
    source: Source
    kind: Kind = "stated"


class BudgetChange(Model):
    """A change of budget and recording, for the experiments and methods that count by its unit.

    A change without a budget applies to all of them.
    """

    episodes: Count | None = None
    """Episodes of each task, instead of the experiment's."""
    steps: Count | None = None
    """Environment steps, instead of the experiment's."""
    updates: Count | None = None
    """Gradient updates, instead of the experiment's."""
    first_phase: Count | None = None
    """Where the first of two phases ends, for methods that have two."""
    record_every: Count | None = None
    """As in `recording`."""
    evaluate_every: Count | None = None
    """As in `recording`."""
    evaluation_episodes: Episodes | None = None
    """As in `recording`."""
    final_evaluation_episodes: Episodes | None = None
    """As in `recording`."""

    @model_validator(mode="after")
    def _one_unit(self) -> BudgetChange:
        if sum(getattr(self, unit) is not None for unit in UNITS) > 1:
            raise ValueError(f"at most one of {', '.join(UNITS)}")
        return self

    @property
    def unit(self) -> Unit | None:
        return next((unit for unit in UNITS if getattr(self, unit) is not None), None)


def unit_of(numbers: Mapping[str, int]) -> Unit:
    """The unit of a table of `Experiment.numbers`, or of the budget in a cell's settings."""
    return next(unit for unit in UNITS if unit in numbers)
