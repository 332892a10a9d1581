"""Tables in a terminal: side by side where no word breaks, else each row as lines of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bench.output.terminal import say

LONG = 500  # rows of a table that is still laid out in boxes
ANY_WIDTH = 10_000


def print_table(console: Console, table: Table) -> None:
    """A table as it is; stacked where it would break words; a very long one as a line for each row, since rich takes
    minutes to lay it out.
    """
    if table.row_count > LONG:
        say(f"{table.title}: {table.row_count} rows")
        for row in ([column.header for column in table.columns], *_rows(table)):
            say(" | ".join(str(cell).replace("\n", ": ") for cell in row))
    elif narrowest(console, table) <= console.width:
        console.print(table)
    else:
        if table.title:
            console.print(f"{table.title}\n", markup=False)
        for row in _rows(table):
            console.print(_stacked(table, row))


def narrowest(console: Console, table: Table) -> int:
    """The least width at which no word of a table breaks."""
    return Measurement.get(console, console.options.update(max_width=ANY_WIDTH), table).minimum


def _rows(table: Table) -> Iterator[tuple[RenderableType, ...]]:
    return zip(*(column.cells for column in table.columns), strict=True)


def _stacked(table: Table, row: Sequence[RenderableType]) -> RenderableType:
    """What stands in a row, a line for each column that has something, under their names."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", overflow="fold")
    grid.add_column(overflow="fold")
    for column, cell in zip(table.columns, row, strict=True):
        text = cell if isinstance(cell, Text) else Text(str(cell))
        if text.plain:
            grid.add_row(Text(str(column.header)), text)
    return Padding(grid, (0, 0, 1, 0))
