"""compare: a method from elsewhere against a suite's own."""

from __future__ import annotations

import re
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown

from bench.commands.options import (
    INTERRUPTED,
    NOTHING_RUN,
    RESULTS,
    RUNS_FAILED,
    Json,
    Only,
    Profile,
    Results,
    Seeds,
    cores,
    print_json,
    selected_part,
    terminal,
)
from bench.commands.runs import train
from bench.compare import Entry, compared, entry
from bench.compare.places import Lacking, lacking
from bench.executors.local import Options
from bench.measures import Evidence
from bench.outside.method import MethodRefused, Outside
from bench.outside.process import Limits, describe
from bench.plan import COMMAND_LINE
from bench.report.comparison import comparison_json, comparison_lines, write_comparison
from bench.report.terminal import outcome_line, waiting_lines
from bench.store import Store, StoreError
from bench.suite import SuiteError
from bench.suite.loading import load


def compare(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="module:function, module:Class, or an entry point")],
    suite: Annotated[str, typer.Option(help="a suite's name, or the path of a suite file (*.toml)")],
    profile: Profile = "full",
    against: Annotated[str, typer.Option(help="methods of the suite, with commas; default: all")] = "",
    only: Only = None,
    seeds: Seeds = "",
    results: Results = RESULTS,
    jobs: Annotated[int | None, typer.Option(min=1, help="processes at once; default: one a core")] = None,
    time_limit: Annotated[float, typer.Option(min=0.01, help="minutes that a run may take")] = 60.0,
    memory: Annotated[float, typer.Option(min=0.25, help="GiB of private memory that its process may take")] = 8.0,
    run_baselines: Annotated[bool, typer.Option("--run-baselines", help="run what it is compared with, too")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="make runs that failed again")] = False,
    as_json: Json = False,
) -> None:
    """Run a method of yours on a suite, evaluate it as all others are, and say how it differs from them."""
    limits = Limits(wall_s=60 * time_limit, memory_bytes=int(memory * 2**30))
    loaded, selection = load(suite), selected_part(profile, only, seeds, None)
    entered = entry(loaded, selection, _described(method, limits), _names(against), run_baselines)
    console = Console(stderr=True) if as_json else terminal()
    if not entered.contests:
        print(*waiting_lines(entered.plan), sep="\n", file=sys.stderr)
        print("nothing was run: there is nowhere to compare it", file=sys.stderr)
        raise typer.Exit(NOTHING_RUN)
    store = Store(results)
    store.open_for_writing()
    options = Options(jobs=jobs or cores(), retry_failed=retry_failed, limits=limits)
    there = store.cells({cell.key for cell in entered.plan.cells}).values()
    records = [record for cell in there for record in cell.records.values()]
    outcome = train(entered.plan, records, store, options, console)
    console.print(outcome_line(entered.plan, outcome), markup=False)
    if outcome.stopped or outcome.broken:
        print(outcome.broken or "stopped; the same command goes on", file=sys.stderr)
        raise typer.Exit(INTERRUPTED if outcome.stopped else RUNS_FAILED)
    evidence = Evidence(loaded, selection, store)
    found = compared(evidence, entered)
    try:
        path = write_comparison(evidence, found, store.root / "compare" / _folder(entered, profile))
    except OSError as error:
        raise StoreError(f"comparison in {store.root} cannot be written: {error.strerror}") from error
    if as_json:
        print_json(comparison_json(evidence, found) | {"written": str(path)})
    else:
        console.print(Markdown("\n".join(comparison_lines(evidence, found))))
        console.print(f"written: {path}", markup=False, soft_wrap=True)
    for lack in lacking(evidence, entered.contests):
        print(f"missing: {_said(lack, suite, profile, results)}", file=sys.stderr)
    if outcome.failed or outcome.blocked:
        raise typer.Exit(RUNS_FAILED)


def _described(method: str, limits: Limits) -> Outside:
    try:
        return describe(method, limits)
    except MethodRefused as refused:
        raise SuiteError(COMMAND_LINE, [refused.problem]) from None


def _names(against: str) -> list[str]:
    return [name.strip() for name in against.split(",") if name.strip()]


def _folder(entered: Entry, profile: str) -> str:
    """A name that no other method's comparison has."""
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", entered.method.name)
    return f"{name}-{entered.method.source[:8]}-{entered.plan.suite}-{profile}"


def _said(lack: Lacking, suite: str, profile: str, results: object) -> str:
    listed = ",".join(map(str, lack.seeds)) + ("," if len(lack.seeds) == 1 else "")
    command = f"bench run {suite} --profile {profile} --only {lack.experiment} --seeds {listed} --results {results}"
    return f"{lack.method} in {lack.experiment}, {len(lack.seeds)} seeds; {command}, or add --run-baselines"
