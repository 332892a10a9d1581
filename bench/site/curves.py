"""Learning curves for a chart: every seed, their mean and its 95% interval, as JSON that a page carries.

Axes: S seed, P curve point.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.stats.estimates import MINIMUM_SEEDS
from bench.stats.special import stdtrit
from bench.store import Curve, Scores
from bench.suite import Scenario, Unit

Floats = NDArray[np.float64]
LEVEL = 0.95
DIGITS = 4  # significant ones: more than any screen shows
MOST_POINTS = 40  # of a curve: enough for its shape, and the site stays below ten megabytes; records have all
MOST_PLACES = 22  # the highest power of ten that a float holds exactly


def panel(
    scenario: Scenario, scores: Mapping[int, Scores], unit: Unit, taught_by: Mapping[str, float]
) -> dict[str, Any]:
    """A scenario's chart: its curves by name, and the levels of its scripted policies and of teachers. scores: by seed.

    unit: what the runs count by. taught_by: see `teacher_levels`.
    """
    names = sorted({name for own in scores.values() for name in own.curves}, key=_order)
    return {
        "scenario": scenario.id,
        "metric": scenario.metric.replace("_", " "),
        "unit": unit,
        "levels": levels(scenario) | dict(taught_by),
        "series": [
            series(name, {s: own.curves[name] for s, own in scores.items() if name in own.curves}, unit)
            for name in names
        ],
    }


def _order(name: str) -> tuple[int, str]:
    first = ("training", "evaluation")
    return (first.index(name) if name in first else len(first), name)


def levels(scenario: Scenario) -> dict[str, float]:
    if scenario.anchors is None:
        return {}
    return {name: getattr(scenario.anchors, name) for name in ("random", "no_information", "good")}


def series(name: str, curves: Mapping[int, Curve], unit: Unit) -> dict[str, Any]:
    """One curve of every seed. A seed has gaps at points that only others have, and so has the mean.

    If there are more than MOST_POINTS points, so many are kept, evenly spaced from the first to the last. Of losses
    only the mean is kept if there is one; records have the rest. n: how many seeds. half: half the width of the
    interval about the mean.
    """
    at = next(iter(curves.values())).at(unit)
    if any(curve.at(unit) != at for curve in curves.values()):
        at = tuple(sorted({point for curve in curves.values() for point in curve.at(unit)}))
    kept = np.unique(np.linspace(0, len(at) - 1, min(len(at), MOST_POINTS)).round().astype(int))
    at = tuple(at[place] for place in kept)
    values = np.array([_on(at, curve, unit) for curve in curves.values()])  # [S, P]
    found: dict[str, Any] = {"name": name, "at": at, "seeds": [*curves], "values": _rows(values), "n": len(curves)}
    if len(curves) > 1 and name.startswith("loss/"):
        found |= {"seeds": [], "values": []}
    if len(curves) > 1:
        found["mean"] = _row(values.mean(axis=0))
    if len(curves) >= MINIMUM_SEEDS and not name.startswith("loss/"):
        half = _quantile(len(curves)) * values.std(axis=0, ddof=1) / np.sqrt(len(curves))
        found["half"] = _row(half)
    return found


def _on(points: tuple[int, ...], curve: Curve, unit: Unit) -> Floats:
    """The curve's means at these points [P]; NaN where it has none."""
    if curve.at(unit) == points:
        return np.array(curve.mean, dtype=float)
    own = dict(zip(curve.at(unit), curve.mean, strict=True))
    return np.array([own.get(point) for point in points], dtype=float)


def _rows(values: Floats) -> list[list[float | None]]:
    return [_row(row) for row in values]


def _row(values: Floats) -> list[float | None]:
    """Rounded to DIGITS significant digits; powers of ten are exact, so each is the float nearest its digits."""
    known = np.isfinite(values) & (values != 0)
    places = np.zeros(len(values))
    places[known] = DIGITS - 1 - np.floor(np.log10(np.abs(values[known])))
    up, down = 10.0 ** np.clip(places, 0, MOST_PLACES), 10.0 ** np.clip(-places, 0, MOST_PLACES)
    rounded = np.rint(values * up / down) * down / up
    return [None if math.isnan(v) else v for v in rounded.tolist()]


@lru_cache
def _quantile(seeds: int) -> float:
    return float(stdtrit(seeds - 1, (1 + LEVEL) / 2))
