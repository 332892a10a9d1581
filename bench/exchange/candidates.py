"""Runs as a foreign file has them, before it is known whether they can be taken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from bench.suite.explain import shown

EXACT = 2**53  # up to here a float is one whole number and no other


class Refusal(Exception):
    """Why a run is not taken."""


class Refused(BaseModel):
    """A run of the file that is not taken. place: its names in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    place: str
    why: str


@dataclass(frozen=True)
class Point:
    """One evaluation. values: of its episodes, or their mean alone. n: how many episodes, where the file says it."""

    steps: int
    values: tuple[float, ...]
    n: int | None = None

    @property
    def episodes(self) -> int | None:
        return self.n or (len(self.values) if len(self.values) > 1 else None)


@dataclass(frozen=True)
class Candidate:
    """A run in one task, as the file names them.

    final: the values of the final evaluation, where it has one; final_steps: of training until then, where it says.
    without_mean: rows of a log that hold no evaluation.
    """

    place: str
    method: str
    task: str
    seed: str
    points: tuple[Point, ...]
    final: tuple[float, ...] | None
    final_n: int | None = None
    final_steps: int | None = None
    without_mean: int = 0


def decimal(text: str) -> float:
    """A number as files write it; float() alone would take 1_0 for ten. Raises ValueError."""
    if "_" in text or not text.isascii():
        raise ValueError(text)
    return float(text)


def number(key: str, value: Any) -> float:
    """A finite number. Raises Refusal."""
    try:
        found = float(value) if type(value) in (int, float) else math.nan
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise Refusal(f"{key}: got {shown(value)}, a finite number is needed")
    return found


def whole(key: str, value: Any) -> int:
    """A whole number, also one that is written as a float: 125000.0. Raises Refusal."""
    found = value
    if isinstance(value, str):
        try:
            found = int(value) if value.isascii() and value.isdecimal() and len(value) < 20 else decimal(value)
        except ValueError:
            found = None
    if type(found) is float and found.is_integer() and abs(found) <= EXACT:
        found = int(found)
    if type(found) is not int or abs(found) > EXACT:
        raise Refusal(f"{key} is {shown(value)}, a whole number of at most 2**53 is needed")
    return found


def place_of(names: Sequence[str]) -> str:
    """Names as one line that any terminal shows."""
    return "/".join(name if name.isprintable() else ascii(name) for name in names)
