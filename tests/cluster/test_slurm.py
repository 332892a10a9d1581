"""Slurm's jobs in submitit's local engine: processes of this machine. A real cluster was not tried."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.executors import slurm
from bench.executors.dispatch import Options
from bench.plan import Plan, Selection, make_plan
from bench.store import Store
from bench.suite.loading import parse
from tests.conftest import ROOT, TINY
from tests.crash import recorded, uninterrupted

pytest.importorskip("submitit", reason="submitit is not installed (extra `slurm`)")
SUITE = TINY.replace("episodes = 16,", "episodes = 400,")


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(SUITE)
    return path


def plan_of(suite: Path, seeds: int) -> Plan:
    return make_plan(parse(suite.read_bytes(), "tiny.toml"), Selection(seeds=tuple(range(seeds))))


def command(suite: Path, results: Path, seeds: int) -> list[str]:
    own = ["--results", str(results), "--checkpoint-every", "0.2", "--jobs", "2"]
    there = ["--executor", "slurm", "--slurm", "cluster=local"]
    return [sys.executable, "-m", "bench", "run", str(suite), "--seeds", str(seeds), *own, *there]


def started(arguments: list[str]) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(arguments, cwd="/", env=environment, **pipes)


def waited_for(folder: Path, pattern: str) -> Iterator[Path]:
    deadline = time.monotonic() + 120
    while not (found := [*folder.glob(pattern)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found, f"no {pattern} in {folder}"
    yield from found


def preempt(worker: slurm.SlurmWorker) -> None:
    """Slurm's signal to the task; submitit's local engine requeues a task that ends as if it had been preempted."""
    controller = worker._submitted._process.pid
    for task in Path(f"/proc/{controller}/task/{controller}/children").read_text().split():
        os.kill(int(task), signal.SIGUSR2)


def test_a_preempted_job_goes_on_from_its_checkpoint(
    suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal that Slurm sends before it preempts: a checkpoint is written, the task is put back, and goes on."""
    plan, store = plan_of(suite, 1), Store(tmp_path / "results")
    store.open_for_writing()
    interrupted: list[str] = []
    progress: dict[str, list[int]] = {}
    submitted: list[slurm.SlurmWorker] = []
    follow = slurm.SlurmWorker.follow

    def followed(worker: slurm.SlurmWorker, job: object) -> None:
        submitted.append(worker)
        follow(worker, job)

    def heard(event: dict) -> None:
        if event["event"] == "progress":
            (run,) = event["runs"]
            progress.setdefault(run, []).append(event["done"])
            if event["done"] > 100 and not interrupted:
                worker = next(w for w in submitted if any(own.id == run for own in w.job.runs))
                interrupted.append(run)
                preempt(worker)

    monkeypatch.setattr(slurm.SlurmWorker, "follow", followed)
    asked = slurm.asked_of(["cluster=local"])
    outcome = slurm.execute(plan, store, Options(jobs=2, checkpoint_s=0.1), heard, asked)
    assert outcome.finished == {run.id for run in plan.runs}
    assert interrupted
    logs = [path.read_text() for path in (tmp_path / "results" / "slurm" / "jobs").glob("*_log.*")]
    assert sum(log.count("Requeued job") for log in logs) == 1
    assert progress[interrupted[0]].count(2) == 1  # it did not begin anew
    assert recorded(tmp_path / "results") == uninterrupted(plan, tmp_path / "local")


def test_what_is_returned_after_the_command_died_is_taken_by_the_next(suite: Path, tmp_path: Path) -> None:
    plan, results = plan_of(suite, 1), tmp_path / "results"
    first = started(command(suite, results, 1))
    next(waited_for(results / "slurm" / "said", "*.jsonl"))
    first.send_signal(signal.SIGKILL)
    first.communicate()
    back = next(waited_for(results / "slurm" / "returned", "*.json"))
    made = back.stat().st_mtime
    second = started(command(suite, results, 1))
    printed, _ = second.communicate(timeout=300)
    assert second.returncode == 0, printed
    assert recorded(results) == uninterrupted(plan, tmp_path / "local")
    assert (results / "records" / back.name).stat().st_mtime >= made
    assert not [*(results / "slurm" / "returned").iterdir()]
