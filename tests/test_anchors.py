"""The anchors of scale in the suite files are the scripts' measured scores."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.envs import Assets
from bench.envs.anchors import measure_anchors
from bench.suite import Scenario, Suite
from bench.suite.loading import load
from bench.suite.shipped import opponents
from tests.conftest import ROOT, Bench

SEEDS, EPISODES = 4, 150


@pytest.mark.parametrize(
    "id_", ["mpe/speaker_listener", "mpe/push", "mpe/adversary", "mpe/adversary/b", "mpe/adversary/c"]
)
def test_the_anchors_of_mkt_marl_can_be_measured_again(id_: str) -> None:
    """5,000 episodes against the file's 20,000, with the opponents that come with the project.

    EPyMARL's adversary, which the primary reading plays against, does not come with it.
    """
    scenario: Scenario = load("mkt_marl").under("first-edition")["scenario", id_]
    assert scenario.anchors is not None
    chosen = scenario.family, scenario.params, scenario.steps, scenario.metric
    measured = measure_anchors(*chosen, SEEDS, 1250, assets=Assets(opponents()))
    for name, score in measured.items():
        stated = getattr(scenario.anchors, name)
        assert score["mean"] == pytest.approx(stated, abs=5 * score["sd"] / SEEDS**0.5 + 0.05), name
    assert measured["random"]["mean"] < measured["no_information"]["mean"] < measured["good"]["mean"]


@pytest.mark.parametrize("id_", ["spread/I", "spread/II", "spread/III", "adversary/IV", "adversary/VI"])
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


def test_bench_anchors_prints_them(bench_here: Bench) -> None:
    done = bench_here("anchors", "knowru", "--seeds", "3", "--episodes", "5")
    assert done.returncode == 0, done.stderr
    ids = [line.partition(":")[0] for line in done.stdout.splitlines()]
    treasure = ["treasure/VII", "treasure/VIII"]
    assert ids == ["spread/I", "spread/II", "spread/III", "adversary/IV", "adversary/V", "adversary/VI", *treasure]
    assert "adversary/IV/good: not measured: both sides learn" in done.stderr


def test_bench_anchors_against_an_opponent_or_a_stand_in(bench_here: Bench, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.toml"
    named = (ROOT / "suites/mkt_marl.toml").read_text()
    elsewhere.write_text(re.sub('opponent_sha256 = "[0-9a-f]{64}"', f'opponent_sha256 = "{"0" * 64}"', named))
    done = bench_here("anchors", elsewhere, "--seeds", "3", "--episodes", "2")
    assert done.returncode == 2
    for words in ("scenario[mpe/adversary]", f"{'0' * 64}.safetensors: No such file", "give --opponent"):
        assert words in done.stderr
    few = ("anchors", "mkt_marl", "--seeds", "3", "--episodes", "2")
    wrong = bench_here(*few, "--opponent", "greedy")
    assert wrong.returncode == 2
    assert 'did you mean "greedy_script"' in wrong.stderr
    assert bench_here(*few, "--reading", "first-editions").returncode == 2
    ids = [line.partition(":")[0] for line in bench_here(*few, "--opponent", "greedy_script").stdout.splitlines()]
    others = ["mpe/adversary", "mpe/adversary/b", "mpe/adversary/c", "mpe/adversary/self-play"]
    assert ids == ["mpe/speaker_listener", "mpe/push", *others]
