"""Bootstrap intervals for aggregates over tasks. Every draw comes from the generator that is passed in.

Axes: S seed, T task, K teacher, M student of one teacher, B repetition, P threshold. Scores [S, T], higher is better.

Stratified: each task's seeds are resampled by themselves; tasks are fixed, not a sample of possible tasks. Seeds must
be independent between tasks too: if one run is scored on several tasks, summarise each seed first and use
`intervals.mean_interval`. With n - 1 draws per task (Rao & Wu 1988, who correct the variance's factor (n - 1) / n)
these are the intervals that verdicts use. With n draws they are rliable's; these are too narrow and kept for
comparison. For one cell's mean no percentile bootstrap will do: use Student's t.

All functions raise StatisticsError for NaN or infinity, a level outside (0, 1), or fewer than 100 repetitions. With
n < 3 there is no interval. Scores that do not vary in any task give an interval of zero width, and so do resamples that
are all alike (an IQM at a ceiling). `reason` says so.
Memory: resamples are made in chunks of 256 kB, a few of them at a time; the answer does not depend on their size.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.stats.aggregates import Statistic, improvement, paired_tasks, shares_above, thresholds_of
from bench.stats.estimates import MINIMUM_SEEDS, ROUNDING, StatisticsError, finite
from bench.stats.intervals import CONSTANT, TOO_FEW, Interval, checked_level

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Draws = Literal["n", "n-1"]

SAME = "zero width: no two resamples differ; that says nothing about runs that were not made"
REPETITIONS = 10_000  # an end's Monte-Carlo standard deviation is then .0005 on win rates of 25 tasks x 5 seeds
FEWEST = 100  # repetitions: below, a 2.5% quantile rests on one or two of them
CHUNK = 2**15  # scores resampled at once: 256 kB, which stays in a second-level cache


class LegacyGenerator(Protocol):
    """numpy.random.RandomState, whose `randint` makes the stream that rliable draws from the global state."""

    def randint(self, low: int, high: int, size: tuple[int, ...]) -> Indices:
        """Whole numbers from low to high - 1."""
        ...


Generator = np.random.Generator | LegacyGenerator


@dataclass(frozen=True, eq=False)
class Band:
    """A performance profile with pointwise intervals: all [P]. low and high are None if there is no interval."""

    thresholds: Floats
    estimate: Floats
    low: Floats | None
    high: Floats | None
    level: float
    n: tuple[int, ...]
    method: str
    reason: str = ""


def _draw(generator: Generator, seeds: int, shape: tuple[int, ...]) -> Indices:
    if isinstance(generator, np.random.Generator):
        return generator.integers(0, seeds, shape)
    return generator.randint(0, seeds, shape)


def _chunks(repetitions: int, scores: int) -> Iterator[int]:
    """Sizes of chunks that add up to the repetitions; none has more than CHUNK scores, unless it is one repetition."""
    if repetitions < FEWEST:
        raise StatisticsError(f"repetitions: got {repetitions}; at least {FEWEST} are needed")
    size = max(1, CHUNK // scores)
    for start in range(0, repetitions, size):
        yield min(size, repetitions - start)


def _ends(found: Floats, level: float) -> tuple[Floats, Floats]:
    """Percentiles over repetitions. [B, ...] -> two of [...]."""
    below = (1 - level) / 2
    low, high = np.percentile(found, [100 * below, 100 * (1 - below)], axis=0)  # rounded as in arch, for equal bits
    return low, high


def _count(seeds: int, draws: Draws) -> int:
    if draws not in ("n", "n-1"):
        raise StatisticsError(f"draws: got {draws!r}; 'n' or 'n-1' is allowed")
    return seeds if draws == "n" else seeds - 1


def _method(draws: Draws) -> str:
    return f"stratified percentile bootstrap, {draws} draws" + (", rliable-compatible" if draws == "n" else "")


def _constant(scores: Floats) -> bool:
    """Whether no task's scores vary by more than rounding. [S, T]."""
    return bool((np.ptp(scores, axis=0) <= ROUNDING * np.abs(scores).max(axis=0)).all())


def _answer(
    estimate: float,
    sides: tuple[Floats, ...],
    level: float,
    method: str,
    resampled: Callable[[], Floats],
) -> Interval:
    """The interval, or why there is none. sides: [S, T] each, the seeds (or teachers) to draw from."""
    n = tuple(len(side) for side in sides)
    if min(n) < MINIMUM_SEEDS:
        return Interval(estimate, None, None, checked_level(level), n, method, TOO_FEW)
    if all(_constant(side) for side in sides):
        return Interval(estimate, estimate, estimate, checked_level(level), n, method, CONSTANT)
    low, high = _ends(resampled(), checked_level(level))
    return Interval(estimate, float(low), float(high), level, n, method, SAME if low == high else "")


