"""A suite's tables for papers and programs: Markdown, LaTeX, CSV, JSON. The same results give the same bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from bench import __version__
from bench.report.latex import escaped, latex_table
from bench.report.machine import plain
from bench.report.numbers import classes, found, interval, number, seeds_to_decide
from bench.report.papertables import Entry, PaperTable
from bench.report.tables import printed_tables
from bench.report.tables import table as markdown_table
from bench.verdict import Verdict

CLAIM_HEAD = ("claim", "place", "in", "found [90% interval]", "verdict", "seeds", "would decide", "deviations")
COLUMNS = (
    *(
        "kind",
        "id",
        "where",
        "experiment",
        "scenario",
        "group",
        "method",
        "metric",
        "says",
        "printed",
        "printed_spread",
    ),
    *("spread_type", "printed_seeds", "ours", "ours_low", "ours_high", "found", "found_low", "found_high", "verdict"),
    *("reason", "seeds", "seeds_to_decide", "deviations"),
)
LEGEND = "Each cell: printed; ours with its 95% interval; verdict on the printed value."


def markdown(tables: Sequence[PaperTable], claims: Sequence[Verdict]) -> str:
    """Tables as the paper prints them, then the claims."""
    lines = [*printed_tables(tables)][1:]  # a file begins with words
    if claims:
        lines += [*([""] if lines else []), "## Claims", "", *markdown_table(CLAIM_HEAD, map(_claim, claims))]
    return "".join(f"{_without_markup(line)}\n" for line in lines)


def latex(tables: Sequence[PaperTable], claims: Sequence[Verdict]) -> str:
    """The same for booktabs: a document of its own, whose tables can be taken out one by one."""
    lines = [
        "% needs: booktabs, longtable, array",
        r"\documentclass{article}",
        r"\usepackage[T1]{fontenc}\usepackage[utf8]{inputenc}",
        r"\usepackage{booktabs,longtable,array}",
        r"\usepackage[margin=15mm,landscape]{geometry}",
        r"\begin{document}\footnotesize",
    ]
    for own in tables:
        cells = ([row, *map(_cell, entries)] for row, entries in own.lines)
        lines += latex_table(f"{_title(own)}. {LEGEND}", ["", *own.heads], cells)
    if claims:
        lines += latex_table("Claims", CLAIM_HEAD, map(_claim, claims), wide=0)
    if not tables and not claims:
        lines.append(escaped("Nothing is printed and nothing is claimed here."))
    return "\n".join([*lines, r"\end{document}", ""])


def csv_text(tables: Sequence[PaperTable], claims: Sequence[Verdict]) -> str:
    """One line a printed value or claim."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in _rows(tables, claims):
        writer.writerow({key: _inert(value) for key, value in row.items()})
    return out.getvalue()


def json_text(tables: Sequence[PaperTable], claims: Sequence[Verdict]) -> str:
    """The same rows, with numbers as numbers."""
    body = {"bench": __version__, "rows": [*_rows(tables, claims)]}
    return json.dumps(body, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


FORMATS: Mapping[str, Callable[[Sequence[PaperTable], Sequence[Verdict]], str]] = {
    "md": markdown,
    "latex": latex,
    "csv": csv_text,
    "json": json_text,
}


def _title(own: PaperTable) -> str:
    parts = [own.table.where, own.table.metric.replace("_", " "), own.table.group or ""]
    return ", ".join(filter(None, parts))


def _cell(entry: Entry) -> str:
    if entry.printed.value is None:
        return "dash"
    text = f"{entry.printed.text}; "
    if (ours := entry.verdict.ours) is not None:
        text += number(ours.estimate) + interval(ours.low, ours.high) + "; "
    decide = seeds_to_decide(entry.verdict)
    return f"{text}{entry.verdict.verdict}" + (f", {decide} seeds would decide" if decide else "")


def _claim(v: Verdict) -> tuple[str, ...]:
    return (v.says, v.where, v.experiment, found(v), v.verdict, str(v.seeds), seeds_to_decide(v), classes(v))


def _rows(tables: Iterable[PaperTable], claims: Iterable[Verdict]) -> Iterator[dict[str, Any]]:
    for own in tables:
        for entry in (e for entries in own.entries for e in entries):
            yield _row(entry.verdict) | _printed(own, entry)
    for verdict in claims:
        yield _row(verdict)


def _row(v: Verdict) -> dict[str, Any]:
    low, high = v.interval or (None, None)
    own = {"kind": v.kind, "id": v.id, "where": v.where, "experiment": v.experiment, "scenario": v.scenario}
    own |= {"method": v.method, "says": v.says, "printed": v.printed, "found": v.found, "found_low": low}
    own |= {"found_high": high, "verdict": v.verdict, "reason": v.reason, "seeds": v.seeds}
    own |= {"seeds_to_decide": v.seeds_to_decide, "deviations": classes(v)}
    return plain(dict.fromkeys(COLUMNS) | own)


def _printed(own: PaperTable, entry: Entry) -> dict[str, Any]:
    value, ours = entry.printed, entry.verdict.ours
    spread = None if value.spread is None else float(value.spread) / value.share
    return plain(
        {"group": own.table.group, "metric": own.table.metric, "printed_spread": spread}
        | {"spread_type": value.spread_type, "printed_seeds": value.seeds}
        | {"ours": ours and ours.estimate, "ours_low": ours and ours.low, "ours_high": ours and ours.high}
    )


def _without_markup(line: str) -> str:
    """A line in which readers of Markdown find no HTML and no link, whoever chose its words."""
    return line.replace("&", "&amp;").replace("<", "&lt;").replace("](", "]&#40;")


def _inert(value: Any) -> Any:
    """A text that a spreadsheet would compute is marked as text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
