"""How often 95% intervals contain the true value: the share of R samples whose interval covers it.

Axes: R repetition, S seed, T task. t intervals of plain samples are vectorised; everything else is bench.stats itself,
called once a sample.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.stats import norm

from bench.stats import aggregates, bootstrap, transfer
from bench.stats.aggregates import IQM, MEAN, Statistic
from bench.stats.estimates import mean_estimate
from bench.stats.intervals import Interval, fieller_interval, mean_interval, shared_teacher_interval
from bench.stats.retention import retention_interval
from tests.coverage import vectorised
from tests.coverage.shapes import EPISODES, LEFT, NORMAL, RARE, SHAPES, SPREAD, TOP, UNEQUAL, Floats, Generator, Shape

SEED = 20261121
SEEDS = (3, 5, 10)
TASKS = 25
TASK_MEANS = np.linspace(0.45, 0.85, TASKS)
LOWER = 0.55  # mean of a student, of a worse method
BUDGET, LEARNING = 1.0, (-0.5, 0.6)  # times to threshold are lognormal, 20% of the slower side are censored


@dataclass(frozen=True)
class Size:
    """Repetitions: vectorised samples, samples one by one, bootstrapped samples, and resamples of each."""

    many: int
    each: int
    bootstrapped: int
    resamples: int


FULL = Size(many=40_000, each=8_000, bootstrapped=2_000, resamples=1_000)
QUICK = Size(many=4_000, each=60, bootstrapped=40, resamples=200)

Hits = Callable[[Generator, Shape, int, Size], tuple[float, int]]  # share that covers, of how many


@dataclass(frozen=True)
class Method:
    """An interval. judged: whether verdicts use it. holds: whether its assumptions do, by shape."""

    name: str
    hits: Hits
    judged: bool
    shapes: tuple[Shape, ...] = SHAPES
    holds: Callable[[Shape], bool] = lambda shape: shape.holds


@dataclass(frozen=True)
class Row:
    """One line of the table. covered and repetitions: by number of seeds."""

    method: str
    shape: str
    judged: bool
    holds: bool
    covered: dict[int, float]
    repetitions: dict[int, int]

    def misses(self) -> list[int]:
        """Numbers of seeds from 5 on whose coverage is not 93 to 97%, apart from three Monte-Carlo standard errors."""
        found = []
        for n, share in self.covered.items():
            room = 3 * math.sqrt(0.95 * 0.05 / self.repetitions[n])
            if n >= 5 and not 0.93 - room <= share <= 0.97 + room:
                found.append(n)
        return found


def generator(*labels: object) -> Generator:
    """A stream of its own for each cell of a table: adding or removing rows does not change the others."""
    return np.random.default_rng([SEED, zlib.crc32("|".join(map(str, labels)).encode())])


def _share(hits: np.ndarray) -> tuple[float, int]:
    return float(hits.mean()), len(hits)


def cell_mean(rng: Generator, shape: Shape, n: int, size: Size) -> tuple[float, int]:
    return _share(vectorised.student(shape.first(rng, TOP, (size.many, n))).covers(TOP))


def _winning(rng: Generator, rate: float, shape: tuple[int, ...]) -> Floats:
    """Every seed wins with this rate."""
    return rng.binomial(EPISODES, rate, shape) / EPISODES


def _all_or_nothing(rng: Generator, rate: float, shape: tuple[int, ...]) -> Floats:
    """A share of seeds always wins, the others never."""
    return (rng.random(shape) < rate).astype(np.float64)


WINNING = Shape("every seed wins .98", _winning, _winning)
ALL_OR_NOTHING = Shape("eight seeds in ten always win, the others never", _all_or_nothing, _all_or_nothing)
TRUE_RATES = {WINNING.name: 0.98, ALL_OR_NOTHING.name: 0.8}


def rate_mean(rng: Generator, shape: Shape, n: int, size: Size) -> tuple[float, int]:
    """As in verdicts: wider by the episodes, and where seeds are equal by a share of unseen ones."""
    truth = TRUE_RATES[shape.name]

    def interval() -> Interval:
        return mean_interval(mean_estimate(shape.first(rng, truth, (n,)), episodes=EPISODES))

    return _one_by_one(interval, truth, size.each)


def bare_rate_mean(rng: Generator, shape: Shape, n: int, size: Size) -> tuple[float, int]:
    """By the seeds alone: an interval of zero width where they are equal."""
    truth = TRUE_RATES[shape.name]
    with np.errstate(invalid="ignore"):
        return _share(vectorised.student(shape.first(rng, truth, (size.many, n))).covers(truth))


def difference(rng: Generator, shape: Shape, n: int, size: Size) -> tuple[float, int]:
    a, b = shape.first(rng, TOP, (size.many, n)), shape.second(rng, LOWER, (size.many, n))
    return _share(vectorised.welch(a, b).covers(TOP - LOWER))


def pairs(rng: Generator, shape: Shape, n: int, size: Size) -> tuple[float, int]:
    a, b = shape.first(rng, TOP, (size.many, n)), shape.second(rng, LOWER, (size.many, n))
    return _share(vectorised.student(a - b).covers(TOP - LOWER))


def further_seeds(rng: Generator, shape: Shape, n: int, size: Size) -> tuple[float, int]:
    """The mean of 5 further seeds."""
    ours, theirs = shape.first(rng, TOP, (size.many, n)), shape.first(rng, TOP, (size.many, 5))
    return _share(vectorised.equal_variance(ours, theirs.mean(-1), 5).covers(0.0))


def ratio(rng: Generator, shape: Shape, n: int, size: Size) -> tuple[float, int]:
    a, b = shape.first(rng, LOWER, (size.many, n)), shape.second(rng, TOP, (size.many, n))
    return _share(vectorised.log_ratio(a, b).covers(math.log(LOWER / TOP)))


def aggregate_mean(rng: Generator, shape: Shape, n: int, size: Size) -> tuple[float, int]:
    scores = _tasks(rng, shape, (size.many // 10, n))
    return _share(vectorised.aggregate(scores).covers(float(TASK_MEANS.mean())))


def _tasks(rng: Generator, shape: Shape, lead: tuple[int, ...], lower: float = 0.0) -> np.ndarray:
    """[..., T], every task with a mean of its own."""
    return np.stack([shape.first(rng, mean - lower, lead) for mean in TASK_MEANS], axis=-1)


def _one_by_one(interval: Callable[[], Interval], truth: float, repetitions: int) -> tuple[float, int]:
    """Unbounded or undefined sets count: they contain every value."""
    found = [interval() for _ in range(repetitions)]
    ends = [(i.low, i.high) for i in found]
    return _share(np.array([a is None or b is None or a <= truth <= b for a, b in ends]))


def _retention(teacher: float, floor: float | None) -> Hits:
    """Above a floor measured by as many seeds, or without one."""

    def hits(rng: Generator, shape: Shape, n: int, size: Size) -> tuple[float, int]:
        student, zero = teacher * LOWER / TOP, 0.0 if floor is None else floor

        def interval() -> Interval:
            a, b = shape.first(rng, student, (n,)), shape.second(rng, teacher, (n,))
            return retention_interval(a, b, 0.0 if floor is None else rng.normal(floor, SPREAD / 2, n))

        return _one_by_one(interval, (student - zero) / (teacher - zero), size.each)

    return hits


def fieller(rng: Generator, shape: Shape, n: int, size: Size) -> tuple[float, int]:
    def interval() -> Interval:
        return fieller_interval(shape.first(rng, LOWER, (n,)), shape.second(rng, TOP, (n,)))

    return _one_by_one(interval, LOWER / TOP, size.each)


def _lognormal(rng: Generator, mean: float, shape: tuple[int, ...]) -> Floats:
    """Times, by the mean of their logarithm."""
    return rng.lognormal(mean, LEARNING[1], shape)


LOGNORMAL = Shape("lognormal", _lognormal, _lognormal)


def times(rng: Generator, shape: Shape, n: int, size: Size) -> tuple[float, int]:
    """Ratio of restricted means, budget as tau."""
    fast, slow = LEARNING[0] - 0.5, LEARNING[0]
    spread = LEARNING[1]

    def mean(centre: float) -> float:
        """E min(T, 1) of a lognormal T."""
        inside = math.exp(centre + spread**2 / 2) * norm.cdf(-centre / spread - spread)
        return float(inside + norm.sf(-centre / spread))

    def made(centre: float) -> transfer.Times:
        values = shape.first(rng, centre, (n,))
        return transfer.Times(np.minimum(values, BUDGET), values <= BUDGET)

    return _one_by_one(lambda: transfer.time_ratio(made(fast), made(slow), BUDGET), mean(fast) / mean(slow), size.each)


@cache
def _true_value(statistic: Statistic, shape: Shape) -> float:
    """The value of a very large sample."""
    return float(statistic.of(_tasks(generator("truth", shape.name), shape, (40_000,))))


@cache
def _true_improvement(shape: Shape) -> float:
    rng = generator("truth", shape.name)
    x, y = (_tasks(rng, shape, (200_000,), lower) for lower in (0.0, 0.05))
    return float((x > y).mean())  # scores are continuous: no ties


def _stratified(statistic: Statistic, draws: bootstrap.Draws) -> Hits:
    def hits(rng: Generator, shape: Shape, n: int, size: Size) -> tuple[float, int]:
        def interval() -> Interval:
            scores = _tasks(rng, shape, (n,))
            return bootstrap.stratified_interval(scores, statistic, rng, size.resamples, draws=draws)

        return _one_by_one(interval, _true_value(statistic, shape), size.bootstrapped)

    return hits


def _improved(draws: bootstrap.Draws) -> Hits:
    def hits(rng: Generator, shape: Shape, n: int, size: Size) -> tuple[float, int]:
        def interval() -> Interval:
            a, b = _tasks(rng, shape, (n,)), _tasks(rng, shape, (n,), 0.05)
            return bootstrap.improvement_interval(a, b, rng, size.resamples, draws=draws)

        return _one_by_one(interval, _true_improvement(shape), size.bootstrapped)

    return hits


def one_cell(rng: Generator, shape: Shape, n: int, size: Size) -> tuple[float, int]:
    """The mean of one cell by n draws: a wrong way."""

    def interval() -> Interval:
        scores = shape.first(rng, TOP, (n, 1))
        return bootstrap.stratified_interval(scores, MEAN, rng, size.resamples, draws="n")

    return _one_by_one(interval, TOP, size.bootstrapped)


def profile(rng: Generator, shape: Shape, n: int, size: Size) -> tuple[float, int]:
    """Pointwise, averaged over three thresholds."""
    taus = np.array([0.55, 0.65, 0.75])
    large = _tasks(generator("truth", shape.name), shape, (40_000,))
    truth, hits = aggregates.profile(large, taus), []
    for _ in range(size.bootstrapped):
        band = bootstrap.profile_band(_tasks(rng, shape, (n,)), taus, rng, size.resamples)
        assert band.low is not None
        assert band.high is not None
        hits.append(np.mean((band.low <= truth) & (truth <= band.high)))
    return _share(np.array(hits))


STUDENTS = 2  # of each teacher


def _taught(rng: Generator, shape: Shape, teachers: int, tasks: np.ndarray) -> np.ndarray:
    """[K, M, T]: a teacher's score, of this shape, and half as much noise around it for each student."""
    masters = np.stack([shape.first(rng, mean, (teachers, 1)) for mean in tasks], axis=-1)
    return masters + rng.normal(0, SPREAD / 2, (teachers, STUDENTS, len(tasks)))


