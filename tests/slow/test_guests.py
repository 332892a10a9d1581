"""`bench compare` killed during a run: no process of the guest is left, and files that it left count nowhere."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.plan import Selection, make_plan
from bench.store import Store
from bench.suite.loading import load
from tests.compare.conftest import HERE, printed_ids, still_there
from tests.conftest import ROOT
from tests.crash import ENVIRONMENT
from tests.synthetic import fill

IDS = 4  # that hostile:forks_and_hangs prints
COMMAND = "compare hostile:{method} --suite knowru --profile smoke --only spread/I --seeds 1 --results runs"


def started(folder: Path, method: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench", *COMMAND.format(method=method).split()]
    environment = ENVIRONMENT | {"PYTHONPATH": f"{HERE}:{ROOT}"}
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)


def children(process: int) -> list[int]:
    return [int(id_) for id_ in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


@pytest.mark.parametrize("whom", ["parent", "worker", "both"])
def test_a_killed_harness_leaves_nothing_of_its_guest(whom: str, tmp_path: Path) -> None:
    process = started(tmp_path, "forks_and_hangs")
    deadline = time.monotonic() + 120
    while len(ids := printed_ids(tmp_path / "runs")) < IDS and time.monotonic() < deadline:
        time.sleep(0.05)
    (worker,) = children(process.pid)
    assert len(still_there(ids, 0)) == IDS
    smuggled = smuggle(tmp_path)
    for victim in {"parent": [process.pid], "worker": [worker], "both": [process.pid, worker]}[whom]:
        os.kill(victim, signal.SIGKILL)
    process.communicate(timeout=60)
    assert still_there([*ids, worker]) == []
    store = Store(tmp_path / "runs")
    assert store.settled(smuggled) is None
    done = started(tmp_path, "raises")
    _, errors = done.communicate(timeout=120)
    assert done.returncode == 3, errors
    assert store.settled(smuggled) is None
    assert not store.ledger.watching
    assert [path.name.partition(".")[0] for path in store.ledger.aside.iterdir()] == [smuggled]


def smuggle(folder: Path) -> str:
    """A guest without Landlock can do it: write a sound record of one of the suite's own runs. Returns that run."""
    plan = make_plan(load("knowru"), Selection(profile="smoke", only=("spread/I",), seeds=(0,)))
    run = next(run for run in plan.runs if not run.teachers)
    forged = Store(folder / "forged")
    fill(forged, plan.model_copy(update={"runs": (run,)}), lambda cell, seed: [0.0] * 12)
    shutil.copy(forged.record_path(run.id), folder / "runs" / "records")
    return run.id
