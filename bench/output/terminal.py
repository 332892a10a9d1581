"""The one way to standard output and standard error. Lines go through `escaping.line`; documents stay unchanged."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from bench.output.escaping import line
from bench.output.waiting import about_to_print

READER_GONE = 141  # what a shell reports of a program that writes to a pipe nobody reads


def any_encoding() -> None:
    r"""Characters that the terminal's encoding lacks become Python's escapes, such as `\xb1`, instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # tests may put others in their place
            stream.reconfigure(errors="backslashreplace")


def say(*lines: object) -> None:
    """Lines for people on standard output, one per argument."""
    _write(sys.stdout, lines)


def warn(*lines: object) -> None:
    """Lines for people on standard error, one per argument."""
    _write(sys.stderr, lines)


def refuse(error: Exception) -> None:
    """The message of an error of ours, on standard error. Its parts have been made visible; its line ends are ours."""
    warn(*str(error).split("\n"))


def put(text: str) -> None:
    """A whole document on standard output, byte for byte."""
    _print(sys.stdout, text)


class Terminal(Console):
    """Tables and progress. Text is shown as it is: neither markup nor control characters in it are obeyed."""

    def __init__(self, **options: Any):
        # Highlighting would cut a text into pieces, and `escaping.line` would not see a command that spans them.
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def print(self, *objects: Any, **options: Any) -> None:
        about_to_print()
        super().print(*objects, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=_lines(segment.text))

    def on_broken_pipe(self) -> None:
        _reader_gone()


def _lines(text: str) -> str:
    """Each line escaped; the line ends between them are the layout's."""
    return "\n".join(map(line, text.split("\n")))


def _write(stream: TextIO, lines: Iterable[object]) -> None:
    for own in lines:
        _print(stream, f"{line(str(own))}\n")


def _print(stream: TextIO, text: str) -> None:
    about_to_print()
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        _reader_gone()


def _reader_gone() -> None:
    """Nobody reads any more, e.g. behind `| head`: end silently, with a code that means nothing else."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())  # Python flushes into it when it ends
    raise SystemExit(READER_GONE)


def coloured(word: str, style: str, rest: str = "") -> Text:
    """A cell that begins with a word in colour."""
    return Text.assemble((word, style), rest)
