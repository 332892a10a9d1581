"""Rank intervals: literal answers, and coverage of a known truth."""

import numpy as np
import pytest

from bench.stats.estimates import StatisticsError
from bench.stats.ranks import Rank, rank_intervals


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_methods_far_apart_have_one_rank_each() -> None:
    methods = [[[1.0, 1.1, 1.2]], [[5.0, 5.1, 5.2]], [[3.0, 3.1, 3.2]]]
    assert rank_intervals(methods, generator()) == (Rank(3, 3, 3), Rank(1, 1, 1), Rank(2, 2, 2))


def test_equal_methods_cover_both_ranks() -> None:
    same = [0.1, 0.5, 0.9, 0.4]
    assert [(r.low, r.high) for r in rank_intervals([[same], [same]], generator())] == [(1, 2), (1, 2)]


def test_constant_equal_methods_share_the_better_rank() -> None:
    methods = [[[2.0, 2.0, 2.0]], [[2.0, 2.0, 2.0]], [[1.0, 1.0, 1.0]]]
    assert rank_intervals(methods, generator()) == (Rank(1, 1, 1), Rank(1, 1, 1), Rank(3, 3, 3))


def test_cells_weigh_the_same_whatever_their_seeds() -> None:
    """Means 0 and 4 make 2; pooled, the seeds of the first would make 1.2."""
    unequal = [[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [4.0, 4.0, 4.0]]
    between = [[1.5, 1.5, 1.5], [1.5, 1.5, 1.5]]
    assert [r.rank for r in rank_intervals([unequal, between], generator())] == [1, 2]


def test_fewer_than_three_seeds_give_no_interval() -> None:
    assert rank_intervals([[[1.0, 2.0]], [[5.0, 5.0, 6.0]]], generator()) == (Rank(2, None, None), Rank(1, None, None))


def test_the_same_generator_gives_the_same_intervals() -> None:
    methods = [[np.random.default_rng(m).normal(m / 3, 1, 5)] for m in range(6)]
    assert rank_intervals(methods, generator()) == rank_intervals(methods, generator())


def test_interval_holds_the_true_rank_of_methods_that_differ() -> None:
    """Five methods half a standard deviation apart, 5 seeds each: the true rank lies inside."""
    draw, held = np.random.default_rng(1), []
    for _ in range(200):
        methods = [[draw.normal(0.5 * m, 1.0, 5)] for m in range(5)]
        found = rank_intervals(methods, draw, repetitions=500)
        held += [(r.low or 0) <= 5 - m <= (r.high or 0) for m, r in enumerate(found)]
    assert np.mean(held) >= 0.95


@pytest.mark.parametrize("methods", [[[]], [[[1.0, float("nan"), 2.0]]]])
def test_refuses_what_has_no_rank(methods: list) -> None:
    with pytest.raises(StatisticsError):
        rank_intervals(methods, generator())
