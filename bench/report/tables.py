"""The paper's tables as it prints them, each value with ours and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bench.report.numbers import ours, seeds_to_decide
from bench.report.papertables import Entry, PaperTable


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table; bars and line ends inside cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in line) + " |" for line in lines]


def printed_tables(tables: Sequence[PaperTable]) -> Iterator[str]:
    """The paper's tables as Markdown, rows and columns as printed."""
    if not tables:
        return
    yield ""
    yield "## The paper's tables"
    yield ""
    yield "Each cell: printed | ours [95% interval of the mean over seeds] | verdict, and the seeds of ours that would"
    yield "decide where it is open."
    for own in tables:
        printed = own.table
        yield ""
        yield f"### {printed.where}"
        yield ""
        yield f"{printed.metric} in {printed.experiment}" + (f", {printed.group}." if printed.group else ".")
        yield ""
        yield from table(["", *own.heads], ([row, *map(_cell, entries)] for row, entries in own.lines))


def _cell(entry: Entry) -> str:
    decide, text = seeds_to_decide(entry.verdict), entry.printed.text
    said = f"**{text}**" if entry.printed.bold else text
    return f"{said} | {ours(entry.verdict)} | {entry.verdict.verdict}" + (f", {decide}" if decide else "")
