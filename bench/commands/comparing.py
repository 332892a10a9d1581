"""compare: a method from elsewhere against a suite's own."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

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
from bench.compare import Entry, compared, entry, imported_comparison
from bench.compare.findings import Findings
from bench.compare.imported import PREFIX, entered
from bench.compare.places import Rivals, lacking, left_aside
from bench.executors.local import Options
from bench.explain import Problem, shown
from bench.measures import Evidence
from bench.outside.method import MethodRefused, Outside
from bench.outside.process import Limits, describe
from bench.plan import COMMAND_LINE
from bench.report.comparison import comparison_json, comparison_lines, imported_json, imported_lines, write_comparison
from bench.report.terminal import outcome_line, waiting_lines
from bench.store import Store, StoreError, sha256
from bench.suite import SuiteError
from bench.suite.loading import load


def compare(
    method: Annotated[
        str,
        typer.Argument(metavar="METHOD", help="module:function, module:Class, an entry point, or imported:NAME"),
    ],
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
    before = Evidence(load(suite), selected_part(profile, only, seeds, None), Store(results))
    named = [name.strip() for name in against.split(",") if name.strip()] or ([against] if against else [])
    console = Console(stderr=True) if as_json else terminal()
    if method.startswith(PREFIX):
        _refuse_runs(method, {"--run-baselines": run_baselines, "--retry-failed": retry_failed})
        _compare_imported(before, method, named, _Said(suite, console, as_json))
        return
    limits = Limits(wall_s=60 * time_limit, memory_bytes=int(memory * 2**30))
    options = Options(jobs=jobs or cores(), retry_failed=retry_failed, limits=limits)
    there = entry(before.suite, before.selection, _described(method, limits), named, run_baselines)
    _say_aside(before, named)
    if not there.contests:
        print(*waiting_lines(there.plan), sep="\n", file=sys.stderr)
        print("nothing was run: there is nowhere to compare it", file=sys.stderr)
        raise typer.Exit(NOTHING_RUN)
    _compare_run(before, there, options, _Said(suite, console, as_json))


@dataclass(frozen=True)
class _Said:
    """How a comparison is shown. suite: as it was named, for commands that others can call."""

    suite: str
    console: Console
    as_json: bool


def _compare_run(before: Evidence, there: Entry, options: Options, said: _Said) -> None:
    """Train what is missing of an entrant, and show what it came to."""
    store = before.store
    store.open_for_writing()
    cells = store.cells({cell.key for cell in there.plan.cells}).values()
    records = [record for cell in cells for record in cell.records.values()]
    outcome = train(there.plan, records, store, options, said.console)
    said.console.print(outcome_line(there.plan, outcome), markup=False)
    if outcome.stopped or outcome.broken:
        print(outcome.broken or "stopped; the same command goes on", file=sys.stderr)
        raise typer.Exit(INTERRUPTED if outcome.stopped else RUNS_FAILED)
    evidence = Evidence(before.suite, before.selection, store)
    found = compared(evidence, there)
    lines, body = comparison_lines(evidence, found), comparison_json(evidence, found)
    folder = _folder(evidence, there.method.name, there.method.source)
    _show(found, there.method.name, [*lines], body, folder, said)
    _say_missing(evidence, there.contests, said.suite, ", or add --run-baselines")
    if outcome.failed or outcome.blocked:
        if not options.retry_failed:
            print("runs that failed are made again only with --retry-failed", file=sys.stderr)
        raise typer.Exit(RUNS_FAILED)


def _compare_imported(evidence: Evidence, method: str, named: Sequence[str], said: _Said) -> None:
    """Show what there is of an imported method; nothing is run."""
    there = entered(evidence, method, named)
    _say_aside(evidence, named)
    if not there.rivals:
        print(f"nothing to compare: no scenario of this selection has results of {method}", file=sys.stderr)
        raise typer.Exit(NOTHING_RUN)
    found, name = imported_comparison(evidence, there), there.own.label(there.method)
    lines, body = imported_lines(evidence, found), imported_json(evidence, found)
    _show(found, name, [*lines], body, _folder(evidence, name, sha256(name.encode())), said)
    _say_missing(evidence, there.rivals, said.suite, "")


def _refuse_runs(method: str, options: Mapping[str, bool]) -> None:
    for option in (name for name, given in options.items() if given):
        mend = "leave it out; bench run makes the suite's own runs"
        problem = Problem(option, shown(method), "a method that is run here", mend)
        raise SuiteError(COMMAND_LINE, [problem])


def _described(method: str, limits: Limits) -> Outside:
    try:
        return describe(method, limits)
    except MethodRefused as refused:
        raise SuiteError(COMMAND_LINE, refused.problems) from None


def _show(found: Findings, name: str, lines: Sequence[str], body: dict[str, Any], folder: Path, said: _Said) -> None:
    try:
        path = write_comparison(name, found, lines, body, folder)
    except OSError as error:
        raise StoreError(f"comparison in {folder} cannot be written: {error.strerror}") from error
    if said.as_json:
        print_json(body | {"written": str(path)})
    else:
        said.console.print(Markdown("\n".join(lines)))
        said.console.print(f"written: {path}", markup=False, soft_wrap=True)


def _folder(evidence: Evidence, name: str, source: str) -> Path:
    """One that no other method's comparison has. source: a hash that tells it from others of its name."""
    plain = re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-")
    own = f"{plain}-{source[:8]}-{evidence.suite.id}-{evidence.selection.profile}"
    return evidence.store.root / "compare" / own


def _say_aside(evidence: Evidence, named: Sequence[str]) -> None:
    for line in left_aside(evidence.suite, evidence.selection, named):
        print(f"not compared: {line}", file=sys.stderr)


def _say_missing(evidence: Evidence, places: Sequence[Rivals], suite: str, more: str) -> None:
    """What of the suite's own methods has no finished run, and the command that makes it."""
    for lack in lacking(evidence, places):
        seeds = ",".join(map(str, lack.seeds)) + ("," if len(lack.seeds) == 1 else "")
        where = f"{lack.method} in {lack.experiment}"
        if lack.training_sets:
            where += f" on {', '.join(lack.training_sets)}"
        options = f"--profile {evidence.selection.profile} --only {lack.experiment} --seeds {seeds}"
        command = f"bench run {suite} {options} --results {evidence.store.root}"
        print(f"missing: {where}, {len(lack.seeds)} seeds; {command}{more}", file=sys.stderr)
