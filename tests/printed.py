"""The tiny suite with printed tables: an experiment that is only printed, over two scenarios in two groups."""

from __future__ import annotations

import tomllib
from typing import Any

import tomli_w

from bench.suite import Suite
from bench.suite.loading import parse
from tests.conftest import TINY

Entry = dict[str, Any]

PRINTED = (
    TINY
    + """
[[set]]
id = "both"
where = "Sec. 2"
says = "both scenarios"
scenarios = ["two", "three"]

[[experiment]]
id = "tabled"
where = "Table 1"
says = "printed, not run"
methods = ["base", "init", "student"]
training_sets = [
    { id = "narrow", scenarios = ["two", "three"], budget = { steps = 2_000, source = "Table 1" } },
    { id = "wide", scenarios = ["two"] },
]
seeds = { value = 3, source = "Table 1" }
budget = { epochs = 5, source = "Table 1" }
waits_for = "a machine"

[[measure]]
id = "final"
says = "the printed score"
kind = "final"

[[measure]]
id = "kept"
says = "the share of the teacher's score"
kind = "retention"
teacher = "base"
"""
)


def table(id_: str, rows: dict[str, str], *columns: str, **keys: Any) -> Entry:
    """One printed table of win rates. columns: by default the methods."""
    told = {"id": id_, "where": f"Table {id_}", "experiment": "tabled", "metric": "win_rate", "protocol": "greedy"}
    told |= {"margin": {"absolute": 0.1}}
    return told | {"spread": "none", "columns": columns or ("base", "init", "student"), "rows": rows} | keys


def claim(test: Entry, **keys: Any) -> Entry:
    """One claim about the printed experiment."""
    told = {"id": "said", "where": "Sec. 3", "says": "so", "experiments": ["tabled"], "protocol": "greedy"}
    return told | {"test": test} | keys


def with_tables(*tables: Entry, claims: tuple[Entry, ...] = (), **lists: list[Entry]) -> Suite:
    """The printed suite with these tables, claims and further entries, read like a file."""
    return parse(text_with(*tables, claims=claims, **lists).encode(), "made.toml")


def text_with(*tables: Entry, claims: tuple[Entry, ...] = (), **lists: list[Entry]) -> str:
    raw = tomllib.loads(PRINTED)
    for kind, entries in {"published": tables, "claim": claims, **lists}.items():
        raw[kind] = [*raw.get(kind, []), *entries]
    return tomli_w.dumps(raw)
