"""The runs of a foreign file, before it is known whether they can be accepted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from bench.suite.explain import shown

EXACT = 2**53  # up to here a float stands for exactly one whole number


class Refusal(Exception):
    """Why a run is refused."""


class Refused(BaseModel):
    """A run of the file that is refused. place: its names in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    place: str
    why: str


@dataclass(frozen=True)
class Point:
    """One evaluation. values: those of its episodes, or only their mean. n: number of episodes, if the file says it."""

    steps: int
    values: tuple[float, ...]
    n: int | None = None

    @property
    def episodes(self) -> int | None:
        return self.n or (len(self.values) if len(self.values) > 1 else None)


@dataclass(frozen=True)
class Candidate:
    """A run in one task, by the file's names.

    final: the values of the final evaluation, if there is one. final_steps: training steps until then, if stated.
    without_mean: number of rows of a log without an evaluation.
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
    """A number in a file's notation; float() alone would read 1_0 as ten. Raises ValueError."""
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
        raise Refusal(f"{key}: got {shown(value)}; allowed: a finite number")
    return found


def whole(key: str, value: Any) -> int:
    """A whole number, also if it is written as a float: 125000.0. Raises Refusal."""
    found = value
    if isinstance(value, str):
        try:
            found = int(value) if value.isascii() and value.isdecimal() and len(value) < 20 else decimal(value)
        except ValueError:
            found = None
    if type(found) is float and found.is_integer() and abs(found) <= EXACT:
        found = int(found)
    if type(found) is not int or abs(found) > EXACT:
        raise Refusal(f"{key}: got {shown(value)}; allowed: a whole number of at most 2**53")
    return found


def place_of(names: Sequence[str]) -> str:
    """Names as one line that any terminal can show."""
    return "/".join(name if name.isprintable() else ascii(name) for name in names)
