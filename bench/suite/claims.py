"""What a paper says, made testable: measures (one number a run), tests of them, claims."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from bench.suite.base import (
    MOST,
    QUANTITY,
    Count,
    Id,
    Model,
    Name,
    Positive,
    Protocol,
    Quantity,
    Says,
    Share,
    SomeIds,
    Text,
    Where,
)

Series = Annotated[
    str,
    Field(pattern=r"^(training|evaluation|loss/[a-z_]+)$", description="A curve: training, evaluation or loss/NAME."),
]
After = Literal["start", "first_update", "turn"]
_NUMBER = r"[+\-\u2212]?\d[\d,]*(\.\d+)?[kM%]?"
PrintedNumber = Annotated[str, Field(pattern=rf"^{_NUMBER}$")]  # "63.1%", "29,000", "1.25M"
Operand = Annotated[str, Field(pattern=rf"^({_NUMBER}|{QUANTITY})$")]  # or a quantity


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
    level: Quantity
    """The quantity whose mean over seeds, less `below`, is to be reached."""
    below: Margin
    """How far below the level is enough."""
    smooth: Count
    """Points in the moving average."""
    hold: Count
    """Points in a row at or above the level."""
    after: Literal["start", "turn"] = "start"
    """Where it counts from; "turn": where the first phase ends."""


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


class Final(Model):
    """The score of the final evaluation: the number that a table prints."""

    id: Name
    says: Says
    kind: Literal["final"]
    protocol: Protocol = "greedy"
    """How the final evaluation acts."""


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
    | TimeOfBest
    | Fluctuation
    | AtTurn
    | Spread
    | Final
    | Retention
    | PolicySize
    | Declared,
    Field(discriminator="kind"),
]
CurveMeasure = Window | Untrained | FirstReach | TimeOfBest | Fluctuation | AtTurn | Spread
Quantities = Annotated[tuple[Quantity, ...], Field(min_length=1, max_length=MOST, strict=False)]


class Ordering(Model):
    """Every quantity of `greater` is greater than every quantity of `less`."""

    kind: Literal["ordering"]
    greater: Quantities
    """Quantities that are the greater."""
    less: Quantities
    """Quantities that are the less."""
    clearly: bool = False
    """By the claim's margin at least."""


class NotGreater(Model):
    """No quantity of `greater` exceeds one of `less` by the margin: "not clearly better"."""

    kind: Literal["not_greater"]
    greater: Quantities
    """Quantities that do not exceed the others by the margin."""
    less: Quantities
    """The others."""


class Equivalence(Model):
    """All quantities are the same within the margin."""

    kind: Literal["equivalence"]
    same: Annotated[tuple[Quantity, ...], Field(min_length=2, max_length=MOST, strict=False)]
    """Quantities that are the same within the margin."""


class Ratio(Model):
    """numerator / denominator is the printed number within +-tolerance."""

    kind: Literal["ratio"]
    numerator: Quantity
    """A quantity."""
    denominator: Quantity
    """A quantity."""
    printed: Positive
    """What the text prints."""
    tolerance: Positive
    """How far from it is still the same."""


class Between(Model):
    """The quantity lies between two printed bounds, both included."""

    kind: Literal["between"]
    quantity: Quantity
    """What lies between."""
    low: PrintedNumber
    """The lower bound, as printed."""
    high: PrintedNumber
    """The upper bound, as printed."""
    tolerance: Positive | None = None
    """How far outside of the bounds is still "about" them, in the quantity's own unit."""


class Value(Model):
    """The quantity is the number that the text prints."""

    kind: Literal["value"]
    quantity: Quantity
    """What has the value."""
    printed: PrintedNumber
    """The number of the text."""


class Change(Model):
    """(to - from) / |from|, or its negative where direction is "down", is the printed share."""

    kind: Literal["change"]
    from_: Operand = Field(alias="from")
    """A quantity or a printed number, of which the change is a share."""
    to: Operand
    """A quantity or a printed number."""
    printed: PrintedNumber
    """The share that the text prints."""
    direction: Literal["up", "down"] = "up"
    """`down`: a fall is printed without its sign."""


class Difference(Model):
    """of - minus is the printed number, one for each of the claim's scenarios in order."""

    kind: Literal["difference"]
    of: Quantity
    """A quantity."""
    minus: Quantity
    """The quantity that is taken from it."""
    printed: Annotated[tuple[PrintedNumber, ...], Field(min_length=1, max_length=MOST, strict=False)]
    """One number for each of the claim's scenarios, in order."""


class Product(Model):
    """The product of printed numbers is another printed number."""

    kind: Literal["product"]
    of: Annotated[tuple[PrintedNumber, ...], Field(min_length=2, max_length=MOST, strict=False)]
    """Printed numbers."""
    printed: PrintedNumber
    """Their product, as printed."""


class MeanOrdering(Model):
    """The quantity's mean over the scenarios of one set is greater than over those of another."""

    kind: Literal["mean_ordering"]
    quantity: Quantity
    """What is averaged."""
    greater: Id
    """The set whose mean is greater."""
    less: Id
    """The set whose mean is less."""


class Averaged(Model):
    """Every average that a derived table prints is the mean of all that its source tables print."""

    kind: Literal["averaged"]
    table: Id
    """The derived table."""


class Untestable(Model):
    """A sentence for which no number can be had; kept, so that the list of claims is whole."""

    kind: Literal["untestable"]
    because: Text
    """Why no number can be had."""


Test = Annotated[
    Ordering
    | NotGreater
    | Equivalence
    | Ratio
    | Between
    | Value
    | Change
    | Difference
    | Product
    | MeanOrdering
    | Averaged
    | Untestable,
    Field(discriminator="kind"),
]


def split(quantity: str) -> tuple[str, str | None, str]:
    """`method@experiment:measure` -> its three parts; the experiment None where none is named."""
    method, measure = quantity.rsplit(":", 1)
    method, _, experiment = method.partition("@")
    return method, experiment or None, measure


def by_margin(test: Test) -> bool:
    """Whether a test is about a margin, which its claim must then have."""
    return isinstance(test, Equivalence | NotGreater) or (isinstance(test, Ordering) and test.clearly)


def quantities(test: Test) -> tuple[str, ...]:
    """All quantities that a test names."""
    match test:
        case Equivalence():
            return test.same
        case Ratio():
            return (test.numerator, test.denominator)
        case Ordering() | NotGreater():
            return (*test.greater, *test.less)
        case Between() | Value() | MeanOrdering():
            return (test.quantity,)
        case Difference():
            return (test.of, test.minus)
        case Change():
            return tuple(side for side in (test.from_, test.to) if ":" in side)
        case Product() | Averaged() | Untestable():
            return ()


class Claim(Model):
    """A sentence of the paper."""

    id: Name
    where: Where
    says: Says
    experiments: SomeIds
    """Where it is looked at, one verdict each."""
    protocol: Protocol
    """What the scores are of: training episodes, greedy ones, the best member."""
    margin: Margin | None = None
    """The smallest difference that matters; ours, never the paper's."""
    test: Test
    """What must hold."""
    over: Literal["all", "most"] | Count = "all"
    """On how many of its scenarios it must hold."""
    scenarios: SomeIds | None = None
    """Scenarios or sets; all of the experiment where left out."""
    groups: SomeIds | None = None
    """Training sets, where a table prints a scenario in several."""
    headline: bool = False
    """It is one of the abstract or the conclusion."""
    about: Id | None = None
    """The method that it speaks of; left out where that is the one that is claimed to be better, or as good."""
