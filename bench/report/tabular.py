"""A suite's tables for papers and programs: Markdown, LaTeX, CSV, JSON. The same results give the same bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench import __version__
from bench.output.escaping import markdown as marked
from bench.output.escaping import spreadsheet
from bench.report.boards import Board, Final
from bench.report.boards import Place as BoardPlace
from bench.report.boards import Row as BoardRow
from bench.report.latex import escaped, latex_table
from bench.report.machine import plain
from bench.report.numbers import (
    METRICS,
    classes,
    compatible,
    compatible_known,
    effect,
    estimate,
    found,
    interval,
    number,
    seeds_judged,
    seeds_to_decide,
)
from bench.report.papertables import Entry, PaperTable
from bench.report.tables import printed_tables
from bench.report.tables import table as markdown_table
from bench.report.words import tagged
from bench.stats.intervals import Interval
from bench.verdict import TransferMetric, Verdict

CLAIM_HEAD = ("claim", "place", "in", "found [90% interval]", "verdict", "seeds", "would decide", "deviations")
TRANSFER_HEAD = (
    "in",
    "scenario",
    "method",
    "metric",
    "method's mean",
    "baseline",
    "its mean",
    "effect [95%]",
    "remark",
)
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
    *("reason", "seeds", "seeds_to_decide", "compatible", "deviations", "rank", "rank_low", "rank_high"),
)
LEGEND = (
    "Each cell: printed; ours with its 95% interval; verdict on the printed value. "
    "Compatible: whether seeds like ours could have given it."
)


@dataclass(frozen=True)
class Tables:
    """All tables of a suite: as the paper prints them, its claims, methods side by side, transfer metrics."""

    tables: Sequence[PaperTable]
    claims: Sequence[Verdict]
    boards: Sequence[Board] = ()
    transfer: Sequence[TransferMetric] = ()


def markdown(shown: Tables) -> str:
    """Tables as the paper prints them, then the claims, methods side by side, and transfer metrics."""
    lines = [*printed_tables(shown.tables)]
    for title, head, rows in _parts(shown):
        lines += ["", f"## {marked(title)}", "", *markdown_table(head, rows)]
    return "".join(f"{line}\n" for line in lines[1:])  # no empty line at a file's start


def latex(shown: Tables) -> str:
    """The same for booktabs: a document of its own, whose tables can be copied one by one."""
    begun = [
        "% needs: booktabs, longtable, array",
        r"\documentclass{article}",
        r"\usepackage[T1]{fontenc}\usepackage[utf8]{inputenc}",
        r"\usepackage{booktabs,longtable,array}",
        r"\usepackage[margin=15mm,landscape]{geometry}",
        r"\begin{document}\footnotesize",
    ]
    lines: list[str] = []
    for own in shown.tables:
        lines += latex_table(f"{_title(own)}. {LEGEND}", *own.laid_out(_cell))
    for title, head, rows in _parts(shown):
        lines += latex_table(title, head, rows, wide=0)
    if not lines:
        lines.append(escaped("Nothing is printed and nothing is claimed here."))
    return "\n".join([*begun, *lines, r"\end{document}", ""])


def csv_text(shown: Tables) -> str:
    """One line per printed value or claim."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in _rows(shown):
        writer.writerow({key: spreadsheet(value) for key, value in row.items()})
    return out.getvalue()


def json_text(shown: Tables) -> str:
    """The same rows, with numbers as numbers."""
    rows = ",\n".join(json.dumps(row, allow_nan=False) for row in _rows(shown))
    return f'{{"bench": {json.dumps(__version__)}, "rows": [\n{rows}\n]}}\n'


FORMATS: Mapping[str, Callable[[Tables], str]] = {
    "md": markdown,
    "latex": latex,
    "csv": csv_text,
    "json": json_text,
}


def _parts(shown: Tables) -> Iterator[tuple[str, Sequence[str], Iterable[Sequence[str]]]]:
    """All tables that the paper does not print: title, head and rows of each that has any rows."""
    if shown.claims:
        known = compatible_known(shown.claims)
        head = (*CLAIM_HEAD[:5], *["compatible"] * known, *CLAIM_HEAD[5:])
        yield "Claims", head, (_claim(v, known) for v in shown.claims)
    for board in shown.boards:
        kind = "" if board.kind == "reference" else f" ({board.kind})"
        head, *rows = _side_by_side(board)
        yield f"Methods side by side: {', '.join(board.experiments)}{kind}", head, rows
    if shown.transfer:
        yield "Transfer metrics", TRANSFER_HEAD, map(_transfer_row, shown.transfer)


def _side_by_side(board: Board) -> list[tuple[str, ...]]:
    """A board with its head. Whichever there are more of, methods or places, runs down the page."""
    places = [_place(place, counted) for place, counted in zip(board.places, board.counted, strict=True)]
    lines = [("method", "aggregate [95% interval]", "rank", *places), *map(_board_row, board.rows)]
    return list(zip(*lines, strict=True)) if len(places) > len(board.rows) else lines


