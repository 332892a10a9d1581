"""The anchors of scale in the suite files are what the scripts measure."""

from __future__ import annotations

import pytest

from bench.envs.anchors import measure_anchors
from bench.suite import Scenario, Suite
from tests.conftest import Bench

SEEDS, EPISODES = 4, 150


@pytest.mark.parametrize("id_", ["spread/I", "spread/II", "spread/III"])
def test_the_anchors_can_be_measured_again(knowru: Suite, id_: str) -> None:
    """600 episodes against the file's 10,000: within five standard errors, from the spread between seeds as stated
    by the measurement itself, and at least half a percent of the value.
    """
    scenario: Scenario = knowru["scenario", id_]
    assert scenario.anchors is not None
    measured = measure_anchors(scenario.family, scenario.params, scenario.steps, scenario.metric, SEEDS, EPISODES)
    for name, score in measured.items():
        stated = getattr(scenario.anchors, name)
        allowed = max(5 * score["sd"] / SEEDS**0.5, 0.005 * abs(stated))
        assert score["mean"] == pytest.approx(stated, abs=allowed), name
    assert measured["random"]["mean"] < measured["no_information"]["mean"] < measured["good"]["mean"]


def test_bench_anchors_prints_them(bench: Bench) -> None:
    done = bench("anchors", "knowru", "--seeds", "3", "--episodes", "5")
    assert done.returncode == 0, done.stderr
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["spread/I", "spread/II", "spread/III"]
