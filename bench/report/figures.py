"""Learning curves as SVG and PNG: every seed thin, the mean with its 95% interval bold."""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from bench.evidence.measures import Evidence
from bench.evidence.readings import Floats
from bench.evidence.teaching import teacher_levels
from bench.evidence.values import NotRun
from bench.plan import Cell
from bench.stats.bootstrap import bootstrap_band
from bench.stats.estimates import MINIMUM_SEEDS, StatisticsError
from bench.stats.intervals import half_deviation_band, mean_band
from bench.store import file_name
from bench.suite import Experiment, Place, Unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito (2008): told apart with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
Curves = tuple[Floats, Floats]
Band = Literal["student", "bootstrap"]  # how the interval of the mean is computed
BEST = "evaluation of the best member"
AS_PRINTED = "evaluation, shaded as in the paper"  # by half a standard deviation


@dataclass(frozen=True)
class LearningCurves:
    """A figure before it is drawn. It holds all that it shows, so another process can draw it.

    unit: what the runs count by. panels: by name, the curves of the methods shown. levels: scores of the
    scenario's scripts, and of teachers.
    """

    stem: Path  # of the files, without a suffix
    title: str
    metric: str
    unit: Unit
    panels: tuple[tuple[str, dict[str, Curves]], ...]
    colours: dict[str, str]
    levels: dict[str, float]
    band: Band = "student"

    @property
    def as_printed(self) -> bool:
        """Whether a panel is shaded as in the paper."""
        return any(name == AS_PRINTED for name, _ in self.panels)

    @property
    def files(self) -> tuple[Path, Path]:
        """SVG and PNG."""
        return self.stem.with_suffix(".svg"), self.stem.with_suffix(".png")

    def draw(self) -> None:
        """As SVG and PNG."""
        figure = self.figure()
        for path in self.files:
            save(figure, path)

    def figure(self) -> Figure:
        """Training curves, and below them evaluations."""
        figure = new_figure(9, 4.5 * len(self.panels))
        for row, (name, curves) in enumerate(self.panels):
            axes = figure.add_subplot(len(self.panels), 1, row + 1)
            self._draw(axes, curves, name == AS_PRINTED)
            title = "" if row else self.title
            axes.set(xlabel=f"training {self.unit}", ylabel=f"{self.metric} ({name})", title=title)
            axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))  # to search a free place takes longest
        return figure

    def _draw(self, axes: Axes, curves: Mapping[str, Curves], as_printed: bool) -> None:
        """Curves, and the scenario's scale. as_printed: the mean and the paper's shading, without our interval."""
        for method, (x, y) in curves.items():
            colour = self.colours[method]
            if as_printed:
                axes.fill_between(x, *half_deviation_band(y), color=colour, alpha=0.2)
            else:
                axes.plot(x, y.T, color=colour, alpha=0.2, linewidth=0.5)
            if len(y) >= MINIMUM_SEEDS and not as_printed:
                band = bootstrap_band if self.band == "bootstrap" else mean_band
                axes.fill_between(x, *band(y), color=colour, alpha=0.2)
            axes.plot(x, y.mean(0), color=colour, linewidth=1.8, label=f"{method} ({len(y)} seeds)")
        for label, level in self.levels.items():
            axes.axhline(level, color="grey", linewidth=0.8, linestyle=":")
            place = {"xy": (1, level), "xycoords": ("axes fraction", "data"), "ha": "right", "va": "bottom"}
            axes.annotate(label, xytext=(-4, 1), textcoords="offset points", fontsize="x-small", color="grey", **place)


