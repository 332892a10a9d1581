"""How often verdicts are right, wrong and undecided, by kind, shape of the scores, true difference and seeds.

Axes: R repetition, S seed, K comparison. The better side's mean is TOP, the other's TOP minus the true difference; the
margin is .1, so .1 lies on its edge, where both answers are wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.stats.estimates import ERROR
from bench.stats.multiplicity import most
from bench.stats.published import UNKNOWN_SEEDS
from tests.coverage import vectorised
from tests.coverage.intervals import SEEDS, generator
from tests.coverage.shapes import EVERY, TOP, Floats, Generator, Shape
from tests.coverage.vectorised import log_ratio, outcomes, student, welch

DIFFERENCES = (0.0, 0.05, 0.1, 0.3)
MARGIN = 0.1
PAPER = 5  # seeds of the paper
FULL, QUICK = 40_000, 2_000
ROOM = 4  # Monte-Carlo standard errors: with 780 settings, some one of them exceeds three by chance

Outcomes = NDArray[np.int64]
Draw = Callable[[bool, float, int], Floats]  # better side?, mean, seeds -> [R, S]


@dataclass(frozen=True)
class Kind:
    """A kind of verdict. `edge`: the true difference at which both answers are wrong; yes is right beyond it if
    `yes_above`, else below.
    """

    name: str
    decide: Callable[[Draw, float, int], Outcomes]
    edge: float
    yes_above: bool = False

    def wrong(self, difference: float, yes: float, no: float) -> float:
        """Share of wrong answers at this difference; on the edge the greater of the two."""
        if math.isclose(difference, self.edge):
            return max(yes, no)
        return no if (difference > self.edge) == self.yes_above else yes


def ordering(draw: Draw, d: float, n: int) -> Outcomes:
    return welch(draw(True, TOP, n), draw(False, TOP - d, n)).decide(0, math.inf)


def ordering_of_pairs(draw: Draw, d: float, n: int) -> Outcomes:
    return student(draw(True, TOP, n) - draw(False, TOP - d, n)).decide(0, math.inf)


def not_greater(draw: Draw, d: float, n: int) -> Outcomes:
    return welch(draw(True, TOP, n), draw(False, TOP - d, n)).decide(-math.inf, MARGIN)


def equivalence(draw: Draw, d: float, n: int) -> Outcomes:
    return welch(draw(True, TOP, n), draw(False, TOP - d, n)).decide(-MARGIN, MARGIN)


def ratio(draw: Draw, d: float, n: int) -> Outcomes:
    """Printed 1, tolerance such that a difference of .1 is on its edge."""
    low, high = 1 - MARGIN / TOP, 1 + MARGIN / TOP
    return log_ratio(draw(False, TOP - d, n), draw(True, TOP, n)).decide(math.log(low), math.log(high))


def between(draw: Draw, d: float, n: int) -> Outcomes:
    """Above a bound that lies the margin below the better side's mean."""
    return student(draw(True, TOP - d, n)).decide(TOP - MARGIN, math.inf)


def _printed(draw: Draw, m: int) -> tuple[Floats, Floats]:
    """A paper's mean and standard deviation of m seeds. [R] each."""
    theirs = draw(True, TOP, m)
    return theirs.mean(-1), theirs.std(-1, ddof=1) if m > 1 else np.zeros(len(theirs))


def published_spread(draw: Draw, d: float, n: int) -> Outcomes:
    return welch(draw(False, TOP - d, n), draw(True, TOP, PAPER)).decide(-MARGIN, MARGIN)


def published_seeds(draw: Draw, d: float, n: int) -> Outcomes:
    ours, (mean, _) = draw(False, TOP - d, n), _printed(draw, PAPER)
    return vectorised.equal_variance(ours, mean, PAPER).decide(-MARGIN, MARGIN)


def _mean_only(m: int) -> Callable[[Draw, float, int], Outcomes]:
    def decide(draw: Draw, d: float, n: int) -> Outcomes:
        ours, (mean, _) = draw(False, TOP - d, n), _printed(draw, m)
        return vectorised.agreed(ours, mean, UNKNOWN_SEEDS, -MARGIN, MARGIN)

    return decide


def reaches(draw: Draw, d: float, n: int) -> Outcomes:
    return welch(draw(False, TOP - d, n), draw(True, TOP, PAPER)).decide(-MARGIN, math.inf)


def _several(draw: Draw, differences: tuple[float, ...], n: int) -> tuple[Floats, Floats]:
    """p of orderings and p against them. [R, K] each."""
    each = [welch(draw(True, TOP, n), draw(False, TOP - d, n)).p_values(0, math.inf) for d in differences]
    return np.stack([p for p, _ in each], axis=1), np.stack([against for _, against in each], axis=1)


def conjunction(draw: Draw, d: float, n: int) -> Outcomes:
    """Three orderings, two of them by .3."""
    p, against = _several(draw, (0.3, 0.3, d), n)
    return outcomes_of_all(p, against)


def outcomes_of_all(p: Floats, against: Floats) -> Outcomes:
    reversed_one = vectorised.holm(against).min(axis=1) < ERROR
    return np.where(reversed_one, -1, np.where(p.max(axis=1) < ERROR, 1, 0))


