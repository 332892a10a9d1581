"""Problems of a suite's printed tables, and of claims about them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from bench.suite import (
    BOUNDED,
    Averaged,
    Between,
    Claim,
    Difference,
    Mean,
    Published,
    Retained,
    Suite,
    by_margin,
    metric_names,
    number,
)
from bench.suite.explain import Problem, listed, nearest, shown
from bench.suite.published import CELL, MINUS, unit

FORMS = '"0.917", "0.917±0.031", "89.4%", "91.7±3.1%", "-", "**0.26**"'


def wrong_tables(suite: Suite) -> Iterator[Problem]:
    """Mistakes in the columns, rows or cells of tables."""
    for table in suite.published:
        yield from _wrong_shape(suite, table)
        yield from _mixed_units(table)
        for row, line in table.rows.items():
            yield from _wrong_cells(table, row, line)


def _wrong_shape(suite: Suite, table: Published) -> Iterator[Problem]:
    key = f"published[{table.id}]"
    experiment = suite["experiment", table.experiment]
    methods = [m.id for m in suite.method]
    scenarios = [*(s.id for s in suite.scenario), *(s.id for s in suite.set_)]
    if all(c in methods for c in table.columns):
        allowed, word = scenarios, "scenarios or sets, since its columns are methods"
    elif all(c in scenarios for c in table.columns):
        allowed, word = methods, "methods, since its columns are scenarios"
    else:
        mend = "correct the names"
        unknown = [c for c in table.columns if c not in methods and c not in scenarios]
        close = nearest(unknown[0], [*methods, *scenarios]) if unknown else ""
        got = listed(unknown or table.columns)
        yield Problem(f"{key}.columns", got, "all methods, or all scenarios and sets", f"{mend}{close}")
        return
    for row in table.rows:
        if row not in allowed:
            yield Problem(f"{key}.rows", shown(row), word, f"correct the name{nearest(row, allowed)}")
    for column in sorted({c for c in table.columns if table.columns.count(c) > 1}):
        got = f"{shown(column)} {table.columns.count(column)} times"
        yield Problem(f"{key}.columns", got, "each column once", "correct the names")
    if table.budgets is not None and len(table.budgets) != len(table.columns):
        yield Problem(
            f"{key}.budgets", str(len(table.budgets)), f"{len(table.columns)}, one per column", "add or remove"
        )
    if table.group and table.group not in (groups := [t.id for t in experiment.training_sets]):
        mend = f"correct the name{nearest(table.group, groups)}"
        yield Problem(f"{key}.group", shown(table.group), f"a training set: {listed(groups)}", mend)
    if table.margin.absolute and table.metric in (*BOUNDED, "prr") and table.margin.absolute >= 1:
        allowed = f"below 1: {table.metric} is a share"
        yield Problem(f"{key}.margin.absolute", str(table.margin.absolute), allowed, "e.g. 0.10")
    if table.derived is None and table.metric not in (names := metric_names()):
        mend = f"correct the name{nearest(table.metric, names)}, or say how it is derived"
        yield Problem(f"{key}.metric", shown(table.metric), listed(names), mend)
    if isinstance(table.derived, Retained) and [*table.rows] != [table.derived.student]:
        yield Problem(f"{key}.rows", listed(table.rows), f'one row, of "{table.derived.student}"', "one table each")


def _wrong_cells(table: Published, row: str, line: str) -> Iterator[Problem]:
    key, cells = f"published[{table.id}].rows.{row}", line.split()
    if apart := re.findall(r"\S*\s+±\s*\S*|\S*±\s+\S*", line):
        mend = f"remove the blanks: {''.join(apart[0].split())}"
        yield Problem(key, shown(apart[0]), "no blanks around the plus-minus sign: blanks separate cells", mend)
        return
    if len(cells) != len(table.columns):
        got = f"{len(cells)} cells"
        yield Problem(key, got, f"{len(table.columns)} cells, one per column, blanks between", "correct the row")
    for cell in cells:
        found = CELL.match(cell)
        if found is not None and (why := _impossible(table, found)):
            yield Problem(key, shown(cell), why, "correct the cell, or the table's metric")
        if found is None:
            yield Problem(key, shown(cell), FORMS, "write it as printed")
        elif bool(found["spread"]) is (table.spread == "none") and found["value"]:
            allowed = "no spread" if table.spread == "none" else f'a spread, as spread = "{table.spread}" says'
            yield Problem(key, shown(cell), allowed, "correct the cell or `spread`")
        elif table.decimals is not None and len((found["value"] or "").partition(".")[2]) > table.decimals:
            allowed = f"at most {table.decimals} digits after the point"
            yield Problem(key, shown(cell), allowed, "correct the cell or `decimals`")


def _impossible(table: Published, found: re.Match[str]) -> str:
    """What a value of a metric between 0 and 1 must be; "" if this one is."""
    most = 100 if unit(found) else 1
    value, spread = (Decimal((found[part] or "0").replace(MINUS, "-")) for part in ("value", "spread"))
    if table.metric in BOUNDED and not (0 <= value <= most and 0 <= spread <= most):
        return f"between 0 and {most}, spread too: {table.metric} is a share" + (
            "; 91.7% with its sign" if most == 1 else ""
        )
    return ""


def _mixed_units(table: Published) -> Iterator[Problem]:
    units = {
        unit(found) for line in table.rows.values() for c in line.split() if (found := CELL.match(c)) and found["value"]
    }
    if len(units) > 1:
        yield Problem(
            f"published[{table.id}].rows", "percent and plain numbers", "only one of both", "write them as printed"
        )


def doubled_values(suite: Suite) -> Iterator[Problem]:
    """Values that an experiment's tables print twice, without a group to tell them apart and without a [[repeat]]."""
    seen: dict[tuple[str, str | None, str, str, str], str] = {}
    for value in suite.printed:
        place = (value.experiment, value.group, value.metric, value.method, value.scenario)
        rule = suite["published", value.table].derived
        declared = [
            r for r in suite.repeat if value.method in r.methods and {value.table, seen.get(place)} <= {*r.tables}
        ]
        if place in seen and not declared and not isinstance(rule, Retained):
            got = f"{value.method} on {value.scenario}, as in {shown(seen[place])}"
            groups = listed(t.id for t in suite["experiment", value.experiment].training_sets)
            mend = f"name its training set: {groups}; or name its own experiment"
            yield Problem(f"published[{value.table}].group", got, "each value once in a group", mend)
        seen.setdefault(place, value.table)


