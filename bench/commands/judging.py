"""check and report: verdicts on the results so far."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from bench.commands.options import (
    RESULTS,
    Json,
    Only,
    Profile,
    Reading,
    Results,
    Seeds,
    Settings,
    SuiteName,
    cores,
    evidence_of,
    print_json,
    require_results,
    say_not_counted,
    terminal,
)
from bench.commands.writing import Force, write_out
from bench.evidence.measures import Evidence
from bench.guests.entrants import entrants
from bench.output.tables import print_table
from bench.output.terminal import put, say, warn
from bench.output.waiting import doing
from bench.plan import COMMAND_LINE, selected
from bench.report.boards import REFERENCE, boards
from bench.report.machine import check_json
from bench.report.markdown import drawn, write_report
from bench.report.papertables import paper_tables
from bench.report.specification import draw_specifications
from bench.report.tabular import FORMATS, Tables
from bench.report.terminal import (
    aggregate_table,
    counts_line,
    deviation_lines,
    family_lines,
    retention_table,
    transfer_table,
    verdict_table,
)
from bench.report.words import in_long, readings_lines
from bench.store import StoreError, file_name
from bench.suite import PRIMARY, SuiteError
from bench.suite.explain import Problem, listed, nearest, shown
from bench.verdict import Aggregate, TransferMetric, Verdict, judge, transfer_metrics, unplanned
from bench.verdict.aggregates import ALL_PAIRS, begin
from bench.verdict.retention import retentions

Judged = tuple[list[Verdict], list[TransferMetric], list[Aggregate]]


def check(
    suite: SuiteName,
    profile: Profile = "full",
    only: Only = None,
    seeds: Seeds = "",
    settings: Settings = None,
    reading: Reading = PRIMARY,
    results: Results = RESULTS,
    long: Annotated[
        bool, typer.Option("--long", help="show what each verdict rests on: tags, p, r, placebo, place")
    ] = False,
    readings: Annotated[bool, typer.Option("--readings", help="also show each claim under every reading")] = False,
    as_json: Json = False,
) -> None:
    """Judge every claim on the results so far, under the primary reading, and say in how many readings it holds."""
    evidence = evidence_of(suite, profile, only, seeds, settings, results, reading)
    with workers(evidence) as pool:
        found = judged(evidence, pool)
    if as_json:
        print_json(check_json(evidence, *found))
    else:
        show_check(evidence, *found, long)
        say(*(line for v in found[0] if readings for line in readings_lines(v)))
    require_results(evidence, results)


def report(
    suite: SuiteName,
    profile: Profile = "full",
    only: Only = None,
    seeds: Seeds = "",
    settings: Settings = None,
    reading: Reading = PRIMARY,
    results: Results = RESULTS,
    as_json: Json = False,
    form: Annotated[
        str | None, typer.Option("--format", help=f"print only the tables, as {', '.join(FORMATS)}")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="with --format: write to this file")] = None,
    force: Force = False,
) -> None:
    """Write a Markdown report with learning curves and print its path; with --format print only the tables."""
    _check_form(form, out)
    evidence = evidence_of(suite, profile, only, seeds, settings, results, reading)
    if form is not None:
        _print_tables(evidence, form, out, force)
        _say_doubts(evidence)
        require_results(evidence, results)
        return
    with workers(evidence) as pool:
        require_results(evidence, results)
        path, _ = judged_report(evidence, pool)
    _say_doubts(evidence)
    if as_json:
        print_json({"report": str(path)})
    else:
        say(f"report: {path}")


def _check_form(form: str | None, out: Path | None) -> None:
    if form is not None and form not in FORMATS:
        problem = Problem("--format", shown(form), listed(FORMATS), f"name one of them{nearest(form, FORMATS)}")
        raise SuiteError(COMMAND_LINE, [problem])
    if form is None and out is not None:
        raise SuiteError(COMMAND_LINE, [Problem("--out", shown(str(out)), "a file, with --format", "name a --format")])


def _print_tables(evidence: Evidence, form: str, out: Path | None, force: bool) -> None:
    """The tables as the paper prints them, and the claims. Raises SuiteError if `out` cannot be written."""
    experiments = selected(evidence.suite, evidence.selection.only)
    verdicts = judge(evidence, experiments)
    claims = [v for v in verdicts if v.kind != "published"]
    sides = [b for b in boards(evidence, evidence.selection.profile != REFERENCE, entrants(evidence)) if b.finished]
    chosen = {e.id for e in experiments}
    text = FORMATS[form](
        Tables(
            paper_tables(evidence.suite, experiments, verdicts),
            claims,
            [board for board in sides if chosen & {*board.experiments}],
            [metric for e in experiments for metric in transfer_metrics(evidence, e)],
        )
    )
    if out is None:
        put(text)
        return
    write_out(out, text.encode(), force, parents=True)


@contextlib.contextmanager
def workers(evidence: Evidence) -> Iterator[Executor | None]:
    """Processes that resample and draw; none for few methods, whose work takes less time than starting a process.

    They start before any record is read. A process forked later would share the records, and this one would copy each
    shared page that it changes.
    """
    experiments = selected(evidence.suite, evidence.selection.only)
    if all(len(experiment.methods) <= ALL_PAIRS for experiment in experiments):
        yield None
        return
    os.environ["PYTHONSAFEPATH"] = "1"  # for them: no file of the current folder is imported as a module
    with ProcessPoolExecutor(max(1, cores() - 1)) as pool:
        pool.submit(int)  # starts them
        yield pool


def judged(evidence: Evidence, pool: Executor | None = None) -> Judged:
    """All that there is to say about the results. pool: where to resample; without one, in this process."""
    experiments = selected(evidence.suite, evidence.selection.only)
    doing("reading records")
    resampling = [begin(evidence, e, pool) for e in experiments]
    metrics = [metric for e in experiments for metric in transfer_metrics(evidence, e)]
    doing("judging claims under all their readings")
    verdicts = judge(evidence, experiments)
    doing("resampling")
    return verdicts, metrics, [a for finish in resampling for a in finish()]


def show_check(
    evidence: Evidence,
    verdicts: list[Verdict],
    transfer: list[TransferMetric],
    aggregated: list[Aggregate],
    long: bool = False,
) -> None:
    console = terminal()
    if transfer:
        print_table(console, transfer_table(transfer))
    experiments = selected(evidence.suite, evidence.selection.only)
    if kept := [own for e in experiments for own in retentions(evidence, e)]:
        print_table(console, retention_table(kept))
    if aggregated:
        print_table(console, aggregate_table(aggregated))
    print_table(console, verdict_table(verdicts))
    say(*(line for v in verdicts if long for line in in_long(v)))
    say(*deviation_lines(verdicts))
    say(counts_line(verdicts))
    for line in family_lines(verdicts):
        say(line)
    for failure in evidence.failures:
        say(f"failed: {failure}")
    _say_doubts(evidence)


def _say_doubts(evidence: Evidence) -> None:
    """Name on standard error: unusable records, cells whose teachers are missing, and unplanned seeds."""
    say_not_counted(evidence.damaged)
    for line in evidence.untaught:
        warn(f"teacher missing: {line}")
    for line in unplanned(evidence):
        warn(f"unplanned: {line}")


def judged_report(evidence: Evidence, pool: Executor | None = None) -> tuple[Path, Judged]:
    """The path of the report, in the results folder, and what it says. Raises StoreError if it cannot be written."""
    suite, selection, root = evidence.suite, evidence.selection, evidence.store.root
    named = () if selection.reading == PRIMARY else (selection.reading,)
    name = file_name(suite.id, selection.profile, *named, *selection.only)
    experiments, folder = selected(suite, selection.only), root / "report" / name
    try:
        with drawn(evidence, experiments, folder, pool):
            found = judged(evidence, pool)
            doing("drawing figures")
            draw_specifications(suite.id, found[0], folder, pool)
            return write_report(evidence, experiments, *found, folder), found
    except OSError as error:
        raise StoreError(f"report in {root} cannot be written: {error.strerror}") from error
