"""Drawings of DVM's Fig. 8: agent 1's policy as arrows, and its action values, on a grid; before and after DVM.

Axes: N agent, G point of the grid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.report.figures import COLOURS, new_figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AGENTS = (COLOURS[1], COLOURS[0], COLOURS[2], COLOURS[4])  # agent 1 red, agent 2 blue, as the paper has them


def draw_maps(maps: Sequence[Mapping[str, Any]], title: str, stem: Path) -> tuple[Path, Path]:
    """SVG and PNG. One row per scenario; for each method its policy, then its values. maps: from `bench.run.maps`."""
    methods, scenarios = (list(dict.fromkeys(own[key] for own in maps)) for key in ("method", "scenario"))
    figure = new_figure(3.2 * 2 * len(methods), 3.4 * len(scenarios))
    figure.suptitle(title)
    for own in maps:
        row, column = scenarios.index(own["scenario"]), 2 * methods.index(own["method"])
        for k, what in enumerate(("policy", "action value")):
            axes = figure.add_subplot(len(scenarios), 2 * len(methods), 2 * len(methods) * row + column + k + 1)
            axes.set_title(f"{own['method']}\n{own['scenario']}\n{what}", fontsize="x-small")
            _arrows(axes, own) if k == 0 else _values(axes, own)
            _world(axes, own)
    return save(figure, stem.with_suffix(".svg")), save(figure, stem.with_suffix(".png"))


def _arrows(axes: Axes, own: Mapping[str, Any]) -> None:
    places, pushes = np.asarray(own["places"]), np.asarray(own["pushes"])
    axes.quiver(*places.T, *pushes.T, color="black", angles="xy", scale_units="xy", scale=14, width=0.006)
    axes.scatter(*places[(pushes == 0).all(-1)].T, s=2, color="black")  # where it stays


def _values(axes: Axes, own: Mapping[str, Any]) -> None:
    side = round(len(own["places"]) ** 0.5)
    grid = np.asarray(own["values"]).reshape(side, side).T  # places run along y first; rows of an image are y
    shown = axes.imshow(grid, origin="lower", extent=(-1, 1, -1, 1), cmap="viridis")
    axes.figure.colorbar(shown, ax=axes, shrink=0.8)


def _world(axes: Axes, own: Mapping[str, Any]) -> None:
    """Targets as crosses, the one of agent 1's start corner bold; where agents start as discs."""
    for k, target in enumerate(own["targets"]):
        axes.plot(*target, marker="x", color="grey", markersize=9, markeredgewidth=3 if k == own["goal"] else 1)
    for k, start in enumerate(own["starts"]):
        axes.plot(*start, marker="o", color=AGENTS[k], markersize=8, markeredgecolor="white")
    axes.set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
