"""Steps of games in progress, killed with SIGKILL at random moments inside an episode, resumed, and killed again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.toys.test_training import METHODS

CHILD = """
import sys
from pathlib import Path
import torch
import bench.envs.registry
from baselines.specs import ALGORITHMS
from bench.executors.jobs import run_job
from bench.plan import Run, run_id
from bench.run.job import Job
from bench.store import Store, numbers_hash
from tests.toys.family import families
from tests.toys.learner import TOY_DRIFT, TOY_Q
from tests.toys.test_training import cell

torch.set_num_threads(1)
bench.envs.registry.FAMILIES = families()
ALGORITHMS["toy_q"], ALGORITHMS["toy_drift_by_steps"] = TOY_Q, TOY_DRIFT
folder, method, family = sys.argv[1:]
budget = {"steps": 1200, "record_every": 120, "evaluate_every": 600}
own = cell(method, family, budget=budget)
store = Store(folder)
store.open_for_writing()
runs = tuple(Run(id=run_id(own.key, seed, ()), cell=own.key, seed=seed) for seed in (0, 1))
job = Job(cell=own, runs=runs, suite_version=1, profile="full", checkpoint_s=0.0)
print("trains", flush=True)
run_job(job, store, lambda: False, lambda _: None)
import json
print(json.dumps({seed: numbers_hash(record) for seed, record in store.cell(own.key).records.items()}), flush=True)
"""


def child(folder: Path, method: str, family: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), method, family],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> dict[str, str]:
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return json.loads(out.splitlines()[-1])


@pytest.mark.parametrize("family", ["toy_one", "toy_batch"])
@pytest.mark.parametrize("method", ["toy_q", "toy_drift_by_steps"])
def test_kills_inside_episodes_change_nothing(method: str, family: str, tmp_path: Path) -> None:
    assert method in METHODS
    whole = finished(child(tmp_path / "whole", method, family))
    chance, kills = random.Random(f"{method} {family}"), 0
    for _ in range(6):
        process = child(tmp_path / "killed", method, family)
        assert process.stdout is not None
        assert process.stdout.readline() == "trains\n"
        time.sleep(chance.uniform(0.2, 2.0))
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        process.stdout.close()
        if any((tmp_path / "killed" / "records").glob("*.json")):
            break
    assert kills
    assert finished(child(tmp_path / "killed", method, family)) == whole
