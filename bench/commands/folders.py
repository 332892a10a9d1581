"""verify and diff: results folders as they lie on disk."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.commands.options import NOT_SOUND, NOTHING_RUN, RESULTS, Json, Results, print_json, terminal
from bench.diff import difference, find
from bench.report.folders import (
    difference_json,
    difference_lines,
    difference_table,
    verified_json,
    verified_lines,
)
from bench.store import Store
from bench.verify import verify as verified


def verify(
    results: Annotated[Path, typer.Argument(envvar="BENCH_RESULTS", help="the results folder")] = RESULTS,
    as_json: Json = False,
) -> None:
    """Check every hash of a results folder; exit code 1 where something fails."""
    found = verified(Store(results))
    if as_json:
        print_json(verified_json(results, found))
    else:
        print(*verified_lines(results, found), sep="\n")
    if found.findings:
        raise typer.Exit(NOT_SOUND)
    if not found.finished + found.failed:
        print(f"nothing was run: no record in {results}", file=sys.stderr)
        raise typer.Exit(NOTHING_RUN)


def diff(
    first: Annotated[str, typer.Argument(metavar="RUN", help="a run's id, the start of it, or a record's file")],
    second: Annotated[str, typer.Argument(metavar="RUN", help="another")],
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Show two runs side by side: settings, versions, hardware, commit, and where their numbers part."""
    store = Store(results)
    found = difference(find(store, first), find(store, second))
    if as_json:
        print_json(difference_json(found))
        return
    terminal().print(difference_table(found))
    print(*difference_lines(found), sep="\n")
