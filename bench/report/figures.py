"""Learning curves as SVG and PNG: every seed thin, the mean with its 95% interval bold."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.compare.statistics import Over
from bench.measures import Evidence, Floats, NotRun
from bench.stats.estimates import MINIMUM_SEEDS, StatisticsError
from bench.stats.intervals import mean_band
from bench.suite import Experiment, Place, Scenario

# Okabe & Ito (2008): told apart with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
Curves = tuple[Floats, Floats]


def learning_curves(evidence: Evidence, experiment: Experiment, place: Place, folder: Path) -> list[Path]:
    """Draw an experiment's training curves in a place, and below them evaluations, if the paper prints greedy scores.

    The files written, none where nothing has finished.
    """
    greedy = any(value.protocol == "greedy" for value in evidence.suite.printed)
    found = [(name, _curves(evidence, experiment, place, name)) for name in ("training", "evaluation")[: 1 + greedy]]
    shown = _legible(experiment, found[0][1] or found[-1][1])
    panels = [(name, {m: c for m, c in curves.items() if m in shown}) for name, curves in found if curves]
    if not panels:
        return []
    figure = Figure(figsize=(8, 4.5 * len(panels)), layout="constrained")
    several = len([p for s in experiment.scenarios for p in experiment.places(s)]) > 1
    title = f"{evidence.suite.id}: {experiment.id}" + (f", {place}" if several else "")
    scenario = evidence.suite["scenario", place.scenario]
    for row, (name, curves) in enumerate(panels):
        axes = figure.add_subplot(len(panels), 1, row + 1)
        _draw(axes, scenario, curves, dict(zip(experiment.methods, itertools.cycle(COLOURS), strict=False)))
        metric = scenario.metric.replace("_", " ")
        axes.set(xlabel="training episodes", ylabel=f"{metric} ({name})", title="" if row else title)
        axes.legend(frameon=False)
    parts = [experiment.id, *([place.scenario, place.group] if several else [])]
    stem = "curves-" + "-".join(part.replace("/", "-") for part in parts if part)
    return [save(figure, folder / f"{stem}{suffix}") for suffix in (".svg", ".png")]


def profiles(name: str, over: Over, folder: Path) -> Path:
    """Draw two performance profiles with their pointwise intervals; the file written."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    for label, band, colour in zip((name, over.against), over.profiles, COLOURS, strict=False):
        axes.step(band.thresholds, band.estimate, where="post", color=colour, label=label)
        if band.low is not None and band.high is not None:
            axes.fill_between(band.thresholds, band.low, band.high, step="post", color=colour, alpha=0.2)
    axes.set(xlabel="normalised score: 0 random policy, 1 good script", ylabel="share of runs above it")
    axes.legend(frameon=False)
    return save(figure, folder / f"profile-{over.against.replace('/', '-')}.svg")


def _curves(evidence: Evidence, experiment: Experiment, place: Place, name: str) -> dict[str, Curves]:
    """By method, where it has finished runs with such a curve: episodes [P], scores [S, P]."""
    found: dict[str, Curves] = {}
    for method in experiment.methods:
        try:
            scores = evidence.scores(evidence.cell(experiment, method, *place), place.scenario)
            curves = [score.series(name) for score in scores.values()]
        except (NotRun, StatisticsError):
            continue
        found[method] = curves[0][0], np.stack([y for _, y in curves])
    return found


def _legible(experiment: Experiment, curves: Mapping[str, Curves]) -> tuple[str, ...]:
    """The methods that a figure has colours for: the baseline and those that end highest, in the suite's order."""
    ends = {method: float(y[:, -1].mean()) for method, (_, y) in curves.items()}
    best = sorted(ends, key=lambda method: (method != experiment.baseline, -ends[method]))[: len(COLOURS)]
    return tuple(method for method in ends if method in best)


def _draw(axes: Axes, scenario: Scenario, curves: Mapping[str, Curves], colours: Mapping[str, str]) -> None:
    """Curves, and the scenario's scale."""
    for method, (x, y) in curves.items():
        colour = colours[method]
        axes.plot(x, y.T, color=colour, alpha=0.2, linewidth=0.5)
        if len(y) >= MINIMUM_SEEDS:
            axes.fill_between(x, *mean_band(y), color=colour, alpha=0.2)
        axes.plot(x, y.mean(0), color=colour, linewidth=1.8, label=f"{method} ({len(y)} seeds)")
    if scenario.anchors:
        for name in ("random", "no_information", "good"):
            axes.axhline(getattr(scenario.anchors, name), color="grey", linewidth=0.8, linestyle=":")
            level = getattr(scenario.anchors, name)
            place = {"xy": (1, level), "xycoords": ("axes fraction", "data"), "ha": "right", "va": "bottom"}
            label = name.replace("_", " ") + " script"
            axes.annotate(label, xytext=(-4, 1), textcoords="offset points", fontsize="x-small", color="grey", **place)


def save(figure: Figure, path: Path) -> Path:
    """The same figure gives the same bytes: no date, no random ids."""
    with mpl.rc_context({"svg.hashsalt": "marl-distill-bench"}):
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else {"Software": None})
    return path
