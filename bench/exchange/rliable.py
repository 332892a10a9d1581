"""rliable's score matrices: {algorithm: [runs, tasks]}, as numpy's npz."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.exchange import ExchangeError
from bench.exchange.grid import Grid
from bench.plan import COMMAND_LINE
from bench.stats.estimates import StatisticsError
from bench.suite import Scenario
from bench.suite.explain import Problem


def matrices(grid: Grid, normalise: bool = False) -> dict[str, NDArray[np.float64]]:
    """Final scores by method [seeds, scenarios], in the grid's order. Raises ExchangeError.

    normalise: whether to use (score - random) / (good - random) with the suite's own anchors, which were measured
    before any run; else scores are in each scenario's metric. Other methods' scores never enter.
    """
    try:
        scores = {key: row.score.final for key, row in grid.rows.items()}
    except StatisticsError as undefined:
        problem = Problem("final score", str(undefined), "finite scores", "exclude the seed with --seeds")
        raise ExchangeError(COMMAND_LINE, [problem]) from None
    found = {m: np.array([[scores[m, s.id, k] for s in grid.scenarios] for k in grid.seeds]) for m in grid.methods}
    if not normalise:
        return found
    low, scale = np.array([_scale(s) for s in grid.scenarios]).T
    return {method: (values - low) / scale for method, values in found.items()}


def _scale(scenario: Scenario) -> tuple[float, float]:
    """The random policy's score, and how far the good script's is above it."""
    if scenario.anchors is None:
        mend = "omit --normalise, or exclude its experiments with --only"
        problem = Problem(f"scenario[{scenario.id}].anchors", "nothing", "anchors, for --normalise", mend)
        raise ExchangeError(COMMAND_LINE, [problem])
    return scenario.anchors.random, scenario.anchors.good - scenario.anchors.random


def to_npz(found: dict[str, NDArray[np.float64]]) -> bytes:
    """The matrices as an npz file. The same matrices give the same bytes. A method's name may be any text."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for method, values in found.items():
            with archive.open(zipfile.ZipInfo(f"{method}.npy"), "w") as file:
                np.lib.format.write_array(file, values)
    return content.getvalue()


def legend(grid: Grid, normalised: bool) -> dict[str, Any]:
    """The meaning of the matrices' axes, for which npz has no place."""
    return {
        "suite": grid.suite.id,
        "version": grid.suite.version,
        "profile": grid.profile,
        "runs": [f"seed {seed}" for seed in grid.seeds],
        "tasks": [s.id for s in grid.scenarios],
        "metrics": [s.metric for s in grid.scenarios],
        "normalised": "(score - random) / (good - random), the suite's anchors" if normalised else None,
    }
