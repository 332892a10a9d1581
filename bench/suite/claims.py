"""The paper's sentences made testable: claims, and the tests of measures that they state."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

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
    SomeIds,
    Text,
    Where,
)
from bench.suite.measures import Margin

_NUMBER = r"[+\-\u2212]?\d[\d,]*(\.\d+)?[kM%]?"
PrintedNumber = Annotated[str, Field(pattern=rf"^{_NUMBER}$")]  # "63.1%", "29,000", "1.25M"
Operand = Annotated[str, Field(pattern=rf"^({_NUMBER}|{QUANTITY})$")]  # or a quantity


Quantities = Annotated[tuple[Quantity, ...], Field(min_length=1, max_length=MOST, strict=False)]


class Ordering(Model):
    """Every quantity of `greater` is greater than every quantity of `less`."""

    kind: Literal["ordering"]
    greater: Quantities
    """Quantities that are the greater."""
    less: Quantities
    """Quantities that are the less."""
    clearly: bool = False
    """Whether the difference must be at least the claim's margin."""


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
    """The largest distance from it that still counts as the same."""


class Between(Model):
    """The quantity lies between two printed bounds, both included."""

    kind: Literal["between"]
    quantity: Quantity
    """The quantity that lies between."""
    low: PrintedNumber
    """The lower bound, as printed."""
    high: PrintedNumber
    """The upper bound, as printed."""
    tolerance: Positive | None = None
    """How far outside the bounds still counts as "about" them, in the quantity's own unit."""


class Value(Model):
    """The quantity is the number that the text prints."""

    kind: Literal["value"]
    quantity: Quantity
    """The quantity that has the value."""
    printed: PrintedNumber
    """The number that the text prints."""


class Change(Model):
    """(to - from) / |from|, or its negative where direction is "down", is the printed share."""

    kind: Literal["change"]
    from_: Operand = Field(alias="from")
    """A quantity or a printed number. The change is a share of it."""
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
    """The quantity that is subtracted."""
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
    """The quantity that is averaged."""
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
    """A sentence that no number can test. It is kept to make the list of claims complete."""

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
    """`method@experiment:measure` -> its three parts; the experiment is None if the quantity names none."""
    method, measure = quantity.rsplit(":", 1)
    method, _, experiment = method.partition("@")
    return method, experiment or None, measure


def by_margin(test: Test) -> bool:
    """Whether a test needs a margin from its claim."""
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
    """The experiments in which it is judged, one verdict each."""
    protocol: Protocol
    """The episodes that are scored: training, greedy (an ensemble's elected member), or the best member's."""
    margin: Margin | None = None
    """The smallest difference that matters; ours, never the paper's."""
    test: Test
    """What must hold."""
    over: Literal["all", "most"] | Count = "all"
    """On how many of its scenarios it must hold."""
    scenarios: SomeIds | None = None
    """Scenarios or sets. Left out: all of the experiment, or for training curves all that it trains on."""
    groups: SomeIds | None = None
    """Training sets, if a table prints a scenario for several of them."""
    headline: bool = False
    """Whether the abstract or the conclusion says it."""
    about: Id | None = None
    """The method that it is about. Left out: the one that is claimed to be better or as good."""
