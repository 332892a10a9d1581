"""Tables that fit, or are stacked: no word breaks at 80 columns."""

from __future__ import annotations

import io

from rich.table import Table

from bench.output.tables import print_table
from bench.output.terminal import Terminal, coloured

WORDS = ("robustness", "preregistration", "reproducibility", "undistilled_teachers", "0123456789abcdef")


def shown(columns: int, width: int) -> str:
    """A table of this many columns, in which each word must be whole."""
    table = Table(title="a table")
    for k in range(columns):
        table.add_column(f"heading_{k}", overflow="fold")
    table.add_row(*(WORDS[k % len(WORDS)] for k in range(columns - 2)), coloured("word", "green", "\na sentence"), "")
    return printed(table, width)


def printed(table: Table, width: int) -> str:
    file = io.StringIO()
    print_table(Terminal(width=width, file=file), table)
    return file.getvalue()


def test_a_table_that_fits_is_a_table() -> None:
    assert all(word in shown(4, 80) for word in WORDS[:2])
    assert len(set(map(len, shown(4, 80).splitlines()[1:]))) == 1


def test_where_it_must_wrap_no_word_breaks() -> None:
    """Rich alone takes the missing space from the widest column."""
    table = Table()
    for heading in ("a long heading of many short words, more of them than the column is wide", "word"):
        table.add_column(heading, overflow="fold")
    table.add_row("short", "x" * 30 + "\n" + "a sentence " * 9)
    text = printed(table, 60)
    assert "x" * 30 in text
    assert max(map(len, text.splitlines())) <= 60


def test_one_that_would_break_words_has_a_line_for_each_thing() -> None:
    lines = [line.rstrip() for line in shown(8, 80).splitlines()]
    assert lines[:2] == ["a table", ""]
    assert [line.split()[0] for line in lines if line.startswith("heading")] == [f"heading_{k}" for k in range(7)]
    assert all(any(line.endswith(word) for line in lines) for word in (*WORDS, "word", "a sentence"))
    assert max(map(len, lines)) <= 80
