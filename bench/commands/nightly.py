"""nightly: the night's check, and the commands that move the references it checks against."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from bench.commands.options import RESULTS, Json, cores, print_json, say_not_counted, seconds_in
from bench.commands.verbs import INTERRUPTED, RUNS_FAILED, Verbs
from bench.nightly import stored
from bench.nightly.checking import change, check, fresh_evidence, refreshed
from bench.nightly.checking import night_record as recorded
from bench.nightly.history import append, nights
from bench.nightly.nights import parsed_night
from bench.nightly.references import moved_to
from bench.nightly.report import canary_line, finding_lines, night_json, platform_line, require_folder, write_night
from bench.output.terminal import say, warn
from bench.plan import COMMAND_LINE
from bench.store import Store, StoreError
from bench.suite import Suite, SuiteError
from bench.suite.explain import Problem, listed, nearest, shown
from bench.suite.loading import load
from bench.suite.shipped import available

BASELINE = Path("results")


class DefaultVerb(Verbs):
    """`bench nightly knowru` is `bench nightly check knowru`: a first word that is no verb is an argument of check."""

    def parse_args(self, ctx, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            if args and args[0] not in available() and (meant := nearest(args[0], self.commands)):
                allowed = listed([*self.commands, *available()])
                raise SuiteError(COMMAND_LINE, [Problem("SUITE", shown(args[0]), allowed, f"correct it{meant}")])
            args = ["check", *args]
        return super().parse_args(ctx, args)


HELP = """Check tonight: run canaries and fresh seeds, show what moved, name what broke.

Without a verb, `check` runs: `bench nightly [SUITE]... --budget 60m --baseline results`. `bench nightly check --help`
lists its options."""
app = typer.Typer(cls=DefaultVerb, add_completion=False, help=HELP, rich_markup_mode=None)
Suites = Annotated[list[str] | None, typer.Argument(metavar="[SUITE]...", help="suites; default: all")]
Baseline = Annotated[Path, typer.Option(help="the folder of reference results, canaries and accepted scores")]
Fresh = Annotated[Path, typer.Option(envvar="BENCH_RESULTS", help="the folder where fresh seeds are gathered")]
Reason = Annotated[str, typer.Option(help="why; kept in the file")]


@app.command("check")
def check_(
    suites: Suites = None,
    budget: Annotated[
        str, typer.Option(help="time for the night's cells, e.g. 90s, 60m, 2h; canaries run in full")
    ] = "60m",
    baseline: Baseline = BASELINE,
    results: Fresh = RESULTS,
    canary_only: Annotated[
        bool, typer.Option("--canary-only", help="run canaries alone; write nothing but --out")
    ] = False,
    night: Annotated[str, typer.Option(help="the night's date; its seeds follow from it; default: today, UTC")] = "",
    jobs: Annotated[int | None, typer.Option(min=1, help="processes at once; default: one per core")] = None,
    out: Annotated[Path | None, typer.Option(help="the folder for reports; default: RESULTS/nightly/NIGHT")] = None,
    as_json: Json = False,
) -> None:
    """Check tonight (what `bench nightly` does). Exit codes: 1 worse, 3 runs failed, 4 nothing ran."""
    day, seconds, loaded = parsed_night(night), seconds_in(budget, "--budget"), _loaded(suites)
    _require(baseline)
    if out is not None:
        require_folder(out)
    store = None if canary_only else Store(results)
    if store is not None:
        store.open_for_writing()
    done = check(loaded, day, baseline, store, seconds, jobs or cores(), _tell)
    if as_json:
        print_json(night_json(done))
    else:
        say(done.headline, canary_line(done), platform_line(done), *finding_lines(done.findings))
    say_not_counted(done.damaged)
    if store is None and out is not None:
        warn(f"report: {write_night(done, (), (), out)}")
    if done.played and done.played.broken:  # nothing can be written there any more
        raise typer.Exit(RUNS_FAILED)
    if store is not None:
        append(store.root, recorded(done))
        path = write_night(done, *nights(store.root), out or store.root / "nightly" / str(day))
        (warn if as_json else say)(f"report: {path}")
    if done.played and done.played.stopped:
        raise typer.Exit(INTERRUPTED)
    if done.exit_code:
        raise typer.Exit(done.exit_code)


@app.command()
def accept(
    suites: Suites = None,
    reason: Reason = "",
    baseline: Baseline = BASELINE,
    results: Fresh = RESULTS,
    pin: Annotated[bool, typer.Option("--pin", help="move the pinned reference too")] = False,
    as_json: Json = False,
) -> None:
    """Accept the fresh seeds' present scores as the baseline. The pinned reference stays, unless there is none."""
    _require_reason(reason)
    _require(baseline)
    store = Store(results)
    evidence = fresh_evidence(_loaded(suites), store)
    say_not_counted(store.contents().damaged)
    known = [e for e in evidence if any(e.scores.values())]
    if not known:
        raise StoreError(f"nothing to accept: no fresh seed of these suites in {results}; bench nightly makes them")
    why, moved = change(reason), {}
    for path, ours in ((stored.accepted_path(baseline), known), (stored.pinned_path(baseline), known)):
        now = stored.reference(path)
        if path == stored.pinned_path(baseline) and not pin:
            ours = [e for e in known if e.cell.key not in now.cells]
        if ours:
            stored.write(path, moved_to(now, ours, why))
            moved[str(path)] = len(ours)
    if as_json:
        print_json({"cells": moved})
    else:
        say(*(f"{path}: {cells} cell(s)" for path, cells in moved.items()))


@app.command("refresh-canary")
def refresh_canary(
    suites: Suites = None, reason: Reason = "", baseline: Baseline = BASELINE, as_json: Json = False
) -> None:
    """Replace this platform's stored canaries with their present numbers."""
    _require_reason(reason)
    _require(baseline)
    path, before = refreshed(_loaded(suites), baseline, reason, _tell)
    differed = [one for one in before if one.state != "same"]
    if as_json:
        print_json({"stored": str(path), "before": [vars(one) for one in differed]})
    else:
        say(*(f"{one.state}: {one.name}: {one.says}" for one in differed), f"stored: {path}")


def _loaded(names: list[str] | None) -> list[Suite]:
    return [load(name) for name in names or available()]


def _require(baseline: Path) -> None:
    if not baseline.is_dir():
        problem = Problem("--baseline", shown(str(baseline)), "a folder", "name the folder of reference results")
        raise SuiteError(COMMAND_LINE, [problem])


def _require_reason(reason: str) -> None:
    if not reason.strip():
        mend = 'e.g. --reason "torch 2.14: other kernels"'
        raise SuiteError(COMMAND_LINE, [Problem("--reason", shown(reason), "the reason, in words; it is kept", mend)])


def _tell(event: dict) -> None:
    """One line on standard error for each start, failure and canary; nothing in CI."""
    if "CI" in os.environ:
        return
    if event["event"] == "started":
        warn(f"started: {event['label']}, {len(event['runs'])} seeds")
    elif event["event"] == "failed":
        warn(f"failed: {event['run']}: {event['reason']}")
    elif event["event"] == "canary":
        warn(f"canary {event['number']} of {event['of']}, {event['seconds']:.1f} s: {event['name']}")
    elif event["event"] == "remark":
        warn(event["says"])
