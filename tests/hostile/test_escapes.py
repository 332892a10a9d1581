"""Other people's texts in every kind of output: shown literally, and never executed."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.table import Table

from bench.nightly.junit import Case, _suite
from bench.output.escaping import COMPUTED, line, spreadsheet, visible
from bench.output.terminal import Terminal
from bench.report.latex import SPECIAL, escaped
from bench.report.tables import table
from tests.attempts import attempt, command, drawn
from tests.conftest import TINY

MARKS = [
    *("\x1b[2J", "\x9b31m", "\x1b]0;t\x07", "\r", "\n", "\u2028", "\u202e", "\0", "\ud800", "\U000e0001", "\u200b"),
    *("::error::", "::add-mask::x", "##[error]", "%0A::x", "[/red]", "[bold]", "[link=file:///]", ":smile:"),
    *("|", "\\", "`", "``", "*", "**", "_", "~~", "<b>", "<!--", "&lt;", "&#x3c;", "[x](y)", "![x](y)", "[x]: y", "]("),
    *("<http://x>", "$x$", "- ", "# ", "> ", "1. ", "---", "    ", "\t", "=1+1", "+1", "-1", "@x", "\uff1d1", "'", '"'),
    *(",", ";", "\\input{x}", "\\end{longtable}", "^^5c", "%", "#", "{", "}", "&", "]]>", "]", "[", "é", "±", "a", " "),
]
texts = st.lists(st.sampled_from(MARKS) | st.text(max_size=3), max_size=12).map("".join)
CELLS = MarkdownIt("commonmark").enable(["table", "strikethrough"])
PLAIN_TEX = re.compile(r"[^\\&%$#_{}~^<>|\"\[\]\n\r]*")


def on_a_terminal(text: str) -> None:
    assert line(text).isprintable()
    out, shown = io.StringIO(), Table(text, title=text)
    shown.add_row(text)
    for own in (shown, text):
        Terminal(file=out, width=30).print(own)
    for own in (line(text), *out.getvalue().split("\n")):
        assert own.isprintable()
        assert not own.lstrip().startswith("::")
        assert "##[" not in own


def in_markdown(text: str) -> None:
    """By an independent reader: one cell, with only text in it."""
    source = "\n".join(table(["a", "b"], [["x", f"x{text}x"]]))
    (cell,) = [t for t in CELLS.parse(source) if t.type == "inline" and t.map == [2, 3] and t.content != "x"]
    assert {child.type for child in cell.children or ()} <= {"text", "text_special"}
    assert "".join(child.content for child in cell.children or ()) == visible(f"x{text}x")


def in_a_spreadsheet(text: str) -> None:
    out = io.StringIO()
    csv.writer(out).writerow(map(spreadsheet, ("a", text, -1.5)))
    (row,) = csv.reader(io.StringIO(out.getvalue(), newline=""), strict=True)
    assert row[1].removeprefix("'") == visible(text).removeprefix("'")
    assert not row[1].lstrip().startswith(COMPUTED)


def in_xml(text: str) -> None:
    root = ElementTree.Element("testsuites")
    _suite(root, "cells", [Case(text, "moved", text, "moved"), Case(text, None, text, "missing")])
    (read,) = ElementTree.fromstring(ElementTree.tostring(root, encoding="utf-8"))
    assert [case.get("name") for case in read] == [visible(text)] * 2
    assert (read[0][0].text or "", read[1][0].get("message")) == (visible(text), visible(text))


def in_latex(text: str) -> None:
    """Without our own sequences the rest has no special character."""
    left = escaped(text)
    left = re.sub(r"\{\\ttfamily[^{}]*\}|\\texttt\{[^{}]*\}|U\+[0-9A-F]+", "", left)
    for own in sorted(SPECIAL.values(), key=len, reverse=True):
        if own.strip():
            left = left.replace(own, "")
    assert PLAIN_TEX.fullmatch(left), left


@drawn("escapes", 0.98)
@given(text=texts)
def test_no_output_obeys_a_text(text: str) -> None:
    with attempt("escapes"):
        for show in (on_a_terminal, in_markdown, in_a_spreadsheet, in_xml, in_latex):
            show(text)


def test_no_command_obeys_a_suite_s_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the sentence of a claim; a suite's text has only printable characters."""
    file = tmp_path / "t.toml"

    @drawn("escapes", 0.02)
    @given(text=texts)
    def test(text: str) -> None:
        said = "".join(c for c in text if c.isprintable()).strip() or "x"
        file.write_text(TINY.replace('"the student is better"', json.dumps(said, ensure_ascii=False)))
        with attempt("escapes"):
            for options in (("ls", "claims"), ("report", "--format", "md"), ("report", "--format", "csv")):
                verb, *rest = options
                arguments = (verb, rest[0], file) if verb == "ls" else (verb, file, *rest)
                code, out, err = command(monkeypatch, *arguments)
                assert code in (0, 4), err  # nothing was run
                assert all(own.isprintable() for own in out.split("\n"))
                assert not any(own.lstrip().startswith("::") for own in out.split("\n"))

    test()
