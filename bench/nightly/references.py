"""Fresh seeds against the accepted baseline and the pinned reference: which cells' numbers have moved.

Axes: S seed. The final scores of a cell's latest `WINDOW` fresh seeds are compared with those of a reference's seeds,
by the exact rank-sum test, in every scenario that the cell is scored on. All tests of a night share one chance,
`FALSE_ALARM`, that any of them errs (`stats.rank_sums.shared_level`). docs/statistics.md has the simulated rates.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.nightly.nights import night_of
from bench.nightly.stored import Change, Known, Reference
from bench.plan import Cell
from bench.stats.rank_sums import least_p, rank_sum, shared_level
from bench.store import Record

FALSE_ALARM = 0.01  # chance of an alarm on a night when nothing has changed
WINDOW = 10  # latest fresh seeds of a cell that are compared: two nights of five
KEPT = 30  # latest fresh seeds of a cell that a reference keeps

Against = Literal["accepted", "pinned"]
Scores = Mapping[str, Mapping[int, float]]  # by scenario and seed


@dataclass(frozen=True)
class Evidence:
    """A cell's fresh seeds, all nights together: finite final scores by scenario and seed, in the order of nights."""

    cell: Cell
    scores: Scores

    @property
    def name(self) -> str:
        return f"{self.cell.suite}: {self.cell.label}"

    @property
    def latest(self) -> datetime.date | None:
        """The last night with seeds of this cell."""
        return max((night for own in self.scores.values() if own and (night := night_of(max(own)))), default=None)


@dataclass(frozen=True)
class Comparison:
    """One cell in one scenario against one reference. recent [S], known [S']: final scores.

    p: two-sided. least: the smallest p that so many seeds can reach. level: what p had to be below.
    """

    cell: str
    name: str
    scenario: str
    against: Against
    recent: tuple[float, ...]
    known: tuple[float, ...]
    p: float
    least: float
    level: float

    @property
    def state(self) -> Literal["moved", "steady", "too few seeds"]:
        if self.p <= self.level:
            return "moved"
        return "too few seeds" if self.least > self.level else "steady"

    @property
    def shift(self) -> float:
        """How much higher the recent mean is, in the scenario's metric; higher is better."""
        return float(np.mean(self.recent) - np.mean(self.known)) if self.recent and self.known else 0.0


def fresh(cell: Cell, records: Iterable[Record]) -> Evidence:
    """What the records of a cell say about its fresh seeds; failed runs and reported seeds are left out."""
    own = sorted((r for r in records if r.status == "finished" and night_of(r.seed)), key=lambda r: r.seed)
    scores: dict[str, dict[int, float]] = {scenario: {} for scenario in cell.scenarios}
    for record in own:
        for scenario, score in zip(cell.scenarios, record.numbers.scores, strict=True):
            if score.final is not None:
                scores[scenario][record.seed] = score.final
    return Evidence(cell, scores)


def comparisons(
    evidence: Sequence[Evidence], accepted: Reference, pinned: Reference, error: float = FALSE_ALARM
) -> list[Comparison]:
    """Every cell against each reference that knows it. A pin that equals the baseline is not compared again."""
    sides = []
    for one in evidence:
        key = one.cell.key
        references: dict[Against, Scores] = {
            "accepted": accepted.cells[key].scores if key in accepted.cells else {},
            "pinned": pinned.cells[key].scores if key in pinned.cells else {},
        }
        if references["pinned"] == references["accepted"]:
            references["pinned"] = {}
        for against, scores in references.items():
            for scenario, known in scores.items():
                recent = recent_seeds(one.scores.get(scenario, {}), known)
                if recent and known:
                    sides.append((one, scenario, against, recent, tuple(known.values())))
    least = [least_p(len(recent), len(known)) for *_, recent, known in sides]
    level = shared_level(least, error)
    return [
        Comparison(one.cell.key, one.name, scenario, against, recent, known, _p(recent, known), own, level)
        for (one, scenario, against, recent, known), own in zip(sides, least, strict=True)
    ]


def recent_seeds(scores: Mapping[int, float], known: Mapping[int, float]) -> tuple[float, ...]:
    """The latest scores, only of seeds that come after those of the reference."""
    newest = max(known, default=0)
    return tuple(scores[seed] for seed in sorted(scores) if seed > newest)[-WINDOW:]


def moved_to(reference: Reference, evidence: Sequence[Evidence], change: Change) -> Reference:
    """The reference with these cells' latest fresh seeds; its other cells stay."""
    cells = dict(reference.cells)
    for one in evidence:
        scores = {s: dict(sorted(own.items())[-KEPT:]) for s, own in one.scores.items() if own}
        if scores:
            cells[one.cell.key] = Known(name=one.name, suite=one.cell.suite, scores=scores)
    return Reference(changes=(change, *reference.changes), cells=cells)


def _p(recent: Sequence[float], known: Sequence[float]) -> float:
    return min(1.0, 2 * min(rank_sum(recent, known)))
