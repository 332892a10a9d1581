"""What a hundred methods on forty scenarios cost: 20,000 records, beside 2,000 of the same suite with ten methods.

Wall seconds and peak memory of whole commands, start included, on two cores. The best of a few runs counts: the first
to touch a gigabyte in a virtual machine may wait seconds for the host to hand it out.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.perf.synthetic_scale import write

SMALL, LARGE, POINTS, SCENARIOS, SEEDS = 10, 100, 100, 40, 5
SECONDS = {"check": 10.0, "report": 10.0, "leaderboard": 60.0}
BYTES = 2 * 2**30
RUNS = 3
LINEAR = 1.1  # time may grow so much faster than the records: the machine's noise
CHILD = """
import resource, subprocess, sys, time
begun = time.perf_counter()
code = subprocess.run([sys.executable, "-m", "bench", *sys.argv[1:]], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Suite files by how many methods they have."""
    made = {methods: tmp_path_factory.mktemp(f"methods-{methods}") for methods in (SMALL, LARGE)}
    return {methods: write(folder, methods, SCENARIOS, SEEDS, POINTS) for methods, folder in made.items()}


def measured(verb: str, suite: Path) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak bytes of a command."""
    named = ["--suite", str(suite), "--out", str(suite.parent / "site")] if verb == "leaderboard" else [str(suite)]
    command = [sys.executable, "-c", CHILD, verb, *named, "--results", str(suite.parent / "runs")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    code, wall, cpu, peak = done.stdout.split()
    assert code == "0", done.stderr
    return float(wall), float(cpu), float(peak)


@pytest.mark.parametrize("verb", SECONDS)
def test_twenty_thousand_records(benchmark, table, folders: dict[int, Path], verb: str) -> None:
    runs: list[tuple[float, float, float]] = []
    benchmark.pedantic(lambda: runs.append(measured(verb, folders[LARGE])), rounds=RUNS)
    found = {SMALL: min(measured(verb, folders[SMALL]) for _ in range(RUNS)), LARGE: min(runs)}
    growth = found[LARGE][1] / found[SMALL][1]
    rows = [
        [f"{methods * SCENARIOS * SEEDS:,}", f"{wall:.1f}", f"{cpu:.1f}", f"{peak / 2**20:.0f}"]
        for methods, (wall, cpu, peak) in found.items()
    ]
    title = f"bench {verb}; {LARGE / SMALL:.0f} times the records take {growth:.1f} times the CPU time"
    table(title, ["records", "wall seconds", "CPU seconds", "peak MiB"], rows)
    benchmark.extra_info |= {"growth": growth, "measured": {str(m): f for m, f in found.items()}}
    assert growth <= LINEAR * LARGE / SMALL
    assert found[LARGE][2] < BYTES
    assert found[LARGE][0] <= SECONDS[verb]