def majority(draw: Draw, d: float, n: int) -> Outcomes:
    """Five orderings, two of them by .3, three by d."""
    p, against = _several(draw, (0.3, 0.3, d, d, d), n)
    return outcomes_of_most(p, against)


def outcomes_of_most(p: Floats, against: Floats) -> Outcomes:
    count, needed = p.shape[1], most(p.shape[1])
    return outcomes(
        vectorised.partial_conjunction(p, needed), vectorised.partial_conjunction(against, count - needed + 1)
    )


KINDS = (
    Kind("ordering, Welch", ordering, 0.0, yes_above=True),
    Kind("ordering, pairs", ordering_of_pairs, 0.0, yes_above=True),
    Kind("not greater by the margin", not_greater, MARGIN),
    Kind("equivalence", equivalence, MARGIN),
    Kind("ratio", ratio, MARGIN),
    Kind("between bounds", between, MARGIN),
    Kind("printed mean, spread and 5 seeds", published_spread, MARGIN),
    Kind("printed mean and 5 seeds", published_seeds, MARGIN),
    Kind("printed mean only, of 1 seed", _mean_only(1), MARGIN),
    Kind("printed mean only, of 5 seeds", _mean_only(PAPER), MARGIN),
    Kind("reaches a printed mean, spread and 5 seeds", reaches, MARGIN),
    Kind("ordering on all of 3 tasks", conjunction, 0.0, yes_above=True),
    Kind("ordering on most of 5 tasks", majority, 0.0, yes_above=True),
)


@dataclass(frozen=True)
class Row:
    """One kind, shape and difference. yes, no, wrong: shares by number of seeds."""

    kind: str
    shape: str
    stress: bool
    difference: float
    yes: dict[int, float]
    no: dict[int, float]
    wrong: dict[int, float]
    repetitions: int

    def fails(self) -> list[int]:
        """Numbers of seeds with more than 5% wrong, apart from four Monte-Carlo standard errors."""
        most_wrong = ERROR + ROOM * math.sqrt(ERROR * (1 - ERROR) / self.repetitions)
        return [n for n, wrong in self.wrong.items() if wrong > most_wrong]


def _drawer(rng: Generator, shape: Shape, repetitions: int) -> Draw:
    return lambda better, mean, n: (shape.first if better else shape.second)(rng, mean, (repetitions, n))


def error_rates(repetitions: int, kinds: tuple[Kind, ...] = KINDS) -> list[Row]:
    """Every kind on every shape, difference and number of seeds."""
    rows = []
    for kind in kinds:
        for shape in EVERY:
            for difference in DIFFERENCES:
                yes, no, wrong = {}, {}, {}
                for n in SEEDS:
                    rng = generator(kind.name, shape.name, difference, n)
                    found = kind.decide(_drawer(rng, shape, repetitions), difference, n)
                    yes[n], no[n] = float((found == 1).mean()), float((found == -1).mean())
                    wrong[n] = kind.wrong(difference, yes[n], no[n])
                rows.append(Row(kind.name, shape.name, shape.stress, difference, yes, no, wrong, repetitions))
    return rows


@dataclass(frozen=True)
class Family:
    """Several orderings judged as one family. wrong: chance of any wrong yes or no (or, for the false discovery rate,
    the expected share of wrong ones), the greater; found: share of true orderings that were found. By seeds.
    """

    name: str
    shape: str
    wrong: dict[int, float]
    found: dict[int, float]


def families(repetitions: int) -> list[Family]:
    """Headline claims: 5, three of them without a difference. A table: 20 cells, ten without."""
    cases: tuple[tuple[str, tuple[float, ...], Callable[[Floats], Floats] | None], ...] = (
        ("5 headline claims, uncorrected", (0, 0, 0, 0.3, 0.3), None),
        ("5 headline claims, Holm", (0, 0, 0, 0.3, 0.3), vectorised.holm),
        ("table of 20 cells, uncorrected", (0,) * 10 + (0.3,) * 10, None),
        ("table of 20 cells, Benjamini-Hochberg", (0,) * 10 + (0.3,) * 10, vectorised.benjamini_hochberg),
    )
    found = []
    for name, differences, correct in cases:
        for shape in (shape for shape in EVERY if not shape.stress):
            wrong, right = {}, {}
            for n in SEEDS:
                draw = _drawer(generator(name, shape.name, n), shape, repetitions)
                p, against = (
                    values if correct is None else correct(values) for values in _several(draw, differences, n)
                )
                null = np.array(differences) == 0
                yes, no = p < ERROR, against < ERROR
                false_no = no.copy()  # reversed: wrong everywhere here
                if name.startswith("table"):
                    rates = [_share_of(yes & null, yes), _share_of(false_no, no)]
                else:
                    rates = [(yes & null).any(axis=1).mean(), false_no.any(axis=1).mean()]
                wrong[n], right[n] = float(max(rates)), float(yes[:, ~null].mean())
            found.append(Family(name, shape.name, wrong, right))
    return found


def _share_of(wrong: NDArray[np.bool_], made: NDArray[np.bool_]) -> float:
    """Mean over R of wrong / made, 0 where none was made. [R, K]."""
    return float((wrong.sum(axis=1) / np.maximum(1, made.sum(axis=1))).mean())
