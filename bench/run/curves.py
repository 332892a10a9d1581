"""A run's growing curves: values are collected, then closed into points of mean, standard deviation and count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.run.counting import At
from bench.stats import LARGEST
from bench.store import Curve
from bench.store.records import within

Point = tuple[At, float, float, int]  # where it lies, mean, sd (0 for one value), n


def bounded(values: np.ndarray) -> bool:
    """Whether all are finite and within the bounds of a record."""
    return bool((np.abs(values) <= LARGEST).all())


class CurveLog:
    """Curves by name. Its state fits in JSON, and a resumed run ends with the same points."""

    def __init__(self) -> None:
        self._points: dict[str, list[Point]] = {}
        self._open: dict[str, list[float]] = {}

    def add(self, name: str, values: Sequence[float] | np.ndarray) -> None:
        """Add values to the current point."""
        self._open.setdefault(name, []).extend(float(v) for v in values)

    def bounded(self) -> bool:
        return all(bounded(np.asarray(values)) for values in self._open.values())

    def close(self, at: At) -> None:
        """End the current points at `at`. If no episode ended since the last point, there is no new one."""
        for name, values in self._open.items():
            if values:
                self.point(name, at, np.asarray(values))
        self._open = {}

    def point(self, name: str, at: At, values: np.ndarray) -> None:
        """Add a point of these values alone. If the values are out of bounds, so is the point."""
        with np.errstate(invalid="ignore", over="ignore"):
            sd = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
            self._points.setdefault(name, []).append((at, float(np.mean(values)), sd, len(values)))

    def curves(self) -> dict[str, Curve]:
        return {name: _curve(points) for name, points in self._points.items()}

    def state(self) -> dict[str, Any]:
        return {"points": self._points, "open": self._open}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> CurveLog:
        log = cls()
        log._points = {name: [(At(*at), *rest) for at, *rest in points] for name, points in state["points"].items()}
        log._open = {name: list(values) for name, values in state["open"].items()}
        return log


def _curve(points: Sequence[Point]) -> Curve:
    places, means, sds, counts = zip(*points, strict=True)
    episodes, steps, updates = zip(*places, strict=True)
    return Curve(
        episodes=episodes,
        steps=steps,
        updates=None if None in updates else updates,
        mean=tuple(within(m) for m in means),
        sd=tuple(within(s) for s in sds),
        n=counts,
    )
