"""SAC-CIKD with a replay of a hundred thousand transitions, killed at random moments, ends like an undisturbed run.

On Hopper, whose episodes end early and differ in length. Kills fall into the warm-up, into updates, and into the two
distillations, each of which goes over the whole replay. Some three minutes.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import ROOT

WHY = "mujoco is not installed (extra `mujoco`): kills with a large replay were not tried"
pytestmark = pytest.mark.skipif(find_spec("mujoco") is None, reason=WHY)
KILLS = 8
STORED = 100_000
CHILD = f"""
import json
import sys
import torch
from bench.executors.jobs import run_job
from bench.plan import Selection, make_plan
from bench.run.job import Job
from bench.store import Store, numbers_hash
from bench.suite.loading import load

torch.set_num_threads(1)
changed = {{
    "budget.steps": {STORED + 600},
    "budget.record_every": 10_060,
    "budget.evaluate_every": 50_300,
    "budget.evaluation_episodes": 2,
    "budget.final_evaluation_episodes": 2,
    "warmup_transitions": {STORED},
    "compare_first": {STORED},
    "compare_interval": 500,
    "distill_epochs": 1,
    "hidden_width": 32,
}}
settings = tuple(f"sac_cikd.{{key}}={{value}}" for key, value in changed.items())
plan = make_plan(load("cikd"), Selection(only=("main",), seeds=(0,), settings=settings))
(cell,) = (cell for cell in plan.cells if (cell.method, cell.training_set) == ("sac_cikd", "mujoco/hopper"))
store = Store(sys.argv[1])
store.open_for_writing()
runs = tuple(run for run in plan.runs if run.cell == cell.key)
print("trains", flush=True)
run_job(
    Job(cell=cell, runs=runs, suite_version=1, profile="full", checkpoint_s=0.2), store, lambda: False, lambda _: None
)
(record,) = store.cell(cell.key).records.values()
taught = record.numbers.scores[0].curves["teacher"].steps
print(json.dumps([record.status, taught, numbers_hash(record)]), flush=True)
"""


def child(folder: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    started = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder)], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "trains\n"
    return started


def finished(process: subprocess.Popen[str]) -> list[object]:
    printed, _ = process.communicate(timeout=600)
    assert process.returncode == 0
    return json.loads(printed.splitlines()[-1])


def test_kills_with_a_large_replay_change_nothing(tmp_path: Path) -> None:
    began = time.monotonic()
    whole = finished(child(tmp_path / "whole"))
    length = time.monotonic() - began
    assert whole[:2] == ["finished", [STORED + 1, STORED + 501]]
    chance, kills = random.Random(20261201), 0
    for _ in range(KILLS):
        process = child(tmp_path / "killed")
        try:
            process.wait(chance.uniform(0.05, 0.3) * length)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        assert process.stdout is not None
        process.stdout.close()
        if any((tmp_path / "killed" / "records").glob("*.json")):
            break
    assert kills >= 3, "it ended before it was killed three times"
    assert finished(child(tmp_path / "killed")) == whole
