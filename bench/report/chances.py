"""The chance that planned seeds decide a claim or a printed value: as a table, and as JSON."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table

from bench.verdict.imagined import BASIS
from bench.verdict.power import DRAWS, Power


def power_table(found: Sequence[Power]) -> Table:
    """A row for every claim and printed value with a known chance."""
    table = Table(title="Chance of a decision with the planned seeds", title_justify="left")
    for column in ("claim or printed value", "in", "seeds", "it holds", "it does not", "taken as the truth"):
        table.add_column(column, overflow="fold")
    for one in found:
        if one.yes is not None and one.no is not None:
            basis = one.basis + ("; never decided" if one.never else "")
            table.add_row(one.says, one.experiment, str(one.seeds), f"{one.yes:.0%}", f"{one.no:.0%}", basis)
    return table


def power_lines(found: Sequence[Power]) -> Iterator[str]:
    """How to read the table, what can never be decided, and what is unknown."""
    known = [one for one in found if one.chance is not None]
    if known:
        yield f"Each chance is from {DRAWS} draws. Pilots are few, so only the first digit counts."
    if any(BASIS in one.basis for one in known):
        yield "Without pilots, the paper is taken at its word, and how far seeds differ is assumed."
    if never := [one for one in known if one.never]:
        yield f"{len(never)} of {len(known)} are never decided: they stay open even with 1,000 seeds of ours:"
        yield from (f"  {one.experiment}: {one.id}" for one in never)
    for experiment, count in Counter(one.experiment for one in found if one.chance is None).items():
        yield f"{count} in {experiment} unknown: there are no pilots, printed values or anchors; --json names each"


def power_json(found: Sequence[Power]) -> list[dict[str, Any]]:
    """As `bench plan --power --json` prints them."""
    return [dataclasses.asdict(one) | {"chance": one.chance} for one in found]
