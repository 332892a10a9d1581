"""compare: a method from elsewhere against a suite's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.commands.options import (
    RESULTS,
    Json,
    Only,
    Profile,
    Reading,
    Results,
    Seeds,
    cores,
    print_json,
    read_as,
    say_not_counted,
    selected_part,
    terminal,
)
from bench.commands.runs import train
from bench.commands.verbs import INTERRUPTED, NOTHING_RUN, RUNS_FAILED
from bench.compare import compared, imported_comparison
from bench.compare.findings import Findings
from bench.compare.imported import PREFIX, entered, worth_running
from bench.compare.report import comparison_json, comparison_lines, imported_json, imported_lines, write_comparison
from bench.evidence.measures import Evidence
from bench.executors.dispatch import Options
from bench.guests.method import Guest, MethodRefused, target_of
from bench.guests.places import Entry, Rivals, entry, lacking, left_aside
from bench.guests.process import describe
from bench.output.tables import print_markdown
from bench.output.terminal import Terminal, warn
from bench.plan import COMMAND_LINE
from bench.report.numbers import counted
from bench.report.terminal import outcome_line, waiting_lines
from bench.run.job import Limits
from bench.store import Store, StoreError, file_name, sha256
from bench.suite import PRIMARY, SuiteError
from bench.suite.explain import Problem, shown
from bench.suite.loading import load

LOADING = "loading"  # stands where a run's id would: the process only loads the method


def compare(
    method: Annotated[
        str,
        typer.Argument(metavar="METHOD", help="module:function, module:Class, an entry point, or imported:NAME"),
    ],
    suite: Annotated[str, typer.Option(help="a suite's name, or the path of a suite file (*.toml)")],
    profile: Profile = "full",
    reading: Reading = PRIMARY,
    against: Annotated[str, typer.Option(help="methods of the suite, separated by commas; default: all")] = "",
    only: Only = None,
    seeds: Seeds = "",
    results: Results = RESULTS,
    jobs: Annotated[int | None, typer.Option(min=1, help="processes at once; default: one per core")] = None,
    time_limit: Annotated[float, typer.Option(min=0.01, help="minutes that a run may take")] = 60.0,
    memory: Annotated[float, typer.Option(min=0.25, help="GiB of private memory that its process may take")] = 8.0,
    run_baselines: Annotated[bool, typer.Option("--run-baselines", help="also run what it is compared with")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="run failed runs again")] = False,
    as_json: Json = False,
) -> None:
    """Run your method on a suite, evaluate it like all others, and say how it differs from them."""
    selection = selected_part(profile, only, seeds, None, reading)
    before = Evidence(read_as(load(suite), reading), selection, Store(results))
    named = [name.strip() for name in against.split(",") if name.strip()] or ([against] if against else [])
    console = Terminal(stderr=True) if as_json else terminal()
    if method.startswith(PREFIX):
        _refuse_runs(method, {"--run-baselines": run_baselines, "--retry-failed": retry_failed})
        _compare_imported(before, method, named, _Said(suite, console, as_json))
        return
    limits = Limits(wall_s=60 * time_limit, memory_bytes=int(memory * 2**30))
    options = Options(jobs=jobs or cores(), retry_failed=retry_failed, limits=limits)
    there = entry(before.suite, before.selection, _described(method, limits, before.store), named, run_baselines)
    _say_aside(before, named)
    if not there.contests:
        warn(*waiting_lines(there.plan))
        warn("nothing was run: this selection has nowhere to compare the method")
        raise typer.Exit(NOTHING_RUN)
    _compare_run(before, there, options, _Said(suite, console, as_json))


@dataclass(frozen=True)
class _Said:
    """How a comparison is shown. suite: its name as the user gave it, for the commands that we print."""

    suite: str
    console: Terminal
    as_json: bool


def _compare_run(before: Evidence, there: Entry, options: Options, said: _Said) -> None:
    """Train an entrant's missing runs, and show the comparison."""
    store = before.store
    store.open_for_writing()
    cells = store.cells({cell.key for cell in there.plan.cells}).values()
    records = [record for cell in cells for record in cell.records.values()]
    outcome = train(there.plan, records, store, options, said.console)
    said.console.print(outcome_line(there.plan, outcome), markup=False)
    if outcome.stopped or outcome.broken:
        warn(outcome.broken or "stopped; the same command goes on")
        raise typer.Exit(INTERRUPTED if outcome.stopped else RUNS_FAILED)
    evidence = Evidence(before.suite, before.selection, store)
    say_not_counted(evidence.damaged)
    found = compared(evidence, there)
    lines, body = comparison_lines(evidence, found), comparison_json(evidence, found)
    folder = _folder(evidence, there.method.name, there.method.source)
    _show(found, there.method.name, [*lines], body, folder, said)
    _say_missing(evidence, there.contests, said.suite, ", or add --run-baselines")
    if outcome.failed or outcome.blocked:
        if not options.retry_failed:
            warn("failed runs are made again only with --retry-failed")
        raise typer.Exit(RUNS_FAILED)


