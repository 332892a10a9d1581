"""The cost of a hundred methods on forty scenarios: 20,000 records, beside 2,000 of the same suite with ten methods.

CPU seconds and peak memory of whole commands, start included. The yardstick is another process, which takes turns with
the command: the standard library parses the same record files with json.loads and hashes them with SHA-256. The turn
with the least CPU time counts: the first to touch a gigabyte in a virtual machine may pay for the host to hand it out.

On 2026-11-29 (2 cores of an AMD EPYC, load 4) check took 3.7 times the yardstick's CPU time, report 4.6 times and
leaderboard 8.2 times. Half as much again is allowed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.perf.synthetic_scale import write

SMALL, LARGE, POINTS, SCENARIOS, SEEDS = 10, 100, 100, 40, 5
YARDSTICKS = {"check": 5.5, "report": 6.9, "leaderboard": 12.2}  # so many times the yardstick at most
BYTES = 2 * 2**30
RUNS = 3
LINEAR = 1.1  # time may grow so much faster than the records: the machine's noise
Cost = tuple[float, float, float]  # CPU seconds, wall seconds, peak bytes
CHILD = """
import resource, subprocess, sys, time
begun = time.perf_counter()
code = subprocess.run([sys.executable, *sys.argv[1:]], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, used.ru_utime + used.ru_stime, time.perf_counter() - begun, used.ru_maxrss * 1024)
"""
YARDSTICK = """
import hashlib, json, pathlib, sys
for path in pathlib.Path(sys.argv[1]).glob("*.json"):
    content = path.read_bytes()
    json.loads(content), hashlib.sha256(content).hexdigest()
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Suite files by their number of methods."""
    made = {methods: tmp_path_factory.mktemp(f"methods-{methods}") for methods in (SMALL, LARGE)}
    return {methods: write(folder, methods, SCENARIOS, SEEDS, POINTS) for methods, folder in made.items()}


def measured(*arguments: str) -> Cost:
    """The cost of a Python process and its children."""
    command = [sys.executable, "-c", CHILD, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    code, cpu, wall, peak = done.stdout.split()
    assert code == "0", done.stderr
    return float(cpu), float(wall), float(peak)


def command(verb: str, suite: Path) -> Cost:
    named = (
        ["--suite", str(suite), "--out", str(suite.parent / "site"), "--no-pictures"]
        if verb == "leaderboard"
        else [str(suite)]
    )
    return measured("-m", "bench", verb, *named, "--results", str(suite.parent / "runs"))


def yardstick(suite: Path) -> Cost:
    return measured("-c", YARDSTICK, str(suite.parent / "runs" / "records"))


@pytest.mark.parametrize("verb", YARDSTICKS)
def test_twenty_thousand_records(benchmark, table, folders: dict[int, Path], verb: str) -> None:
    runs: list[Cost] = []
    readings: list[Cost] = []

    def turn() -> None:
        readings.append(yardstick(folders[LARGE]))
        runs.append(command(verb, folders[LARGE]))

    benchmark.pedantic(turn, rounds=RUNS)
    found = {SMALL: min(command(verb, folders[SMALL]) for _ in range(RUNS)), LARGE: min(runs)}
    growth = found[LARGE][0] / found[SMALL][0]
    ratio = found[LARGE][0] / min(readings)[0]
    rows = [
        [f"{methods * SCENARIOS * SEEDS:,}", f"{wall:.1f}", f"{cpu:.1f}", f"{peak / 2**20:.0f}"]
        for methods, (cpu, wall, peak) in found.items()
    ]
    title = f"bench {verb}; {LARGE / SMALL:.0f} times the records take {growth:.1f} times the CPU time, "
    title += f"{ratio:.2f} times that of parsing and hashing them"
    table(title, ["records", "wall seconds", "CPU seconds", "peak MiB"], rows)
    benchmark.extra_info |= {"growth": growth, "ratio": ratio, "measured": {str(m): f for m, f in found.items()}}
    assert growth <= LINEAR * LARGE / SMALL
    assert found[LARGE][2] < BYTES
    assert ratio <= YARDSTICKS[verb]
