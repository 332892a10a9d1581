"""A night and its seeds. A night is a day of the calendar; its seeds are used by no other night and no reported run."""

from __future__ import annotations

import datetime

from bench.plan import COMMAND_LINE
from bench.suite import SuiteError
from bench.suite.explain import Problem, shown

SEEDS_A_NIGHT = 1000
FIRST = datetime.date(2000, 1, 1)  # below its seeds there is room for 730 million reported ones


def seeds_of(night: datetime.date, count: int) -> tuple[int, ...]:
    """The first `count` seeds of a night, at most `SEEDS_A_NIGHT`. Later nights have greater seeds."""
    if not (night >= FIRST and 1 <= count <= SEEDS_A_NIGHT):
        raise ValueError(f"got {count} seeds of {night}; allowed: 1 to {SEEDS_A_NIGHT}, from {FIRST} on")
    first = night.toordinal() * SEEDS_A_NIGHT
    return tuple(range(first, first + count))


def night_of(seed: int) -> datetime.date | None:
    """The night that a seed belongs to; None for a reported run's seed."""
    ordinal = seed // SEEDS_A_NIGHT
    return datetime.date.fromordinal(ordinal) if FIRST.toordinal() <= ordinal <= datetime.date.max.toordinal() else None


def parsed_night(text: str) -> datetime.date:
    """`2026-11-21`, or today in UTC for an empty text. Raises SuiteError."""
    if not text:
        return datetime.datetime.now(datetime.UTC).date()
    try:
        night = datetime.date.fromisoformat(text)
    except ValueError:
        night = None
    if night is None or night < FIRST:
        problem = Problem("--night", shown(text), f"a date from {FIRST} on", "e.g. --night 2026-11-21")
        raise SuiteError(COMMAND_LINE, [problem])
    return night
