"""Exact rank-sum tests: literal answers, every arrangement by a plain loop, and scipy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, rankdata

from bench.stats.estimates import StatisticsError
from bench.stats.rank_sums import least_p, rank_sum, shared_level, two_sided

scores = st.lists(st.integers(0, 4).map(float), min_size=1, max_size=5)


def test_literal_answers() -> None:
    assert rank_sum([1, 2, 3], [4, 5, 6]) == (1 / 20, 1.0)
    assert rank_sum([4, 5, 6], [1, 2, 3]) == (1.0, 1 / 20)
    assert rank_sum([2.0], [1.0, 3.0]) == (2 / 3, 2 / 3)
    assert rank_sum([1, 1], [1, 1, 1]) == (1.0, 1.0)
    assert two_sided([1, 2, 3], [4, 5, 6]) == 0.1 == least_p(3, 3)


@given(scores, scores)
def test_with_ties_it_is_every_arrangement_counted(a: list[float], b: list[float]) -> None:
    ranks = rankdata([*a, *b])
    own = ranks[: len(a)].sum()
    sums = [sum(chosen) for chosen in itertools.combinations(ranks, len(a))]
    lower, higher = (sum(s <= own for s in sums) / len(sums), sum(s >= own for s in sums) / len(sums))
    assert rank_sum(a, b) == pytest.approx((lower, higher), rel=1e-12)


@pytest.mark.parametrize(("n", "m"), [(3, 10), (10, 10), (10, 30), (7, 2)])
def test_without_ties_it_is_scipys(n: int, m: int) -> None:
    rng = np.random.default_rng(n * m)
    a, b = rng.normal(0.4, 1, n), rng.normal(0, 1, m)
    for p, side in zip(rank_sum(a, b), ("less", "greater"), strict=True):
        assert p == pytest.approx(mannwhitneyu(a, b, alternative=side, method="exact").pvalue, rel=1e-9)


def test_the_least_p_is_reached() -> None:
    assert least_p(5, 10) == pytest.approx(2 / math.comb(15, 5))
    assert two_sided(np.arange(5), np.arange(10) + 9.0) == pytest.approx(least_p(5, 10), rel=1e-12)
    assert least_p(1, 1) == 1.0


def test_a_shared_level_is_paid_by_tests_that_can_reach_it_alone() -> None:
    assert shared_level([], 0.01) == 0.01
    assert shared_level([1e-6] * 4, 0.01) == 0.0025
    assert shared_level([1e-6, 1e-6, 0.5, 0.5], 0.01) == 0.005
    assert shared_level([0.5] * 9, 0.01) == 0.01


@given(st.lists(st.floats(1e-9, 1.0), min_size=1, max_size=12))
def test_the_shares_of_those_that_can_reach_it_never_exceed_the_whole(least: list[float]) -> None:
    level = shared_level(least, 0.01)
    assert sum(p <= level for p in least) * level <= 0.01 * (1 + 1e-12)


@pytest.mark.parametrize("error", [0.0, 1.0, math.nan])
def test_bad_levels_are_refused(error: float) -> None:
    with pytest.raises(StatisticsError, match="error: got"):
        shared_level([0.1], error)


def test_bad_scores_are_refused() -> None:
    with pytest.raises(StatisticsError):
        rank_sum([], [1.0])
    with pytest.raises(StatisticsError):
        rank_sum([math.nan], [1.0])
