"""What needs no training must feel instant: validate and audit all five suites, as a command, start included."""

from __future__ import annotations

import subprocess
import sys

import pytest

FEELS_INSTANT = 5.0  # seconds, on a machine that is not busy
TURNS = 5


@pytest.mark.parametrize("verb", ["validate", "audit"])
def test_all_five_suites(benchmark, table, verb: str) -> None:
    def command() -> None:
        subprocess.run([sys.executable, "-m", "bench", verb], check=True, stdout=subprocess.DEVNULL)

    command()  # compiles what was never imported
    benchmark.pedantic(command, rounds=TURNS)
    seconds = benchmark.stats.stats.median
    table(f"bench {verb}, all suites", ["wall seconds, median of 5"], [[f"{seconds:.2f}"]])
    assert seconds < FEELS_INSTANT
