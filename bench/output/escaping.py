"""Words that others chose, as each kind of output takes them: shown as they are, and obeyed by nothing.

Titles, reasons, names of files and methods, what a record says of its machine, lines of a log: whoever wrote a suite, a
record or a method chose them. A terminal obeys control characters, a job of GitHub lines that begin with `::`, Markdown
brackets and HTML, a spreadsheet a leading `=`. LaTeX has its own (`bench/report/latex.py`), HTML is jinja2's business.
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
    r"""On one line, in characters that print: every other one as Python writes it, such as `\x1b` or `\n`."""
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
    """What `markdown` was given, up to characters that do not print: for a cell that is shown by itself."""
    return _ESCAPED.sub(r"\1", text).replace("&lt;", "<").replace("&amp;", "&")


def spreadsheet(value: object) -> object:
    """A field of a CSV file: text that a spreadsheet would compute is marked as text; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    shown = visible(value)
    return f"'{shown}" if shown.lstrip().startswith(COMPUTED) else shown
