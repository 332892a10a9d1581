"""What an audit found, as a table, as Markdown and as JSON."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.table import Table

from bench.audit import HOLDS, Finding
from bench.output.escaping import Marked, markdown, visible
from bench.output.terminal import coloured
from bench.report.tables import table as markdown_table
from bench.suite import Suite

STYLE = {
    "yes": "green",
    "no": "red",
    "tie": "yellow",
    "undefined": "yellow",
    "conflict": "magenta",
    "not_checkable": "dim",
}
WORDS = {
    "yes": "holds",
    "no": "does not hold",
    "tie": "tie",
    "undefined": "undefined",
    "conflict": "the code does otherwise",
    "not_checkable": "not checkable from print",
}
INTRODUCTION = (
    "Made by `bench audit --markdown`; nothing is trained for it. A printed number stands for every true value that",
    "rounds to it. A statement *holds* if some such values give what is printed; the table says so if the printed",
    "digits alone do not. A *tie* is an ordering between equal printed numbers. *The code does otherwise* means that",
    "the paper says one thing and its authors' code does another; the place in the code stands beside it. *Not",
    "checkable from print* are claims about curves, and averages for which the paper does not say what they average.",
)
MOST_CELLS = 6  # shown in tables; the JSON has all


def audit_table(findings: Sequence[Finding], everything: bool) -> Table:
    """The findings that do not simply hold; with `everything`, all of them."""
    table = Table(title="Audit: each paper against its own tables and code", title_justify="left", show_lines=True)
    for column in ("suite", "place", "says", "printed", "recomputed", "holds", "cells"):
        table.add_column(column, overflow="fold")
    for f in (f for f in findings if everything or f.holds in ("no", "tie", "undefined", "conflict")):
        holds = coloured(WORDS[f.holds], STYLE[f.holds], _digits(f))
        said = (f.suite, f.where, f.says, f.printed or "", f.recomputed or "")
        table.add_row(*said, holds, "\n".join(map(visible, _cells(f))))
    return table


def audit_counts(findings: Iterable[Finding]) -> str:
    found = Counter(f.holds for f in findings)
    return ", ".join(f"{found[holds]} {WORDS[holds]}" for holds in HOLDS)


def audit_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(f) | {"cells": list(f.cells)} for f in findings]


def audit_markdown(audits: Sequence[tuple[Suite, Sequence[Finding]]]) -> str:
    """docs/audit.md: findings that do not simply hold come first, then all others."""
    return "\n".join(_page(audits)) + "\n"


def _page(audits: Sequence[tuple[Suite, Sequence[Finding]]]) -> Iterator[str]:
    yield "# Audit: each paper against its own tables"
    yield ""
    yield from INTRODUCTION
    yield ""
    head = ("suite", *(WORDS[holds] for holds in HOLDS))
    rows = [(s.id, *(str(sum(f.holds == holds for f in found)) for holds in HOLDS)) for s, found in audits]
    yield from markdown_table(head, rows)
    for title, kinds in (
        ("Failed, tied or undefined", ("no", "tie", "undefined")),
        ("The authors' code does otherwise", ("conflict",)),
        ("Holds", ("yes",)),
        ("Not checkable from print", ("not_checkable",)),
    ):
        if not any(f.holds in kinds for _, findings in audits for f in findings):
            continue
        yield ""
        yield f"## {title}"
        for suite, findings in audits:
            if chosen := [f for f in findings if f.holds in kinds]:
                yield ""
                yield f"### {markdown(suite.paper.title)} (`{suite.id}`)"
                yield ""
                head = ("place", "says", "printed", "recomputed", "holds", "cells")
                yield from markdown_table(head, map(_row, chosen))


def _row(f: Finding) -> tuple[str, ...]:
    cells = Marked("<br>".join(map(markdown, _cells(f)))) if f.holds != "yes" or len(f.cells) == 1 else ""
    return (f.where, f.says, f.printed or "", f.recomputed or "", WORDS[f.holds] + _digits(f), cells)


def _digits(f: Finding) -> str:
    return ", not from the printed digits alone" if f.holds == "yes" and f.from_digits is False else ""


def _cells(f: Finding) -> list[str]:
    more = len(f.cells) - MOST_CELLS
    return [*f.cells[:MOST_CELLS], *([f"and {more} more"] if more > 0 else [])]
