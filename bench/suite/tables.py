"""What is wrong with the printed tables of a suite, and with claims about them."""

from __future__ import annotations

from collections.abc import Iterator

from bench.explain import Problem, listed, nearest, shown
from bench.suite import METRICS, Averaged, Claim, Difference, Mean, Published, Retained, Suite, by_margin
from bench.suite.published import CELL


def wrong_tables(suite: Suite) -> Iterator[Problem]:
    """Tables whose columns, rows or cells cannot be meant."""
    for table in suite.published:
        yield from _wrong_shape(suite, table)
        for row, line in table.rows.items():
            yield from _wrong_cells(table, row, line)


def _wrong_shape(suite: Suite, table: Published) -> Iterator[Problem]:
    key = f"published[{table.id}]"
    experiment = suite["experiment", table.experiment]
    methods = [m.id for m in suite.method]
    scenarios = [*(s.id for s in suite.scenario), *(s.id for s in suite.set_)]
    if all(c in methods for c in table.columns):
        allowed, word = scenarios, "scenarios or sets, for its columns are methods"
    elif all(c in scenarios for c in table.columns):
        allowed, word = methods, "methods, for its columns are scenarios"
    else:
        mend = "correct the names"
        yield Problem(f"{key}.columns", listed(table.columns), "all methods, or all scenarios and sets", mend)
        return
    for row in table.rows:
        if row not in allowed:
            yield Problem(f"{key}.rows", shown(row), word, f"correct the name{nearest(row, allowed)}")
    for column in sorted({c for c in table.columns if table.columns.count(c) > 1}):
        got = f"{shown(column)} {table.columns.count(column)} times"
        yield Problem(f"{key}.columns", got, "each column once", "correct the names")
    if table.budgets is not None and len(table.budgets) != len(table.columns):
        yield Problem(f"{key}.budgets", str(len(table.budgets)), f"{len(table.columns)}, one a column", "add or remove")
    if table.group and table.group not in (groups := [t.id for t in experiment.training_sets]):
        mend = f"correct the name{nearest(table.group, groups)}"
        yield Problem(f"{key}.group", shown(table.group), f"a training set: {listed(groups)}", mend)
    if table.derived is None and table.metric not in METRICS:
        mend = f"correct the name{nearest(table.metric, METRICS)}, or say how it is derived"
        yield Problem(f"{key}.metric", shown(table.metric), listed(METRICS), mend)
    if isinstance(table.derived, Retained) and [*table.rows] != [table.derived.student]:
        yield Problem(f"{key}.rows", listed(table.rows), f'one row, of "{table.derived.student}"', "one table each")


def _wrong_cells(table: Published, row: str, line: str) -> Iterator[Problem]:
    key, cells = f"published[{table.id}].rows.{row}", line.split()
    if len(cells) != len(table.columns):
        got = f"{len(cells)} cells"
        yield Problem(key, got, f"{len(table.columns)} cells, one a column, blanks between", "correct the row")
    for cell in cells:
        found = CELL.match(cell)
        if found is None:
            yield Problem(key, shown(cell), '"0.917", "0.917±0.031", "89.4%", "-", "**0.26**"', "write it as printed")
        elif bool(found["spread"]) is (table.spread == "none") and found["value"]:
            allowed = "no spread" if table.spread == "none" else f'a spread, as spread = "{table.spread}" says'
            yield Problem(key, shown(cell), allowed, "correct the cell or `spread`")
        elif table.decimals is not None and len((found["value"] or "").partition(".")[2]) > table.decimals:
            allowed = f"at most {table.decimals} digits after the point"
            yield Problem(key, shown(cell), allowed, "correct the cell or `decimals`")


def wrong_claims(suite: Suite) -> Iterator[Problem]:
    """Claims whose margin is missing, or that count or name scenarios their experiments do not have."""
    for claim in suite.claim:
        key = f"claim[{claim.id}]"
        if by_margin(claim.test) and claim.margin is None:
            yield Problem(f"{key}.margin", "nothing", f"a margin: {claim.test.kind} is judged by it", "declare one")
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
    scope = suite.scope(claim, experiment)
    count = sum(len({v.group for v in suite.printed_in(experiment_id) if v.scenario == s}) or 1 for s in scope)
    if isinstance(claim.over, int) and claim.over > count:
        allowed = f'at most {count}, the scenarios of experiment "{experiment_id}"'
        yield Problem(f"claim[{claim.id}].over", str(claim.over), allowed, "make it smaller")
