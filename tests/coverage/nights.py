"""How often a nightly check raises an alarm when nothing has changed, and what it can detect.

Axes: H history, K cell, N night, S seed. A history draws its references once and fresh seeds every night; each night
asks of every cell whether its latest seeds differ from the accepted and from the pinned ones, as
`bench.nightly.references.comparisons` does. tests/coverage/test_nights.py checks that both agree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bench.nightly.references import FALSE_ALARM, KEPT, WINDOW
from bench.stats.rank_sums import least_p, shared_level
from tests.coverage.intervals import generator
from tests.coverage.shapes import SHAPES, SPREAD, TOP, Floats, Shape

NIGHTS = 24  # of a history
FULL, QUICK = 1_000, 60  # histories
BOUND = 1.645  # standard errors: a one-sided 95% bound
ASKED = 0.012  # what the bound may be at most
POWER = 0.8
SHIFTS = np.round(np.arange(0.5, 6.01, 0.1), 1)  # in standard deviations of a seed
SAMPLES = 4_000  # for a power


@dataclass(frozen=True)
class Setting:
    """cells; fresh seeds of each a night; seeds of the accepted and of the pinned reference."""

    cells: int
    seeds: int
    accepted: int
    pinned: int


SETTINGS = (Setting(4, 5, 10, 10), Setting(20, 5, 10, 10), Setting(20, 3, KEPT, 10), Setting(60, 3, KEPT, KEPT))


@dataclass(frozen=True)
class Rate:
    """Share of clean nights with an alarm; bound: its upper 95% bound, histories being the independent unit."""

    setting: Setting
    shape: str
    nights: int
    rate: float
    bound: float


@cache
def p_values(n: int, m: int) -> Floats:
    """Two-sided p by the number of pairs (one of n, one of m) whose first is greater; no ties."""
    ways = np.zeros((n + 1, n * m + 1))
    ways[0, 0] = 1
    for rank in range(n + m):  # of the pooled scores, from the lowest; chosen k-th it stands above rank - k others
        for k in range(min(n, rank + 1), 0, -1):
            above = rank - (k - 1)
            if above <= m:
                ways[k, above:] += ways[k - 1, : n * m + 1 - above]
    share = ways[n] / ways[n].sum()
    return np.minimum(1, 2 * np.minimum(np.cumsum(share), np.cumsum(share[::-1])[::-1]))


def p_of(recent: Floats, known: Floats) -> Floats:
    """[..., S] against [..., S'] -> [...]."""
    greater = (recent[..., :, None] > known[..., None, :]).sum((-2, -1))
    return p_values(recent.shape[-1], known.shape[-1])[greater]


def level(setting: Setting, recent: int) -> float:
    least = [least_p(recent, setting.accepted), least_p(recent, setting.pinned)]
    return shared_level(least * setting.cells, FALSE_ALARM)


def alarms(setting: Setting, accepted: Floats, pinned: Floats, fresh: Floats) -> NDArray[np.bool_]:
    """accepted, pinned [H, K, S], fresh [H, K, N * S] -> whether any cell raised an alarm [H, N]."""
    nights = fresh.shape[-1] // setting.seeds
    found = []
    for night in range(1, nights + 1):
        recent = fresh[..., : night * setting.seeds][..., -WINDOW:]
        p = np.minimum(p_of(recent, accepted), p_of(recent, pinned))
        found.append(p.min(-1) <= level(setting, recent.shape[-1]))
    return np.stack(found, axis=-1)


def false_alarms(histories: int) -> list[Rate]:
    """Every setting with seeds of every shape."""
    rates = []
    for setting in SETTINGS:
        for shape in SHAPES:
            own = _clean(setting, shape, histories)
            rate = float(own.mean())
            error = float(own.mean(-1).std(ddof=1)) / math.sqrt(histories)
            rates.append(Rate(setting, shape.name, own.size, rate, rate + BOUND * error))
    return rates


def _clean(setting: Setting, shape: Shape, histories: int, chunk: int = 20) -> NDArray[np.bool_]:
    rng, parts = generator("nights", shape.name, setting.cells, setting.seeds, setting.accepted), []
    for start in range(0, histories, chunk):
        size = (min(chunk, histories - start), setting.cells)
        accepted, pinned, fresh = (
            shape.first(rng, TOP, (*size, n)) for n in (setting.accepted, setting.pinned, NIGHTS * setting.seeds)
        )
        parts.append(alarms(setting, accepted, pinned, fresh))
    return np.concatenate(parts)


def smallest_shift(setting: Setting, recent: int, samples: int) -> float | None:
    """The smallest shift of one cell's mean, in standard deviations, that is detected with 80% power; None above 6.

    All `recent` seeds have it. Normal seeds, against the accepted reference alone.
    """
    rng = generator("shift", setting.cells, setting.accepted, setting.pinned, recent)
    known = rng.normal(0, 1, (samples, setting.accepted))
    fresh, asked = rng.normal(0, 1, (samples, recent)), level(setting, recent)
    powers = ((p_of(fresh + shift, known) <= asked).mean() for shift in SHIFTS)
    return next((float(s) for s, power in zip(SHIFTS, powers, strict=True) if power >= POWER), None)


@dataclass(frozen=True)
class Drift:
    """Share of histories in which the drift of a cell by `step` standard deviations a night was detected, and when.

    nights: the median number until its first alarm, all nights where it raised none.
    """

    step: float
    against: str
    seen: float
    nights: float


def drifts(histories: int, setting: Setting = SETTINGS[1], nights: int = 60, accept: int = 6) -> list[Drift]:
    """One drifting cell of the setting's, against the baseline, accepted anew every `accept` nights, and the pin."""
    found = []
    for step in (0.02, 0.05, 0.1):
        rng = generator("drift", step)
        pinned = rng.normal(TOP, SPREAD, (histories, setting.pinned))
        drift = np.repeat(np.arange(1, nights + 1) * step, setting.seeds)
        fresh = TOP - SPREAD * drift + rng.normal(0, SPREAD, (histories, nights * setting.seeds))
        known, since = pinned, 0
        seen = {"accepted": np.full(histories, np.inf), "pinned": np.full(histories, np.inf)}
        for night in range(1, nights + 1):
            stop = night * setting.seeds
            for against, reference, start in (("accepted", known, since), ("pinned", pinned, 0)):
                recent = fresh[:, max(start, stop - WINDOW) : stop]
                asked = level(replace(setting, accepted=known.shape[1]), recent.shape[1])
                alarm = p_of(recent, reference) <= asked
                seen[against] = np.where(alarm, np.minimum(seen[against], night), seen[against])
            if night % accept == 0:
                known, since = fresh[:, max(0, stop - KEPT) : stop], stop
        for against, when in seen.items():
            share, median = np.isfinite(when).mean(), np.median(np.minimum(when, nights))
            found.append(Drift(step, against, float(share), float(median)))
    return found
