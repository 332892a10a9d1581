"""Measures: one number per run, read from its curves or its final evaluation."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from bench.suite.base import MOST, Count, Id, Model, Name, Positive, Protocol, Quantity, Says, Share, Text

Series = Annotated[
    str,
    Field(
        pattern=r"^(training|evaluation(/(best|worst|member_\d+))?|loss/[a-z_]+)$",
        description="A curve: training, evaluation or loss/NAME; for ensembles evaluation/best, /worst or /member_N.",
    ),
]
After = Literal["start", "first_update", "turn"]


class Margin(Model):
    """The smallest difference that matters. Exactly one of four scales."""

    example: ClassVar[str] = "{ share_of_scale = 0.1 }"

    share_of_scale: Positive | None = None
    """A share of the good script's score minus the no-information script's."""
    share_of_budget: Positive | None = None
    """A share of the training episodes."""
    relative: Positive | None = None
    """A share of the smaller side's mean."""
    absolute: Positive | None = None
    """In the quantity's own unit."""

    @model_validator(mode="after")
    def _one_scale(self) -> Margin:
        if len(self.model_fields_set) != 1:
            raise ValueError("exactly one of share_of_scale, share_of_budget, relative, absolute")
        return self


class Window(Model):
    """Mean of a curve over shares of the budget, counted from the start, the first update or the second phase."""

    id: Name
    says: Says
    kind: Literal["window"]
    series: Series
    after: After = "start"
    """Where the window's shares start; "turn": at the end of the first phase, as shares of what follows it."""
    window: Annotated[tuple[Share, Share], Field(strict=False)]
    """Start and stop, as shares of the budget."""

    @model_validator(mode="after")
    def _ordered(self) -> Window:
        if self.window[0] >= self.window[1]:
            raise ValueError("window = [start, stop] with start < stop")
        return self


class Untrained(Model):
    """Mean of a curve up to the first update."""

    id: Name
    says: Says
    kind: Literal["untrained"]
    series: Series


class FirstReach(Model):
    """Episodes until a curve reaches a level and stays there; censored at the budget."""

    id: Name
    says: Says
    kind: Literal["first_reach"]
    series: Series
    level: Quantity | float
    """The level: a quantity's mean over seeds minus `below`, or a score that the paper names."""
    below: Margin | None = None
    """How far below the quantity is enough. A named score must be reached in full."""
    smooth: Count
    """Points in the moving average."""
    hold: Count
    """Points in a row at or above the level."""
    after: Literal["start", "turn"] = "start"
    """Where counting starts; "turn": at the end of the first phase."""

    @model_validator(mode="after")
    def _below_what(self) -> FirstReach:
        if isinstance(self.level, str) is (self.below is None):
            raise ValueError("below: required with a quantity as level, forbidden with a number")
        return self

    @property
    def quantities(self) -> tuple[str, ...]:
        """The quantity that its level is read from, unless the level is a number."""
        return (self.level,) if isinstance(self.level, str) else ()


class RelativeTime(Model):
    """A method's time to threshold as a share of a baseline's time, seed by seed.

    The threshold is the highest level among several methods.
    """

    id: Name
    says: Says
    kind: Literal["relative_time"]
    series: Series
    levels: Annotated[tuple[Quantity, ...], Field(min_length=1, max_length=MOST, strict=False)]
    """The one with the highest mean is the level, and its method is the baseline."""
    below: Margin
    """How far below the level is enough."""
    smooth: Count
    """Points in the moving average."""
    hold: Count
    """Points in a row at or above the level."""


LEAST_DRAWS = 30


class MemberShare(Model):
    """How the members of an ensemble share a role among them, over all comparisons of a run.

    For a method without members it is one number for all runs together: at each point of the training curves the
    highest run wins.
    """

    id: Name
    says: Says
    kind: Literal["member_share"]
    of: Literal["teacher", "elected"]
    """The role: the teacher, or the member with the best recent returns."""
    take: Literal["largest", "unevenness"]
    """The largest share of a member, or the largest distance of a share from an even split."""
    least: Count = LEAST_DRAWS
    """The least comparisons a run must have; a share of fewer means nothing."""


