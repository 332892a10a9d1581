"""Specification curves as SVG and PNG: a claim under all its readings, sorted, above what each of them chooses.

After Simonsohn, Simmons & Nelson (2020). Axes: R reading that has a number, in the order of the estimates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.output.escaping import visible
from bench.report.figures import COLOURS, new_figure, save, written
from bench.report.words import ANSWERED, in_readings
from bench.store import file_name
from bench.suite import PRIMARY
from bench.verdict import Under, Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# By outcome: told apart by form, and by colour with any colour vision.
LOOKS = {
    "yes": ("o", COLOURS[0]),
    "no": ("s", COLOURS[1]),
    "undecided": ("D", "#767676"),
    "undefined": ("X", "#000000"),
}
UNITS = {"ratio": "ratio", "change": "relative change", "between": "mean"}  # of an estimate, by the test's kind
WIDTH, UPPER, LINE, FRAME = 10.0, 3.0, 0.17, 0.7  # inches: the whole, the estimates, a choice, the frame
NAMED = 24  # the most readings whose ids stand below them
LONGEST = 60  # characters of a choice
INK = "#333333"

Row = tuple[str, tuple[int, ...]]  # a choice, and the places [R] of the readings that make it


@dataclass(frozen=True)
class Specification:
    """A figure before it is drawn. readings: those of a claim that have a number, in the suite's order."""

    title: str
    unit: str
    readings: tuple[Under, ...]

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in inches."""
        return WIDTH, UPPER + LINE * (len(self.rows) + 1) + FRAME

    @property
    def sorted(self) -> tuple[Under, ...]:
        """By estimate [R]."""
        return tuple(sorted(self.readings, key=lambda one: one.estimate or 0.0))

    @property
    def rows(self) -> tuple[Row, ...]:
        """Choices in the suite's order, values of a key together. Choices of exactly the same readings share a row."""
        places = {one.reading: place for place, one in enumerate(self.sorted)}
        by_key: dict[str, dict[str, list[int]]] = {}
        for one in sorted(self.readings, key=lambda one: one.reading == PRIMARY):  # the others' values are in order
            for key, value in one.choices:
                by_key.setdefault(key, {}).setdefault(value, []).append(places[one.reading])
        merged: dict[tuple[int, ...], list[str]] = {}
        for key, values in by_key.items():
            for value, chosen in values.items():
                merged.setdefault(tuple(sorted(chosen)), []).append(f"{key} = {value}")
        primary = tuple(place for name, place in places.items() if name == PRIMARY)
        return (("primary: as declared", primary), *((_together(texts), chosen) for chosen, texts in merged.items()))

    def draw(self, stem: Path) -> None:
        """SVG and PNG, into the files of this name."""
        figure = self._figure()
        for path in files(stem):
            save(figure, path)

    def svg(self) -> bytes:
        return written(self._figure(), "svg", letters=True)

    def _figure(self) -> Figure:
        figure = new_figure(*self.size)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(UPPER, LINE * (len(self.rows) + 1)))
        self._draw_estimates(above)
        self._draw_choices(below)
        for axes in (above, below):
            for place in (i for i, one in enumerate(self.sorted) if one.reading == PRIMARY):
                axes.axvline(place, color="#dddddd", linewidth=4 if len(self.readings) > NAMED else 9, zorder=0)
        return figure

    def _draw_estimates(self, axes: Axes) -> None:
        """Estimates with their intervals, and the edges that they are compared with."""
        edges = [(place, edge) for place, one in enumerate(self.sorted) for edge in one.edges]
        for first, (place, edge) in enumerate(edges):
            look = {"color": INK, "linewidth": 0.9, "linestyle": ":", "zorder": 1}
            axes.plot((place - 0.5, place + 0.5), (edge, edge), label="_" if first else "the claim's edge", **look)
        for place, one in enumerate(self.sorted):
            if ends := _ends(one):
                axes.plot((place, place), ends, color=LOOKS[one.outcome or "undefined"][1], linewidth=1.2)
        for outcome, (marker, colour) in LOOKS.items():
            own = [(i, one.estimate) for i, one in enumerate(self.sorted) if one.outcome == outcome]
            if own:
                label = f"{ANSWERED[outcome]} ({len(own)})"
                axes.plot(*zip(*own, strict=True), marker, color=colour, markersize=5, label=label)
        axes.set_ylabel(f"{self.unit}, 90% interval", fontsize="small")
        axes.set_title(self.title, fontsize="medium", parse_math=False)
        axes.tick_params(axis="x", length=0, labelbottom=False)
        axes.tick_params(axis="y", labelsize="small")
        axes.margins(x=0.5 / len(self.readings))
        axes.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))

    def _draw_choices(self, axes: Axes) -> None:
        """A row for each choice, a dot where a reading makes it."""
        for row, (_, chosen) in enumerate(self.rows):
            axes.axhline(row, color="#e6e6e6", linewidth=0.6, zorder=0)
            axes.plot(chosen, [row] * len(chosen), "o", color=INK, markersize=3.5)
        axes.set_ylim(len(self.rows) - 0.5, -0.5)
        axes.set_yticks(range(len(self.rows)), [text for text, _ in self.rows], fontsize="x-small", parse_math=False)
        names = [one.reading for one in self.sorted] if len(self.readings) <= NAMED else []
        axes.set_xticks(range(len(names)), names, fontsize="x-small", rotation=90, parse_math=False)
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)


def specification(suite: str, verdict: Verdict) -> Specification | None:
    """The figure of a claim; None if fewer than two of its readings have a number."""
    numbered = tuple(one for one in verdict.readings if one.estimate is not None and math.isfinite(one.estimate))
    if len(numbered) < 2:
        return None
    title = visible(f"{suite}: {verdict.id}, {verdict.experiment}: {in_readings(verdict)}")
    return Specification(title, UNITS.get(verdict.kind, "difference"), numbered)


def specifications(suite: str, verdicts: Sequence[Verdict]) -> dict[tuple[str, str], Specification]:
    """By claim and experiment."""
    found = {(v.id, v.experiment): specification(suite, v) for v in verdicts}
    return {at: figure for at, figure in found.items() if figure is not None}


def draw_specifications(suite: str, verdicts: Sequence[Verdict], folder: Path, pool: Executor | None = None) -> None:
    """Draw every claim with a number in at least two readings, in a pool or here, into an existing folder."""
    found = specifications(suite, verdicts)
    drawing = [
        pool.submit(figure.draw, stem_of(folder, *at)) if pool else figure.draw(stem_of(folder, *at))
        for at, figure in found.items()
    ]
    for one in drawing:
        if one is not None:
            one.result()


def files(stem: Path) -> tuple[Path, Path]:
    """SVG and PNG."""
    return stem.with_name(f"{stem.name}.svg"), stem.with_name(f"{stem.name}.png")


def stem_of(folder: Path, claim: str, experiment: str) -> Path:
    """The path without suffix of a claim's files in one experiment."""
    return folder / file_name("readings", claim, experiment)


def _ends(one: Under) -> tuple[float, float] | None:
    """The ends of an interval; None if they cannot be drawn."""
    if one.low is None or one.high is None or not (math.isfinite(one.low) and math.isfinite(one.high)):
        return None
    return one.low, one.high


def _together(texts: Sequence[str]) -> str:
    """Choices that go together, in one line."""
    first = visible(texts[0])
    first = first if len(first) <= LONGEST else f"{first[: LONGEST - 1]}…"
    return first if len(texts) == 1 else f"{first} and {len(texts) - 1} more"
