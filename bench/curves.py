"""A run's curves while they grow: values are collected and closed into points of mean, standard deviation, count."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.store import Curve

Point = tuple[int, float, float, int]  # episodes done, mean, sd (0 for one value), n


class CurveLog:
    """Curves by name. JSON-able state, so that a resumed run ends with the same points."""

    def __init__(self) -> None:
        self._points: dict[str, list[Point]] = {}
        self._open: dict[str, list[float]] = {}

    def add(self, name: str, values: Sequence[float] | np.ndarray) -> None:
        """Values that belong to the point under way."""
        self._open.setdefault(name, []).extend(float(v) for v in values)

    def finite(self) -> bool:
        return all(math.isfinite(v) for values in self._open.values() for v in values)

    def close(self, episodes: int) -> None:
        """End the points under way at this many episodes."""
        for name, values in self._open.items():
            self.point(name, episodes, np.asarray(values))
        self._open = {}

    def point(self, name: str, episodes: int, values: np.ndarray) -> None:
        """A point of its own; of values that are not finite, one that is not."""
        with np.errstate(invalid="ignore"):
            sd = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
            self._points.setdefault(name, []).append((episodes, float(np.mean(values)), sd, len(values)))

    def curves(self, steps_per_episode: int) -> dict[str, Curve]:
        return {name: _curve(points, steps_per_episode) for name, points in self._points.items()}

    def state(self) -> dict[str, Any]:
        return {"points": self._points, "open": self._open}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> CurveLog:
        log = cls()
        log._points = {name: [tuple(p) for p in points] for name, points in state["points"].items()}
        log._open = {name: list(values) for name, values in state["open"].items()}
        return log


def _curve(points: Sequence[Point], steps_per_episode: int) -> Curve:
    episodes, means, sds, counts = zip(*points, strict=True)
    return Curve(
        episodes=episodes,
        steps=tuple(e * steps_per_episode for e in episodes),
        mean=tuple(m if math.isfinite(m) else None for m in means),
        sd=tuple(s if math.isfinite(s) else None for s in sds),
        n=counts,
    )