def shared_teacher(rng: Generator, shape: Shape, n: int, size: Size) -> tuple[float, int]:
    def interval() -> Interval:
        return shared_teacher_interval(list(_taught(rng, shape, n, np.array([TOP]))[:, :, 0]))

    return _one_by_one(interval, TOP, size.each)


@cache
def _true_taught(shape: Shape) -> float:
    large = _taught(generator("truth", shape.name), shape, 20_000, TASK_MEANS)
    return float(IQM.of(large.reshape(-1, TASKS)))


def hierarchical(rng: Generator, shape: Shape, n: int, size: Size) -> tuple[float, int]:
    def interval() -> Interval:
        return bootstrap.hierarchical_interval(_taught(rng, shape, n, TASK_MEANS), IQM, rng, size.resamples)

    return _one_by_one(interval, _true_taught(shape), size.bootstrapped)


def unaware(rng: Generator, shape: Shape, n: int, size: Size) -> tuple[float, int]:
    """The same students as if each had a teacher of its own: a wrong way."""

    def interval() -> Interval:
        scores = _taught(rng, shape, n, TASK_MEANS).reshape(-1, TASKS)
        return bootstrap.stratified_interval(scores, IQM, rng, size.resamples)

    return _one_by_one(interval, _true_taught(shape), size.bootstrapped)


