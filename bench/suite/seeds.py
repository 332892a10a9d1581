"""How many seeds a cell has: a fixed number, or looks. Claims are judged at each look as seeds are added."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from pydantic import Field

from bench.suite.base import Kind, Model, Source, Sourced

MOST_SEEDS = 10_000  # runs of a cell
MOST_LOOKS = 50
NIGHTLY = "nightly"  # the profile of nightly runs, whose seeds follow from the calendar
Runs = Annotated[int, Field(ge=1, le=MOST_SEEDS)]


class Seeds(Sourced):
    value: Runs
    """Runs of each cell; their seeds are 0, 1, 2, ..."""
    source: Source
    kind: Kind = "stated"


class Looks(Model):
    """Seeds are added until a claim is decided. Declared before any run."""

    looks: Annotated[tuple[Runs, ...], Field(min_length=1, max_length=MOST_LOOKS, strict=False)]
    """Increasing counts of seeds at which each claim is judged; the runs' seeds are 0, 1, 2, ..."""
    nominal: Annotated[float, Field(gt=0, lt=1)] | None = None
    """The one-sided level of each look. Left out: the level that makes 5% over all looks (Pocock 1977)."""
    source: Source | None = None
    """Why these looks, and where they were declared."""


class Schedule(NamedTuple):
    """Counts of seeds at which an experiment's claims are judged; a single count if their number is fixed.

    nominal: the one-sided level of each look; None: the level that makes 5% over all.
    """

    looks: tuple[int, ...]
    nominal: float | None = None

    @property
    def most(self) -> int:
        """The seeds that a cell has in the end."""
        return self.looks[-1]

    @property
    def often(self) -> bool:
        """Whether claims are judged more than once."""
        return len(self.looks) > 1


def fixed_or_looks(value: Any) -> str:
    """Which form of `seeds` a value has."""
    return "added" if isinstance(value, Looks) or (isinstance(value, dict) and "looks" in value) else "fixed"


def scheduled(seeds: Seeds | Looks | int) -> Schedule:
    """The schedule that `seeds` of an experiment or a profile means."""
    if isinstance(seeds, Looks):
        return Schedule(seeds.looks, seeds.nominal)
    return Schedule((seeds if isinstance(seeds, int) else seeds.value,))
