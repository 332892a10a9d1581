"""Aggregates and bootstraps: against rliable to the last bit, scipy, closed forms; and every odd input.

Axes: S seed, T task, K teacher, M student.
"""

import math
import tracemalloc

import numpy as np
import pytest
from rliable import library, metrics
from scipy import stats

from bench.stats import bootstrap
from bench.stats.aggregates import (
    IQM,
    MEAN,
    MEDIAN,
    by_task,
    optimality_gap,
    probability_of_improvement,
    profile,
)
from bench.stats.bootstrap import (
    hierarchical_interval,
    improvement_interval,
    profile_band,
    stratified_interval,
)
from bench.stats.estimates import StatisticsError
from bench.stats.intervals import mean_interval

X = np.random.default_rng(7).beta(8, 2, (5, 25))
Y = np.random.default_rng(8).beta(6, 2, (5, 25))
TAUS = np.linspace(0, 1, 21)
PAIRS = [
    (IQM, metrics.aggregate_iqm),
    (MEAN, metrics.aggregate_mean),
    (MEDIAN, metrics.aggregate_median),
    (optimality_gap(), metrics.aggregate_optimality_gap),
    (optimality_gap(0.7), lambda scores: metrics.aggregate_optimality_gap(scores, 0.7)),  # pyright: ignore[reportArgumentType]
]


ROUNDED = (0, 1e-13)  # relative: nothing, and what the order of a sum makes


def generator(seed: int = 1) -> np.random.Generator:
    """Explicit, like every draw."""
    return np.random.default_rng(seed)


def rliable_stream(seed: int):
    """The stream that rliable draws from the global state."""
    return np.random.RandomState(seed)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda one: getattr(one, "name", ""))
@pytest.mark.parametrize("shape", [(5, 25), (3, 1), (4, 3), (10, 2), (1, 1)])
def test_aggregates_equal_rliable(ours, theirs, shape: tuple[int, int]):
    """To the last bit, except for the order in which the IQM adds up."""
    scores = generator(sum(shape)).random(shape)
    assert ours(scores) == pytest.approx(theirs(scores), rel=ROUNDED[ours is IQM], abs=0)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda one: getattr(one, "name", ""))
@pytest.mark.parametrize("scores", [X, X[:3, :4]])
def test_the_same_stream_gives_the_intervals_of_rliable(ours, theirs, scores: np.ndarray, monkeypatch):
    """To the last bit, in several chunks."""
    monkeypatch.setattr(bootstrap, "CHUNK", 20 * scores.size)
    np.random.seed(3)  # noqa: NPY002  rliable draws from the global state
    points, ends = library.get_interval_estimates({"x": scores}, lambda drawn: np.array([theirs(drawn)]), reps=300)
    interval = stratified_interval(scores, ours, rliable_stream(3), 300, draws="n")
    found = [points["x"][0], *ends["x"][:, 0]]
    assert [interval.estimate, interval.low, interval.high] == pytest.approx(found, rel=ROUNDED[ours is IQM], abs=0)
    assert interval.method.endswith("rliable-compatible")


def test_the_same_stream_gives_rliables_probability_of_improvement():
    """Point and interval, and ties count half."""
    x, y = X.round(1), Y.round(1)
    np.random.seed(5)  # noqa: NPY002  rliable draws from the global state
    points, ends = library.get_interval_estimates(
        {"xy": [x, y]}, lambda a, b: np.array([metrics.probability_of_improvement(a, b)]), reps=200
    )
    interval = improvement_interval(x, y, rliable_stream(5), 200, draws="n")
    assert (interval.estimate, interval.low, interval.high) == (points["xy"][0], *ends["xy"][:, 0])


def test_the_same_stream_gives_rliables_profile():
    """At every threshold, including those that equal a score."""
    scores = X.round(1)
    np.random.seed(9)  # noqa: NPY002  rliable draws from the global state
    points, ends = library.create_performance_profile({"x": scores}, TAUS, reps=200)
    band = profile_band(scores, TAUS, rliable_stream(9), 200, draws="n")
    assert (band.estimate == points["x"]).all()
    assert band.low is not None
    assert band.high is not None
    assert (band.low == ends["x"][0]).all()
    assert (band.high == ends["x"][1]).all()
    assert (profile(scores, TAUS) == points["x"]).all()


