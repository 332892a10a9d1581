"""A guest and all its processes end with the harness, however the harness dies; and secrets do not reach a guest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.envs.one import Diverged, EnvironmentFailed, LaneFailed
from bench.envs.particle.environment import ParticleEnvironment
from bench.guests.process import MethodProcess
from bench.processes.starting import guest_environment
from bench.run.job import Limits
from tests.compare.conftest import HERE, Played, printed_ids, still_there
from tests.conftest import ROOT

IDS = 4  # that hostile:forks_and_hangs prints
HARNESS = """
import sys, time
from pathlib import Path
from tests.compare.test_ends import hold
hold(Path(sys.argv[1]))
"""


def hold(results: Path) -> None:
    """A harness: holds a guest that hangs, and waits."""
    order = {"order": "train", "target": "hostile:forks_and_hangs", "agents": [], "obs_sizes": [], "action_sizes": []}
    order["continuous"] = False
    order |= {"seed": 0, "budget": 1, "episode_limit": 1, "name": "", "hyperparameters": {}, "teacher": False}
    with MethodProcess(order, Limits(), results / "logs" / "guest.log") as process:
        process.receive()


Started = Callable[[list[str], Path], tuple[subprocess.Popen[bytes], list[int]]]


@pytest.fixture
def started() -> Iterator[Started]:
    """Starts a harness; that process, and the ids of the guest and what it started, once there are four."""
    begun = []

    def start(arguments: list[str], results: Path) -> tuple[subprocess.Popen[bytes], list[int]]:
        (results / "logs").mkdir(parents=True)
        environment = os.environ | {"PYTHONPATH": f"{HERE}:{ROOT}", "OMP_NUM_THREADS": "1", "TMPDIR": str(results)}
        process = subprocess.Popen([sys.executable, *arguments], env=environment, cwd=results)
        begun.append(process)
        deadline = time.monotonic() + 60
        while len(ids := printed_ids(results)) < IDS and time.monotonic() < deadline:
            time.sleep(0.02)
        return process, ids

    yield start
    for process in begun:
        process.kill()
        process.wait()


def test_a_guest_ends_when_its_harness_is_killed(started: Started, tmp_path: Path) -> None:
    process, ids = started(["-c", HARNESS, str(tmp_path)], tmp_path)
    assert len(still_there(ids, 0)) == IDS
    process.kill()
    assert still_there(ids) == []


def test_a_guest_ends_when_its_keeper_is_killed(started: Started, tmp_path: Path) -> None:
    process, ids = started(["-c", HARNESS, str(tmp_path)], tmp_path)
    (keeper,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(keeper), signal.SIGKILL)
    guest = ids[0]
    assert still_there([guest]) == []
    for orphan in still_there(ids, 0):  # of these nobody is left to know
        os.kill(orphan, signal.SIGKILL)


def test_variables_that_name_a_secret_do_not_reach_it(
    played: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = ["HF_TOKEN", "aws_secret_access_id", "MY_KEY", "Db_Password", "KEYS"]
    for name in (*secret, "PLAIN"):
        monkeypatch.setenv(name, "x")
    record = played("hostile:prints_its_environment")
    assert record.status == "finished"
    seen = (tmp_path / "results" / "logs" / f"{record.run}.log").read_text().splitlines()
    assert "PLAIN" in seen
    assert not {*secret} & {*seen}
    assert guest_environment(TOKEN="x", OTHER="x").keys() & {"TOKEN", "OTHER"} == {"OTHER"}


@pytest.mark.parametrize("target", ["learners:Twin", "method:train"])
@pytest.mark.parametrize(
    ("error", "reason"),
    [(EnvironmentFailed("no more"), "its environment failed: no more"), (Diverged("a nan"), "diverged at step ")],
)
def test_an_environment_s_end_is_its_record(
    target: str, error: LaneFailed, reason: str, monkeypatch: pytest.MonkeyPatch, played: Played
) -> None:
    def fails(*_: object) -> None:
        raise error

    error.lane = 0
    monkeypatch.setattr(ParticleEnvironment, "step", fails)
    record = played(target)
    assert record.status == "failed"
    assert record.reason.startswith(reason)
