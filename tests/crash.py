"""Killing a plan at random moments, for tests/slow (a hundred kills)."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.executors.jobs import run_job
from bench.plan import Plan
from bench.run.job import Job
from bench.store import Store, numbers_hash
from bench.store.verify import verify
from tests.conftest import ROOT

ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def command(suite: Path | str, results: Path, *options: str) -> list[str]:
    """`bench run` with two workers that write a checkpoint five times a second."""
    own = ["--results", str(results), "--jobs", "2", "--checkpoint-every", "0.2", "--json"]
    return [sys.executable, "-m", "bench", "run", str(suite), *own, *options]


def start(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        arguments, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def outcome(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The runs that a successful command prints."""
    printed, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    return json.loads(printed)["run"]


def uninterrupted(plan: Plan, folder: Path) -> dict[str, str]:
    """Numbers hashes by run id, from an undisturbed process."""
    store = Store(folder)
    store.open_for_writing()
    for cell in sorted(plan.cells, key=lambda cell: bool(cell.teachers)):
        runs = tuple(run for run in plan.runs if run.cell == cell.key)
        run_job(Job(cell=cell, runs=runs, suite_version=1, profile="full"), store, lambda: False, lambda _: None)
    return recorded(folder)


def recorded(folder: Path) -> dict[str, str]:
    """Numbers hashes of all records of a folder, which must be sound and have no other run and no leftovers."""
    checked = verify(Store(folder))
    assert (checked.findings, checked.unfinished, checked.failed) == ((), (), 0)
    paths = list((folder / "records").iterdir())
    hashes = {path.stem: numbers_hash(record) for path in paths if (record := Store(folder).record(path.stem))}
    assert len(hashes) == len(paths) == checked.finished
    return hashes


def checkpointed(results: Path | None) -> int:
    """When a checkpoint was written last, in nanoseconds; 0: never."""
    newest = 0
    for path in results.glob("checkpoints/*.safetensors") if results else ():
        with contextlib.suppress(FileNotFoundError):  # its run has ended meanwhile
            newest = max(newest, path.stat().st_mtime_ns)
    return newest


@dataclass
class Killer:
    """Starts a command again and again and kills it, or one of its workers, at seeded random moments."""

    seed: int
    longest_s: float  # between two kills
    kills: dict[str, int] = field(default_factory=lambda: {"parent": 0, "worker": 0, "all": 0})

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    @property
    def total(self) -> int:
        return sum(self.kills.values())

    def run(self, arguments: list[str], most: int, results: Path | None = None) -> None:
        """Until the command ends with no runs left; `most` kills in all.

        results: its folder. A kill waits for a new checkpoint there, so each kill happens during training.
        """
        while True:
            process = start(arguments)
            while self.total < most and self._still_running(process, self.random.uniform(0, self.longest_s), results):
                self._kill(process)
            _, errors = process.communicate(timeout=600)
            assert "Traceback" not in errors, errors
            assert process.returncode in (0, 3, -signal.SIGKILL), errors
            if process.returncode == 0:
                return

    def _still_running(self, process: subprocess.Popen[str], seconds: float, results: Path | None) -> bool:
        before = checkpointed(results)
        while results is not None and process.poll() is None and checkpointed(results) == before:
            time.sleep(0.005)
        deadline = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        return process.poll() is None

    def _kill(self, process: subprocess.Popen[str]) -> None:
        """The parent, one worker (if there is one), or everything at once."""
        whom = self.random.choice(["parent", "worker", "all"])
        try:
            workers = [int(p) for p in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
        except OSError:
            workers = []
        if whom == "worker" and not workers:
            return
        victims = {"parent": [], "worker": [self.random.choice(workers or [0])], "all": workers}[whom]
        if whom != "worker":
            process.kill()
        for victim in victims:
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.kills[whom] += 1
