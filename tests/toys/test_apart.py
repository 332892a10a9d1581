"""An environment in a process of its own: the same episodes; a crash, a hang, a leak each end the run with a reason."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import bench.envs.registry
from bench.envs.apart import Apart, EnvironmentLimits
from bench.envs.one import EnvironmentFailed
from bench.envs.several import Several
from bench.plan import Run, run_id
from bench.run.job import Job
from bench.store import Store, numbers_hash
from tests.conftest import ROOT
from tests.toys.family import ToyOne, ToyParams, families
from tests.toys.test_training import cell, trained

PARAMS = ToyParams(name="toy", agents=2)
SMALL = EnvironmentLimits(start_s=60.0, call_s=30.0, memory_bytes=2**30)


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Lets the other process find the toys, which are not part of the product."""
    monkeypatch.setattr(bench.envs.registry, "FAMILIES", families())
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)


def apart(kind: str = "one", limits: EnvironmentLimits = SMALL) -> Apart:
    return Apart(f"tests.toys.one:{kind}", PARAMS, limits)


def test_it_plays_the_same_episodes() -> None:
    ours, theirs = apart(), ToyOne(PARAMS)
    try:
        for seed in (3, 4, 9):
            assert [own.tolist() for own in ours.reset(seed)] == [own.tolist() for own in theirs.reset(seed)]
            over = False
            while not over:
                given, expected = ours.step([1, 2]), theirs.step([1, 2])
                assert [own.tolist() for own in given.obs] == [own.tolist() for own in expected.obs]
                assert (given.rewards, given.outcome) == (expected.rewards, expected.outcome)
                assert (given.terminated, given.truncated) == (expected.terminated, expected.truncated)
                over = given.terminated or given.truncated
        assert ours.avail_actions() is None
    finally:
        ours.close()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("crashes", r"its process was killed by signal 6 \(SIGABRT\)"),
        ("hangs", "it gave no answer within 1 s"),
        ("leaks", "MemoryError: no message; the limit is 1 GiB"),
        ("raises", "ValueError: no more"),
        ("exits", "its process ended with code 3: no message"),
        ("chatters", "its process ended with code 5: and no further"),
        ("swaps", "its process ended with code 4"),
        ("grows", r"obs: got shapes \[\[4\], \[5\]\]; declared: \[\[2\], \[3\]\]"),
    ],
)
def test_what_goes_wrong_is_said(kind: str, said: str) -> None:
    environment = apart(kind, replace(SMALL, call_s=1.0) if kind == "hangs" else SMALL)
    environment.reset(0)
    with pytest.raises(EnvironmentFailed, match=said):
        environment.step([0, 0])
    environment.close()
    assert not Path(environment._elsewhere.scratch).exists()


def test_a_target_that_is_not_there_is_said() -> None:
    with pytest.raises(EnvironmentFailed, match=r"AttributeError: .*nothing_there"):
        apart("nothing_there")


def test_it_leaves_no_orphan(tmp_path: Path) -> None:
    """When the harness is killed with -9, the environment, its processes and its folder go too."""
    code = (
        "from tests.toys.test_apart import *; import time; e = apart('starts_another'); e.reset(0); "
        "print(e._elsewhere.process.pid, e._elsewhere.scratch, flush=True); time.sleep(100)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    harness = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path)
    assert harness.stdout is not None
    keeper, scratch = harness.stdout.readline().split()
    started = Path(scratch, "started").read_text().split()
    assert len(started) == 2
    assert all(Path("/proc", pid).exists() for pid in (keeper, *started))
    harness.send_signal(signal.SIGKILL)
    harness.wait()
    harness.stdout.close()
    deadline = time.monotonic() + 10
    while any(_alive(pid) for pid in (keeper, *started)) or Path(scratch).exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


WORKER = """
import sys
from pathlib import Path
import bench.envs.registry
from baselines.specs import ALGORITHMS
from bench.executors import worker
from tests.toys.family import ToyOne, families
from tests.toys.learner import TOY_DRIFT

def untidy(self, seed):
    Path("LOG.TXT").write_text("x")
    print("wrote", Path("LOG.TXT").absolute())
    return honest(self, seed)

honest, ToyOne.reset = ToyOne.reset, untidy
bench.envs.registry.FAMILIES = families()
ALGORITHMS["toy_drift"] = TOY_DRIFT
sys.exit(worker.main())
"""


def test_environments_write_into_a_worker_s_scratch_folder(tmp_path: Path) -> None:
    """Also those in the worker's own process: some packages write to the current folder."""
    own, store, scratch = cell("toy_drift"), Store(tmp_path / "results"), tmp_path / "scratch"
    store.open_for_writing()
    scratch.mkdir()
    run = Run(id=run_id(own.key, 0, ()), cell=own.key, seed=0)
    job = Job(cell=own, runs=(run,), suite_version=1, profile="full").model_dump(mode="json")
    order = {"job": job, "results": str(store.root), "parent": os.getpid(), "scratch": str(scratch)}
    done = subprocess.run(
        [sys.executable, "-c", WORKER],
        input=f"{json.dumps(order)}\n{run.id}\n",
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    (record,) = [event["record"] for event in map(json.loads, done.stdout.splitlines()) if event["event"] == "result"]
    assert record["status"] == "finished"
    assert f"wrote {scratch}/LOG.TXT" in done.stderr.splitlines()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results"]


def _alive(pid: str) -> bool:
    try:
        return " Z " not in Path("/proc", pid, "stat").read_text()
    except OSError:
        return False


def test_a_run_whose_environment_fails_ends_with_the_reason_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Seed 1's environment fails at its 40th episode; seeds 0 and 2 end with the numbers that they have alone."""
    monkeypatch.setattr("tests.toys.family.one_by_one", one_that_fails_in_lane_1)
    together = trained(tmp_path / "together", cell("mappo"), (0, 1, 2))
    assert (together[1].status, together[1].numbers.scores[0].final) == ("failed", None)
    assert together[1].reason == "its environment failed: ValueError: no more"
    monkeypatch.undo()
    monkeypatch.setattr(bench.envs.registry, "FAMILIES", families())
    alone = trained(tmp_path / "alone", cell("mappo"), (0,), (2,))
    assert {s: numbers_hash(together[s]) for s in (0, 2)} == {s: numbers_hash(alone[s]) for s in (0, 2)}


class FailsInLane1(Several):
    """Fails once lane 1 has started its 40th episode, if there are three lanes."""

    started = 0

    def restart(self, over: torch.Tensor) -> torch.Tensor:
        if len(over) == 3:
            self.started += int(over[1].sum())
            if self.started > 40:
                error = EnvironmentFailed("ValueError: no more")
                error.lane = 1
                raise error
        return super().restart(over)


def one_that_fails_in_lane_1(params: ToyParams, device: Any, assets: Any) -> Several:
    return FailsInLane1(params, lambda: ToyOne(params))
