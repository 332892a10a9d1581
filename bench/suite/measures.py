"""Measures: one number a run, read off its curves or its final evaluation."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from bench.suite.base import MOST, Count, Id, Model, Name, Positive, Protocol, Quantity, Says, Share, Text

Series = Annotated[
    str,
    Field(
        pattern=r"^(training|evaluation(/(best|worst|member_\d+))?|loss/[a-z_]+)$",
        description="A curve: training, evaluation or loss/NAME; of an ensemble evaluation/best, /worst or /member_N.",
    ),
]
After = Literal["start", "first_update", "turn"]


class Margin(Model):
    """The smallest difference that matters. Exactly one of four scales."""

    example: ClassVar[str] = "{ share_of_scale = 0.1 }"

    share_of_scale: Positive | None = None
    """Of good script less no-information script."""
    share_of_budget: Positive | None = None
    """Of the training episodes."""
    relative: Positive | None = None
    """Of the smaller side's mean."""
    absolute: Positive | None = None
    """In the quantity's own unit."""

    @model_validator(mode="after")
    def _one_scale(self) -> Margin:
        if len(self.model_fields_set) != 1:
            raise ValueError("exactly one of share_of_scale, share_of_budget, relative, absolute")
        return self


class Window(Model):
    """Mean of a curve over shares of the budget, from the start or from the first update on; or of its second phase."""

    id: Name
    says: Says
    kind: Literal["window"]
    series: Series
    after: After = "start"
    """Where the window's shares are counted from; "turn": they are shares of what follows the first phase."""
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
    """Episodes until a curve reaches a level and stays; censored at the budget."""

    id: Name
    says: Says
    kind: Literal["first_reach"]
    series: Series
    level: Quantity | float
    """The quantity whose mean over seeds, less `below`, is to be reached; or a score that the paper names."""
    below: Margin | None = None
    """How far below the quantity is enough; a score that is named is to be reached whole."""
    smooth: Count
    """Points in the moving average."""
    hold: Count
    """Points in a row at or above the level."""
    after: Literal["start", "turn"] = "start"
    """Where it counts from; "turn": where the first phase ends."""

    @model_validator(mode="after")
    def _below_what(self) -> FirstReach:
        if isinstance(self.level, str) is (self.below is None):
            raise ValueError("below: with a quantity as level, and with it alone")
        return self

    @property
    def quantities(self) -> tuple[str, ...]:
        """What its level is read off, if it is no number."""
        return (self.level,) if isinstance(self.level, str) else ()


class RelativeTime(Model):
    """A time to threshold as a share of a baseline's own, seed by seed, to the highest level of several methods."""

    id: Name
    says: Says
    kind: Literal["relative_time"]
    series: Series
    levels: Annotated[tuple[Quantity, ...], Field(min_length=1, max_length=MOST, strict=False)]
    """Of these the one with the highest mean is the level, and its method the baseline."""
    below: Margin
    """How far below the level is enough."""
    smooth: Count
    """Points in the moving average."""
    hold: Count
    """Points in a row at or above the level."""


LEAST_DRAWS = 30


class MemberShare(Model):
    """How the members of an ensemble share a part among them, over all of a run's comparisons.

    Of a method without members it is one number of all runs together: whose training curve is the highest, point by
    point.
    """

    id: Name
    says: Says
    kind: Literal["member_share"]
    of: Literal["teacher", "elected"]
    """Who taught, or who had the best recent returns."""
    take: Literal["largest", "unevenness"]
    """The largest share of a member, or the largest distance of a share from an even one."""
    least: Count = LEAST_DRAWS
    """Comparisons that a run must have; a share of fewer says nothing."""


class Surpass(Model):
    """Of all pairs of a student and a distillation, the share in which the student scores higher than its teacher."""

    id: Name
    says: Says
    kind: Literal["surpass"]
    window: Annotated[tuple[Share, Share], Field(strict=False)] = (0.0, 1.0)
    """Start and stop, as shares of the budget."""
    least: Count = LEAST_DRAWS
    """Distillations that the window must have; a share of fewer says nothing."""

    @model_validator(mode="after")
    def _ordered(self) -> Surpass:
        if self.window[0] >= self.window[1]:
            raise ValueError("window = [start, stop] with start < stop")
        return self


class AtTurn(Model):
    """What a team reached right after the turn between two phases, before it learned on."""

    id: Name
    says: Says
    kind: Literal["at_turn"]
    of: Annotated[Text, Field(pattern=r"^[a-z_]+$")] | None = None
    """What is told beside the score, an outcome of the scenario, say; left out: the score."""

    @property
    def series(self) -> str:
        return "turn" if self.of is None else f"turn/{self.of}"


class Spread(Model):
    """How far a run's curve lies from the median of all runs of its cell, averaged over points of a window.

    Brown and Forsythe's (1974) way to compare standard deviations: one number a run, and the usual comparison of these.
    """

    id: Name
    says: Says
    kind: Literal["spread"]
    series: Series
    after: After = "start"
    """As in a window."""
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
    """The first episodes of an evaluation in groups of so many, which weigh differently."""

    episodes: Count
    """Of a group."""
    weights: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=MOST, strict=False)]
    """Of the groups, in their order; what counts is their share of the sum."""

    @property
    def all_episodes(self) -> int:
        """How many are read."""
        return self.episodes * len(self.weights)

    @property
    def alike(self) -> int:
        """How many episodes that weigh alike say as much (Kish's effective size)."""
        return int(self.episodes * sum(self.weights) ** 2 / sum(w * w for w in self.weights))


class Final(Model):
    """The score of the final evaluation: the number that a table prints."""

    id: Name
    says: Says
    kind: Literal["final"]
    protocol: Protocol = "greedy"
    """How the final evaluation acts."""
    groups: Groups | None = Field(default=None, exclude_if=lambda value: value is None)
    """Left out: every episode counts, and all alike."""


class Retention(Model):
    """Performance retention ratio: the method's final score over its teacher's."""

    id: Name
    says: Says
    kind: Literal["retention"]
    teacher: Id
    """The method whose final score is the denominator."""


class PolicySize(Model):
    """Parameters of what the agents act with: of the cell's settings, for each seed that finished a run of it."""

    id: Name
    says: Says
    kind: Literal["policy_size"]


class Declared(Model):
    """A number that the harness cannot take yet; claims about it are `not_run`."""

    id: Name
    says: Says
    kind: Literal["declared"]
    unit: Text
    """What it counts."""
    higher_is_better: bool = True
    """Which way is better."""
    because: Text
    """Why it is not taken."""


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
MemberMeasure = MemberShare | Surpass  # of an ensemble's own curves
