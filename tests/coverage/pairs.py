"""How often pairs are judged wrongly: orderings of two equal means, and ratios on the tolerance's edge.

Axes: R repetition, S seed. The normal numbers behind the scores of one seed have the correlation r.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from bench.stats.estimates import MINIMUM_SEEDS
from bench.stats.pairs import matched
from tests.coverage.intervals import SEEDS, generator
from tests.coverage.shapes import (
    GAP,
    LOW_SHARE,
    RARE_FALL,
    RARE_SHARE,
    RARE_WITHIN,
    SPREAD,
    STEADY,
    TOP,
    WITHIN,
    Floats,
    Generator,
)
from tests.coverage.vectorised import Estimates, log_ratio, paired_log_ratio, student, welch

CORRELATIONS = (-0.9, -0.5, 0.0, 0.5, 0.9, 0.99)

Scores = Callable[[Floats, Floats], Floats]  # two standard normal numbers a seed [R, S] -> its score, mean 0


def _normal(spread: float) -> Scores:
    return lambda z, _: spread * z


def _modes(share: float, fall: float, within: float) -> Scores:
    return lambda z, w: fall * share - fall * (ndtr(z) < share) + within * w


BIMODAL, RARE = _modes(LOW_SHARE, GAP, WITHIN), _modes(RARE_SHARE, RARE_FALL, RARE_WITHIN)


@dataclass(frozen=True)
class Tied:
    """Two sides with the mean 0 whose same seeds vary together. asked: the rule must keep 5%."""

    name: str
    first: Scores
    second: Scores
    asked: bool = True


SIDES = (
    Tied("normal", _normal(SPREAD), _normal(SPREAD)),
    Tied("normal, spreads .05 and .15", _normal(0.05), _normal(0.15)),
    Tied("bimodal", BIMODAL, BIMODAL),
    Tied("rare collapses", RARE, RARE),
    Tied("bimodal against steady", BIMODAL, _normal(STEADY), asked=False),
)
OVERLAPS: tuple[tuple[str, Callable[[int], int]], ...] = (
    ("all", lambda n: n),
    ("three in five", lambda n: round(0.6 * n)),
)


@dataclass(frozen=True)
class Row:
    """Wrong answers, the greater of both directions, by seeds: of the rule, and of Welch's test on all seeds."""

    sides: str
    shared: str
    correlation: float
    asked: bool
    rule: dict[int, float]
    independent: dict[int, float]


def _drawn(rng: Generator, sides: Tied, r: float, n: int, shared: int, repetitions: int) -> tuple[Floats, Floats]:
    """[R, n] each; the first `shared` seeds are the same on both sides."""
    z, w, own_z, own_w = (rng.standard_normal((repetitions, n)) for _ in range(4))
    tie = np.where(np.arange(n) < shared, r, 0.0)
    loose = np.sqrt(1 - tie**2)
    return sides.first(z, w), sides.second(tie * z + loose * own_z, tie * w + loose * own_w)


def by_the_rule(a: Floats, b: Floats, shared: int) -> Estimates:
    """The answer of `bench.stats.pairs.matched` for seeds given by number."""
    n = a.shape[-1]
    of_b = [*range(shared), *range(n, 2 * n - shared)]
    places = matched({k: k for k in range(n)}, {seed: k for k, seed in enumerate(of_b)})
    x, y = a[:, places.a.astype(int)], b[:, places.b.astype(int)]
    return student(x - y) if places.paired else welch(x, y)


def wrong(estimates: Estimates) -> float:
    """The greater share of yes and no, one-sided 5%, where the means are equal."""
    found = estimates.decide(0, math.inf)
    return float(max((found == 1).mean(), (found == -1).mean()))


def pair_rates(repetitions: int) -> list[Row]:
    """Every kind of sides, share of shared seeds and correlation."""
    rows = []
    for sides in SIDES:
        for shared, count in OVERLAPS:
            for r in CORRELATIONS:
                rule, independent = {}, {}
                for n in SEEDS:
                    rng = generator("pairs", sides.name, shared, r, n)
                    a, b = _drawn(rng, sides, r, n, count(n), repetitions)
                    independent[n] = wrong(welch(a, b))
                    enough = count(n) >= MINIMUM_SEEDS  # else nothing is decided
                    rule[n] = wrong(by_the_rule(a, b, count(n))) if enough else 0.0
                rows.append(Row(sides.name, shared, r, sides.asked, rule, independent))
    return rows


RATIO = 0.1 / TOP  # the tolerance around a printed ratio of 1


def ratio_rates(repetitions: int) -> list[Row]:
    """A retention printed as 1, all seeds shared, its true value on the lower edge: both answers are wrong."""
    rows = []
    for sides in (one for one in SIDES if one.asked):
        for r in CORRELATIONS:
            rule, independent = {}, {}
            for n in SEEDS:
                rng = generator("ratios of pairs", sides.name, r, n)
                a, b = _drawn(rng, sides, r, n, n, repetitions)
                pupil, teacher = TOP * (1 - RATIO) + a, TOP + b
                edges = math.log(1 - RATIO), math.log(1 + RATIO)
                for shares, found in ((rule, paired_log_ratio), (independent, log_ratio)):
                    outcome = found(pupil, teacher).decide(*edges)
                    shares[n] = float(max((outcome == 1).mean(), (outcome == -1).mean()))
            rows.append(Row(sides.name, "all", r, sides.asked, rule, independent))
    return rows
