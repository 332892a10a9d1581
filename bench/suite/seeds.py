"""How many seeds a cell has: a fixed number, or looks at which its questions are judged as seeds are added."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from pydantic import Field

from bench.suite.base import Kind, Model, Source, Sourced

MOST_SEEDS = 10_000  # runs of a cell
MOST_LOOKS = 50
NIGHTLY = "nightly"  # the profile of nights, whose seeds follow from the calendar
Runs = Annotated[int, Field(ge=1, le=MOST_SEEDS)]


class Seeds(Sourced):
    value: Runs
    """Runs of each cell; they take the seeds 0, 1, 2, ..."""
    source: Source
    kind: Kind = "stated"


class Looks(Model):
    """Seeds that are added until a question is decided. Declared before any run."""

    looks: Annotated[tuple[Runs, ...], Field(min_length=1, max_length=MOST_LOOKS, strict=False)]
    """Counts of seeds at which each claim is judged, the last one the most; runs take the seeds 0, 1, 2, ..."""
    nominal: Annotated[float, Field(gt=0, lt=1)] | None = None
    """The one-sided level of each look; left out, the one that makes 5% over all looks (Pocock 1977)."""
    source: Source | None = None
    """Why these: where they were declared."""


class Schedule(NamedTuple):
    """Counts of seeds at which an experiment's questions are judged, one where their number is fixed.

    nominal: the one-sided level of each look, None for the one that makes 5% over all.
    """

    looks: tuple[int, ...]
    nominal: float | None = None

    @property
    def most(self) -> int:
        """The seeds that a cell has in the end."""
        return self.looks[-1]

    @property
    def often(self) -> bool:
        """Whether questions are judged more than once."""
        return len(self.looks) > 1


def fixed_or_looks(value: Any) -> str:
    """Which form of `seeds` a value is written in."""
    return "added" if isinstance(value, Looks) or (isinstance(value, dict) and "looks" in value) else "fixed"


def scheduled(seeds: Seeds | Looks | int) -> Schedule:
    """What `seeds` of an experiment or a profile says."""
    if isinstance(seeds, Looks):
        return Schedule(seeds.looks, seeds.nominal)
    return Schedule((seeds if isinstance(seeds, int) else seeds.value,))
