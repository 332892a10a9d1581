"""A figure of who teaches, or is the best, among the members of ensembles: one line per seed, members by colour.

Axes: S seed, D distillation or comparison, M member.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.evidence.measures import Evidence
from bench.evidence.members import count
from bench.evidence.readings import Floats, Score
from bench.evidence.values import NotRun
from bench.report.figures import COLOURS, new_figure, save
from bench.store import file_name
from bench.suite import Experiment, Place, Unit


@dataclass(frozen=True)
class Row:
    """Of one seed: when members were compared [D], who taught or was the best [D], how many members there are."""

    label: str
    at: Floats
    chosen: Floats
    members: int

    @property
    def shares(self) -> str:
        counts = np.bincount(self.chosen.astype(int), minlength=self.members)
        return ", ".join(f"{n}: {c}" for n, c in enumerate(counts))


@dataclass(frozen=True)
class Timeline:
    """A figure before it is drawn."""

    stem: Path  # of the files, without a suffix
    title: str
    unit: Unit
    rows: tuple[Row, ...]

    @property
    def files(self) -> tuple[Path, Path]:
        """SVG and PNG."""
        return self.stem.with_suffix(".svg"), self.stem.with_suffix(".png")

    def draw(self) -> None:
        """When each member was chosen; beside it how often."""
        figure = new_figure(9, 1.5 + 0.3 * len(self.rows))
        axes = figure.add_subplot(1, 1, 1)
        for y, row in enumerate(self.rows):
            for member in range(row.members):
                own = row.at[row.chosen == member]
                axes.scatter(own, np.full(len(own), y), s=14, marker="s", color=COLOURS[member % len(COLOURS)])
        for member in range(max(row.members for row in self.rows)):
            axes.scatter([], [], s=14, marker="s", color=COLOURS[member % len(COLOURS)], label=f"member {member}")
        labels = [f"{row.label} ({row.shares})" for row in self.rows]
        axes.set_yticks(range(len(self.rows)), labels, fontsize="x-small")
        axes.invert_yaxis()
        axes.set(xlabel=f"training {self.unit}", title=self.title)
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
        for path in self.files:
            save(figure, path)


def timeline(evidence: Evidence, experiment: Experiment, place: Place, folder: Path) -> Timeline | None:
    """Who taught in an experiment's ensembles in a place, or was the best if nobody did; None if no ensemble ran."""
    rows = tuple(row for method in experiment.methods for row in _rows(evidence, experiment, method, place))
    if not rows:
        return None
    stem = folder / file_name("members", *filter(None, (experiment.id, place.scenario, place.group)))
    title = f"{evidence.suite.id}: {experiment.id}, {place}: who teaches, or is the best if nobody does"
    return Timeline(stem, title, evidence.unit(experiment, *place), rows)


def _rows(evidence: Evidence, experiment: Experiment, method: str, place: Place) -> Iterator[Row]:
    try:
        scores: dict[int, Score] = evidence.scores(evidence.cell(experiment, method, *place), place.scenario)
    except NotRun:
        return
    for seed, score in scores.items():
        names: Sequence[str] = [name for name in ("teacher", "elected") if name in score.scores.curves][:1]
        for name in names:
            at, chosen = score.series(name)
            yield Row(f"{method}, seed {seed}", at, chosen, count(score))