def test_iqm_by_hand():
    """1 ... 8 pooled: cut two on either side, mean of 3, 4, 5, 6."""
    assert IQM([[1, 8], [7, 2], [3, 6], [5, 4]]) == 4.5
    assert MEAN([[1, 8], [7, 2], [3, 6], [5, 4]]) == 4.5
    assert MEDIAN([[1, 8, 0], [3, 6, 0]]) == 2
    assert optimality_gap(2)([[1, 3], [0, 2]]) == pytest.approx(2 - (1 + 2 + 0 + 2) / 4)
    assert profile([[0.2, 0.5], [0.5, 0.9]], [0.1, 0.5, 0.9]).tolist() == [1, 0.25, 0]


def test_probability_of_improvement_is_mann_whitney():
    """scipy's U over S S', for unequal S; swapping sides gives the rest."""
    x, y = generator(2).integers(0, 5, (6, 3)), generator(3).integers(0, 5, (4, 3))
    expected = np.mean([stats.mannwhitneyu(x[:, t], y[:, t]).statistic / 24 for t in range(3)])
    assert probability_of_improvement(x, y) == pytest.approx(expected, abs=1e-12)
    assert probability_of_improvement(x, y) + probability_of_improvement(y, x) == pytest.approx(1)


def test_n_minus_1_draws_have_the_unbiased_variance():
    """The mean of n - 1 draws has variance s^2 / n with ddof 1; of n draws, (n - 1) / n times that, here 4/5.

    25 tasks make resampled means normal, so the 68.27% interval is one standard deviation either way.
    """
    error = math.sqrt((X.var(axis=0, ddof=1) / 5).sum()) / 25
    factors: dict[bootstrap.Draws, float] = {"n-1": 1.0, "n": math.sqrt(4 / 5)}
    for draws, factor in factors.items():
        interval = stratified_interval(X, MEAN, generator(), 20_000, level=0.6827, draws=draws)
        assert interval.low is not None
        assert interval.high is not None
        assert (interval.high - interval.low) / 2 == pytest.approx(factor * error, rel=0.03)


@pytest.mark.parametrize("size", [7, 64, 10_000])
def test_chunks_change_nothing(size: int, monkeypatch):
    """The same stream in pieces of any size, also for unequal sides."""
    x, y = X[:, :4], Y[:3, :4]

    def found() -> tuple:
        return (
            stratified_interval(x, IQM, generator(), 150),
            improvement_interval(x, Y[:, :4], generator(), 150),
            hierarchical_interval(X.reshape(5, 5, 5), IQM, generator(), 150),
            *profile_band(x, TAUS, generator(), 150).__dict__["low"],
        )

    whole = found()
    monkeypatch.setattr(bootstrap, "CHUNK", size)
    assert found() == whole
    assert improvement_interval(x, y, generator(), 150).low is not None


def test_the_generator_alone_decides():
    """The global state is not read; another seed gives another interval."""
    np.random.seed(1)  # noqa: NPY002  what must not matter
    first = stratified_interval(X, IQM, generator(4), 200)
    np.random.seed(2)  # noqa: NPY002
    assert stratified_interval(X, IQM, generator(4), 200) == first
    assert stratified_interval(X, IQM, generator(5), 200) != first