def _always(_: Shape) -> bool:
    return True


TWO = (*SHAPES, UNEQUAL)
METHODS = (
    Method("Student t, a cell's mean", cell_mean, True, (*SHAPES, RARE, LEFT)),
    Method("a success rate's mean", rate_mean, True, (WINNING, ALL_OR_NOTHING), lambda _: False),
    Method("Welch t, a difference", difference, True, TWO),
    Method("paired t, a difference", pairs, True, TWO),
    Method("prediction, the mean of 5 further seeds", further_seeds, True),
    Method("Satterthwaite t, mean of 25 tasks", aggregate_mean, True, SHAPES, _always),
    Method("log-delta t, ratio", ratio, True, TWO),
    Method("Fieller, ratio", fieller, True, TWO),
    Method("PRR", _retention(TOP, None), True, TWO),
    Method("PRR, teacher near zero", _retention(0.2, None), True, (NORMAL,)),
    Method("PRR above a measured floor", _retention(TOP, 0.3), True, TWO),
    Method("restricted mean times, ratio, censored", times, True, (LOGNORMAL,), lambda _: False),
    Method("Student t on teachers' means", shared_teacher, True),
    Method("IQM of 25 tasks, n-1 draws", _stratified(IQM, "n-1"), True, SHAPES, _always),
    Method("probability of improvement, 25 tasks, n-1 draws", _improved("n-1"), True, SHAPES, _always),
    Method("IQM of 25 tasks, shared teachers, hierarchical", hierarchical, True, SHAPES, _always),
    Method("profile of 25 tasks, n-1 draws, pointwise", profile, False, SHAPES, _always),
    Method("IQM of 25 tasks, n draws (rliable)", _stratified(IQM, "n"), False, SHAPES, _always),
    Method("probability of improvement, 25 tasks, n draws (rliable)", _improved("n"), False, SHAPES, _always),
    Method("IQM of 25 tasks, shared teachers ignored", unaware, False, (NORMAL,), lambda _: False),
    Method("a success rate's mean, bare t", bare_rate_mean, False, (WINNING, ALL_OR_NOTHING), lambda _: False),
    Method("a cell's mean, percentile bootstrap", one_cell, False, SHAPES, lambda _: False),
)


def coverage(size: Size, methods: tuple[Method, ...] = METHODS) -> list[Row]:
    """Every method on every shape and number of seeds."""
    rows = []
    for method in methods:
        for shape in method.shapes:
            cells = {n: method.hits(generator(method.name, shape.name, n), shape, n, size) for n in SEEDS}
            covered = {n: share for n, (share, _) in cells.items()}
            repetitions = {n: count for n, (_, count) in cells.items()}
            rows.append(Row(method.name, shape.name, method.judged, method.holds(shape), covered, repetitions))
    return rows