def stratified_interval(
    scores: ArrayLike,
    statistic: Statistic,
    generator: Generator,
    repetitions: int = REPETITIONS,
    level: float = 0.95,
    draws: Draws = "n-1",
) -> Interval:
    """Percentile interval of an aggregate, with seeds resampled within each task. scores [S, T].

    draws "n" on `numpy.random.RandomState(s)` gives what rliable 1.2.0 gives after `numpy.random.seed(s)`: the IQM
    except for rounding, all others to the last bit.

    Coverage of 95% for the IQM of 25 tasks at n = 3 / 5 / 10 (docs/statistics.md): n - 1 draws .94 / .95 / .95, n draws
    .87 / .92 / .93; with bounded and bimodal scores the same to .01, but n draws at n = 3 to .03.
    """
    return stratified_intervals([scores], statistic, generator, repetitions, level, draws)[0]


def stratified_intervals(
    methods: Sequence[ArrayLike],
    statistic: Statistic,
    generator: Generator,
    repetitions: int = REPETITIONS,
    level: float = 0.95,
    draws: Draws = "n-1",
) -> list[Interval]:
    """`stratified_interval` of several methods on the same draws, each as if alone. methods: [S, T] each."""
    arrays = [finite(scores, "scores", axes=2) for scores in methods]
    seeds, tasks = _one_shape(arrays)
    drawn = _count(seeds, draws)

    @cache
    def resampled() -> list[Floats]:
        rows, columns = [array.ravel() for array in arrays], np.arange(tasks)
        found: list[list[Floats]] = [[] for _ in arrays]
        for chunk in _chunks(repetitions, drawn * tasks):
            indices = _draw(generator, seeds, (chunk, drawn, tasks)) * tasks + columns
            for own, scores in zip(found, rows, strict=True):
                own.append(statistic.of(scores.take(indices)))
        return [np.concatenate(own) for own in found]

    return [
        _answer(float(statistic.of(array)), (array,), level, _method(draws), lambda k=k: resampled()[k])
        for k, array in enumerate(arrays)
    ]


def _one_shape(arrays: Sequence[Floats]) -> tuple[int, int]:
    """Seeds and tasks of arrays that are resampled together."""
    shapes = {array.shape for array in arrays}
    if len(shapes) != 1:
        raise StatisticsError(f"methods: got shapes {sorted(shapes)}; all must be the same")
    (seeds, tasks) = shapes.pop()
    return seeds, tasks


def _times_drawn(drawn: Indices, seeds: int) -> Floats:
    """How often each seed was drawn. [B, draws, T] -> [T, B, S]."""
    repetitions, _, tasks = drawn.shape
    cells = drawn + seeds * (np.arange(repetitions)[:, None, None] + repetitions * np.arange(tasks))
    counts = np.bincount(cells.ravel(), minlength=tasks * repetitions * seeds)
    return counts.reshape(tasks, repetitions, seeds).astype(np.float64)


def improvement_interval(
    x: ArrayLike,
    y: ArrayLike,
    generator: Generator,
    repetitions: int = REPETITIONS,
    level: float = 0.95,
    draws: Draws = "n-1",
) -> Interval:
    """Percentile interval of the probability of improvement, with both sides resampled. x [S, T], y [S', T].

    With equal numbers of seeds a repetition draws x's indices, then y's, as rliable does. If every run of one side
    beats every run of the other, no resample can differ: the width is zero, and `reason` says why.

    Coverage of 95% for 25 tasks at n = 3 / 5 / 10, n - 1 draws (docs/statistics.md): .96 / .96 / .95 on normal scores,
    .96 to .97 / .96 / .96 on bounded and bimodal ones.
    """
    return improvement_intervals([x], y, generator, repetitions, level, draws)[0]


def improvement_intervals(
    methods: Sequence[ArrayLike],
    y: ArrayLike,
    generator: Generator,
    repetitions: int = REPETITIONS,
    level: float = 0.95,
    draws: Draws = "n-1",
) -> list[Interval]:
    """`improvement_interval` of several methods on y, with the same draws, each as if alone. methods: [S, T] each."""
    pairs = [paired_tasks(x, y) for x in methods]
    lefts, right = [left for left, _ in pairs], pairs[0][1]
    seeds, tasks = _one_shape(lefts)
    sides, counts = (seeds, len(right)), (_count(seeds, draws), _count(len(right), draws))

    @cache
    def resampled() -> list[Floats]:
        wins = [_wins(left, right) for left in lefts]
        found: list[list[Floats]] = [[] for _ in lefts]
        for chunk in _chunks(repetitions, sum(sides) * tasks):
            a, b = _both_drawn(generator, sides, counts, chunk, tasks)
            for own, won in zip(found, wins, strict=True):
                exact = ((a @ won) * b).sum(axis=-1)  # [T, B]
                own.append((exact / (counts[0] * counts[1])).T.copy().mean(axis=-1))
        return [np.concatenate(own) for own in found]

    return [
        _answer(float(improvement(left, right)), (left, right), level, _method(draws), lambda k=k: resampled()[k])
        for k, left in enumerate(lefts)
    ]


def _wins(left: Floats, right: Floats) -> Floats:
    """Which run of the left side beats which of the right; a tie counts half. [S, T], [S', T] -> [T, S, S']."""
    above, below = left.T[:, :, None], right.T[:, None, :]
    return (above > below) + 0.5 * (above == below)


