"""What `bench verify` and `bench diff` print."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.store.diff import CurveRow, Difference
from bench.store.verify import Verified


def verified_lines(root: Path, verified: Verified) -> list[str]:
    """A line for each problem, for what is absent or under way, and for the totals."""
    lines = [f"{finding.kind}: {root / finding.file}: {finding.what}" for finding in verified.findings]
    if verified.absent:
        because = "no other record needs them" if verified.weights else "the folder publishes records only"
        lines.append(f"absent: weights of {len(verified.absent)} runs; {because}")
    if verified.unfinished:
        lines.append(f"unfinished: {len(verified.unfinished)} runs, under way or interrupted")
    records = f"{verified.finished} finished and {verified.failed} failed runs, {verified.weights} weights files"
    records += f", {verified.imports} import(s)" if verified.imports else ""
    return [*lines, f"{root}: {records}: " + (f"{len(verified.findings)} problem(s)" if verified.findings else "sound")]


def verified_json(root: Path, verified: Verified) -> dict[str, Any]:
    return {"results": str(root), "sound": not verified.findings} | dataclasses.asdict(verified)


def difference_table(found: Difference) -> Table:
    """Both sides of everything that is not a number; what differs is marked."""
    table = Table(title="runs {} and {}".format(*found.runs), title_justify="left")
    for column in ("", "of", "what", "first", "second"):
        table.add_column(column, overflow="fold")
    part = ""
    for row in found.rows:
        if row.part != part:
            table.add_section()
        style = None if row.same else "bold"
        shown = row.part if row.part != part else ""
        table.add_row("" if row.same else "*", shown, row.key, _text(row.a), _text(row.b), style=style)
        part = row.part
    return table


def difference_lines(found: Difference) -> list[str]:
    """Where the numbers begin to differ, and how many settings differ."""
    lines = [_curve_line(curve) for curve in found.curves]
    for a, b in found.finals:
        apart = "the same" if a == b else f"{_text(a)} and {_text(b)}"
        if a != b and a is not None and b is not None:
            apart += f", second - first = {b - a:.6g}"
        lines.append(f"final evaluation: {apart}")
    lines.append(
        "numbers_hash: " + ("equal" if found.same_numbers else "{:.12}... and {:.12}...".format(*found.numbers_hash))
    )
    for part in dict.fromkeys(row.part for row in found.rows):
        rows = [row for row in found.rows if row.part == part]
        lines.append(f"{part}: {sum(not row.same for row in rows)} of {len(rows)} differ")
    return lines


def difference_json(found: Difference) -> dict[str, Any]:
    rows = [dataclasses.asdict(row) | {"same": row.same} for row in found.rows]
    return dataclasses.asdict(found) | {"rows": rows, "same_numbers": found.same_numbers}


def _curve_line(curve: CurveRow) -> str:
    counts = "{} and {} points".format(*curve.points)
    if curve.first is None:
        return f"{curve.name}: the same, {curve.points[0]} points"
    return f"{curve.name}: differs first at {curve.first} episodes: {_text(curve.a)} and {_text(curve.b)}; {counts}"


def _text(value: Any) -> str:
    return "-" if value is None else str(value)