def _compare_imported(evidence: Evidence, method: str, named: Sequence[str], said: _Said) -> None:
    """Compare an imported method's results; nothing is run."""
    there = entered(evidence, method, named)
    _say_aside(evidence, named)
    if not there.rivals:
        warn(f"nothing to compare: no scenario of this selection has results of {method}")
        raise typer.Exit(NOTHING_RUN)
    say_not_counted(evidence.damaged)
    found, name = imported_comparison(evidence, there), there.own.label(there.method)
    lines, body = imported_lines(evidence, found), imported_json(evidence, found)
    _show(found, name, [*lines], body, _folder(evidence, name, sha256(name.encode())), said)
    _say_missing(evidence, worth_running(evidence, there), said.suite, "")


def _refuse_runs(method: str, options: Mapping[str, bool]) -> None:
    for option in (name for name, given in options.items() if given):
        mend = "leave it out; bench run makes the suite's own runs"
        problem = Problem(option, shown(method), "a method that is run here", mend)
        raise SuiteError(COMMAND_LINE, [problem])


def _described(method: str, limits: Limits, store: Store) -> Guest:
    """What a method declares. Loading runs its code, so files that appear among the results meanwhile are set aside."""
    try:
        target_of(method)  # refuses a malformed name before a folder is made
        store.open_for_writing()
        watch = store.ledger.begin([LOADING])
        try:
            return describe(method, limits)
        finally:
            for line in store.ledger.end(watch, clean=True):
                warn(line)
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
        print_markdown(said.console, lines)
        said.console.print(f"written: {path}", markup=False, soft_wrap=True)


def _folder(evidence: Evidence, name: str, source: str) -> Path:
    """The comparison's own folder. source: a hash that tells the method from others of the same name."""
    reading = evidence.selection.reading
    named = () if reading == PRIMARY else (reading,)
    own = file_name(name, source[:8], evidence.suite.id, evidence.selection.profile, *named)
    return evidence.store.root / "compare" / own


def _say_aside(evidence: Evidence, named: Sequence[str]) -> None:
    for line in left_aside(evidence.suite, evidence.selection, named):
        warn(f"not compared: {line}")


def _say_missing(evidence: Evidence, places: Sequence[Rivals], suite: str, more: str) -> None:
    """Name the suite's own methods that have no finished run, and the command that makes one."""
    for lack in lacking(evidence, places):
        seeds = ",".join(map(str, lack.seeds)) + ("," if len(lack.seeds) == 1 else "")
        where = f"{lack.method} in {lack.experiment}"
        if lack.training_sets:
            where += f" on {', '.join(lack.training_sets)}"
        selection = evidence.selection
        options = f"--profile {selection.profile} --only {lack.experiment} --seeds {seeds}"
        options += f" --reading {selection.reading}" if selection.reading != PRIMARY else ""
        command = f"bench run {suite} {options} --results {evidence.store.root}"
        warn(f"missing: {where}, {counted(len(lack.seeds), 'seed')}; {command}{more}")
