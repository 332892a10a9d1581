"""check and report: verdicts on the results that are there."""

from __future__ import annotations

import contextlib
import sys
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
    Results,
    Seeds,
    Settings,
    SuiteName,
    cores,
    evidence_of,
    print_json,
    require_results,
    terminal,
)
from bench.compare import entrants
from bench.explain import Problem, listed, nearest, shown
from bench.measures import Evidence
from bench.plan import COMMAND_LINE, selected
from bench.report.boards import REFERENCE, boards
from bench.report.machine import check_json
from bench.report.markdown import drawn, write_report
from bench.report.papertables import paper_tables
from bench.report.tabular import FORMATS, Tables
from bench.report.terminal import (
    aggregate_table,
    counts_line,
    deviation_lines,
    family_lines,
    print_table,
    transfer_table,
    verdict_table,
)
from bench.store import StoreError, write_atomically
from bench.suite import SuiteError
from bench.verdict import Aggregate, TransferMetric, Verdict, judge, transfer_metrics
from bench.verdict.aggregates import ALL_PAIRS, begin

Judged = tuple[list[Verdict], list[TransferMetric], list[Aggregate]]


def check(
    suite: SuiteName,
    profile: Profile = "full",
    only: Only = None,
    seeds: Seeds = "",
    settings: Settings = None,
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Judge every claim on the results that are there."""
    evidence = evidence_of(suite, profile, only, seeds, settings, results)
    with workers(evidence) as pool:
        found = judged(evidence, pool)
    if as_json:
        print_json(check_json(evidence, *found))
    else:
        show_check(evidence, *found)
    require_results(evidence, results)


def report(
    suite: SuiteName,
    profile: Profile = "full",
    only: Only = None,
    seeds: Seeds = "",
    settings: Settings = None,
    results: Results = RESULTS,
    as_json: Json = False,
    form: Annotated[
        str | None, typer.Option("--format", help=f"print the tables alone, as {', '.join(FORMATS)}")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="with --format: write to this file")] = None,
) -> None:
    """Write a Markdown report with learning curves and print its path; with --format print the tables alone."""
    _check_form(form, out)
    evidence = evidence_of(suite, profile, only, seeds, settings, results)
    if form is not None:
        _print_tables(evidence, form, out)
        require_results(evidence, results)
        return
    with workers(evidence) as pool:
        require_results(evidence, results)
        path, _ = judged_report(evidence, pool)
    if as_json:
        print_json({"report": str(path)})
    else:
        print(f"report: {path}")


def _check_form(form: str | None, out: Path | None) -> None:
    if form is not None and form not in FORMATS:
        problem = Problem("--format", shown(form), listed(FORMATS), f"name one of them{nearest(form, FORMATS)}")
        raise SuiteError(COMMAND_LINE, [problem])
    if form is None and out is not None:
        raise SuiteError(COMMAND_LINE, [Problem("--out", shown(str(out)), "a file, with --format", "name a --format")])


def _print_tables(evidence: Evidence, form: str, out: Path | None) -> None:
    """The tables as the paper prints them, and the claims. Raises StoreError where `out` cannot be written."""
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
        print(text, end="")
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, text.encode())
    except OSError as error:
        raise StoreError(f"{out} cannot be written: {error.strerror}") from error


@contextlib.contextmanager
def workers(evidence: Evidence) -> Iterator[Executor | None]:
    """Processes to resample and draw in; none for few methods, which are done sooner than a process starts.

    They are made before any record is read: what this process holds then, it would have to copy as it goes on.
    """
    experiments = selected(evidence.suite, evidence.selection.only)
    if all(len(experiment.methods) <= ALL_PAIRS for experiment in experiments):
        yield None
        return
    with ProcessPoolExecutor(max(1, cores() - 1)) as pool:
        pool.submit(int)  # starts them
        yield pool


def judged(evidence: Evidence, pool: Executor | None = None) -> Judged:
    """All that there is to say about the results; pool: where resampling is done, else here."""
    experiments = selected(evidence.suite, evidence.selection.only)
    resampling = [begin(evidence, e, pool) for e in experiments]
    metrics = [metric for e in experiments for metric in transfer_metrics(evidence, e)]
    verdicts = judge(evidence, experiments)
    return verdicts, metrics, [a for finish in resampling for a in finish()]


def show_check(
    evidence: Evidence, verdicts: list[Verdict], transfer: list[TransferMetric], aggregated: list[Aggregate]
) -> None:
    console = terminal()
    if transfer:
        print_table(console, transfer_table(transfer))
    if aggregated:
        print_table(console, aggregate_table(aggregated))
    print_table(console, verdict_table(verdicts))
    print(*deviation_lines(verdicts), sep="\n")
    print(counts_line(verdicts))
    for line in family_lines(verdicts):
        print(line)
    for failure in evidence.failures:
        print(f"failed: {failure}")
    for problem in evidence.damaged:
        print(f"not counted: {problem}", file=sys.stderr)


def judged_report(evidence: Evidence, pool: Executor | None = None) -> tuple[Path, Judged]:
    """The path of the report, in the results folder, and what it says. Raises StoreError where it cannot be written."""
    suite, selection, root = evidence.suite, evidence.selection, evidence.store.root
    name = "-".join([suite.id, selection.profile, *(e.replace("/", "-") for e in selection.only)])
    experiments, folder = selected(suite, selection.only), root / "report" / name
    try:
        with drawn(evidence, experiments, folder, pool):
            found = judged(evidence, pool)
            return write_report(evidence, experiments, *found, folder), found
    except OSError as error:
        raise StoreError(f"report in {root} cannot be written: {error.strerror}") from error
