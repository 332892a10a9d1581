"""Training functions on tasks whose actions are numbers; one agent in gymnasium's form."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest

from bench.guests.method import Guest
from bench.guests.places import entry
from bench.guests.task import Task
from bench.plan import Selection
from bench.suite.loading import load
from tests.compare.conftest import Played, known

WHY = "mujoco is not installed (extra `mujoco`): no method from elsewhere played a continuous task"
mujoco = pytest.mark.skipif(find_spec("mujoco") is None, reason=WHY)
HOPPER: dict[str, Any] = {"suite": "cikd", "only": "main", "steps": 60, "record_every": 20}
HOPPER |= {"evaluate_every": 30, "evaluation_episodes": 2, "final_evaluation_episodes": 3}


@mujoco
def test_a_function_gets_one_agent_as_gymnasium_has_it(played: Played) -> None:
    """The harness counts, scores and plays: other pushes score differently, on the same episodes."""
    record = played("continuous:pushes", **HOPPER)
    assert record.status == "finished", record.reason
    (scores,) = record.numbers.scores
    assert scores.curves["evaluation"].steps == (0, 60)
    assert {*scores.curves["training"].steps} <= {20, 40, 60}
    assert len(scores.returns) == 3
    other = played("continuous:pushes", hyperparameters={"push": -1.0}, **HOPPER)
    assert other.numbers.scores[0].returns != scores.returns
    assert other.numbers.weights != record.numbers.weights
    assert not record.remarks


@mujoco
def test_what_is_no_action_is_refused_on_both_sides(played: Played) -> None:
    record = played("continuous:errs", **HOPPER)
    assert record.status == "failed"
    assert "actions[agent_0]: got -2.0; allowed: -1 to 1" in record.reason


def test_several_agents_are_no_gymnasium_environment() -> None:
    says: dict[str, Any] = {"agents": ["a", "b"], "obs_sizes": [1, 1], "action_sizes": [2, 2], "continuous": True}
    says |= dict.fromkeys(("seed", "budget", "episode_limit"), 1)
    says |= {"name": "x", "hyperparameters": {}, "teacher": False}
    task = Task(None, says)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"got the agents a, b; allowed: one; use task\.environment"):
        task.gymnasium()


def test_a_learner_from_elsewhere_is_told_that_it_cannot(described: Callable[[str], Guest]) -> None:
    selection = Selection(profile="smoke", only=("main",), seeds=(0,))
    learner = known("forgers:Honest", described)
    there = entry(load("cikd"), selection, learner, ())
    assert not there.contests
    assert any("a training function: actions are continuous here" in own.waits_for for own in there.plan.waiting)
