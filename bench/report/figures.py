"""Learning curves as SVG and PNG: every seed thin, the mean with its 95% interval bold."""

from __future__ import annotations

import itertools
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from bench.measures import Evidence, NotRun
from bench.stats.estimates import StatisticsError
from bench.stats.intervals import mean_interval
from bench.suite import Experiment, Scenario

# Okabe & Ito (2008): told apart with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")


def learning_curves(evidence: Evidence, experiment: Experiment, scenario: Scenario, folder: Path) -> list[Path]:
    """Draw an experiment's training curves in a scenario; the files written, none where nothing has finished."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    drawn = 0
    for method, colour in zip(experiment.methods, itertools.cycle(COLOURS), strict=False):
        try:
            scores = evidence.scores(evidence.cell(experiment, method, scenario.id), scenario.id)
            curves = [score.series("training") for score in scores.values()]
        except (NotRun, StatisticsError):
            continue
        x, y = curves[0][0], np.stack([y for _, y in curves])
        axes.plot(x, y.T, color=colour, alpha=0.2, linewidth=0.5)
        intervals = [mean_interval(y[:, p]) for p in range(len(x))]
        ends = [(i.low, i.high) for i in intervals if i.low is not None and i.high is not None]
        if len(ends) == len(x):  # else fewer than three seeds
            axes.fill_between(x, *np.transpose(ends), color=colour, alpha=0.2)
        axes.plot(x, y.mean(0), color=colour, linewidth=1.8, label=f"{method} ({len(y)} seeds)")
        drawn += 1
    if not drawn:
        return []
    if scenario.anchors:
        for name in ("random", "no_information", "good"):
            axes.axhline(getattr(scenario.anchors, name), color="grey", linewidth=0.8, linestyle=":")
            level = getattr(scenario.anchors, name)
            place = {"xy": (1, level), "xycoords": ("axes fraction", "data"), "ha": "right", "va": "bottom"}
            label = name.replace("_", " ") + " script"
            axes.annotate(label, xytext=(-4, 1), textcoords="offset points", fontsize="x-small", color="grey", **place)
    several = len(experiment.scenarios) > 1
    name = experiment.id + (f", {scenario.id}" if several else "")
    axes.set(
        xlabel="training episodes",
        ylabel=f"{scenario.metric.replace('_', ' ')} (training)",
        title=f"{evidence.suite.id}: {name}",
    )
    axes.legend(frameon=False)
    stem = f"curves-{experiment.id}" + (f"-{scenario.id}" if several else "")
    return [save(figure, folder / f"{stem.replace('/', '-')}{suffix}") for suffix in (".svg", ".png")]


def save(figure: Figure, path: Path) -> Path:
    """The same figure gives the same bytes: no date, no random ids."""
    with mpl.rc_context({"svg.hashsalt": "marl-distill-bench"}):
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else {"Software": None})
    return path
