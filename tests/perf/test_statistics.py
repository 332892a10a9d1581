"""The stratified bootstrap beside rliable's: 50,000 repetitions of 5 methods x 25 tasks x 5 seeds, and its memory.

Both give the same numbers to the last bit on the same stream, which is asserted too. They take turns, method by method.
"""

from __future__ import annotations

import tracemalloc

import numpy as np
from rliable import library, metrics

from bench.stats.aggregates import IQM
from bench.stats.bootstrap import stratified_interval
from tests.perf.measure import milliseconds

METHODS, TASKS, SEEDS, REPETITIONS = 5, 25, 5, 50_000
REQUIRED = 25.0  # times rliable's speed
MEGABYTES = 100


def ours(scores: np.ndarray, stream: int) -> tuple[float | None, float | None]:
    interval = stratified_interval(scores, IQM, np.random.RandomState(stream), REPETITIONS, draws="n")
    return interval.low, interval.high


def rliables(scores: np.ndarray, stream: int) -> tuple[float, float]:
    np.random.seed(stream)  # noqa: NPY002  rliable draws from the global state
    _, ends = library.get_interval_estimates(
        {"method": scores}, lambda drawn: np.array([metrics.aggregate_iqm(drawn)]), reps=REPETITIONS
    )
    return float(ends["method"][0, 0]), float(ends["method"][1, 0])


def in_turns(methods: np.ndarray) -> tuple[list[float], list[float]]:
    """Milliseconds of ours and of rliable's by method; their intervals must be equal."""
    taken: tuple[list[float], list[float]] = ([], [])
    found: list[tuple] = []
    for stream, scores in enumerate(methods):
        for times, run in zip(taken, (ours, rliables), strict=True):
            times.append(milliseconds(lambda run=run, scores=scores, stream=stream: found.append(run(scores, stream))))
        assert found[-1] == found[-2]
    return taken


def peak_megabytes(methods: np.ndarray) -> float:
    """Of numpy's and Python's allocations while all methods are bootstrapped."""
    tracemalloc.start()
    for stream, scores in enumerate(methods):
        ours(scores, stream)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def test_25_times_rliable_in_100_megabytes(benchmark, table):
    methods = np.random.default_rng(1).beta(8, 2, (METHODS, SEEDS, TASKS))
    own, other = benchmark.pedantic(in_turns, args=(methods,), rounds=1)
    memory, ratio = peak_megabytes(methods), sum(other) / sum(own)
    table(
        f"IQM intervals, {METHODS} methods x {TASKS} tasks x {SEEDS} seeds, {REPETITIONS:,} repetitions, CPU seconds",
        ["ours", "rliable", "ratio", "peak MB of ours"],
        [[f"{sum(own) / 1000:.2f}", f"{sum(other) / 1000:.1f}", f"{ratio:.1f}", f"{memory:.1f}"]],
    )
    benchmark.extra_info |= {"cpu_ms": [own, other], "ratio": ratio, "peak_mb": memory}
    assert ratio >= REQUIRED
    assert memory < MEGABYTES
