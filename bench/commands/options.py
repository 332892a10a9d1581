"""What the verbs share: options, the results they read, how they print and refuse."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bench.explain import Problem, shown
from bench.measures import Evidence
from bench.plan import COMMAND_LINE, Selection
from bench.store import Store
from bench.suite import SuiteError
from bench.suite.loading import load

ASKED_TO_FAIL, BAD_USAGE, RUNS_FAILED, NOTHING_RUN, INTERRUPTED = 1, 2, 3, 4, 130
NOT_SOUND = ASKED_TO_FAIL  # verify is asked just that
RESULTS = Path("runs")
MOST_SEEDS = 10_000

SuiteName = Annotated[str, typer.Argument(help="a suite's name, or the path of a suite file (*.toml)")]
Profile = Annotated[str, typer.Option(help="which budget: full, nightly, smoke")]
Only = Annotated[list[str] | None, typer.Option(help="an experiment's id; may be repeated")]
Seeds = Annotated[str, typer.Option(help="N: the first N seeds; or a list with a comma or a range: 0,3 or 5-9 or 7,")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="[METHOD.|budget.]KEY=VALUE; recorded as a deviation")
]
Results = Annotated[Path, typer.Option(envvar="BENCH_RESULTS", help="the results folder")]
Shard = Annotated[str, typer.Option(help="i/n: the i-th of n parts of the seeds, for array jobs")]
Json = Annotated[bool, typer.Option("--json", help="print JSON")]


def terminal() -> Console:
    """As wide as the terminal; where there is none, wide enough for a table."""
    return Console() if sys.stdout.isatty() else Console(width=160)


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, allow_nan=False))


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def selected_part(profile: str, only: list[str] | None, seeds: str, settings: list[str] | None) -> Selection:
    return Selection(profile=profile, only=tuple(only or ()), seeds=seed_list(seeds), settings=tuple(settings or ()))


def seed_list(text: str) -> tuple[int, ...] | None:
    """`5` -> 0...4; `0,3,7-9` -> those; `7,` -> 7 alone; nothing -> None."""
    if not text:
        return None
    try:
        if text.isdecimal():
            ranges = [range(int(text))]
        else:
            ends = [part.partition("-") for part in text.split(",") if part.strip()]
            ranges = [range(int(low), int(high if dash else low) + 1) for low, dash, high in ends]
        seeds = sorted({s for r in ranges for s in r}) if sum(map(len, ranges)) <= MOST_SEEDS else ()
    except (ValueError, OverflowError):
        seeds = ()
    if not seeds:
        problem = Problem(
            "--seeds",
            shown(text),
            f"a count N >= 1, or a list such as 0,3,7-9, of at most {MOST_SEEDS}",
            "e.g. --seeds 5",
        )
        raise SuiteError(COMMAND_LINE, [problem])
    return tuple(seeds)


def evidence_of(
    suite: str, profile: str, only: list[str] | None, seeds: str, settings: list[str] | None, results: Path
) -> Evidence:
    return Evidence(load(suite), selected_part(profile, only, seeds, settings), Store(results))


def require_results(evidence: Evidence, results: Path) -> None:
    """Exit 4 where nothing was measured: a check of nothing must not look like one that passed."""
    if not any(evidence.finished(cell) for cell in evidence.plan.cells):
        print(f"nothing was run: no finished run of this selection in {results}", file=sys.stderr)
        raise typer.Exit(NOTHING_RUN)
