"""A hundred kills, two commands at once, and shards: every run is there exactly once, with its own numbers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from bench.plan import Plan, Selection, make_plan
from bench.suite import Suite
from bench.suite.loading import load
from tests.crash import Killer, command, outcome, recorded, start, uninterrupted

LONGER = ("budget.episodes=1200", "budget.record_every=100", "budget.evaluate_every=300")
OPTIONS = ("--seeds", "2", *(word for change in LONGER for word in ("--set", change)))
# MAAC and KnowRU on it: a round is one step of twelve open episodes, an update comes every eight or nine of them.
TREASURE = ("budget.episodes=36", "budget.record_every=12", "budget.evaluate_every=36")
TREASURE += ("budget.evaluation_episodes=2", "budget.final_evaluation_episodes=2")
TREASURE += tuple(
    f"{method}.{key}"
    for method in ("maac", "knowru_maac")
    for key in ("updates_per_episode=2", "batch_size=64", "replay_size=2000")
)


@pytest.fixture
def plan(tiny: Suite) -> Plan:
    torch.set_num_threads(1)
    return make_plan(tiny, Selection(seeds=(0, 1), settings=LONGER))


@pytest.fixture
def expected(plan: Plan, tmp_path: Path) -> dict[str, str]:
    return uninterrupted(plan, tmp_path / "whole")


def test_a_hundred_kills(tiny_file: Path, plan: Plan, expected: dict[str, str], tmp_path: Path) -> None:
    """Kills of parents, workers and both, over four cells and two workers, in as many folders as needed."""
    killer, folders = Killer(seed=20261120, longest_s=6.0), 0
    while killer.total < 100:
        results = tmp_path / f"killed{folders}"
        killer.run(command(tiny_file, results, *OPTIONS), most=100)
        assert recorded(results) == expected
        folders += 1
    assert killer.total == 100
    assert min(killer.kills.values()) > 10
    print(f"{killer.kills} in {folders} folder(s)")


def test_kills_inside_treasure_episodes(tmp_path: Path) -> None:
    """Kills of MAAC, as teacher and as baseline, and of KnowRU on it. A kill comes after a checkpoint; the replay
    wraps.
    """
    torch.set_num_threads(1)
    plan = make_plan(load("knowru"), Selection(only=("treasure/VIII",), seeds=(0,), settings=TREASURE))
    assert {plan.cell(run.cell).method for run in plan.runs} == {"maac", "knowru_maac"}
    expected = uninterrupted(plan, tmp_path / "whole")
    options = ("--only", "treasure/VIII", "--seeds", "1", *(word for change in TREASURE for word in ("--set", change)))
    killer, results = Killer(seed=20261201, longest_s=0.5), tmp_path / "killed"
    killer.run(command("knowru", results, *options), most=5, results=results)
    assert killer.total >= 3, "it ended before it was killed three times"
    assert recorded(results) == expected
    print(killer.kills)


def test_two_commands_at_once_on_one_folder(
    tiny_file: Path, plan: Plan, expected: dict[str, str], tmp_path: Path
) -> None:
    """Exactly one of the two trains each run."""
    arguments = command(tiny_file, tmp_path / "shared", *OPTIONS)
    both = [outcome(process) for process in [start(arguments), start(arguments)]]
    trained = [{*run["finished"]} - {*run["before"]} - {*run["elsewhere"]} for run in both]
    assert not trained[0] & trained[1]
    assert trained[0] | trained[1] == {run.id for run in plan.runs}
    assert recorded(tmp_path / "shared") == expected


def test_two_shards_merge_by_copying(tiny_file: Path, expected: dict[str, str], tmp_path: Path) -> None:
    merged = tmp_path / "merged"
    parts = [tmp_path / "first", tmp_path / "second"]
    started = [start(command(tiny_file, p, *OPTIONS, "--shard", f"{i}/2")) for i, p in enumerate(parts, 1)]
    ends = [outcome(process) for process in started]
    assert [len(end["finished"]) for end in ends] == [4, 4]
    assert not {*ends[0]["finished"]} & {*ends[1]["finished"]}
    for part in parts:
        assert set(recorded(part)) < set(expected)
        shutil.copytree(part, merged, dirs_exist_ok=True)
    assert recorded(merged) == expected
    again = outcome(start(command(tiny_file, merged, *OPTIONS)))
    assert (len(again["before"]), again["finished"]) == (8, again["before"])
