"""Arithmetic on printed numbers: each stands for every number that rounds to it.

All arithmetic is in exact fractions, so a rounding of ours never decides.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from bench.suite import BOUNDED, Printed, number


@dataclass(frozen=True)
class Rounded:
    """What follows from the printed digits, and the least and the most that true inputs could give. None: unbounded."""

    value: Fraction
    low: Fraction | None
    high: Fraction | None

    def meets(self, other: Rounded) -> bool:
        """Whether one true number could lie behind both."""
        below = self.high is None or other.low is None or other.low <= self.high
        above = self.low is None or other.high is None or self.low <= other.high
        return below and above


def rounded(printed: Printed) -> Rounded:
    """A table's number, percent as a share; a win rate is never below 0 or above 1. ValueError for a dash."""
    low, high = printed.exact - printed.half_unit, printed.exact + printed.half_unit
    if printed.metric in BOUNDED:
        low, high = max(low, Fraction(0)), min(high, Fraction(1))
    return Rounded(printed.exact, low, high)


def stated(text: str) -> Rounded:
    """A number of the text, e.g. "16.9%"."""
    value, half = number(text)
    return Rounded(value, value - half, value + half)


def mean(values: Sequence[Rounded]) -> Rounded:
    """The mean of values whose bounds are known."""
    n = len(values)
    sums = [sum((getattr(v, end) for v in values), Fraction(0)) for end in ("value", "low", "high")]
    return Rounded(sums[0] / n, sums[1] / n, sums[2] / n)


def difference(of: Rounded, minus: Rounded) -> Rounded:
    return Rounded(of.value - minus.value, *_extremes(a - b for a, b in _corners(of, minus)))


def ratio(numerator: Rounded, denominator: Rounded) -> Rounded | None:
    """None if the printed denominator is 0; unbounded if its true value could be 0."""
    if denominator.value == 0:
        return None
    value = numerator.value / denominator.value
    if any(d == 0 for _, d in _corners(numerator, denominator)) or _around_zero(denominator):
        return Rounded(value, None, None)
    return Rounded(value, *_extremes(n / d for n, d in _corners(numerator, denominator)))


def change(start: Rounded, end: Rounded) -> Rounded | None:
    """(end - start) / |start|; None if the printed start is 0."""
    if start.value == 0:
        return None
    value = (end.value - start.value) / abs(start.value)
    if _around_zero(start):
        return Rounded(value, None, None)
    return Rounded(value, *_extremes((e - s) / abs(s) for s, e in _corners(start, end)))


def product(factors: Iterable[Rounded]) -> Rounded:
    """The product of positive numbers."""
    total = Rounded(Fraction(1), Fraction(1), Fraction(1))
    for f in factors:
        total = Rounded(total.value * f.value, *_extremes(a * b for a, b in _corners(total, f)))
    return total


def negative(value: Rounded) -> Rounded:
    low = None if value.high is None else -value.high
    return Rounded(-value.value, low, None if value.low is None else -value.low)


def _around_zero(value: Rounded) -> bool:
    return value.low is None or value.high is None or value.low <= 0 <= value.high


def _corners(a: Rounded, b: Rounded) -> list[tuple[Fraction, Fraction]]:
    ends = [[v.value if end is None else end for end in (v.low, v.high)] for v in (a, b)]
    return [(x, y) for x, y in itertools.product(*ends)]


def _extremes(values: Iterable[Fraction]) -> tuple[Fraction, Fraction]:
    found = list(values)
    return min(found), max(found)