def wrong_claims(suite: Suite) -> Iterator[Problem]:
    """Claims without a needed margin, and claims about scenarios that their experiments do not have."""
    for claim in suite.claim:
        key = f"claim[{claim.id}]"
        if isinstance(claim.test, Between) and number(claim.test.low)[0] > number(claim.test.high)[0]:
            yield Problem(f"{key}.test", f"{claim.test.low} to {claim.test.high}", "low <= high", "swap them")
        if by_margin(claim.test) and claim.margin is None:
            yield Problem(f"{key}.margin", "nothing", f"a margin: {claim.test.kind} needs one", "declare one")
        if isinstance(claim.test, Averaged) and not isinstance(suite["published", claim.test.table].derived, Mean):
            averages = [p.id for p in suite.published if isinstance(p.derived, Mean)]
            yield Problem(f"{key}.test.table", shown(claim.test.table), f"averages: {listed(averages)}", "name one")
        for id_ in claim.experiments:
            yield from _wrong_scope(suite, claim, id_)
            scope = suite.scope(claim, suite["experiment", id_])
            if isinstance(claim.test, Difference) and len(claim.test.printed) != len(scope):
                got = f"{len(claim.test.printed)} printed, {len(scope)} scenarios"
                yield Problem(f"{key}.test.printed", got, "one for each of the claim's scenarios", "add or remove")


def _wrong_scope(suite: Suite, claim: Claim, experiment_id: str) -> Iterator[Problem]:
    experiment = suite["experiment", experiment_id]
    printed = {v.scenario for v in suite.printed_in(experiment_id)}
    there = [*experiment.scenarios, *(s.id for s in suite.set_ if s.id in printed)]
    for id_ in claim.scenarios or ():
        if not {id_, *suite.members(id_)} & {*there}:
            mend = f"correct the name{nearest(id_, there)}"
            yield Problem(f"claim[{claim.id}].scenarios", shown(id_), listed(there), mend)
    groups = [t.id for t in experiment.training_sets]
    for id_ in claim.groups or ():
        if id_ not in groups:
            mend = f"correct the name{nearest(id_, groups)}"
            yield Problem(f"claim[{claim.id}].groups", shown(id_), f"a training set: {listed(groups)}", mend)
    if not isinstance(claim.over, int):
        return
    scope = suite.scope(claim, experiment)
    count = sum(len({v.group for v in suite.printed_in(experiment_id) if v.scenario == s}) or 1 for s in scope)
    if claim.over > count:
        allowed = f'at most {count}, the scenarios of experiment "{experiment_id}"'
        yield Problem(f"claim[{claim.id}].over", str(claim.over), allowed, "make it smaller")
