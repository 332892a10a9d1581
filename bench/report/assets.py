"""What `bench asset` prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.store.assets import Taken


def taken_lines(path: Path, found: Taken) -> Iterator[str]:
    """What was kept from a file, and how a scenario names it."""
    yield f"{path}: {found.kind} {found.id}"
    if found.plays:
        yield f"it plays {found.plays}"
    if found.kind == "opponent":
        yield f'in a scenario: opponent = "pretrained", opponent_sha256 = "{found.sha256}"'
    if found.kind == "data set":
        yield f'in a scenario: name = "{found.id}", data_sha256 = "{found.sha256}"'


def assets_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    table = Table()
    for head in ("id", "kind", "here", "where it comes from"):
        table.add_column(head, overflow="fold")
    for row in rows:
        here = row["here"] or (f"no: {row['problem']}" if row["problem"] else "no")
        table.add_row(row["id"], row["kind"], here, row["get"] or row["says"])
    return table
