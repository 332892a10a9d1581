"""The paper's tables as it prints them, each value with ours and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bench.output.escaping import Marked, markdown
from bench.report.numbers import ours, seeds_to_decide
from bench.report.papertables import Entry, PaperTable


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table. Cells are escaped, except for those that are Markdown already."""
    return ["| " + " | ".join(map(markdown, line)) + " |" for line in (head, ["---"] * len(head), *rows)]


def printed_tables(tables: Sequence[PaperTable]) -> Iterator[str]:
    """The paper's tables as Markdown, rows and columns as printed."""
    if not tables:
        return
    yield ""
    yield "## The paper's tables"
    yield ""
    yield "Each cell: printed | ours [95% interval of the mean over seeds] | verdict; if it is open, then how many"
    yield "seeds of ours would decide. Compatible: whether seeds like ours could have given the printed value."
    for own in tables:
        printed = own.table
        yield ""
        yield f"### {markdown(printed.where)}"
        yield ""
        yield f"{markdown(printed.metric)} in {printed.experiment}" + (f", {printed.group}." if printed.group else ".")
        yield ""
        yield from table(*own.laid_out(_cell))


def _cell(entry: Entry) -> str:
    decide, text = seeds_to_decide(entry.verdict), markdown(entry.printed.text)
    said = f"**{text}**" if entry.printed.bold else text
    rest = f"{ours(entry.verdict)} | {entry.verdict.verdict}" + (f", {decide}" if decide else "")
    return Marked(f"{said} \\| {markdown(rest)}")
