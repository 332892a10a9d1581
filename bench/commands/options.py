"""What the verbs share: options, the results they read, how they print and refuse."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.commands.verbs import NOTHING_RUN
from bench.output.terminal import Terminal, put, warn
from bench.plan import COMMAND_LINE, Selection, check_methods, refused
from bench.plan.seeds import seed_list
from bench.store import Store
from bench.suite import PRIMARY, Suite, SuiteError
from bench.suite.explain import Problem, shown
from bench.suite.loading import load

if TYPE_CHECKING:
    from bench.evidence.measures import Evidence

RESULTS = Path("runs")
SECONDS = {"s": 1, "m": 60, "h": 3600}

SuiteName = Annotated[str, typer.Argument(help="a suite's name, or the path of a suite file (*.toml)")]
Profile = Annotated[str, typer.Option(help="which budget: full, nightly, smoke")]
Only = Annotated[list[str] | None, typer.Option(help="an experiment's id; may be repeated")]
Methods = Annotated[
    list[str] | None, typer.Option("--method", help="a method's id; may be repeated; teachers that it needs come along")
]
Seeds = Annotated[str, typer.Option(help="N: the first N seeds; or a list with a comma or a range: 0,3 or 5-9 or 7,")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="[METHOD.][budget.]KEY=VALUE; recorded as a deviation")
]
Reading = Annotated[str, typer.Option("--reading", help="another reading of the suite; bench ls readings names them")]
Results = Annotated[Path, typer.Option(envvar="BENCH_RESULTS", help="the results folder")]
Shard = Annotated[str, typer.Option(help="i/n: the i-th of n parts of the seeds, for array jobs")]
Json = Annotated[bool, typer.Option("--json", help="print JSON")]


def terminal() -> Terminal:
    """As wide as the terminal, or as $COLUMNS says; if there is neither, wide enough for a table."""
    return Terminal() if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal() else Terminal(width=160)


def print_json(value: Any) -> None:
    put(f"{json.dumps(value, indent=1, allow_nan=False)}\n")


def say_not_counted(lines: Iterable[str]) -> None:
    """Name unusable records on standard error, one line each."""
    for line in lines:
        warn(f"not counted: {line}")


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_device(device: str) -> None:
    """Raises SuiteError for a device that torch cannot use here."""
    kind = device.partition(":")[0]
    if kind not in ("cpu", "cuda"):
        problem = Problem("--device", shown(device), '"cpu", "cuda", "cuda:N"', "name one of them")
        raise SuiteError(COMMAND_LINE, [problem])
    if kind == "cuda":
        from bench.run.devices import DeviceMissing  # imports torch, so only here
        from bench.run.devices import check_device as check

        try:
            check(device)
        except DeviceMissing as error:
            raise SuiteError(COMMAND_LINE, [error.problem]) from None


def selected_part(
    profile: str,
    only: list[str] | None,
    seeds: str,
    settings: list[str] | None,
    reading: str = PRIMARY,
    methods: list[str] | None = None,
) -> Selection:
    chosen = {"profile": profile, "only": tuple(only or ()), "seeds": seed_list(seeds), "methods": tuple(methods or ())}
    return Selection(**chosen, settings=tuple(settings or ()), reading=reading)


def read_as(suite: Suite, reading: str) -> Suite:
    """A suite under a reading. Raises SuiteError for a reading that the suite does not declare."""
    if reading != PRIMARY and reading not in suite.readings:
        raise refused("--reading", reading, [PRIMARY, *suite.readings])
    return suite.under(reading)


def seconds_in(text: str, option: str) -> float:
    """`90s`, `60m` or `8h`. Raises SuiteError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if not found or not float(found[1]):
        problem = Problem(option, shown(text), "a time above 0 in s, m or h", f"e.g. {option} 60m")
        raise SuiteError(COMMAND_LINE, [problem])
    return float(found[1]) * SECONDS[found[2]]


def evidence_of(
    suite: str,
    profile: str,
    only: list[str] | None,
    seeds: str,
    settings: list[str] | None,
    results: Path,
    reading: str = PRIMARY,
    methods: list[str] | None = None,
) -> Evidence:
    from bench.evidence.measures import Evidence  # imports numpy, which not every verb needs

    loaded, selection = read_as(load(suite), reading), selected_part(profile, only, seeds, settings, reading, methods)
    check_methods(loaded, selection)
    return Evidence(loaded, selection, Store(results))


def require_results(evidence: Evidence, results: Path) -> None:
    """Exit with 4 if nothing was measured: a check of nothing must not look like one that passed."""
    if not any(evidence.finished(cell) for cell in evidence.plan.cells):
        other = "; --results names another folder" if results == RESULTS else ""
        warn(f"nothing was run: no finished run of this selection in {results}{other}")
        raise typer.Exit(NOTHING_RUN)