def test_memory_does_not_grow_with_repetitions():
    """Bounded by the chunk: 5 x 25 scores, 20,000 repetitions."""
    tracemalloc.start()
    stratified_interval(X, IQM, generator(), 20_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30e6


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_three_seeds_have_no_interval(seeds: int):
    """An estimate, and the reason."""
    few = X[:seeds]
    for interval in (
        stratified_interval(few, IQM, generator()),
        improvement_interval(few, Y, generator()),
        improvement_interval(X, few, generator()),
        hierarchical_interval(X.reshape(5, 5, 5)[:seeds], IQM, generator()),
        profile_band(few, TAUS, generator()),
    ):
        assert (interval.low, interval.high, interval.reason) == (None, None, "n < 3: no interval at all")
        assert np.isfinite(interval.estimate).all()


def test_scores_that_do_not_vary_have_zero_width():
    """By task; if resamples cannot differ, the reason says so."""
    constant = np.tile([0.1, 0.5, 0.9], (4, 1))
    interval = stratified_interval(constant, MEAN, generator())
    assert (interval.low, interval.high, interval.reason) == (
        interval.estimate,
        interval.estimate,
        "constant scores: zero-width interval",
    )
    assert profile_band(constant, TAUS, generator()).reason == "constant scores: zero-width interval"
    assert improvement_interval(constant, constant, generator()).estimate == 0.5
    assert hierarchical_interval(np.ones((3, 2, 1)), MEAN, generator()).reason.startswith("constant")
    clear = improvement_interval(X + 5, Y, generator(), 100)
    assert (clear.low, clear.high) == (1, 1)
    assert clear.reason.startswith("zero width: no two resamples differ")
    ceiling = np.ones((5, 8))
    ceiling[0, 0] = 0.9
    assert stratified_interval(ceiling, IQM, generator(), 100).reason.startswith("zero width")


def test_hierarchical_without_sharing_is_stratified():
    """One student per teacher: the same draws, the same interval."""
    plain = stratified_interval(X, IQM, generator(), 300)
    single = hierarchical_interval(X[:, None, :], IQM, generator(), 300)
    assert (single.estimate, single.low, single.high) == (plain.estimate, plain.low, plain.high)


def test_copies_of_a_student_add_nothing():
    """Three equal students of each teacher: the interval of one. Treated as independent it would be narrower."""
    copies = np.repeat(X[:, None, :], 3, axis=1)
    one, three = (hierarchical_interval(side, MEAN, generator(), 300) for side in (X[:, None, :], copies))
    assert (three.low, three.high) == pytest.approx((one.low, one.high))
    unaware = stratified_interval(copies.reshape(15, 25), MEAN, generator(), 300)
    assert three.low is not None
    assert unaware.low is not None
    assert unaware.low > three.low


def test_wrong_input_is_refused():
    """NaN, axes, levels, repetitions, draws, tasks that do not fit, seeds that differ between tasks."""
    holed = X.copy()
    holed[2, 3] = math.nan
    calls = [
        lambda: IQM(holed),
        lambda: probability_of_improvement(X, holed),
        lambda: stratified_interval(holed, IQM, generator()),
        lambda: hierarchical_interval(X, IQM, generator()),
        lambda: profile(holed, TAUS),
        lambda: profile(X, [0.5, 0.5]),
        lambda: stratified_interval(X, IQM, generator(), level=1),
        lambda: stratified_interval(X, IQM, generator(), 99),
        lambda: stratified_interval(X, IQM, generator(), draws="2n"),  # pyright: ignore[reportArgumentType]
        lambda: probability_of_improvement(X, Y[:, :3]),
        lambda: optimality_gap(math.inf),
        lambda: IQM(X[0]),
        lambda: IQM(np.empty((0, 3))),
    ]
    for call in calls:
        with pytest.raises(StatisticsError):
            call()
    with pytest.raises(StatisticsError, match="each task needs the same number"):
        by_task([[1, 2, 3], [1, 2]])
    with pytest.raises(StatisticsError, match="no seeds"):
        by_task([])
    assert by_task([[1, 2, 3], [4, 5, 6]]).tolist() == [[1, 4], [2, 5], [3, 6]]


def test_one_cell_is_better_off_with_t():
    """The percentile interval of a mean of 5 is narrower than t's: it covers too little (docs/statistics.md)."""
    cell, t = X[:, :1], mean_interval(X[:, 0])
    percentile = stratified_interval(cell, MEAN, generator(), 2000, draws="n")
    assert percentile.low is not None
    assert t.low is not None
    assert percentile.low > t.low
