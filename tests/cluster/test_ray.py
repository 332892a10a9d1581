"""A Ray cluster of three nodes of this machine, each with a folder of its own, through kills of everything.

tox run -e cluster. The results equal a local run's to the last bit: none lost, none made twice.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.plan import Plan, Selection, make_plan
from bench.suite.loading import parse
from tests.conftest import ROOT, TINY
from tests.crash import recorded, uninterrupted

os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # nodes of one machine find each other at 127.0.0.1
cluster_utils = pytest.importorskip("ray.cluster_utils", reason="Ray is not installed (extra `ray`)")

# Ray leaves sockets and processes of its nodes to the collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
SUITE = TINY.replace("episodes = 16,", "episodes = 480,")  # a run takes seconds: most kills hit one
PROCESS = {"worker": "bench.executors.worker", "relay": "ray::Relayed"}
SEEDS = 8
KILLS = {"worker": 8, "relay": 7, "driver": 4, "node": 1}
SHORTEST_S, LONGEST_S = 0.1, 2.5  # between two kills
MARK = "BENCH_STORM"  # in the environment of whatever the test started, so that it kills nothing else


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head that trains nothing, and three nodes of one core."""
    monkeypatch.setenv(MARK, str(os.getpid()))
    monkeypatch.setenv("RAY_worker_niceness", "0")  # else 15, and beside other work next to nothing is left for them
    own = {"node_ip_address": "127.0.0.1", "include_dashboard": False}
    found = cluster_utils.Cluster(initialize_head=True, head_node_args=own | {"num_cpus": 0})
    for _ in range(3):
        found.add_node(num_cpus=1, node_ip_address="127.0.0.1")
    found.wait_for_nodes()
    yield found
    found.shutdown()


@pytest.fixture
def plan() -> Plan:
    found = make_plan(parse(SUITE.encode(), "tiny.toml"), Selection(seeds=tuple(range(SEEDS))))
    assert len(found.runs) >= 30
    return found


class Storm:
    """Kills at random moments: a training process, its relay, the driver; once a whole node, which another replaces."""

    def __init__(self, cluster: Any, command: list[str]):
        self.cluster, self.command, self.random = cluster, command, random.Random(1)
        self.to_come = [kind for kind, times in KILLS.items() for _ in range(times)]
        self.random.shuffle(self.to_come)

    def run(self) -> None:
        """Nodes are started in the main thread, as Ray requires; another thread listens to the driver."""
        while True:
            driver, said = self._start(), list[str]()
            reader = threading.Thread(target=self._read, args=(driver, said))
            reader.start()
            self._kill_until_over(driver)
            reader.join()
            assert "Traceback" not in said[0], said[0]
            assert driver.returncode in (0, -signal.SIGKILL), said[0]
            if driver.returncode == 0:
                return

    def _read(self, driver: subprocess.Popen[str], said: list[str]) -> None:
        said.append(driver.communicate(timeout=600)[0])

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/")

    def _kill_until_over(self, driver: subprocess.Popen[str]) -> None:
        while self.to_come and driver.poll() is None:
            time.sleep(self.random.uniform(SHORTEST_S, LONGEST_S))
            if driver.poll() is None and self._kill(self.to_come[-1], driver):
                self.to_come.pop()

    def _kill(self, kind: str, driver: subprocess.Popen[str]) -> bool:
        """Whether there was such a process to kill."""
        if kind == "node":
            node = next(iter(self.cluster.worker_nodes))
            self.cluster.remove_node(node, allow_graceful=False)
            self.cluster.add_node(num_cpus=1, node_ip_address="127.0.0.1", wait=False)
            return True
        if kind == "driver":
            driver.kill()
            return True
        found = _processes(PROCESS[kind])
        if found:
            os.kill(self.random.choice(found), signal.SIGKILL)
        return bool(found)


def _processes(words: str) -> list[int]:
    found, mark = [], f"{MARK}={os.getpid()}".encode()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            ours = mark in (path / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if ours and words in command:
            found.append(int(path.name))
    return found


def bench_run(address: str, suite: Path, results: Path, scratch: Path, seeds: int) -> list[str]:
    own = ["--address", address, "--scratch", str(scratch), "--results", str(results), "--checkpoint-every", "0.2"]
    start = [sys.executable, "-m", "bench", "run", str(suite), "--seeds", str(seeds), "--executor", "ray", *own]
    return ["env", f"PYTHONPATH={ROOT}", *start]


def test_a_storm_of_kills_loses_nothing(cluster: Any, plan: Plan, tmp_path: Path) -> None:
    suite = tmp_path / "tiny.toml"
    suite.write_text(SUITE)
    began = time.monotonic()
    storm = Storm(cluster, bench_run(cluster.address, suite, tmp_path / "results", tmp_path / "scratch", SEEDS))
    storm.run()
    print(f"{len(plan.runs)} runs through {KILLS} in {time.monotonic() - began:.0f} s")
    assert storm.to_come == []
    assert recorded(tmp_path / "results") == uninterrupted(plan, tmp_path / "local")
    assert len([*(tmp_path / "scratch").glob("*/*/")]) >= 3  # each node had its own


def test_a_node_with_other_code_is_refused_by_name(cluster: Any, tmp_path: Path) -> None:
    """One more node has a bench with one more line on its search path: it gets no job, and the command says so."""
    other = tmp_path / "other"
    for package in ("bench", "baselines", "suites"):
        shutil.copytree(ROOT / package, other / package)
    with (other / "bench" / "plan" / "cells.py").open("a") as file:
        file.write("\n# changed\n")
    cluster.add_node(num_cpus=4, node_ip_address="127.0.0.1", env_vars={"PYTHONPATH": str(other)})
    suite = tmp_path / "tiny.toml"
    suite.write_text(TINY)
    command = bench_run(cluster.address, suite, tmp_path / "results", tmp_path / "scratch", seeds=3)
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd="/")
    assert done.returncode == 0, done.stderr
    assert "is refused: different code of bench" in done.stdout
    assert len([*(tmp_path / "scratch").glob("*/*/")]) == 3
