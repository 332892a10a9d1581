"""Measures: what each kind reads from a curve, and how a margin becomes a number."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.evidence.measures import Evidence
from bench.evidence.readings import Score, one_number
from bench.plan import Selection, make_plan
from bench.stats.estimates import StatisticsError
from bench.store import Store
from bench.suite import Final, Fluctuation, Groups, Margin, Suite, TimeOfBest, Untrained, Window
from tests.synthetic import fill

MEANS = [0.0, 1.0, 2.0, 3.0, 4.0, 9.0, 6.0, 7.0]  # at 2, 4, ... 16 episodes; the first update is at 2


@pytest.fixture
def evidence(tiny: Suite, tmp_path: Path) -> Evidence:
    fill(Store(tmp_path), make_plan(tiny, Selection()), lambda cell, seed: MEANS)
    return Evidence(tiny, Selection(), Store(tmp_path))


@pytest.fixture
def score(evidence: Evidence) -> Score:
    return Score.of(evidence.records[0], 0)


def window(start: float, stop: float, **more: Any) -> Window:
    return Window(id="w", says="w", kind="window", series="training", window=(start, stop), **more)


def test_windows(score: Score) -> None:
    """Shares of 16 episodes: (4, 8] holds the points at 6 and 8; after the first update at 2, (6, 10] 8, 10."""
    assert one_number(window(0.25, 0.5), score) == pytest.approx((2 + 3) / 2)
    assert one_number(window(0.25, 0.5, after="first_update"), score) == pytest.approx((3 + 4) / 2)
    assert one_number(window(0.0, 1.0), score) == pytest.approx(np.mean(MEANS))


def test_untrained_ends_at_the_first_update(score: Score) -> None:
    assert one_number(Untrained(id="u", says="u", kind="untrained", series="training"), score) == 0.0


def test_time_of_best_is_when_the_smoothed_curve_is_highest(score: Score) -> None:
    """The point of 9 is the sixth, at 12 episodes; means of two are highest at the seventh, (9 + 6) / 2 at 14."""
    best = TimeOfBest(id="b", says="b", kind="time_of_best", series="training", smooth=1)
    assert one_number(best, score) == 12
    assert one_number(best.model_copy(update={"smooth": 2}), score) == 14


def test_fluctuation_drops_the_trend(score: Score) -> None:
    """Differences 1, 1, 1, 1, 5, -3, 1 have mean 1 and variance (16 + 16) / 7; halved, and the root."""
    noise = Fluctuation(id="f", says="f", kind="fluctuation", series="training")
    assert one_number(noise, score) == pytest.approx((32 / 7 / 2) ** 0.5)


def test_groups_of_a_final_evaluation_may_weigh_differently(evidence: Evidence, score: Score) -> None:
    """Groups of two that weigh 3 and 1: (3 (1 + 0) / 2 + (1 + 1) / 2) / 4; the fifth episode is not read."""
    scores = score.scores.of(score.scores.curves, [1.0, 0.0, 1.0, 1.0, 0.0])
    grouped = Groups(episodes=2, weights=(3.0, 1.0))
    final = Final(id="final", says="f", kind="final", groups=grouped)
    assert one_number(final, replace(score, scores=scores)) == pytest.approx(0.625)
    assert one_number(Final(id="final", says="f", kind="final"), replace(score, scores=scores)) == pytest.approx(0.6)
    assert grouped.alike == 3  # 2 (3 + 1)^2 / (9 + 1)
    wider = final.model_copy(update={"groups": Groups(episodes=2, weights=(3.0, 1.0, 1.0))})
    with pytest.raises(StatisticsError, match="its final evaluation has 5 episodes; the measure needs 6"):
        one_number(wider, replace(score, scores=scores))


@pytest.mark.parametrize(
    ("margin", "expected"),
    [({"share_of_scale": 0.1}, 0.5), ({"share_of_budget": 0.25}, 4.0), ({"relative": 0.1}, 0.7)],
)
def test_margins(evidence: Evidence, margin: dict[str, float], expected: float) -> None:
    """A tenth of -4 - (-9); a quarter of 16 episodes; a tenth of |-7|."""
    experiment = evidence.suite["experiment", "target"]
    assert evidence.margin(experiment, Margin(**margin), -7.0, "three") == pytest.approx(expected)


def test_time_to_threshold_uses_level_smoothing_and_hold(evidence: Evidence) -> None:
    """The level is the mean 4 minus .5; means of two are .5, 1.5, 2.5, 3.5, so it is reached at the fifth point."""
    values = evidence.values(evidence.suite["experiment", "target"], "student:reach", "three")
    assert list(values.values) == [10.0] * 3
    assert values.reached.all()
