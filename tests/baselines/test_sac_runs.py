"""Runs of SAC through the whole harness: stops inside episodes, on real tasks, and their records."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from baselines.specs import ALGORITHMS, SAC
from bench.plan import Cell, Scored, cell_settings, digest
from bench.store import numbers_hash
from tests.baselines.test_sac import SETTINGS
from tests.toys.test_training import trained

WHY = "mujoco is not installed (extra `mujoco`): no run on a real task was stopped and resumed"
pytestmark = pytest.mark.skipif(find_spec("mujoco") is None, reason=WHY)


def cell(name: str) -> Cell:
    """120 steps in episodes of at most 50: each of the 70 steps after the warm-up makes an update."""
    budget = {"steps": 120, "record_every": 40, "evaluate_every": 60}
    budget |= {"evaluation_episodes": 2, "final_evaluation_episodes": 2}
    settings = SETTINGS | {"warmup_transitions": 51, "replay_size": 80, "hidden_width": 8}
    others: dict[str, Any] = {
        "algorithm": {"name": "sac", "version": ALGORITHMS["sac"].version},
        "hyperparameters": SAC.model_validate(settings).model_dump(),
        "budget": budget,
    }
    scenario = Scored(family="mujoco", version=1, params={"name": name}, episode_limit=50, metric="return_sum")
    own = cell_settings((scenario,), others)
    names: dict[str, Any] = dict.fromkeys(("suite", "experiment", "method", "training_set"), "toy")
    return Cell(key=digest(own), scenarios=(name,), settings=own, seeds=(0, 1), notes=(), **names)


@pytest.mark.parametrize("name", ["Ant-v4", "Humanoid-v4"])
def test_stopped_inside_episodes_a_run_ends_as_an_uninterrupted_one(name: str, tmp_path: Path) -> None:
    """In other company, too. HalfCheetah would not show a fault: its numbers depend on nothing that a restore omits."""
    own = cell(name)
    whole = trained(tmp_path / "whole", own, (0, 1))
    stopped = trained(tmp_path / "stopped", own, (1,), (0,), stops=(17, 30, 44))  # after 18, 49 and 94 steps
    hashes = {seed: numbers_hash(record) for seed, record in whole.items()}
    assert len({*hashes.values()}) == 2
    assert {seed: numbers_hash(record) for seed, record in stopped.items()} == hashes
    assert {record.status for record in whole.values()} == {"finished"}
    assert whole[0].numbers.first_update == 51
    assert {"gymnasium", "mujoco"} <= whole[0].provenance.packages.keys()
