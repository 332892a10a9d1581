"""Tables in a terminal: in columns if no word breaks, else each row as lines of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console, RenderableType
from rich.markdown import Markdown
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from bench.output.escaping import unmarked
from bench.output.terminal import say

LONG = 500  # the most rows of a table that is laid out in boxes
ANY_WIDTH = 10_000
EDGES = 3  # of a column: a blank on each side, and a line


def print_table(console: Console, table: Table) -> None:
    """Print a table as it is, or stacked if its columns would break words.

    A very long table has one line per row, since rich takes minutes to lay it out.
    """
    if table.row_count > LONG:
        say(f"{table.title}: {table.row_count} rows")
        for row in ([column.header for column in table.columns], *_rows(table)):
            say(" | ".join(str(cell).replace("\n", ": ") for cell in row))
        return
    ranges = [_range(console, column) for column in table.columns]
    room = console.width - EDGES * len(ranges) - 1
    if sum(r.minimum for r in ranges) <= room:
        _share(table, ranges, room)
        console.print(table)
        return
    if table.title:
        console.print(f"{table.title}\n", markup=False)
    for row in _rows(table):
        console.print(_stacked(table, row))


def print_markdown(console: Console, lines: Sequence[str]) -> None:
    """Markdown of ours, whose tables are printed as `print_table` does: nothing in them is cut."""
    rows = "\n".join(lines).split("\n")
    for tabular, block in groupby(rows, key=lambda row: row.startswith("| ")):
        if tabular:
            head, _, *body = (row.removeprefix("| ").removesuffix(" |").split(" | ") for row in block)
            table = Table(*map(unmarked, head))
            for row in body:
                table.add_row(*map(unmarked, row))
            console.print()
            print_table(console, table)
        elif text := "\n".join(block).strip("\n"):
            console.print()
            console.print(Markdown(text))


def _range(console: Console, column: Column) -> Measurement:
    """The longest word of a column, and its longest line."""
    anything = console.options.update(max_width=ANY_WIDTH)
    found = [Measurement.get(console, anything, cell) for cell in (column.header, *column.cells)]
    return Measurement(max(one.minimum for one in found), max(one.maximum for one in found))


def _share(table: Table, ranges: Sequence[Measurement], room: int) -> None:
    """Limit the columns' widths: the widest wrap, but never below their longest word.

    The limit is the greatest for which all columns have room. Left alone, rich takes all that is missing from the
    widest columns, and breaks words.
    """

    def widths(limit: int) -> list[int]:
        return [max(r.minimum, min(r.maximum, limit)) for r in ranges]

    limit = max(r.maximum for r in ranges)
    while sum(widths(limit)) > room:
        limit -= 1
    for column, width in zip(table.columns, widths(limit), strict=True):
        column.width = width


def _rows(table: Table) -> Iterator[tuple[RenderableType, ...]]:
    return zip(*(column.cells for column in table.columns), strict=True)


def _stacked(table: Table, row: Sequence[RenderableType]) -> RenderableType:
    """A row as lines: for each column that is not empty, its name and its cell."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", overflow="fold")
    grid.add_column(overflow="fold")
    for column, cell in zip(table.columns, row, strict=True):
        text = cell if isinstance(cell, Text) else Text(str(cell))
        if text.plain:
            grid.add_row(Text(str(column.header)), text)
    return Padding(grid, (0, 0, 1, 0))
