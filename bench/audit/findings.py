"""What an audit finds, one entry for each thing that follows from print."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from bench.audit.rounding import Rounded
from bench.suite.published import UNITS

Holds = Literal["yes", "no", "tie", "undefined", "conflict", "not_checkable"]
HOLDS: tuple[Holds, ...] = ("yes", "no", "tie", "undefined", "conflict", "not_checkable")


@dataclass(frozen=True)
class Finding:
    """One derived value, repeated value, bold mark or claim against the printed numbers.

    from_digits: whether it holds from the printed digits alone; None if no number is recomputed. cells: those that
    break it or leave it open, and for a recomputed number those that it follows from.
    """

    suite: str
    where: str
    id: str
    says: str
    printed: str | None
    recomputed: str | None
    holds: Holds
    from_digits: bool | None
    cells: tuple[str, ...]


def compared(printed: Rounded, recomputed: Rounded) -> tuple[Holds, bool]:
    """Whether some true inputs give the printed number, and whether the printed digits do."""
    exact = Rounded(recomputed.value, recomputed.value, recomputed.value)
    return ("yes" if printed.meets(recomputed) else "no"), printed.meets(exact)


def shown(value: Fraction, like: str) -> str:
    """A recomputed number, with three digits more than the printed one `like`, in its unit: percent, k or M."""
    number = like.partition("±")[0]
    bare = number.rstrip("%kM")
    unit = number[len(bare) :]
    digits = len(bare.partition(".")[2]) + 3
    return f"{float(value / UNITS[unit]):.{digits}f}{unit}"
