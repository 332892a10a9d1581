"""The command line, put together. Each verb stands in `commands`.

Exit codes: 0 done, whatever the verdicts say; 1 where the answer is bad and that was asked (verify, nightly,
run --against, --fail-on); 2 bad usage or a bad suite file; 3 runs failed, or the results folder could not be written
any more; 4 nothing was run, or nothing was there to run against; 70 a fault of ours; 130 interrupted; 141 nobody read
what was printed. README.md says each in full.
"""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any

import typer

from bench import __version__
from bench.commands import options
from bench.commands.options import BAD_USAGE, OUR_FAULT, RUNS_FAILED
from bench.exchange import ExchangeError
from bench.output.terminal import any_encoding, refuse, say, warn
from bench.store import StoreError, storage_problem
from bench.suite import SuiteError

VERBS = {  # in the order of the help; each with where it stands in `commands`
    "ls": "suites.ls",
    "validate": "suites.validate",
    "audit": "suites.audit",
    "anchors": "suites.anchors",
    "plan": "runs.plan",
    "run": "runs.run",
    "check": "judging.check",
    "report": "judging.report",
    "show": "showing.show",
    "compare": "comparing.compare",
    "export": "exchange.export",
    "import": "exchange.import_",
    "verify": "folders.verify",
    "diff": "folders.diff",
    "leaderboard": "publishing.leaderboard",
    "opponent": "folders.opponent",
    "asset": "assets.app",
    "nightly": "nightly.app",
    "doctor": "doctor.doctor",
}

# Objects made until Python looks for garbage in cycles, of which there is next to none here: with its own numbers that
# took a fifth of `bench check` on 20,000 records.
COLLECTION = (1_000_000, 10, 10)


class Verbs(Mapping[str, Any]):
    """The commands by name. A verb's module is imported when the verb is looked up: none needs the whole house."""

    def __getitem__(self, name: str) -> Any:
        module, _, attribute = VERBS[name].partition(".")
        app = getattr(import_module(f"bench.commands.{module}"), attribute)
        if not isinstance(app, typer.Typer):  # then it is a function: one verb, and no verbs of its own
            verb, app = app, typer.Typer(add_completion=False, rich_markup_mode=None)
            app.command()(verb)
        command = typer.main.get_command(app)
        command.name = name
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(VERBS)

    def __len__(self) -> int:
        return len(VERBS)


class Lazy(options.Verbs):
    def __init__(self, **settings: Any):
        super().__init__(**settings)
        self.commands = Verbs()


app = typer.Typer(
    cls=Lazy,
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
        app()
    except (SuiteError, ExchangeError) as error:
        refuse(error)
        sys.exit(BAD_USAGE)
    except StoreError as error:
        warn(error)
        sys.exit(BAD_USAGE)
    except OSError as error:  # the disk filled up or the results folder went away under way
        warn(storage_problem(error, "results folder"))
        sys.exit(RUNS_FAILED)
    except Exception:
        warn(
            *traceback.format_exc().split("\n"),
            f"a fault of marl-distill-bench {__version__}: please report it",
        )
        sys.exit(OUR_FAULT)
