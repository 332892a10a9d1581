"""Seconds that a group's lanes take."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from bench.store.provenance import cpu_seconds


class Clock:
    """Seconds of each lane: wall time, and its share of the group's CPU time. before: seconds of earlier processes."""

    def __init__(self, before: Sequence[Mapping[str, float]]):
        self.started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._before, self._wall, self._cpu = before, time.monotonic(), cpu_seconds()

    def wall(self, lane: int) -> float:
        return self._before[lane]["wall_s"] + time.monotonic() - self._wall

    def cpu(self, lane: int) -> float:
        return self._before[lane]["cpu_s"] + (cpu_seconds() - self._cpu) / len(self._before)
