"""Printed values: tables as the paper has them, and the values in them.

A cell is written as printed: `0.917`, `0.917±0.031`, `89.4%`, `91.7±3.1%`, `-` for a dash, `**0.26**` for bold. A minus
sign is `-` or the PDF's (U+2212). A row is its cells, separated by blanks. A table's columns are scenarios (then its
rows are methods) or methods (then its rows are scenarios).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field

from bench.suite.base import MOST, Count, Id, Ids, Model, Name, Protocol, Says, SomeIds, Text, Where
from bench.suite.measures import Margin
from bench.suite.parts import Budget

MINUS = "\u2212"  # a PDF's minus sign
_NUMBER = rf"[+\-{MINUS}]?\d+(?:\.\d+)?"
_PERCENT = r"(?P<unit>%)?"
_SPREAD = rf"(?:±(?P<spread>{_NUMBER})(?:(?(unit)%?|(?P<after>%)?)))?"
CELL = re.compile(rf"^(?P<bold>\*\*)?(?:(?P<dash>[-{MINUS}])|(?P<value>{_NUMBER}){_PERCENT}{_SPREAD})(?(bold)\*\*)$")
UNITS = {"": Fraction(1), "%": Fraction(1, 100), "k": Fraction(1_000), "M": Fraction(1_000_000)}

Header = Annotated[str, Field(pattern=r"^(\d[\d,.]*[kM]?)?$")]  # "2M", "50,000", or nothing
Row = Annotated[str, Field(min_length=1)]


class Retained(Model):
    """Each value is the student's score divided by the teacher's in the table `from`, scenario by scenario."""

    kind: Literal["retention"]
    student: Id
    """The numerator's method."""
    teacher: Id
    """The denominator's method."""
    from_: Id = Field(alias="from")
    """The table of scores."""


class Mean(Model):
    """Each value is a mean over scenarios of values that tables print.

    Rows without an entry in `of` cannot be recomputed, nor can tables with `because`.
    """

    kind: Literal["mean"]
    from_: Ids = Field(alias="from", default=())
    """The tables whose values are averaged."""
    scenarios: Ids = ()
    """The averaged scenarios, if not all."""
    of: dict[Id, Id] = Field(default={})
    """For each row's method: the method whose values are averaged."""
    because: Text | None = None
    """Why the mean cannot be recomputed."""


Derived = Annotated[Retained | Mean, Field(discriminator="kind")]


class Published(Model):
    """One printed table, or one group of its rows."""

    id: Name
    where: Where
    experiment: Id
    """The experiment whose runs are compared with it."""
    group: Id | None = None
    """The training set, if a table prints a scenario more than once."""
    metric: Id
    """A scenario's metric, or that of derived values, such as `prr`."""
    protocol: Protocol
    """The episodes behind the printed scores."""
    spread: Literal["none", "std", "sem", "ci95", "unknown"]
    """What stands after the +-."""
    seeds: Count | None = None
    """Runs behind each value, if the paper says."""
    bold: Literal["best"] | None = None
    """What bold marks: the best of each scenario."""
    margin: Margin
    """The smallest difference from our result that matters."""
    decimals: Annotated[int, Field(ge=0)] | None = None
    """Printed digits, if the table drops trailing zeros."""
    columns: SomeIds
    """Scenarios, then rows are methods; or methods, then rows are scenarios."""
    budgets: Annotated[tuple[Header, ...], Field(max_length=MOST, strict=False)] | None = None
    """The budget that a header prints above each column."""
    derived: Derived | None = None
    """How its values follow from other tables; left out for measured values."""
    rows: dict[Id, Row]
    """By method or scenario: its cells as printed, separated by blanks."""

    @property
    def derived_by(self) -> str:
        """The rule that its values follow; "" for measured values."""
        return self.derived.kind if self.derived else ""


class Repeat(Model):
    """Values that must be the same, since they are the same runs printed more than once."""

    id: Name
    where: Where
    says: Says
    methods: SomeIds
    """The methods whose values must agree."""
    tables: SomeIds
    """The tables that must agree."""


