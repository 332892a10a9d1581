"""The command line as a whole. Each verb has its function in `commands`.

Exit codes: 0 done, whatever the verdicts say; 1 the answer is bad and the user asked for it (verify, nightly,
run --against, --fail-on); 2 bad usage or a bad suite file; 3 runs failed, or the results folder could no longer be
written; 4 nothing was run, or there was nothing to compare with; 70 a fault of ours; 130 interrupted; 141 whoever read
our output stopped reading. docs/commands.md explains each in full.
"""

from __future__ import annotations

import gc
import sys
from typing import Annotated

import typer

from bench import __version__
from bench.commands.verbs import AllVerbs
from bench.output.terminal import any_encoding, say
from bench.output.waiting import Waiting

# How many new objects make Python search for garbage in cycles. We make almost no cycles. With Python's own numbers the
# search took a fifth of the time of `bench check` on 20,000 records.
COLLECTION = (1_000_000, 10, 10)

app = typer.Typer(
    cls=AllVerbs,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # help shows every word: no [brackets] are taken for markup
    help="Reruns papers on knowledge distillation in reinforcement learning, and judges what they claim.",
)


@app.callback(invoke_without_command=True)
def bench_(version: Annotated[bool, typer.Option("--version", help="print the version")] = False) -> None:
    """The options before a verb."""
    if version:
        say(f"marl-distill-bench {__version__}")
        raise typer.Exit


def main() -> None:
    """The console script. A refused request ends with one message and exit code 2; an unforeseen error ends with 70."""
    gc.set_threshold(*COLLECTION)
    any_encoding()
    try:
        with Waiting(sys.stderr, "working"):
            app()
    except Exception as error:
        from bench.commands.failing import told  # imported late: help and version do not need it

        sys.exit(told(error))
