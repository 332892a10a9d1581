"""The command line, put together. Each verb stands in `commands`.

Exit codes: 0 done, whatever the verdicts say; 1 where the answer is bad and that was asked (verify, nightly,
run --against, --fail-on); 2 bad usage or a bad suite file; 3 runs failed, or the results folder could not be written
any more; 4 nothing was run, or nothing was there to run against; 70 a fault of ours; 130 interrupted; 141 nobody read
what was printed. docs/commands.md says each in full.
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

# Objects made until Python looks for garbage in cycles, of which there is next to none here: with its own numbers that
# took a fifth of `bench check` on 20,000 records.
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
    """What goes before a verb."""
    if version:
        say(f"marl-distill-bench {__version__}")
        raise typer.Exit


def main() -> None:
    """The console script: a refused request is one message and exit code 2; what nobody foresaw ends with 70, not 1."""
    gc.set_threshold(*COLLECTION)
    any_encoding()
    try:
        with Waiting(sys.stderr, "working"):
            app()
    except Exception as error:
        from bench.commands.failing import told  # loads what knows the errors, which help and version do without

        sys.exit(told(error))
