"""The tables of a paper as it prints them, each value with ours and the verdict beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.report.numbers import compatible
from bench.suite import Experiment, Printed, Published, Suite

if TYPE_CHECKING:  # numpy comes with it
    from bench.verdict import Verdict


@dataclass(frozen=True)
class Entry:
    """A printed value and the verdict on it, which holds ours."""

    printed: Printed
    verdict: Verdict


@dataclass(frozen=True)
class PaperTable:
    """A printed table. entries: [rows, columns], in the paper's order."""

    table: Published
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    columns_are: str  # "methods" or "scenarios"
    entries: tuple[tuple[Entry, ...], ...]

    @property
    def heads(self) -> tuple[str, ...]:
        """The columns, with what the paper's header prints above them."""
        budgets = self.table.budgets or [""] * len(self.columns)
        return tuple(f"{name} ({b})" if b else name for name, b in zip(self.columns, budgets, strict=True))

    @property
    def lines(self) -> list[tuple[str, tuple[Entry, ...]]]:
        """Each row's name and entries."""
        return list(zip(self.rows, self.entries, strict=True))

    @property
    def told(self) -> tuple[bool, ...]:
        """For each column, whether it is known of any of its values if seeds like ours could have given it."""
        return tuple(any(compatible(entry.verdict) for entry in column) for column in zip(*self.entries, strict=True))

    def laid_out(self, cell: Callable[[Entry], str]) -> tuple[list[str], list[list[str]]]:
        """Head and rows. A column for which it is known is followed by one that says which values are compatible."""
        head, rows = [""], [[row] for row in self.rows]
        for name, column, told in zip(self.heads, zip(*self.entries, strict=True), self.told, strict=True):
            head += [name, *["compatible"] * told]
            for row, entry in zip(rows, column, strict=True):
                row += [cell(entry), *[compatible(entry.verdict)] * told]
        return head, rows


def paper_tables(suite: Suite, experiments: Iterable[Experiment], verdicts: Iterable[Verdict]) -> list[PaperTable]:
    """Every table of these experiments. verdicts: what `judge` says of them."""
    asked = {e.id for e in experiments}
    by_id = {v.id: v for v in verdicts if v.kind == "published"}
    values: dict[str, list[Entry]] = {}
    for value in suite.printed:
        if value.experiment in asked:
            values.setdefault(value.table, []).append(Entry(value, by_id[value.id]))
    tables = (table for table in suite.published if table.id in values)
    methods = {m.id for m in suite.method}
    return [_shaped(table, values[table.id], table.columns[0] in methods) for table in tables]


def _shaped(table: Published, entries: Sequence[Entry], columns_are_methods: bool) -> PaperTable:
    width = len(table.columns)
    lines = tuple(tuple(entries[i : i + width]) for i in range(0, len(entries), width))
    return PaperTable(
        table=table,
        rows=tuple(table.rows),
        columns=table.columns,
        columns_are="methods" if columns_are_methods else "scenarios",
        entries=lines,
    )
