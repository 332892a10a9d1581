"""How often verdicts on success rates, and the answer about the typical seed, are wrong.

Axes: R repetition, S seed. Both call bench.stats once a sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

import numpy as np

from bench.stats import decisions, published
from bench.stats.decisions import Outcome, ordering
from bench.stats.estimates import ERROR, mean_estimate
from bench.stats.published import Published, same_value
from bench.stats.stated import between
from bench.stats.typical import typical
from tests.coverage.intervals import SEEDS, generator
from tests.coverage.shapes import EPISODES, Floats, Generator
from tests.coverage.vectorised import student, welch

PAPER = 5
COLLAPSED = 0.1  # share of seeds that never win
RARELY = 0.05
RARE = 0.98 * (1 - RARELY)
APART = "not covered:"  # how the name of seeds begins of which too few collapses are seen to be judged rightly


@dataclass(frozen=True)
class Row:
    """Wrong answers, the greater of both directions, by seeds: of the rule, and of bare t tests."""

    question: str
    seeds: str
    rule: dict[int, float]
    bare: dict[int, float]


Rates = Callable[[Generator, tuple[int, ...]], Floats]  # true rates of seeds
Ask = Callable[[Floats, Floats, float], Outcome]  # a seed sample of each side and the true mean


def _steady(rate: float) -> Rates:
    return lambda rng, shape: np.full(shape, rate)


def _collapsing(rate: float, share: float) -> Rates:
    """Seeds that do not collapse win at this rate."""
    return lambda rng, shape: np.where(rng.random(shape) >= share, rate, 0.0)


NEARLY = 0.98 * (1 - COLLAPSED)
SEEDS_ARE: tuple[tuple[str, Rates, Rates, float], ...] = (  # of the one side, of the other, and the mean of both
    ("all .98", _steady(0.98), _steady(0.98), 0.98),
    ("all .5", _steady(0.5), _steady(0.5), 0.5),
    ("1, one in ten collapses", _collapsing(1.0, COLLAPSED), _collapsing(1.0, COLLAPSED), 1 - COLLAPSED),
    (f"{APART} .98, one in ten collapses; the other steady", _collapsing(0.98, COLLAPSED), _steady(NEARLY), NEARLY),
    (f"{APART} .98, one in twenty collapses; the other steady", _collapsing(0.98, RARELY), _steady(RARE), RARE),
)


def _ordering(a: Floats, b: Floats, mean: float) -> Outcome:
    return ordering(a, b, False, 0.1, EPISODES).outcome


def _between(a: Floats, b: Floats, mean: float) -> Outcome:
    return between(mean_estimate(a, episodes=EPISODES), mean, math.inf).outcome


def _printed(a: Floats, b: Floats, mean: float) -> Outcome:
    """Off by the margin."""
    ours = mean_estimate(a, episodes=EPISODES)
    printed = max(0.0, float(b[:PAPER].mean()) - 0.1)
    return same_value(ours, Published(printed, seeds=min(PAPER, len(b))), 0.1).decision.outcome


QUESTIONS: tuple[tuple[str, Ask], ...] = (
    ("ordering", _ordering),
    ("between", _between),
    ("printed mean, seeds known", _printed),
)


def rate_errors(repetitions: int) -> list[Row]:
    """Every question on every kind of seeds, the truth on its edge."""
    rows = []
    for question, ask in QUESTIONS:
        for says, one, other, mean in SEEDS_ARE:
            rule, bare = {}, {}
            for n in SEEDS:
                rng = generator("rates", question, says, n)
                a, b = (rng.binomial(EPISODES, rates(rng, (repetitions, n))) / EPISODES for rates in (one, other))
                with without_search():
                    rule[n] = _greater([ask(x, y, mean) for x, y in zip(a, b, strict=True)])
                bare[n] = _bare(question, a, b, mean)
            rows.append(Row(question, says, rule, bare))
    return rows


@contextmanager
def without_search() -> Iterator[None]:
    """The search for a number of seeds takes most of the time and changes no outcome."""
    with (
        mock.patch.object(decisions, "seeds_to_decide", return_value=None),
        mock.patch.object(published, "_our_seeds", return_value=3),
    ):
        yield


def _greater(outcomes: list[Outcome]) -> float:
    return max(outcomes.count("yes"), outcomes.count("no")) / len(outcomes)


def _bare(question: str, a: Floats, b: Floats, mean: float) -> float:
    """By t tests on the seeds alone; without variation the value decides."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if question == "between":
            found, value = student(a), a.mean(-1) - mean
        elif question == "ordering":
            found, value = welch(a, b), a.mean(-1) - b.mean(-1)
        else:
            theirs = b[:, :PAPER].mean(-1) - 0.1
            scale = np.sqrt(1 + a.shape[-1] / min(PAPER, b.shape[-1]))
            found, value = student(a), a.mean(-1) - theirs - 0.1
            found = type(found)(value, found.error * scale, found.df)
        tail = found._tail(value)
    p = np.where(found.error > 0, tail, np.where(value > 0, 0.0, np.where(value < 0, 1.0, 0.5)))
    return float(max((p < ERROR).mean(), (p > 1 - ERROR).mean()))


def _normal(rng: Generator, shape: tuple[int, ...]) -> Floats:
    return rng.normal(0, 1, shape)


def _steady_seed(rng: Generator, shape: tuple[int, ...]) -> Floats:
    return rng.normal(0, 0.1, shape)


def _skewed(rng: Generator, shape: tuple[int, ...]) -> Floats:
    """Median 0."""
    return 1 - rng.lognormal(0, 1, shape)


def _two_modes(rng: Generator, shape: tuple[int, ...]) -> Floats:
    """Half of the seeds far below, half above."""
    return np.where(rng.random(shape) < 0.5, -5.0, 0.5) + rng.normal(0, 0.1, shape)


TYPICAL = (("normal", _normal), ("long left tail", _skewed), ("two modes", _two_modes))


def typical_errors(repetitions: int) -> list[Row]:
    """Against a steady side, pairs and independent samples: either side is the better one in half of the cases."""
    rows = []
    for samples, paired in (("pairs", True), ("independent", False)):
        for says, first in TYPICAL:
            rule = {}
            for n in SEEDS:
                rng = generator("typical", samples, says, n)
                a, b = first(rng, (repetitions, n)), _steady_seed(rng, (repetitions, n))
                rule[n] = _greater([typical(x, y, paired).outcome for x, y in zip(a, b, strict=True)])
            rows.append(Row(samples, f"{says} against steady", rule, {}))
    return rows