def learning_curves(evidence: Evidence, experiment: Experiment, place: Place, folder: Path) -> LearningCurves | None:
    """An experiment's training curves in a place, and evaluations if the paper prints greedy scores.

    If claims speak of the best member, its evaluation is added, and bootstrap intervals are shaded: CIKD's figures. If
    the suite says that the paper shades half a standard deviation, a panel shaded like that is added: DVM's.

    None if nothing has finished.
    """
    halved = experiment.shading == "half_standard_deviation"
    greedy = halved or any(value.protocol == "greedy" for value in evidence.suite.printed)
    try:
        unit = evidence.unit(experiment, *place)
    except NotRun:
        return None
    best = any(c.protocol == "best_member" and experiment.id in c.experiments for c in evidence.suite.claim)
    found = [
        (name, _curves(evidence, experiment, place, name, unit)) for name in ("training", "evaluation")[: 1 + greedy]
    ]
    if best:
        found.append((BEST, _curves(evidence.by("best_member"), experiment, place, "evaluation", unit)))
    shown = _legible(experiment, found[0][1] or found[-1][1])
    if halved:
        several_seeds = {method: own for method, own in dict(found)["evaluation"].items() if len(own[1]) > 1}
        found.append((AS_PRINTED, several_seeds))
    panels = tuple((name, {m: c for m, c in curves.items() if m in shown}) for name, curves in found if curves)
    if not panels:
        return None
    several = len([p for s in experiment.scenarios for p in experiment.places(s)]) > 1
    scenario = evidence.suite["scenario", place.scenario]
    scripts = ("random", "no_information", "good") if scenario.anchors else ()
    taught_by = teacher_levels(evidence, _cells(evidence, experiment, place), place.scenario)
    parts = [experiment.id, *([place.scenario, place.group] if several else [])]
    return LearningCurves(
        folder / file_name("curves", *filter(None, parts)),
        f"{evidence.suite.id}: {experiment.id}" + (f", {place}" if several else ""),
        scenario.metric.replace("_", " "),
        unit,
        panels,
        dict(zip(experiment.methods, itertools.cycle(COLOURS), strict=False)),
        {f"{name.replace('_', ' ')} script": getattr(scenario.anchors, name) for name in scripts} | taught_by,
        "bootstrap" if best else "student",
    )


def _cells(evidence: Evidence, experiment: Experiment, place: Place) -> Iterator[Cell]:
    for method in experiment.methods:
        with contextlib.suppress(NotRun):
            yield evidence.cell(experiment, method, *place)


def _curves(evidence: Evidence, experiment: Experiment, place: Place, name: str, unit: Unit) -> dict[str, Curves]:
    """By method, the points [P] and scores [S, P] of finished runs that count by this unit and have such a curve."""
    found: dict[str, Curves] = {}
    for method in experiment.methods:
        try:
            cell = evidence.cell(experiment, method, *place)
            if cell.unit != unit:
                continue
            scores = evidence.scores(cell, place.scenario)
            found[method] = _at_common_points([score.series(name) for score in scores.values()])
        except (NotRun, StatisticsError):
            continue
    return found


def _at_common_points(curves: Sequence[Curves]) -> Curves:
    """Curves of several seeds at the points that all have: at other points each mean would be over other seeds.

    Raises StatisticsError if no point is common to all.
    """
    x = curves[0][0]
    if any(not np.array_equal(x, other) for other, _ in curves):
        x = reduce(np.intersect1d, [other for other, _ in curves])
        if not len(x):
            raise StatisticsError("the curves of the seeds have no point in common")
    return x, np.stack([y if len(y) == len(x) else y[np.searchsorted(own, x)] for own, y in curves])


def _legible(experiment: Experiment, curves: Mapping[str, Curves]) -> tuple[str, ...]:
    """The methods that a figure has colours for: the baseline and those that end highest, in the suite's order."""
    ends = {method: float(y[:, -1].mean()) for method, (_, y) in curves.items()}
    best = sorted(ends, key=lambda method: (method != experiment.baseline, -ends[method]))[: len(COLOURS)]
    return tuple(method for method in ends if method in best)


def new_figure(width: float, height: float) -> Figure:
    """A new figure; width and height in inches. A matplotlibrc file, in the current folder or elsewhere, is ignored.

    matplotlib is loaded here: most commands draw nothing, and it takes a third of a second.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcdefaults()
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, path: Path) -> Path:
    """Write a figure to a file; its suffix says the kind. The same figure gives the same bytes."""
    path.write_bytes(written(figure, path.suffix.removeprefix(".")))
    return path


def written(figure: Figure, form: str, letters: bool = False, colours: int | None = None) -> bytes:
    """A figure as SVG or PNG, without a date or random ids. The first call fixes the layout.

    letters: text in an SVG stays text, in the reader's fonts, which takes a third of the bytes. colours: the most that
    a PNG has.
    """
    import matplotlib as mpl

    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    found = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "marl-distill-bench", "svg.fonttype": "none" if letters else "path"}):
        figure.savefig(found, format=form, dpi=150, metadata={"Date": None} if form == "svg" else {"Software": None})
    return found.getvalue() if colours is None else _fewer(found, colours)


def _fewer(png: io.BytesIO, colours: int) -> bytes:
    """The picture with a palette."""
    from PIL import Image

    out = io.BytesIO()
    with Image.open(png) as picture:
        own = picture.convert("RGB").quantize(colours, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        own.save(out, "PNG", optimize=True)
    return out.getvalue()
