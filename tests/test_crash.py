"""Two commands at once, shards merged by copying, workers killed; tests/slow kills a hundred times.

tests/test_run.py kills a command in the middle of training.
"""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.executors.dispatch import Options
from bench.executors.local import execute
from bench.plan import Plan, Selection, make_plan, sharded
from bench.store import Store
from bench.suite import Suite
from tests.crash import command, outcome, recorded, start, uninterrupted


@pytest.fixture
def plan(tiny: Suite) -> Plan:
    torch.set_num_threads(1)
    return make_plan(tiny, Selection(seeds=(0, 1)))


@pytest.fixture
def expected(plan: Plan, tmp_path: Path) -> dict[str, str]:
    return uninterrupted(plan, tmp_path / "whole")


def test_two_commands_at_once(tiny_file: Path, tmp_path: Path) -> None:
    """Exactly one of the two trains each run."""
    arguments = command(tiny_file, tmp_path / "shared", "--only", "source", "--seeds", "2", "--jobs", "1")
    both = [outcome(process) for process in [start(arguments), start(arguments)]]
    trained = [{*run["finished"]} - {*run["before"]} - {*run["elsewhere"]} for run in both]
    assert not trained[0] & trained[1]
    assert trained[0] | trained[1] == set(recorded(tmp_path / "shared"))
    assert len(recorded(tmp_path / "shared")) == 2


def test_two_shards_merge_by_copying(plan: Plan, expected: dict[str, str], tmp_path: Path) -> None:
    merged = tmp_path / "merged"
    for shard in ("1/2", "2/2"):
        part = uninterrupted(sharded(plan, shard), tmp_path / shard[0])
        assert len(part) == 4
        shutil.copytree(tmp_path / shard[0], merged, dirs_exist_ok=True)
    assert recorded(merged) == expected


def test_a_worker_killed_before_it_has_its_orders(
    request: pytest.FixtureRequest, tiny: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is named as failed, without a record, and the next command trains it."""
    plan, store = make_plan(tiny, Selection(only=("source",), seeds=(0,))), Store(tmp_path)
    store.open_for_writing()
    with monkeypatch.context() as patch:
        patch.setattr("sys.executable", shutil.which("true"))
        dead = execute(plan, store, Options(jobs=1), lambda _: None)
    assert "the process ended with code 0" in next(iter(dead.failed.values()))
    assert not dead.broken
    request.getfixturevalue("warm_workers")
    alive = execute(plan, store, Options(jobs=1), lambda _: None)
    assert len(alive.finished) == 1
    assert not alive.failed


def test_a_worker_killed_in_mid_training_is_named(tiny: Suite, tmp_path: Path) -> None:
    plan = make_plan(tiny, Selection(only=("source",), seeds=(0,), settings=("budget.episodes=100000",)))
    store = Store(tmp_path)
    store.open_for_writing()

    def kill(event: dict[str, Any]) -> None:
        if event["event"] == "progress":
            for child in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split():
                os.kill(int(child), signal.SIGKILL)

    outcome = execute(plan, store, Options(jobs=1), kill)
    assert "killed by signal 9" in next(iter(outcome.failed.values()))
    assert store.record(plan.runs[0].id) is None
