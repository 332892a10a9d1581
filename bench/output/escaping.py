"""Words that others chose, escaped for each kind of output: shown as they are, and never obeyed.

Such words are titles, reasons, names of files and methods, what a record says of its machine, and lines of a log.
Whoever wrote a suite, a record or a method chose them. A terminal obeys control characters, GitHub's runner obeys lines
that begin with `::`, Markdown obeys brackets and HTML, a spreadsheet obeys a leading `=`. `bench/report/latex.py`
escapes for LaTeX, jinja2 for HTML.
"""

from __future__ import annotations

import re

COMPUTED = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # what a spreadsheet takes for the start of a formula
_MARKS = re.compile(r"[\\`*|]|(?<!\w)_|_(?!\w)|~(?=~)|(?<=\])\(")
_ESCAPED = re.compile(r"\\([\\`*|_~(])")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;"})


class Marked(str):
    """Text that is Markdown already: our own marks, and others' words escaped."""


def visible(text: str) -> str:
    r"""A text on one line of printable characters; all others as Python writes them, such as `\x1b` or `\n`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def line(text: str) -> str:
    """A line of a terminal or a log: nothing in it is a control character or a command of GitHub's runner."""
    shown = visible(text).replace("##[", r"##\[")
    return f"\\{shown}" if shown.lstrip().startswith("::") else shown


def markdown(text: str) -> Marked:
    """Inside a line of Markdown or a cell of its tables: neither HTML, links, code, emphasis nor another cell."""
    return text if isinstance(text, Marked) else Marked(_MARKS.sub(r"\\\g<0>", visible(text)).translate(_ENTITIES))


def unmarked(text: str) -> str:
    """The text that `markdown` was given, except for characters that do not print: for a cell that is shown alone."""
    return _ESCAPED.sub(r"\1", text).replace("&lt;", "<").replace("&amp;", "&")


def spreadsheet(value: object) -> object:
    """A field of a CSV file: text that a spreadsheet would compute is marked as text; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    shown = visible(value)
    return f"'{shown}" if shown.lstrip().startswith(COMPUTED) else shown