def _both_drawn(
    generator: Generator, sides: tuple[int, int], counts: tuple[int, int], chunk: int, tasks: int
) -> tuple[Floats, Floats]:
    """How often each seed of both sides is drawn: [T, chunk, S] and [T, chunk, S']."""
    if sides[0] == sides[1]:
        drawn = _draw(generator, sides[0], (chunk, 2, counts[0], tasks))
        a, b = drawn[:, 0], drawn[:, 1]
    else:
        a, b = (_draw(generator, n, (chunk, count, tasks)) for n, count in zip(sides, counts, strict=True))
    return _times_drawn(a, sides[0]), _times_drawn(b, sides[1])


def profile_band(
    scores: ArrayLike,
    thresholds: ArrayLike,
    generator: Generator,
    repetitions: int = REPETITIONS,
    level: float = 0.95,
    draws: Draws = "n-1",
) -> Band:
    """Performance profile with pointwise percentile intervals. scores [S, T], thresholds [P], strictly increasing.

    If all runs are on one side of a threshold, no resample can differ: the interval has zero width there and says
    nothing about runs that were not made. The band is a picture; no verdict rests on it.

    Coverage of 95% for 25 tasks at n = 3 / 5 / 10, at thresholds among the scores: .93 / .94 / .95
    (docs/statistics.md).
    """
    array, taus = finite(scores, "scores", axes=2), thresholds_of(thresholds)
    seeds, tasks = array.shape
    passed, columns, drawn = np.searchsorted(taus, array), np.arange(tasks), _count(seeds, draws)
    estimate = shares_above(passed.reshape(1, -1), len(taus))[0]

    def band(low: Floats | None, high: Floats | None, reason: str) -> Band:
        return Band(taus, estimate, low, high, checked_level(level), (seeds,), _method(draws), reason)

    if seeds < MINIMUM_SEEDS:
        return band(None, None, TOO_FEW)
    if _constant(array):
        return band(estimate, estimate, CONSTANT)
    shapes = [(chunk, drawn, tasks) for chunk in _chunks(repetitions, drawn * tasks + len(taus))]
    resamples = (passed[_draw(generator, seeds, shape), columns].reshape(shape[0], -1) for shape in shapes)
    return band(*_ends(np.concatenate([shares_above(rows, len(taus)) for rows in resamples]), level), "")


def hierarchical_interval(
    scores: ArrayLike,
    statistic: Statistic,
    generator: Generator,
    repetitions: int = REPETITIONS,
    level: float = 0.95,
) -> Interval:
    """Percentile interval of an aggregate if students share teachers: teachers are drawn, with all their students.

    scores [K, M, T]: M students of each of K teachers per task. Each task draws K - 1 teachers with replacement and
    keeps each one's students as they are: drawing those again would count their spread twice (Davison & Hinkley 1997,
    sec. 3.8). n counts teachers, the independent unit: K < 3 gives no interval, however many students there are.
    For the mean of one task use `intervals.shared_teacher_interval`.

    Coverage of 95% for the IQM of 25 tasks, 2 students each of K = 3 / 5 / 10 teachers: .94 / .94 / .95, but
    .83 / .82 / .86 if the sharing of teachers is ignored (docs/statistics.md).
    """
    array = finite(scores, "scores", axes=3)
    teachers, students, tasks = array.shape

    def flat(drawn: Floats) -> Floats:
        return drawn.reshape(*drawn.shape[:-3], -1, tasks)

    def resampled() -> Floats:
        found = []
        for chunk in _chunks(repetitions, (teachers - 1) * students * tasks):
            rows = _draw(generator, teachers, (chunk, teachers - 1, 1, tasks))
            found.append(statistic.of(flat(array[rows, np.arange(students)[:, None], np.arange(tasks)])))
        return np.concatenate(found)

    sides = (array.reshape(teachers, -1),)
    method = "hierarchical percentile bootstrap, n-1 draws of teachers"
    return _answer(float(statistic.of(flat(array))), sides, level, method, resampled)


def bootstrap_band(values: ArrayLike, level: float = 0.95, repetitions: int = 2_000) -> tuple[Floats, Floats]:
    """Percentile intervals of the mean at each point of curves: low [P] and high [P]. values [S, P].

    Papers shade it. With few seeds it is too narrow, and no verdict rests on it. The same seeds are resampled at all
    points, from a fixed stream, so the same curves give the same band. StatisticsError for fewer than 3 seeds.
    """
    curves = finite(values, "values", axes=2)
    if len(curves) < MINIMUM_SEEDS:
        raise StatisticsError(f"values: got {len(curves)} seeds; at least {MINIMUM_SEEDS} are needed")
    drawn = np.random.default_rng(0).integers(len(curves), size=(repetitions, len(curves)))
    weights = np.stack([np.bincount(row, minlength=len(curves)) for row in drawn]) / len(curves)  # [B, S]
    tail = (1 - checked_level(level)) / 2
    low, high = np.quantile(weights @ curves, (tail, 1 - tail), axis=0)
    return low, high
