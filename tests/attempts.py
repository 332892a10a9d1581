"""The parts of `tox run -e hostile`: kinds of hostile input, how often each is drawn, and what must never happen.

A kind is a file tests/hostile/test_<kind>.py. Its tests draw as `drawn` says, and make each attempt inside `attempt`,
which allows so many seconds and no exception but those named. A new kind gets a share of the draws in `SHARES`.
"""

from __future__ import annotations

import collections
import contextlib
import io
import signal
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings

from bench.cli import main

SHARES = {  # ten thousand in all
    "records": 3500,
    "suites": 2500,
    "checkpoints": 1000,
    "names": 1000,
    "imports": 1000,
    "escapes": 1000,
}
CPU_S, WALL_S = 10.0, 60.0  # of one attempt: of a busy loop, and of waiting on a machine that others use, too

# By kind and outcome, for the summary; a worker hands its own to the controller (tests/hostile/conftest.py).
TALLY: collections.Counter[tuple[str, str]] = collections.Counter()


class Hang(BaseException):
    """An attempt exceeded its time limit; no exception handler stops it."""


def drawn(kind: str, share: float = 1.0) -> Callable:
    """Hypothesis' settings of a test that makes this share of a kind's draws."""
    return settings(
        max_examples=round(SHARES[kind] * share),
        deadline=None,
        database=None,
        suppress_health_check=[*HealthCheck],  # pyright: ignore[reportArgumentType] its stubs type members as the metaclass
        print_blob=True,
    )


@contextlib.contextmanager
def attempt(kind: str, *refusals: type[Exception]) -> Iterator[None]:
    """One draw. refusals: exceptions that count as an answer. Raises Hang."""

    def late(number: int, frame: object) -> None:
        raise Hang(f"an attempt of kind {kind} took more than {CPU_S:g} s of CPU time, or {WALL_S:g} s in all")

    timers = {signal.SIGPROF: (signal.ITIMER_PROF, CPU_S), signal.SIGALRM: (signal.ITIMER_REAL, WALL_S)}
    for number, timer in timers.items():
        signal.signal(number, late)
        signal.setitimer(*timer)
    try:
        yield
        TALLY[kind, "taken"] += 1
    except refusals:
        TALLY[kind, "refused"] += 1
    finally:
        for number, (timer, _) in timers.items():
            signal.setitimer(timer, 0)
            signal.signal(number, signal.SIG_DFL)


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> tuple[int, str, str]:
    """`bench ...` in this process: exit code, standard output and error. Other exceptions propagate."""
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.argv", ["bench", *map(str, arguments)])
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
            code: object = 0
        except SystemExit as end:
            code = end.code
    return code if isinstance(code, int) else 0, out.getvalue(), err.getvalue()
