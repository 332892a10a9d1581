"""What a paper says, made testable: measures (one number a run), tests of them, claims."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bench.suite.base import QUANTITY, Count, Id, Model, Positive, Protocol, Quantity, Share, SomeIds, Text

Series = Annotated[str, Field(pattern=r"^(training|evaluation|loss/[a-z_]+)$")]
_NUMBER = r"[+-]?\d[\d,]*(\.\d+)?[kM%]?"
PrintedNumber = Annotated[str, Field(pattern=rf"^{_NUMBER}$")]  # "63.1%", "29,000", "1.25M"
Operand = Annotated[str, Field(pattern=rf"^({_NUMBER}|{QUANTITY})$")]  # or a quantity


class Margin(Model):
    """The smallest difference that matters. Exactly one of four scales."""

    share_of_scale: Positive | None = None  # of good script - no-information script
    share_of_budget: Positive | None = None  # of the training episodes
    relative: Positive | None = None  # of the smaller side's mean
    absolute: Positive | None = None  # in the quantity's own unit

    @model_validator(mode="after")
    def _one_scale(self) -> Margin:
        if len(self.model_fields_set) != 1:
            raise ValueError("exactly one of share_of_scale, share_of_budget, relative, absolute")
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


class Final(Model):
    """The score of the final evaluation: the number that a table prints."""

    id: Id
    says: Text
    kind: Literal["final"]
    protocol: Protocol = "greedy"


class Retention(Model):
    """Performance retention ratio: the method's final score over its teacher's."""

    id: Id
    says: Text
    kind: Literal["retention"]
    teacher: Id


class PolicySize(Model):
    """Parameters of what the agents act with: of the cell's settings, for each seed that finished a run of it."""

    id: Id
    says: Text
    kind: Literal["policy_size"]


class Declared(Model):
    """A number that the harness cannot take yet; claims about it are `not_run`."""

    id: Id
    says: Text
    kind: Literal["declared"]
    unit: Text
    higher_is_better: bool = True
    because: Text


Measure = Annotated[
    Window | Untrained | FirstReach | TimeOfBest | Fluctuation | Final | Retention | PolicySize | Declared,
    Field(discriminator="kind"),
]
CurveMeasure = Window | Untrained | FirstReach | TimeOfBest | Fluctuation
Quantities = Annotated[tuple[Quantity, ...], Field(min_length=1, strict=False)]


class Ordering(Model):
    """Every quantity of `greater` is greater than every quantity of `less`. clearly: by the margin at least."""

    kind: Literal["ordering"]
    greater: Quantities
    less: Quantities
    clearly: bool = False


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
    printed: Positive
    tolerance: Positive


class Between(Model):
    """The quantity lies between two printed bounds, both included."""

    kind: Literal["between"]
    quantity: Quantity
    low: PrintedNumber
    high: PrintedNumber


class Value(Model):
    """The quantity is the number that the text prints."""

    kind: Literal["value"]
    quantity: Quantity
    printed: PrintedNumber


class Change(Model):
    """(to - from) / |from|, or its negative where direction is "down", is the printed share."""

    kind: Literal["change"]
    from_: Operand = Field(alias="from")
    to: Operand
    printed: PrintedNumber
    direction: Literal["up", "down"] = "up"


class Difference(Model):
    """of - minus is the printed number, one for each of the claim's scenarios in order."""

    kind: Literal["difference"]
    of: Quantity
    minus: Quantity
    printed: Annotated[tuple[PrintedNumber, ...], Field(min_length=1, strict=False)]


class Product(Model):
    """The product of printed numbers is another printed number."""

    kind: Literal["product"]
    of: Annotated[tuple[PrintedNumber, ...], Field(min_length=2, strict=False)]
    printed: PrintedNumber


class MeanOrdering(Model):
    """The quantity's mean over the scenarios of one set is greater than over those of another."""

    kind: Literal["mean_ordering"]
    quantity: Quantity
    greater: Id
    less: Id


class Averaged(Model):
    """Every average that a derived table prints is the mean of all that its source tables print."""

    kind: Literal["averaged"]
    table: Id


class Untestable(Model):
    """A sentence for which no number can be had; kept, so that the list of claims is whole."""

    kind: Literal["untestable"]
    because: Text


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
    """A sentence of the paper. over: on how many of its scenarios it must hold. scenarios: all, where not named."""

    id: Id
    where: Text
    says: Text
    experiments: SomeIds
    protocol: Protocol
    margin: Margin | None = None
    test: Test
    over: Literal["all", "most"] | Count = "all"
    scenarios: SomeIds | None = None
    groups: SomeIds | None = None  # training sets, where a table prints a scenario in several
    headline: bool = False  # of the abstract or the conclusion
