"""verify, diff and opponent: the files of a results folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.commands.options import RESULTS, Json, Results, cores, print_json, terminal
from bench.commands.verbs import NOT_SOUND, NOTHING_RUN, RUNS_FAILED
from bench.exchange.imported import imports
from bench.nightly import rerun as reruns
from bench.output.tables import print_table
from bench.output.terminal import say, warn
from bench.output.waiting import doing
from bench.report.folders import (
    difference_json,
    difference_lines,
    difference_table,
    verified_json,
    verified_lines,
)
from bench.store import Store
from bench.store.diff import difference, find
from bench.store.names import of_shipped
from bench.store.opponents import opponent_of
from bench.store.verify import verify as verified
from bench.suite.shipped import opponents


def verify(
    results: Annotated[Path, typer.Argument(envvar="BENCH_RESULTS", help="the results folder")] = RESULTS,
    rerun: Annotated[int, typer.Option(min=0, help="train this many finished runs again, and compare")] = 0,
    baseline: Annotated[
        Path | None, typer.Option(help="folder whose canaries say which platform classes repeat; default: RESULTS")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="processes at once, with --rerun; default: one per core")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check every hash of a results folder; exit code 1 if something fails.

    With --rerun, exit code 1 also if a run that is trained again has other numbers than its record, on a platform class
    whose canaries are stored; exit code 4 if no run could be trained again.
    """
    doing("checking hashes")
    elsewhere = imports(results)
    store = Store(results)
    found = verified(store, len(elsewhere.sound), elsewhere.damaged, of_shipped())
    doing("training runs again" if rerun else "comparing")
    again = reruns.rerun(store, rerun, baseline or results, jobs or cores(), lambda _: None) if rerun else None
    if as_json:
        print_json(verified_json(results, found) | ({"rerun": reruns.as_json(again)} if again else {}))
    else:
        say(*verified_lines(results, found), *(reruns.lines(again) if again else ()))
    if found.findings or (again and again.broken):
        raise typer.Exit(NOT_SOUND)
    if again and again.broken_off:
        raise typer.Exit(RUNS_FAILED)
    if again and not again.rows:
        raise typer.Exit(NOTHING_RUN)
    if not found.finished + found.failed + found.imports:
        warn(f"nothing was run: no record in {results}")
        raise typer.Exit(NOTHING_RUN)


def diff(
    first: Annotated[str, typer.Argument(metavar="RUN", help="a run's id, the start of one, or a record's file")],
    second: Annotated[str, typer.Argument(metavar="RUN", help="another run")],
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Show two runs side by side: settings, versions, hardware, commit, and where their numbers begin to differ."""
    store = Store(results)
    found = difference(find(store, first), find(store, second))
    if as_json:
        print_json(difference_json(found))
        return
    print_table(terminal(), difference_table(found))
    say(*difference_lines(found))


def opponent(
    run: Annotated[str, typer.Argument(metavar="RUN", help="a run's id, the start of one, or a record's file")],
    agent: Annotated[int, typer.Option(min=0, help="which agent of the team, from 0; adversaries come first")] = 0,
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
    say(f"{path}: {found.origin['agent_name']} of run {found.origin['run']}, seed {found.origin['seed']}")
    say(f'in a scenario: opponent = "pretrained", opponent_sha256 = "{found.sha256}"')
