"""verify, diff and opponent: results folders as they lie on disk."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.commands.options import NOT_SOUND, NOTHING_RUN, RESULTS, Json, Results, print_json, terminal
from bench.diff import difference, find
from bench.opponents import opponent_of
from bench.report.folders import (
    difference_json,
    difference_lines,
    difference_table,
    verified_json,
    verified_lines,
)
from bench.store import Store
from bench.suite.loading import opponents
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
    if not found.finished + found.failed + found.imports:
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


def opponent(
    run: Annotated[str, typer.Argument(metavar="RUN", help="a run's id, the start of it, or a record's file")],
    agent: Annotated[int, typer.Option(min=0, help="which agent of the team, from 0 on; adversaries come first")] = 0,
    results: Results = RESULTS,
    out: Annotated[
        Path | None,
        typer.Option(
            help="the folder to write it to; default: opponents/ beside the suite files, where runs look for it"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Take one agent of a finished run's team as an opponent, for a scenario's opponent_sha256."""
    store = Store(results)
    found = opponent_of(store, find(store, run), agent)
    path = found.write(out or opponents())
    if as_json:
        print_json({"path": str(path), **found.origin})
        return
    print(f"{path}: {found.origin['agent_name']} of run {found.origin['run']}, seed {found.origin['seed']}")
    print(f'in a scenario: opponent = "pretrained", opponent_sha256 = "{found.sha256}"')