@dataclass(frozen=True)
class Printed:
    """One printed number. value: None for a dash. unit: "%" or ""; the value is the number before it."""

    id: str
    table: str
    where: str
    experiment: str
    group: str | None
    method: str
    scenario: str  # or a set of scenarios, for averages
    metric: str
    protocol: str
    budget: str
    budget_kind: str  # stated, inherited or assumed
    text: str
    value: Decimal | None
    unit: str
    decimals: int
    spread: Decimal | None
    spread_type: str
    seeds: int | None
    derived: bool
    bold: bool
    margin: Margin

    @property
    def share(self) -> int:
        """The whole that the value is a share of: 100 for percent, else 1."""
        return 100 if self.unit else 1

    @property
    def exact(self) -> Fraction:
        """The number as printed, percent as a share. ValueError for a dash."""
        if self.value is None:
            raise ValueError(f"{self.id} is a dash")
        return Fraction(self.value) / self.share

    @property
    def half_unit(self) -> Fraction:
        """Half a unit of its last printed digit: the true value is at most this far away."""
        return Fraction(1, 2 * 10**self.decimals * self.share)

    @property
    def name(self) -> str:
        """The name that audits show."""
        group = f", {self.group}" if self.group else ""
        return f"{self.where}{group}: {self.method} on {self.scenario} = {self.text}"


def cells(table: Published, is_method: bool, trained: Callable[[str], Budget]) -> Iterator[Printed]:
    """The values of a table. is_method: whether columns are methods. trained: a scenario's budget, if none is printed.

    The cells must be well-formed, one per column; `contradictions` checks that.
    """
    budgets = table.budgets or [""] * len(table.columns)
    for row, line in table.rows.items():
        for column, above, text in zip(table.columns, budgets, line.split(), strict=True):
            method, scenario = (column, row) if is_method else (row, column)
            found = CELL.match(text)
            if found is None:
                raise ValueError(f"{table.id}: {text!r} is not a cell")
            value, spread = _decimal(found["value"]), _decimal(found["spread"])
            shown = -int(value.as_tuple().exponent) if value is not None else 0
            yield Printed(
                id=f"{table.id}/{scenario}/{method}",
                table=table.id,
                where=table.where,
                experiment=table.experiment,
                group=table.group,
                method=method,
                scenario=scenario,
                metric=table.metric,
                protocol=table.protocol,
                budget=f"{above} {trained(scenario).unit}".strip() if above else str(trained(scenario)),
                budget_kind="stated" if above else trained(scenario).kind,
                text=text.strip("*"),
                value=value,
                unit=unit(found),
                decimals=table.decimals if table.decimals is not None else shown,
                spread=spread,
                spread_type=table.spread,
                seeds=table.seeds,
                derived=table.derived is not None,
                bold=bool(found["bold"]),
                margin=table.margin,
            )


def unit(cell: re.Match[str]) -> str:
    """A cell's unit: "%" if the sign follows the value or the spread, else ""."""
    return cell["unit"] or cell["after"] or ""


def _decimal(text: str | None) -> Decimal | None:
    return Decimal(text.replace(MINUS, "-")) if text else None


def number(text: str) -> tuple[Fraction, Fraction]:
    """A number of the text, such as "16.9%", "29,000" or "1.25M": its value, and half a unit of its last digit.

    The last digit of a whole number is its last nonzero digit: 29,000 is exact to half a thousand. Percentages are
    exact to half a percent at least: 90% is not 85%.
    """
    digits = text.replace(",", "").replace(MINUS, "-").rstrip("%kM")
    unit = text[len(text.rstrip("%kM")) :]
    value = Decimal(digits)
    exponent = int(value.as_tuple().exponent)
    if exponent == 0 and value and unit != "%":
        exponent = len(digits) - len(digits.rstrip("0"))
    return Fraction(value) * UNITS[unit], Fraction(10) ** exponent * UNITS[unit] / 2
