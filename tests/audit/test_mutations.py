"""Each printed number matters: one unit in its last digit changes what follows from it, and nothing else."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.audit import Finding, audit
from bench.suite import Averaged, Mean, Printed, Retained, Suite, quantities, split
from bench.suite.loading import load
from bench.suite.shipped import folder

SUITES = ("ptde", "mkt_marl")


@cache
def raw(suite: str) -> dict[str, Any]:
    return tomllib.loads((folder() / f"{suite}.toml").read_text())


@cache
def read(suite: str) -> Suite:
    return load(suite)


@cache
def found(suite: str) -> dict[str, Finding]:
    return {f.id: f for f in audit(read(suite))}


@cache
def cells(suite: str) -> list[Printed]:
    """Every derived value, and every value of the tables that one is derived from; a dash cannot be changed."""
    loaded = read(suite)
    sources = {s for t in loaded.published for s in _sources(loaded, t.id)}
    return [v for v in loaded.printed if (v.derived or v.table in sources) and v.value is not None]


def _sources(suite: Suite, table: str) -> tuple[str, ...]:
    rule = suite["published", table].derived
    return (rule.from_,) if isinstance(rule, Retained) else rule.from_ if isinstance(rule, Mean) else ()


def changed(suite: str, cell: Printed, units: int) -> Suite:
    """The suite with one cell some units of its last digit higher, bold and spread as they were."""
    assert cell.value is not None
    value = cell.value + units * Decimal(1).scaleb(-cell.decimals)
    tables = []
    for table in raw(suite)["published"]:
        rows = dict(table["rows"])
        if table["id"] == cell.table:
            row, column = (cell.scenario, cell.method) if cell.scenario in rows else (cell.method, cell.scenario)
            texts = rows[row].split()
            place = table["columns"].index(column)
            texts[place] = texts[place].replace(str(cell.value), str(value), 1)
            rows[row] = " ".join(texts)
        tables.append(table | {"rows": rows})
    return Suite.model_validate(raw(suite) | {"published": tables})


def derived_from(suite: Suite, cell: Printed) -> set[str]:
    """The derived values that must change with a cell: itself, and those whose rule reads it."""
    ids = {cell.id} if cell.derived else set()
    for value in suite.printed:
        rule = suite["published", value.table].derived
        if cell.table not in _sources(suite, value.table):
            continue
        if isinstance(rule, Retained):
            reads = cell.scenario == value.scenario and cell.method in (rule.student, rule.teacher)
        else:
            assert isinstance(rule, Mean)
            reads = rule.of.get(value.method) == cell.method and (not rule.scenarios or cell.scenario in rule.scenarios)
        if reads:
            ids.add(value.id)
    return ids


def may_change(suite: Suite, cell: Printed) -> set[str]:
    """Everything else that may change with it: marks and spreads of its table, its repeats, claims that name its
    method.
    """
    ids = {f"{cell.table}/bold", f"{cell.table}/spreads"}
    ids |= {f"{r.id}/{cell.scenario}/{cell.method}" for r in suite.repeat if cell.table in r.tables}
    for claim in suite.claim:
        if isinstance(claim.test, Averaged):
            rule = suite["published", claim.test.table].derived
            ids |= {claim.id} if cell.table in (claim.test.table, *rule.from_) else set()
        for experiment in (suite["experiment", id_] for id_ in claim.experiments):
            read = {suite.place(q, experiment)[1] for q in quantities(claim.test)}
            homes = {experiment.id, *(suite.place(q, experiment)[0] for q in quantities(claim.test))}
            kinds = {suite["measure", split(q)[2]].kind for q in quantities(claim.test)}
            kind = "retention" if cell.metric == "prr" else "final"
            scope = suite.scope(claim, experiment)
            if cell.method in read and cell.experiment in homes and cell.scenario in scope and kind in kinds:
                ids |= {claim.id, f"{claim.id}/{experiment.id}"}
    return ids


@pytest.mark.parametrize("suite", SUITES)
def test_there_are_cells_to_change(suite: str) -> None:
    """PTDE's Tables 2, 3 and 6 (its dash left out); MKT-MARL's Tables I, II and IV."""
    assert len(cells(suite)) == {"ptde": 48 + 25 + 18 - 1, "mkt_marl": 150 + 18 + 12}[suite]


@pytest.mark.parametrize("suite", SUITES)
@settings(max_examples=20, deadline=None)
@given(draw=st.data())
def test_one_unit_in_the_last_digit_changes_what_follows_from_it_and_nothing_else(
    suite: str, draw: st.DataObject
) -> None:
    cell = draw.draw(st.sampled_from(cells(suite)))
    below = cell.metric == "win_rate" and cell.exact == 0  # a win rate is nothing below nothing
    above = cell.metric == "win_rate" and cell.exact == 1
    units = draw.draw(st.sampled_from([1] if below else [-1] if above else [-1, 1]))
    loaded = read(suite)
    before, after = found(suite), {f.id: f for f in audit(changed(suite, cell, units))}
    assert {*before} == {*after}
    different = {id_ for id_ in before if before[id_] != after[id_]}
    for id_ in derived_from(loaded, cell):
        old, new = before[id_], after[id_]
        assert (old.printed, old.recomputed) != (new.printed, new.recomputed), f"{id_} does not follow from {cell.name}"
    unread = different - derived_from(loaded, cell) - may_change(loaded, cell)
    assert not unread, f"{unread} changed with {cell.name}"
