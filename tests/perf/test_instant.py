"""Commands without training must feel instant: validate and audit all five suites, start included.

The yardstick is another process, which takes turns with the command: it imports the packages that suites are read and
audited with, and parses the same files with tomllib. CPU seconds, as the machine may be busy. On 2026-11-29 (2 cores
of an AMD EPYC, load 3) both commands took 0.9 to 1.2 times the yardstick's 0.76 to 0.95 s. At most 2 times is asserted:
a command that imports torch takes more.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

import pytest

from tests.conftest import ROOT

FEELS_INSTANT = 2.0  # times the yardstick
TURNS = 5
YARDSTICK = """
import pathlib, tomllib
import jinja2, numpy, pydantic, rich.console, rich.table, scipy.stats, typer
for path in pathlib.Path("suites").glob("*.toml"):
    tomllib.loads(path.read_text())
"""


def cpu_seconds(*arguments: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize("verb", ["validate", "audit"])
def test_all_five_suites(benchmark, table, verb: str) -> None:
    own: list[float] = []
    bare: list[float] = []

    def turn() -> None:
        bare.append(cpu_seconds("-c", YARDSTICK))
        own.append(cpu_seconds("-m", "bench", verb))

    cpu_seconds("-m", "bench", verb)  # compiles what was never imported
    benchmark.pedantic(turn, rounds=TURNS)
    seconds = [statistics.median(own), statistics.median(bare)]
    row = [*(f"{s:.2f}" for s in seconds), f"{seconds[0] / seconds[1]:.2f}"]
    table(f"bench {verb}, all suites", ["CPU seconds, median of 5", "of the yardstick", "times the yardstick"], [row])
    benchmark.extra_info |= {"cpu_s": seconds}
    assert seconds[0] <= FEELS_INSTANT * seconds[1]
