"""Other people's texts, in each kind of output: shown, and never executed."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.table import Table

from bench.output.escaping import Marked, line, markdown, spreadsheet, visible
from bench.output.terminal import Terminal
from bench.report.tables import table
from bench.suite import SuiteError
from bench.suite.loading import parse
from tests.conftest import TINY, Bench

CLEAR = "\x1b[2J\x1b[31mred\x9b0m\a\r\u202e"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ± text", "plain ± text"),
        (CLEAR, r"\x1b[2J\x1b[31mred\x9b0m\x07\r\u202e"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\ud800 \u2028", r"\ud800 \u2028"),
        ("\U000e0001", r"\U000e0001"),
    ],
)
def test_what_does_not_print_is_shown_as_python_writes_it(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error::all is lost", r"\::error::all is lost"),
        ("  ::add-mask::x", r"\  ::add-mask::x"),
        ("x\n::error::y", r"x\n::error::y"),
        ("##[error]x", r"##\[error]x"),
        ("std::vector", "std::vector"),
    ],
)
def test_a_line_is_no_command_of_githubs(text: str, shown: str) -> None:
    assert line(text) == shown
    assert line(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a | b", r"a \| b"),
        ("[x](http://y)", r"[x]\(http://y)"),
        ("![x](http://y)", r"![x]\(http://y)"),
        ("<img src=x> & &lt;", "&lt;img src=x> &amp; &amp;lt;"),
        ("`code` **bold** _it_ snake_case", r"\`code\` \*\*bold\*\* \_it\_ snake_case"),
        ("~~gone~~ ~5", r"\~~gone\~~ ~5"),
        ("a\n# b", r"a\\n# b".replace("\\\\", "\\\\")),
        ("0.5 [0.4, 0.6]", "0.5 [0.4, 0.6]"),
    ],
)
def test_markdown_reads_no_marks_in_it(text: str, shown: str) -> None:
    assert markdown(text) == shown
    assert markdown(markdown(text)) == shown  # once


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.sampled_from(list("ab[]()<>&|`*_~!\\ :/\n\x1b")), max_size=20))
def test_a_cell_reads_as_its_text(text: str) -> None:
    """By an independent reader of Markdown: one cell, with only text in it."""
    (tokens,) = [t for t in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(
        "\n".join(table(["a", "b"], [["x", f"x{text}x"]]))
    ) if t.type == "inline" and t.map == [2, 3] and t.content != "x"]  # fmt: skip
    assert {child.type for child in tokens.children or ()} <= {"text", "text_special"}
    assert "".join(child.content for child in tokens.children or ()) == visible(f"x{text}x")


def test_what_is_marked_stays() -> None:
    assert table(["a"], [[Marked("**b**")], ["**b**"]]) == ["| a |", "| --- |", "| **b** |", r"| \*\*b\*\* |"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("  =1", "'  =1"),
        ("\t=1", r"\t=1"),
        ("\uff1d1", "'\uff1d1"),
        ("a=1", "a=1"),
        (-1.5, -1.5),
        (None, None),
    ],
)
def test_a_spreadsheet_computes_nothing(value: object, shown: object) -> None:
    assert spreadsheet(value) == shown


def test_a_terminal_obeys_neither_markup_nor_control_characters() -> None:
    """A `[/red]` in a record's message ended `bench diff` with a traceback."""
    out = io.StringIO()
    shown = Table("what", title=f"[/red] {CLEAR}")
    shown.add_row(f"[bold]b[/bold] [/red] :smile: {CLEAR}")
    for own in (shown, f"[/red]{CLEAR}", "::error::x", "##[error]x"):
        Terminal(file=out, width=120).print(own)
    text = out.getvalue()
    assert all(own.isprintable() for own in text.split("\n"))
    for words in ("[bold]b[/bold] [/red] :smile:", r"\x1b[2J", r"\::error::x", r"##\[error]x"):
        assert words in text


def test_a_terminal_keeps_its_own_colours() -> None:
    out = io.StringIO()
    Terminal(file=out, force_terminal=True, color_system="standard", width=40).print("x", style="red")
    assert out.getvalue() == "\x1b[31mx\x1b[0m\n"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('title = "Tiny"', r'title = "Ti\u001b[31mny"', ["paper.title", r"\x1b in", "on one line"]),
        ('says = "two agents"', r'says = "two\nagents"', ["scenario[two].says", r"\n in"]),
        (
            'name = "simple_spread", agents = 2',
            r'name = "a\u202e", agents = 2',
            ["scenario[two].params.name", r"\u202e"],
        ),
        ("year = 2026", 'year = 2026\n"a\\u0007b" = 1', ["paper", r"\x07 in"]),
    ],
)
def test_a_suites_text_holds_no_control_characters(old: str, new: str, said: list[str]) -> None:
    assert old in TINY
    with pytest.raises(SuiteError) as caught:
        parse(TINY.replace(old, new, 1).encode(), "bad.toml")
    message = str(caught.value)
    assert message.startswith("bad.toml: 1 problem(s)")
    for words in said:
        assert words in message
    assert all(own.isprintable() for own in message.split("\n"))


def test_a_hostile_name_is_one_clear_message(bench_here: Bench) -> None:
    done = bench_here("check", f"kno{CLEAR}[/red]wru")
    assert done.returncode == 2
    assert r"\x1b[2J" in done.stderr
    assert all(own.isprintable() for own in done.stderr.split("\n"))


def test_hostile_titles_in_every_table(bench_here: Bench, tmp_path) -> None:
    hostile = "=[x](http://y) <img src=z> [/red] | `c`"
    (tmp_path / "t.toml").write_text(TINY.replace('"the student is better"', json.dumps(hostile)))
    assert hostile in bench_here("ls", "claims", "t.toml").stdout
    assert r"=[x]\(http://y) &lt;img src=z> [/red] \| \`c\`" in bench_here("report", "t.toml", "--format", "md").stdout
    assert f"'{hostile}" in bench_here("report", "t.toml", "--format", "csv").stdout
    assert "[/red]" in bench_here("check", "t.toml").stdout
