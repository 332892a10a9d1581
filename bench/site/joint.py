"""Learning curves of all methods of an experiment on one axis: what a page draws, the seeds apart, and a picture."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.evidence.measures import Evidence
from bench.evidence.teaching import teacher_levels
from bench.evidence.values import NotRun
from bench.guests.places import Entry
from bench.output.escaping import visible
from bench.plan import Cell
from bench.report.boards import labels
from bench.report.figures import COLOURS, new_figure, written
from bench.site.curves import levels, series
from bench.suite import Experiment, Place, Unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAMES = ("evaluation", "training")  # the first that any method has is shown first
LINES = ("-", "--", ":")  # once the colours are used up
SEEDS = ("seeds", "values")  # what a page loads only when a reader asks for it
LONGEST = 26  # letters of a name in a legend
WIDTH, PANEL = 6.0, 2.4  # inches: a picture, a panel of it


@dataclass(frozen=True)
class Line:
    """A method's curve. cell: where its page is. own: as `curves.series` has it."""

    method: str
    cell: str
    own: Mapping[str, Any]


@dataclass(frozen=True)
class Joint:
    """A chart. curves: by name, those of the methods that have finished runs."""

    experiment: str
    place: Place
    metric: str
    unit: Unit
    levels: Mapping[str, float]
    curves: Mapping[str, tuple[Line, ...]]

    @property
    def name(self) -> tuple[str, ...]:
        """What tells the chart from the suite's other charts."""
        return tuple(filter(None, (self.experiment, self.place.scenario, self.place.group)))

    @property
    def methods(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(line.method for lines in self.curves.values() for line in lines))

    @property
    def cells(self) -> dict[str, str]:
        """By method."""
        return {line.method: line.cell for lines in self.curves.values() for line in lines}

    def shown(self) -> dict[str, Any]:
        """What a page draws at once: means and intervals."""
        curves = {name: [_shown(line, lines[0]) for line in lines] for name, lines in self.curves.items()}
        about = {"title": str(self.place), "metric": self.metric, "unit": self.unit, "levels": dict(self.levels)}
        return about | {"methods": self.methods, "curves": curves}

    def seeds(self, name: str) -> bytes:
        """A script that hands every seed to the chart of this name."""
        own = {
            curve: {line.method: {key: line.own[key] for key in SEEDS} for line in lines}
            for curve, lines in self.curves.items()
        }
        return f"jointSeeds({json.dumps(name)}, {json.dumps(own, separators=(',', ':'))});\n".encode()

    def picture(self, suite: str) -> bytes:
        """PNG: a panel for each curve, means with their intervals."""
        figure = new_figure(WIDTH, 0.5 + PANEL * len(self.curves))
        figure.set_layout_engine("none")
        looks = dict(zip(self.methods, itertools.product(LINES, COLOURS), strict=False))
        height = PANEL / (0.5 + PANEL * len(self.curves))
        for row, (name, lines) in enumerate(self.curves.items()):
            low = (len(self.curves) - row - 1) * height
            axes = figure.add_axes((0.09, low + 0.17 * height, 0.57, 0.78 * height))
            axes.set_xlabel(f"training {self.unit}", fontsize=9)
            axes.set_ylabel(f"{self.metric} ({name})", fontsize=9)
            axes.tick_params(labelsize=8)
            for line in lines:
                _draw(axes, line, *looks.get(line.method, (":", "#767676")))
            for level, at in self.levels.items():
                axes.axhline(at, color="grey", linewidth=0.8, linestyle=":")
                axes.text(
                    1.0,
                    at,
                    f"{level.replace('_', ' ')} ",
                    fontsize=7,
                    color="grey",
                    ha="right",
                    va="bottom",
                    transform=axes.get_yaxis_transform(),
                )
            legend = axes.legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(1.01, 1))
            for text in legend.get_texts():
                text.set_parse_math(False)
        title = visible(f"{suite}: {self.experiment}, {self.place}; means over seeds, 95% intervals")
        figure.text(0.09, 1 - 0.3 / (0.5 + PANEL * len(self.curves)), title, fontsize=10, parse_math=False)
        return written(figure, "png", colours=128)


def joint_charts(evidence: Evidence, entered: Sequence[Entry]) -> Iterator[Joint]:
    """One chart for each place of each experiment in which anything has finished."""
    for experiment in evidence.suite.experiment:
        for place in (place for id_ in experiment.scenarios for place in experiment.places(id_)):
            if chart := _chart(evidence, experiment, place, entered):
                yield chart


def _chart(evidence: Evidence, experiment: Experiment, place: Place, entered: Sequence[Entry]) -> Joint | None:
    try:
        unit = evidence.unit(experiment, *place)
    except NotRun:
        return None
    cells = {method: cell for method, cell in _cells(evidence, experiment, place, entered) if cell.unit == unit}
    curves: dict[str, tuple[Line, ...]] = {}
    for name in NAMES:
        lines = (_line(evidence, method, cell, place.scenario, name, unit) for method, cell in cells.items())
        if found := tuple(line for line in lines if line is not None):
            curves[name] = found
    if not curves:
        return None
    scenario = evidence.suite["scenario", place.scenario]
    known = levels(scenario) | teacher_levels(evidence, cells.values(), place.scenario)
    return Joint(experiment.id, place, scenario.metric.replace("_", " "), unit, known, curves)


def _cells(
    evidence: Evidence, experiment: Experiment, place: Place, entered: Sequence[Entry]
) -> Iterator[tuple[str, Cell]]:
    """The suite's own methods, then those from elsewhere."""
    for method in experiment.methods:
        try:
            yield method, evidence.cell(experiment, method, *place)
        except NotRun:
            continue
    sets = {t.id for t in experiment.sets_of(place.scenario, place.group)}
    for label, own in zip(labels(entered), entered, strict=True):
        for contest in own.contests:
            if contest.experiment.id == experiment.id and contest.group in sets:
                yield f"{label} (from elsewhere)", contest.cell


def _line(evidence: Evidence, method: str, cell: Cell, scenario: str, name: str, unit: Unit) -> Line | None:
    place = cell.scenarios.index(scenario)
    records = evidence.finished(cell).items()
    found = {seed: own[name] for seed, record in records if name in (own := record.numbers.scores[place].curves)}
    return Line(method, cell.key, series(name, found, unit)) if found else None


def _label(line: Line) -> str:
    """The method's name, cut to the room that a picture has, and its number of seeds."""
    name = visible(line.method)
    return f"{name if len(name) <= LONGEST else name[: LONGEST - 1] + '…'} ({line.own['n']})"


def _shown(line: Line, first: Line) -> dict[str, Any]:
    """What a page draws of a line; a single seed's own curve serves as the mean.

    The points' places are left out if they are those of the first line.
    """
    own = line.own
    found = {"method": line.method, "n": own["n"], "mean": _mean(own)}
    found |= {} if line is not first and own["at"] == first.own["at"] else {"at": own["at"]}
    return found | ({"half": own["half"]} if "half" in own else {})


def _mean(own: Mapping[str, Any]) -> list[float | None]:
    return own.get("mean") or own["values"][0]


def _draw(axes: Axes, line: Line, style: str, colour: str) -> None:
    at, mean = line.own["at"], np.array(_mean(line.own), dtype=float)
    if "half" in line.own:
        half = np.array(line.own["half"], dtype=float)
        axes.fill_between(at, mean - half, mean + half, color=colour, alpha=0.18, linewidth=0)
    axes.plot(at, mean, style, color=colour, linewidth=1.6, label=_label(line))
