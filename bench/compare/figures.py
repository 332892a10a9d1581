"""Performance profiles of two methods as SVG."""

from __future__ import annotations

from pathlib import Path

from bench.compare.findings import Over
from bench.report.figures import COLOURS, new_figure, save
from bench.store import file_name


def profiles(name: str, over: Over, folder: Path) -> Path:
    """Draw two performance profiles with their pointwise intervals; returns the file."""
    figure = new_figure(6, 4)
    axes = figure.add_subplot()
    for label, band, colour in zip((name, over.against), over.profiles, COLOURS, strict=False):
        axes.step(band.thresholds, band.estimate, where="post", color=colour, label=label)
        if band.low is not None and band.high is not None:
            axes.fill_between(band.thresholds, band.low, band.high, step="post", color=colour, alpha=0.2)
    axes.set(xlabel="normalised score: 0 random policy, 1 good script", ylabel="share of runs above it")
    axes.legend(frameon=False)
    return save(figure, folder / f"{file_name('profile', over.against)}.svg")
