"""The paper's tables as it prints them, each value with ours and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from bench.report.numbers import ours, seeds_to_decide
from bench.suite import Experiment, Published, Suite
from bench.verdict import Verdict


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table; bars and line ends inside cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in line) + " |" for line in lines]


def paper_tables(suite: Suite, experiments: Sequence[Experiment], verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Every printed table of these experiments, rows and columns as printed."""
    asked = {e.id for e in experiments}
    tables = [t for t in suite.published if t.experiment in asked]
    if not tables:
        return
    yield ""
    yield "## The paper's tables"
    yield ""
    yield "Each cell: printed | ours [95% interval of the mean over seeds] | verdict, and the seeds of ours that would"
    yield "decide where it is open."
    by_id = {v.id: v for v in verdicts if v.kind == "published"}
    for printed in tables:
        yield ""
        yield f"### {printed.where}"
        yield ""
        yield f"{printed.metric} in {printed.experiment}" + (f", {printed.group}." if printed.group else ".")
        yield ""
        yield from _as_printed(suite, printed, by_id)


def _as_printed(suite: Suite, printed: Published, verdicts: Mapping[str, Verdict]) -> list[str]:
    methods_above = printed.columns[0] in {m.id for m in suite.method}
    budgets = printed.budgets or [""] * len(printed.columns)
    head = [
        f"{column} ({budget})" if budget else column for column, budget in zip(printed.columns, budgets, strict=True)
    ]
    rows = [
        [row, *(_cell(text, verdicts[_id(printed, row, column, methods_above)]) for column, text in columns)]
        for row, line in printed.rows.items()
        for columns in [list(zip(printed.columns, line.split(), strict=True))]
    ]
    return table(["", *head], rows)


def _id(printed: Published, row: str, column: str, methods_above: bool) -> str:
    """Of a printed value; columns are methods, or rows are."""
    return f"{printed.id}/{row}/{column}" if methods_above else f"{printed.id}/{column}/{row}"


def _cell(text: str, verdict: Verdict) -> str:
    decide = seeds_to_decide(verdict)
    return f"{text} | {ours(verdict)} | {verdict.verdict}" + (f", {decide}" if decide else "")
