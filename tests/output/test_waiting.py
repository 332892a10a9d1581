"""The line that is shown while a command prints nothing."""

from __future__ import annotations

import io
import time

import pytest

from bench.output import terminal
from bench.output.waiting import ERASE, Waiting, doing


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def until(screen: io.StringIO, text: str) -> None:
    deadline = time.monotonic() + 20
    while text not in screen.getvalue() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert text in screen.getvalue()


def test_it_says_what_is_done_and_is_gone_before_anything_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    with Waiting(screen, "working", patience_s=0.02, tick_s=0.005):
        until(screen, f"{ERASE}working, 0 s")
        doing("judging")
        until(screen, f"{ERASE}judging, 0 s")
        terminal.say("a result")
        assert capsys.readouterr().out == "a result\n"  # printing erased it: it comes back when nothing follows
        screen.truncate(0)
        until(screen, "judging")
    assert screen.getvalue().endswith(ERASE)


def test_it_says_nothing_of_what_is_quick_nor_where_no_one_looks() -> None:
    quick, piped = Screen(), io.StringIO()
    with Waiting(quick, "working", patience_s=60, tick_s=0.001), Waiting(piped, "working", patience_s=0, tick_s=0.001):
        time.sleep(0.05)
    assert (quick.getvalue(), piped.getvalue()) == ("", "")
