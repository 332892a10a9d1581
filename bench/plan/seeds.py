"""Requests for seeds, on the command line and in Python."""

from __future__ import annotations

from bench.plan.resolving import COMMAND_LINE
from bench.suite import SuiteError
from bench.suite.base import LARGEST_COUNT
from bench.suite.explain import Problem, shown
from bench.suite.seeds import MOST_SEEDS


def seed_list(text: str) -> tuple[int, ...] | None:
    """`5` -> 0...4; `0,3,7-9` -> those; `7,` -> 7 alone; nothing -> None. Raises SuiteError."""
    if not text:
        return None
    try:
        if text.isdecimal():
            ranges = [range(int(text))]
        else:
            ends = [part.partition("-") for part in text.split(",") if part.strip()]
            ranges = [range(int(low), int(high if dash else low) + 1) for low, dash, high in ends]
        seeds = sorted({s for r in ranges for s in r}) if sum(map(len, ranges)) <= MOST_SEEDS else ()
        seeds = seeds if not seeds or seeds[-1] <= LARGEST_COUNT else ()
    except (ValueError, OverflowError):
        seeds = ()
    if not seeds:
        problem = Problem(
            "--seeds",
            shown(text),
            f"a count N >= 1, or a list such as 0,3,7-9, of at most {MOST_SEEDS}, each below 2**53",
            "e.g. --seeds 5",
        )
        raise SuiteError(COMMAND_LINE, [problem])
    return tuple(seeds)
