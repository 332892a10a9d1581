"""An error that ended a command: its message and its exit code."""

from __future__ import annotations

import traceback

from bench import __version__
from bench.commands.verbs import BAD_USAGE, OUR_FAULT, RUNS_FAILED
from bench.exchange import ExchangeError
from bench.output.terminal import refuse, warn
from bench.store import StoreError, storage_problem
from bench.suite import SuiteError


def told(error: Exception) -> int:
    if isinstance(error, SuiteError | ExchangeError):
        refuse(error)
        return BAD_USAGE
    if isinstance(error, StoreError):
        warn(error)
        return BAD_USAGE
    if isinstance(error, OSError):  # during the command the disk filled up or the results folder vanished
        warn(storage_problem(error, "results folder"))
        return RUNS_FAILED
    warn(
        *"".join(traceback.format_exception(error)).split("\n"),
        f"a fault of marl-distill-bench {__version__}: please report it",
    )
    return OUR_FAULT
