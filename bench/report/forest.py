"""Claims on one axis: each estimate with its interval in units of the claim's own margin.

0 is where the claim turns, or the printed number. The margin about it reaches from -1 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from bench.suite import Between, Change, Difference, Ratio, Suite, number
from bench.verdict import Verdict

WIDEST, NARROWEST = 8, 2  # margins from the middle to either end of an axis


@dataclass(frozen=True)
class Placed:
    """A verdict's estimate and interval in margins."""

    at: float
    low: float
    high: float


@dataclass(frozen=True)
class Mark:
    """What is drawn of one claim, as shares of the axis from its left end. beyond: which ends lie outside of it."""

    at: float
    low: float
    high: float
    beyond: tuple[bool, bool]


def placed(suite: Suite, verdict: Verdict) -> Placed | None:
    """Where a verdict lies; None if it has no estimate, no interval or no margin."""
    if verdict.found is None or verdict.interval is None or (edges := _edges(suite, verdict)) is None:
        return None
    centre, margin = edges
    at, low, high = ((value - centre) / margin for value in (verdict.found, *verdict.interval))
    return Placed(at, low, high) if all(map(math.isfinite, (at, low, high))) else None


def reach(found: Iterable[Placed]) -> int:
    """Half the length of the axis that these need, in whole margins, within bounds."""
    ends = [abs(end) for one in found for end in (one.low, one.high)]
    return min(WIDEST, max(NARROWEST, math.ceil(max(ends, default=0.0))))


def mark(own: Placed, half: int) -> Mark:
    """Where to draw an estimate. half: half the length of the axis, in margins."""

    def share(value: float) -> float:
        return round(min(1.0, max(0.0, (value / half + 1) / 2)), 4)

    return Mark(share(own.at), share(own.low), share(own.high), (own.low < -half, own.high > half))


def _edges(suite: Suite, verdict: Verdict) -> tuple[float, float] | None:
    """The middle and half the width of the range that a claim's estimate is compared with."""
    margin = verdict.margin
    if verdict.kind == "published":
        return (0.0, margin) if margin else None
    test = suite["claim", verdict.id].test
    if isinstance(test, Between):
        low, high = float(number(test.low)[0]), float(number(test.high)[0])
        return ((low + high) / 2, (high - low) / 2 + (test.tolerance or 0.0)) if low < high else None
    if not margin:
        return None
    if isinstance(test, Ratio):
        return test.printed, margin
    if isinstance(test, Change):
        return float(number(test.printed)[0]) * (1 if test.direction == "up" else -1), margin
    if isinstance(test, Difference):
        return (float(number(test.printed[0])[0]), margin) if len(test.printed) == 1 else None
    return 0.0, margin