def _place(place: BoardPlace, counted: bool) -> str:
    own = "" if place.training_set == place.scenario else f", {place.training_set}"
    return f"{place.scenario}{own}{'' if counted else ' (not in the aggregate)'}"


def _board_row(row: BoardRow) -> tuple[str, ...]:
    """Ranks are intervals; if there is none, the row says why."""
    method = f"{row.method} (from elsewhere)" if row.outside else row.method
    rank = "-" if row.rank is None or row.rank.low is None else f"{row.rank.low} to {row.rank.high}"
    aggregate = estimate(row.aggregate) if row.aggregate else row.state
    return (method, aggregate, rank, *(_score(final, row.outside) for final in row.finals))


def _score(final: Final, outside: bool) -> str:
    """What a cell of the suite waits for is too long for a table; the rows of CSV and JSON have it."""
    if final.score is not None:
        return estimate(final.score)
    return "cannot run yet" if final.cell is None and not outside else final.state


def _transfer_row(m: TransferMetric) -> tuple[str, ...]:
    means = number(m.student_mean), m.baseline, number(m.baseline_mean)
    return (m.experiment, m.scenario, m.method, METRICS[m.metric], *means, effect(m), m.remark)


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


def _claim(v: Verdict, known: bool) -> tuple[str, ...]:
    """A claim's row; known: with a column that says whether ours are compatible with what it states."""
    likely = [compatible(v)] * known
    rest = (seeds_judged(v), seeds_to_decide(v), classes(v))
    return (v.says, v.where, v.experiment, found(v), v.verdict, *likely, *rest)


def _rows(shown: Tables) -> Iterator[dict[str, Any]]:
    for own in shown.tables:
        for entry in (e for entries in own.entries for e in entries):
            yield _row(entry.verdict) | _printed(own, entry)
    for verdict in shown.claims:
        yield _row(verdict)
    for board in shown.boards:
        for row in board.rows:
            yield _aggregate(board, row)
            yield from (_final(place, row.method, final) for place, final in zip(board.places, row.finals, strict=True))
    yield from map(_metric, shown.transfer)


def _aggregate(board: Board, row: BoardRow) -> dict[str, Any]:
    ranks = (row.rank.rank, row.rank.low, row.rank.high) if row.rank else (None, None, None)
    own = {"kind": "aggregate", "id": board.kind, "experiment": ", ".join(board.experiments), "method": row.method}
    own |= dict(zip(("rank", "rank_low", "rank_high"), ranks, strict=True)) | _ours(row.aggregate)
    return plain(dict.fromkeys(COLUMNS) | own | {"reason": row.state})


def _final(place: BoardPlace, method: str, final: Final) -> dict[str, Any]:
    own = {"kind": "final", "experiment": place.experiment, "scenario": place.scenario, "method": method}
    own |= {"group": place.training_set, "seeds": final.seeds, "reason": final.state} | _ours(final.score)
    return plain(dict.fromkeys(COLUMNS) | own)


def _metric(m: TransferMetric) -> dict[str, Any]:
    own = {"kind": "transfer", "experiment": m.experiment, "scenario": m.scenario, "method": m.method}
    own |= {"metric": m.metric, "says": f"{m.scale} against {m.baseline}", "reason": m.remark}
    interval = m.interval
    found = {"found": interval.estimate, "found_low": interval.low, "found_high": interval.high} if interval else {}
    return plain(dict.fromkeys(COLUMNS) | own | {"ours": m.student_mean} | found)


def _ours(found: Interval | None) -> dict[str, Any]:
    return {"ours": found.estimate, "ours_low": found.low, "ours_high": found.high} if found else {}


def _row(v: Verdict) -> dict[str, Any]:
    low, high = v.interval or (None, None)
    own = {"kind": v.kind, "id": v.id, "where": v.where, "experiment": v.experiment, "scenario": v.scenario}
    own |= {"method": v.method, "says": v.says, "printed": v.printed, "found": v.found, "found_low": low}
    own |= {"found_high": high, "verdict": v.verdict, "reason": tagged(v), "seeds": v.seeds}
    own |= {"seeds_to_decide": v.seeds_to_decide, "compatible": v.compatible, "deviations": classes(v)}
    return plain(dict.fromkeys(COLUMNS) | own)


def _printed(own: PaperTable, entry: Entry) -> dict[str, Any]:
    value, ours = entry.printed, entry.verdict.ours
    spread = None if value.spread is None else float(value.spread) / value.share
    return plain(
        {"group": own.table.group, "metric": own.table.metric, "printed_spread": spread}
        | {"spread_type": value.spread_type, "printed_seeds": value.seeds}
        | {"ours": ours and ours.estimate, "ours_low": ours and ours.low, "ours_high": ours and ours.high}
    )
