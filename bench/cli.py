"""The command line, put together. Each verb stands in `commands`.

Exit codes: 0 done, whatever the verdicts say; 1 only from verify, where the folder is not sound, from nightly, where it
is worse than its baseline, and where --fail-on asks for it; 2 bad usage or a bad suite file; 3 runs failed, or the
results folder could not be written any more; 4 nothing was run; 130 interrupted.
"""

from __future__ import annotations

import gc
import sys
from typing import Annotated

import typer

from bench import __version__
from bench.commands import comparing, exchange, folders, judging, nightly, publishing, runs, suites
from bench.commands.options import BAD_USAGE, RUNS_FAILED
from bench.exchange import ExchangeError
from bench.store import StoreError, storage_problem
from bench.suite import SuiteError

VERBS = (
    suites.ls,
    suites.validate,
    suites.audit,
    suites.anchors,
    runs.plan,
    runs.run,
    judging.check,
    judging.report,
    comparing.compare,
    exchange.export,
    exchange.import_,
    folders.verify,
    folders.diff,
    publishing.leaderboard,
    folders.opponent,
)

# Objects made until Python looks for garbage in cycles, of which there is next to none here: with its own numbers that
# took a fifth of `bench check` on 20,000 records.
COLLECTION = (1_000_000, 10, 10)

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Reruns papers on knowledge distillation in reinforcement learning, and judges what they claim.",
)
for verb in VERBS:
    app.command(verb.__name__.rstrip("_"))(verb)
app.add_typer(nightly.app, name="nightly")


@app.callback(invoke_without_command=True)
def bench_(version: Annotated[bool, typer.Option("--version", help="print the version")] = False) -> None:
    """What goes before a verb."""
    if version:
        print(f"marl-distill-bench {__version__}")
        raise typer.Exit


def main() -> None:
    """The console script: a refused request is one message and exit code 2."""
    gc.set_threshold(*COLLECTION)
    try:
        app()
    except (SuiteError, StoreError, ExchangeError) as error:
        print(error, file=sys.stderr)
        sys.exit(BAD_USAGE)
    except OSError as error:  # the disk filled up or the results folder went away under way
        print(storage_problem(error, "results folder"), file=sys.stderr)
        sys.exit(RUNS_FAILED)
