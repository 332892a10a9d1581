"""Measures of the second of two phases, by literal curves: 6 points from 40 to 100 episodes."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from baselines.specs import ALGORITHMS
from bench.evidence.measures import Evidence
from bench.evidence.readings import Score, numbers, one_number
from bench.stats.estimates import StatisticsError
from bench.store import Curve, Scores
from bench.suite import AtTurn, FirstReach, Spread, Window
from bench.suite.contradictions import wrong_budget
from bench.suite.loading import load
from bench.suite.windows import too_short_for


def curve(at: Sequence[int], means: Sequence[float]) -> Curve:
    n = len(at)
    steps = tuple(25 * e for e in at)
    return Curve(episodes=tuple(at), steps=steps, updates=None, mean=tuple(means), sd=(0.0,) * n, n=(1,) * n)


def score(means: Sequence[float], turn: int | None = 40) -> Score:
    curves = {"evaluation": curve(range(50, 101, 10), means), "turn": curve([40], [7.0])}
    curves["turn/own_corner"] = curve([40], [0.25])
    return Score("run", Scores.of(curves, [0.0]), "episodes", 100, 4, turn)


def window(**more: Any) -> Window:
    return Window(id="w", says="w", kind="window", series="evaluation", after="turn", **more)


def test_windows_are_shares_of_the_second_phase() -> None:
    """60 episodes from 40 on: (40, 70] and (70, 100] hold three points each."""
    own = score([1, 2, 3, 10, 20, 30])
    assert one_number(window(window=(0.0, 0.5)), own) == 2
    assert one_number(window(window=(0.5, 1.0)), own) == 20
    assert numbers(window(window=(0.5, 1.0)), [own, score([0, 0, 0, 1, 1, 1])]).tolist() == [20, 1]
    with pytest.raises(StatisticsError, match="no second phase"):
        one_number(window(window=(0.0, 0.5)), score([0] * 6, turn=None))


def test_what_is_told_at_the_turn() -> None:
    own = score([0] * 6)
    assert one_number(AtTurn(id="a", says="a", kind="at_turn"), own) == 7
    assert one_number(AtTurn(id="a", says="a", kind="at_turn", of="own_corner"), own) == 0.25
    with pytest.raises(StatisticsError, match="no curve turn/other"):
        one_number(AtTurn(id="a", says="a", kind="at_turn", of="other"), own)


def test_a_spread_is_how_far_each_run_lies_from_the_median() -> None:
    """Medians of the last three points are 2, 2, 2; the first three are outside the window."""
    own = [score([99, 99, 99, *[x] * 3]) for x in (1.0, 2.0, 6.0)]
    spread = Spread(id="s", says="s", kind="spread", series="evaluation", after="turn", window=(0.5, 1.0))
    assert numbers(spread, own).tolist() == [1, 0, 4]


def test_a_time_counts_from_the_turn_and_is_censored_at_what_is_left() -> None:
    """Level 5: held for two points from 60 and from 70 on, 20 and 30 episodes after the turn; one never holds it."""
    table = {
        "id": "t",
        "says": "t",
        "kind": "first_reach",
        "series": "evaluation",
        "level": "m:w",
        "smooth": 1,
        "hold": 2,
    }
    measure = FirstReach.model_validate({**table, "below": {"absolute": 0.1}, "after": "turn"})
    own = cast(Evidence, SimpleNamespace(threshold=lambda *_: 5.0, budget=lambda *_: 100))
    experiment = load("dvm")["experiment", "spread/discrete"]
    scores = [score([0, 9, 9, 9, 9, 9]), score([0, 9, 0, 9, 0, 9]), score([0, 0, 6, 6, 6, 6])]
    times = Evidence.first_reach(own, experiment, measure, "s", None, scores)
    assert times.values.tolist() == [20, 60, 30]
    assert times.reached.tolist() == [True, False, True]


def test_a_first_phase_is_held_against_rounds_and_recording() -> None:
    """Rounds of 4 episodes; for a method with only one phase none may be stated."""
    suite = load("dvm")

    def problems(method: str, **changed: int) -> str:
        values = {name: s.value for name, s in suite.settings(method).items()}
        model = ALGORITHMS[suite["method", method].algorithm].hyperparameters.model_validate(values)
        budget = {"episodes": 80, "first_phase": 40, "record_every": 20, "evaluate_every": 20}
        return " ".join(map(str, wrong_budget("e", method, model, 25, budget | changed)))

    assert problems("maddpg_dvm") == ""
    assert "a first phase up to 80" in problems("maddpg_dvm", first_phase=80)
    assert "a divisor of the first phase of 60" in problems("maddpg_dvm", first_phase=60, record_every=40)
    assert "which has only one phase" in problems("maddpg")


def test_a_window_of_the_second_phase_that_holds_no_point_is_found() -> None:
    """The first twentieth of 7,000 episodes holds 17 points of 20; of 40 it holds none."""
    suite = load("dvm")
    assert too_short_for(suite, "full") == {}
    short = {"episodes": 80, "first_phase": 40}
    full = suite.profile["full"].model_validate({"says": "short", "budget": short})
    found = too_short_for(suite.model_copy(update={"profile": {"full": full}}), "full")
    assert "start" in found
    assert "(40, 42] of 80" in found["start"].got
