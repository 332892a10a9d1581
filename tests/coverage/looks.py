"""The cost of adding seeds until a question is decided: by following the seeds that would decide, by declared looks.

Axes: R repetition, S seed. Questions are those of `bench.stats.decisions`, asked where there is no difference or on the
margin's edge, and where a difference is clear. Pocock's constant comes from `bench.stats.looks`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bench.stats.estimates import ERROR, MINIMUM_SEEDS
from bench.stats.looks import nominal_level
from bench.stats.power import POWER, power
from tests.coverage.intervals import generator
from tests.coverage.shapes import ALIKE, SPREAD, TOP, Floats, Shape
from tests.coverage.vectorised import Estimates, student, welch

LOOKS = (5, 10, 15, 20)
CAP = 100  # seeds of one who follows the advice
FULL, QUICK = 40_000, 2_000
ROOM = 4  # Monte-Carlo standard errors, as in `verdicts`
MARGIN = 0.1
PAPER, PAPER_MARGIN = 5, 2 * SPREAD
FIVES = (0.05, 0.025, 0.01, 0.005)  # levels that Holm's correction leaves for 1, 2, 5 and 10 claims


@dataclass(frozen=True)
class Peeked:
    """Percent decided although there is no difference, one-sided 5% each time. seeds: at the first look.

    one_more: after a single further look, the greater of both directions. followed: in either direction, following the
    advice up to 100 seeds.
    """

    samples: str
    seeds: int
    one_more: float
    followed: float


@dataclass(frozen=True)
class Row:
    """Shares of samples that get an answer at some look; seeds: their average number then."""

    question: str
    scores: str
    yes: float
    no: float
    seeds: float
    asked: bool  # both answers are wrong, and at most 5% each is asked

    def over(self, repetitions: int) -> bool:
        room = ERROR + ROOM * math.sqrt(ERROR * (1 - ERROR) / repetitions)
        return self.asked and max(self.yes, self.no) > room


@cache
def _least_effects(sides: int) -> Floats:
    """By n from 3 to `CAP`: the least mean, in standard deviations, for which n seeds a side have 80% power.

    As in `bench.stats.power.seeds_to_decide`, for pairs (one side) or for two sides of equal spread.
    """
    found = []
    for n in range(MINIMUM_SEEDS, CAP + 1):
        low, high = 0.0, 20.0
        for _ in range(40):
            middle = (low + high) / 2
            enough = power(middle, math.sqrt(sides / n), sides * (n - 1), 0.0, math.inf) >= POWER
            low, high = (low, middle) if enough else (middle, high)
        found.append(high)
    return np.array(found)


def advised(estimates: Estimates, n: NDArray[np.int64], sides: int) -> NDArray[np.int64]:
    """The seeds that would decide if what was observed were true; more than `CAP` for none within it. [R]"""
    effects = np.abs(estimates.value) / (estimates.error * np.sqrt(n / sides))
    falling = _least_effects(sides)
    return MINIMUM_SEEDS + np.searchsorted(-falling, -effects)


def peeked(samples: str, first: int, repetitions: int) -> Peeked:
    """Ordering of two equal means, normal seeds."""
    rng, sides = generator("peeking", samples, first), 1 if samples == "pairs" else 2
    drawn = rng.standard_normal((repetitions, CAP, sides))
    n = np.full(repetitions, first)
    outcome, after_two = np.zeros(repetitions, dtype=int), np.zeros(repetitions, dtype=int)
    going, looks = np.ones(repetitions, dtype=bool), 0
    while going.any():
        for count in np.unique(n[going]):
            here = going & (n == count)
            one = student(drawn[here, :count, 0]) if sides == 1 else welch(*np.moveaxis(drawn[here, :count], 2, 0))
            outcome[here] = one.decide(0, math.inf)
            following = np.maximum(advised(one, np.full(here.sum(), count), sides), count + 1)
            n[here] = np.where(outcome[here] == 0, following, count)
        looks += 1
        if looks == 2:
            after_two = outcome.copy()
        going &= (outcome == 0) & (n <= CAP)
    if looks < 2:
        after_two = outcome
    one_more = max((after_two == 1).mean(), (after_two == -1).mean())
    return Peeked(samples, first, float(one_more), float((outcome != 0).mean()))


def peeking(repetitions: int) -> list[Peeked]:
    return [peeked(samples, first, repetitions) for samples in ("pairs", "independent") for first in (5, 10)]


Ask = Callable[[Floats, Floats, Floats], tuple[Floats, Floats]]  # both sides' seeds so far [R, S], the paper's [R, S]


def _ordering(a: Floats, b: Floats, paper: Floats) -> tuple[Floats, Floats]:
    return welch(a, b).p_values(0, math.inf)


def _of_pairs(a: Floats, b: Floats, paper: Floats) -> tuple[Floats, Floats]:
    return student(a - b).p_values(0, math.inf)


def _equivalence(a: Floats, b: Floats, paper: Floats) -> tuple[Floats, Floats]:
    return welch(a, b).p_values(-MARGIN, MARGIN)


def _printed(a: Floats, b: Floats, paper: Floats) -> tuple[Floats, Floats]:
    return welch(a, paper).p_values(-PAPER_MARGIN, PAPER_MARGIN)


@dataclass(frozen=True)
class Kind:
    """difference: the better side's mean minus the other's. tie: correlation of same seeds. edge: neither answer is
    true.
    """

    name: str
    ask: Ask
    difference: float
    edge: bool = True
    tie: float = 0.0
    shapes: tuple[Shape, ...] = ALIKE


NORMAL_ONLY = ALIKE[:1]
KINDS = (
    Kind("ordering, equal means", _ordering, 0.0),
    Kind("ordering of pairs, equal means", _of_pairs, 0.0),
    Kind("equivalence, on the edge", _equivalence, MARGIN, shapes=NORMAL_ONLY),
    Kind("printed mean and spread of 5 seeds, on the edge of 2 sd", _printed, PAPER_MARGIN, shapes=NORMAL_ONLY),
    Kind("printed mean and spread of 5 seeds, equal, margin 2 sd", _printed, 0.0, edge=False, shapes=NORMAL_ONLY),
    Kind("ordering, 1 sd", _ordering, SPREAD, edge=False, shapes=NORMAL_ONLY),
    Kind("ordering, 1.5 sd", _ordering, 1.5 * SPREAD, edge=False, shapes=NORMAL_ONLY),
    Kind("ordering of pairs, r = .9, .5 sd", _of_pairs, 0.5 * SPREAD, edge=False, tie=0.9, shapes=NORMAL_ONLY),
)


def declared(kind: Kind, shape: Shape, repetitions: int, nominal: float | None = None) -> Row:
    """Judged at every look, at Pocock's constant; the first answer stands, and no seed is added after it."""
    rng, nominal, most = generator("looks", kind.name, shape.name), nominal or nominal_level(LOOKS), LOOKS[-1]
    a, b = shape.first(rng, TOP, (repetitions, most)), shape.second(rng, TOP - kind.difference, (repetitions, most))
    if kind.tie:
        b = TOP - kind.difference + kind.tie * (a - TOP) + math.sqrt(1 - kind.tie**2) * (b - b.mean())
    paper = shape.second(rng, TOP - kind.difference, (repetitions, PAPER))
    outcome, seeds = np.zeros(repetitions, dtype=int), np.full(repetitions, most)
    for look in LOOKS:
        p, against = kind.ask(a[:, :look], b[:, :look], paper)
        now = np.where(p < nominal, 1, np.where(against < nominal, -1, 0))
        decided = (outcome == 0) & (now != 0)
        outcome[decided], seeds[decided] = now[decided], look
    yes, no = float((outcome == 1).mean()), float((outcome == -1).mean())
    return Row(kind.name, shape.name, yes, no, float(seeds.mean()), kind.edge)


def declared_looks(repetitions: int) -> list[Row]:
    return [declared(kind, shape, repetitions) for kind in KINDS for shape in kind.shapes]


@dataclass(frozen=True)
class Claims:
    """Chance of any wrong answer in one direction among this many independent orderings of equal means, all headlines.

    divided: by Holm's correction, which takes Pocock's constant at the divided level. naive: by his constant for 5%,
    divided.
    """

    claims: int
    constant: float
    divided: float
    naive: float


def headlines(repetitions: int) -> list[Claims]:
    """Without any difference Holm's first step decides: the smallest p against the level that all share."""
    found = []
    for claims in (round(FIVES[0] / level) for level in FIVES):
        rng, whole = generator("headlines", claims), nominal_level(LOOKS)
        constant = nominal_level(LOOKS, ERROR / claims)
        least = np.ones(repetitions)
        for _ in range(claims):
            a, b = (rng.normal(0, SPREAD, (repetitions, LOOKS[-1])) for _ in range(2))
            for look in LOOKS:
                least = np.minimum(least, welch(a[:, :look], b[:, :look]).p_values(0, math.inf)[0])
        shares = [float((least < level).mean()) for level in (constant, whole / claims)]
        found.append(Claims(claims, constant, *shares))
    return found
