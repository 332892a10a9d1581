"""The tables of a paper as it prints them, each value with ours and the verdict beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.measures import Evidence, NotRun
from bench.stats.estimates import StatisticsError
from bench.stats.intervals import Interval, mean_interval
from bench.suite import Experiment, Printed, Published
from bench.verdict import Verdict


@dataclass(frozen=True)
class Entry:
    """A printed value. ours: the mean of our seeds with its 95% interval, None where there is none."""

    printed: Printed
    verdict: Verdict
    ours: Interval | None


@dataclass(frozen=True)
class PaperTable:
    """A printed table. entries: [rows, columns], in the paper's order."""

    table: Published
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    columns_are: str  # "methods" or "scenarios"
    entries: tuple[tuple[Entry, ...], ...]


def paper_tables(
    evidence: Evidence, experiments: Iterable[Experiment], verdicts: Iterable[Verdict]
) -> list[PaperTable]:
    """Every table of these experiments. verdicts: what `judge` says of them."""
    asked = {e.id for e in experiments}
    by_id = {v.id: v for v in verdicts if v.kind == "published"}
    values: dict[str, list[Entry]] = {}
    for value in evidence.suite.printed:
        if value.experiment in asked:
            entry = Entry(value, by_id[value.id], ours(evidence, value))
            values.setdefault(value.table, []).append(entry)
    tables = (table for table in evidence.suite.published if table.id in values)
    methods = {m.id for m in evidence.suite.method}
    return [_shaped(table, values[table.id], table.columns[0] in methods) for table in tables]


def ours(evidence: Evidence, value: Printed) -> Interval | None:
    """What our seeds give where a single cell's final score is printed."""
    if value.derived or value.value is None or value.protocol != "greedy":
        return None
    suite = evidence.suite
    experiment = suite["experiment", value.experiment]
    home, method, _ = suite.place(f"{value.method}:final", experiment)
    group = suite["published", value.table].group if home == experiment.id else None
    try:
        cell = evidence.cell(suite["experiment", home], method, value.scenario, group)
        return mean_interval(evidence.final_scores(cell, value.scenario))
    except (NotRun, StatisticsError):
        return None


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
