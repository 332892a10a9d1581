"""Numbers of charts: rounded to a screen's resolution, gaps kept, whatever their size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.site.curves import MOST_POINTS, _row, series
from bench.store import Curve


@given(st.lists(st.floats(-1e15, 1e15).filter(lambda v: v == 0 or abs(v) > 1e-15), min_size=1, max_size=8))
def test_four_digits_as_a_float_writes_them(values: list[float]) -> None:
    for value, found in zip(values, _row(np.array(values)), strict=True):
        assert found is not None
        assert found == pytest.approx(value, rel=5.1e-4)
        assert float(f"{found:.4g}") == found


def test_holes_stay_holes() -> None:
    assert _row(np.array([1.0, np.nan, -22.4412345, 0.0])) == [1.0, None, -22.44, 0.0]


def curve(episodes: tuple[int, ...], mean: tuple[float | None, ...]) -> Curve:
    zeros = (0.0,) * len(mean)
    return Curve(episodes=episodes, steps=episodes, mean=mean, sd=zeros, n=(1,) * len(mean))


def test_a_seed_with_other_points_has_gaps() -> None:
    found = series("training", {0: curve((2, 4), (1.0, 2.0)), 3: curve((4, 6), (5.0, 7.0))}, "episodes")
    assert found["at"] == (2, 4, 6)
    assert found["values"] == [[1.0, 2.0, None], [None, 5.0, 7.0]]
    assert found["mean"] == [None, 3.5, None]
    assert "half" not in found  # two seeds have no interval


def test_the_interval_is_student_s() -> None:
    found = series("training", {s: curve((2,), (v,)) for s, v in enumerate((1.0, 2.0, 3.0))}, "episodes")
    assert (found["mean"], found["half"]) == ([2.0], [2.484])


def test_a_long_curve_keeps_its_ends() -> None:
    points = tuple(range(1, 1001))
    found = series("training", {0: curve(points, tuple(map(float, points)))}, "episodes")
    assert (found["at"][0], found["at"][-1], len(found["at"])) == (1, 1000, MOST_POINTS)
    assert found["values"] == [list(map(float, found["at"]))]


def test_losses_are_means_alone() -> None:
    two = {0: curve((2,), (1.0,)), 1: curve((2,), (2.0,))}
    assert (series("loss/q", two, "episodes")["values"], series("loss/q", two, "episodes")["mean"]) == ([], [1.5])
    assert series("training", two, "episodes")["values"] == [[1.0], [2.0]]