class Surpass(Model):
    """The share of all pairs (student, distillation) in which the student scores higher than its teacher."""

    id: Name
    says: Says
    kind: Literal["surpass"]
    window: Annotated[tuple[Share, Share], Field(strict=False)] = (0.0, 1.0)
    """Start and stop, as shares of the budget."""
    least: Count = LEAST_DRAWS
    """The least distillations the window must have; a share of fewer means nothing."""

    @model_validator(mode="after")
    def _ordered(self) -> Surpass:
        if self.window[0] >= self.window[1]:
            raise ValueError("window = [start, stop] with start < stop")
        return self


class AtTurn(Model):
    """What a team reached right after the first of two phases, before it learned anything in the second."""

    id: Name
    says: Says
    kind: Literal["at_turn"]
    of: Annotated[Text, Field(pattern=r"^[a-z_]+$")] | None = None
    """Another recorded value, such as an outcome of the scenario. Left out: the score."""

    @property
    def series(self) -> str:
        return "turn" if self.of is None else f"turn/{self.of}"


class Spread(Model):
    """How far a run's curve lies from the median of all runs of its cell, averaged over the points of a window.

    This is how Brown and Forsythe (1974) compare standard deviations: one number per run, then the usual comparison.
    """

    id: Name
    says: Says
    kind: Literal["spread"]
    series: Series
    after: After = "start"
    """As in `Window`."""
    window: Annotated[tuple[Share, Share], Field(strict=False)]
    """Start and stop, as shares of the budget."""


class TimeOfBest(Model):
    """Episodes until a curve is at its highest."""

    id: Name
    says: Says
    kind: Literal["time_of_best"]
    series: Series
    smooth: Count
    """Points in the moving average."""


class Fluctuation(Model):
    """Standard deviation of a curve from point to point."""

    id: Name
    says: Says
    kind: Literal["fluctuation"]
    series: Series


class Groups(Model):
    """The first episodes of an evaluation, in groups of equal size with different weights."""

    episodes: Count
    """Episodes in a group."""
    weights: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=MOST, strict=False)]
    """The groups' weights, in order. Each counts by its share of the sum."""

    @property
    def all_episodes(self) -> int:
        """How many episodes are read."""
        return self.episodes * len(self.weights)

    @property
    def alike(self) -> int:
        """How many equally weighted episodes carry as much information (Kish's effective sample size)."""
        return int(self.episodes * sum(self.weights) ** 2 / sum(w * w for w in self.weights))


class Final(Model):
    """The score of the final evaluation: the number that a table prints."""

    id: Name
    says: Says
    kind: Literal["final"]
    protocol: Protocol = "greedy"
    """How the final evaluation acts."""
    groups: Groups | None = Field(default=None, exclude_if=lambda value: value is None)
    """Left out: every episode counts, with equal weight."""


class Retention(Model):
    """Performance retention ratio: the method's final score over its teacher's."""

    id: Name
    says: Says
    kind: Literal["retention"]
    teacher: Id
    """The method whose final score is the denominator."""


class PolicySize(Model):
    """Number of parameters that the agents act with. It follows from the cell's settings; each finished seed has it."""

    id: Name
    says: Says
    kind: Literal["policy_size"]


class Declared(Model):
    """A number that the harness cannot measure yet; claims about it are `not_run`."""

    id: Name
    says: Says
    kind: Literal["declared"]
    unit: Text
    """What it counts."""
    higher_is_better: bool = True
    """Which way is better."""
    because: Text
    """Why it is not measured."""


Measure = Annotated[
    Window
    | Untrained
    | FirstReach
    | RelativeTime
    | TimeOfBest
    | Fluctuation
    | MemberShare
    | Surpass
    | AtTurn
    | Spread
    | Final
    | Retention
    | PolicySize
    | Declared,
    Field(discriminator="kind"),
]
CurveMeasure = Window | Untrained | FirstReach | RelativeTime | TimeOfBest | Fluctuation | AtTurn | Spread
MemberMeasure = MemberShare | Surpass  # read from an ensemble's own curves
