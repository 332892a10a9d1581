"""What a silent command is doing: after two seconds a line on standard error, if that is a terminal.

The line is erased before anything is printed. It stands nowhere but on the screen.
"""

from __future__ import annotations

import os
import threading
import time
from types import TracebackType
from typing import TextIO

PATIENCE_S = 2.0
TICK_S = 0.5
ERASE = "\r\x1b[2K"


class Waiting:
    """A context that watches over a command. what: what the command is doing, in a few words."""

    def __init__(self, stream: TextIO, what: str, patience_s: float = PATIENCE_S, tick_s: float = TICK_S):
        self.what = what
        self._stream, self._patience_s, self._tick_s = stream, patience_s, tick_s
        self._began = self._said = time.monotonic()
        self._drawn, self._over, self._lock = False, threading.Event(), threading.Lock()

    def __enter__(self) -> Waiting:
        if self._stream.isatty():
            _watching.append(self)
            threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self.erase()
        if self in _watching:
            _watching.remove(self)

    def erase(self) -> None:
        """Erase the line, for something is about to be printed."""
        with self._lock:
            if self._drawn:
                self._write(ERASE)
            self._drawn, self._said = False, time.monotonic()

    def _watch(self) -> None:
        while not self._over.wait(self._tick_s):
            with self._lock:
                now = time.monotonic()
                if now - self._said >= self._patience_s and not self._over.is_set():
                    self._write(f"{ERASE}{self.what}, {now - self._began:.0f} s")
                    self._drawn = True

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # the terminal has gone away; the command need not know
            self._over.set()


_watching: list[Waiting] = []
os.register_at_fork(after_in_child=_watching.clear)  # a child has no such thread, and may copy a lock that is held


def doing(what: str) -> None:
    """Say what the command does from now on, in a few words."""
    for one in _watching:
        one.what = what


def about_to_print() -> None:
    for one in _watching:
        one.erase()
