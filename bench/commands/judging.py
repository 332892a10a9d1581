"""check and report: verdicts on the results that are there."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.commands.options import (
    RESULTS,
    Json,
    Only,
    Profile,
    Results,
    Seeds,
    Settings,
    SuiteName,
    evidence_of,
    print_json,
    require_results,
    terminal,
)
from bench.measures import Evidence
from bench.plan import selected
from bench.report.machine import check_json
from bench.report.markdown import write_report
from bench.report.terminal import (
    aggregate_table,
    counts_line,
    deviation_lines,
    family_lines,
    transfer_table,
    verdict_table,
)
from bench.store import StoreError
from bench.verdict import Aggregate, TransferMetric, Verdict, aggregates, judge, transfer_metrics


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
    found = judged(evidence)
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
) -> None:
    """Write a Markdown report with learning curves; prints its path."""
    evidence = evidence_of(suite, profile, only, seeds, settings, results)
    require_results(evidence, results)
    path = save_report(evidence, *judged(evidence))
    if as_json:
        print_json({"report": str(path)})
    else:
        print(f"report: {path}")


def judged(evidence: Evidence) -> tuple[list[Verdict], list[TransferMetric], list[Aggregate]]:
    experiments = selected(evidence.suite, evidence.selection.only)
    metrics = [metric for e in experiments for metric in transfer_metrics(evidence, e)]
    return judge(evidence, experiments), metrics, [a for e in experiments for a in aggregates(evidence, e)]


def show_check(
    evidence: Evidence, verdicts: list[Verdict], transfer: list[TransferMetric], aggregated: list[Aggregate]
) -> None:
    console = terminal()
    if transfer:
        console.print(transfer_table(transfer))
    if aggregated:
        console.print(aggregate_table(aggregated))
    console.print(verdict_table(verdicts))
    print(*deviation_lines(verdicts), sep="\n")
    print(counts_line(verdicts))
    for line in family_lines(verdicts):
        print(line)
    for failure in evidence.failures:
        print(f"failed: {failure}")
    for problem in evidence.damaged:
        print(f"not counted: {problem}", file=sys.stderr)


def save_report(
    evidence: Evidence, verdicts: list[Verdict], transfer: list[TransferMetric], aggregated: list[Aggregate]
) -> Path:
    """The path of the report, in the results folder. Raises StoreError where it cannot be written."""
    suite, selection, root = evidence.suite, evidence.selection, evidence.store.root
    name = "-".join([suite.id, selection.profile, *(e.replace("/", "-") for e in selection.only)])
    try:
        experiments = selected(suite, selection.only)
        return write_report(evidence, experiments, verdicts, transfer, aggregated, root / "report" / name)
    except OSError as error:
        raise StoreError(f"report in {root} cannot be written: {error.strerror}") from error
