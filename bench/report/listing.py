"""What `bench ls` and `bench validate` print: the entries of suite files, as tables and as JSON, and their faults."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from rich.table import Table

from bench.suite import Claim, Experiment, Printed, Reading, Seeds, Setting, Suite, SuiteError, Untestable, quantities
from bench.suite.warnings import warnings

Row = dict[str, Any]


def suite_rows(suite: Suite) -> list[Row]:
    """The suite itself: how much it holds."""
    counts = {
        "scenarios": len(suite.scenario),
        "methods": len(suite.method),
        "experiments": len(suite.experiment),
        "published": len(suite.printed),
        "claims": len(suite.claim),
    }
    waiting = sum(not ready(suite, e) for e in suite.experiment)
    return [{"suite": suite.id, "version": suite.version, "title": suite.paper.title, **counts, "waiting": waiting}]


def scenario_rows(suite: Suite) -> list[Row]:
    return [
        {"suite": suite.id, "id": s.id, "where": s.where, "says": s.says, "family": s.family, "params": s.params}
        | {"episode_limit": s.steps, "metric": s.metric, "status": _status(s.waits_for), "waits_for": s.waits_for}
        for s in suite.scenario
    ]


def method_rows(suite: Suite) -> list[Row]:
    """Hyperparameters include those that a method takes over from the one it extends."""
    return [
        {"suite": suite.id, "id": m.id, "where": m.where, "says": m.says, "algorithm": m.algorithm}
        | {"extends": m.extends, "hyperparameters": _settings(suite.settings(m.id))}
        | {"hyperparameters_on": {s: _settings(own) for s, own in suite.variants(m.id).items() if s}}
        | {"status": _status(m.waits_for), "waits_for": m.waits_for}
        for m in suite.method
    ]


def experiment_rows(suite: Suite) -> list[Row]:
    rows = []
    for e in suite.experiment:
        waiting = {m: why for m in e.methods if (why := suite.waits_for(e, m))}
        sets = [
            {"id": t.id, "scenarios": list(t.scenarios), "score_on": list(t.score_on or ())} for t in e.training_sets
        ]
        all_wait = "; ".join(dict.fromkeys(waiting.values())) if len(waiting) == len(e.methods) else None
        rows.append(
            {"suite": suite.id, "id": e.id, "where": e.where, "says": e.says, "methods": list(e.methods)}
            | {"training_sets": sets, "seeds": _seeds(e), "budget": str(e.budget)}
            | {"status": _status(all_wait), "waiting": waiting}
        )
    return rows


def _seeds(experiment: Experiment) -> int | list[int]:
    """A fixed number, or the looks."""
    return experiment.seeds.value if isinstance(experiment.seeds, Seeds) else list(experiment.seeds.looks)


def published_rows(suite: Suite) -> list[Row]:
    """Every printed value. value: the number as printed, before its unit; null for a dash."""
    return [_published(suite, value) for value in suite.printed]


def claim_rows(suite: Suite) -> list[Row]:
    return [
        {"suite": suite.id, "id": c.id, "where": c.where, "says": c.says, "experiments": list(c.experiments)}
        | {"scenarios": list(c.scenarios) if c.scenarios else None, "over": c.over, "protocol": c.protocol}
        | {"margin": c.margin.model_dump(exclude_none=True) if c.margin else None, "headline": c.headline}
        | {"test": c.test.model_dump(mode="json", by_alias=True), "status": _claim_status(suite, c)}
        for c in suite.claim
    ]


def reading_rows(suite: Suite) -> list[Row]:
    """Every reading but the primary one. An entry with varied values is one row, with its number of readings."""
    return [
        {"suite": suite.id, "id": r.id, "kind": r.kind, "says": r.says, "readings": r.count, "changes": _changes(r)}
        for r in suite.reading
    ]


def _changes(reading: Reading) -> Row:
    varied = {f"{m}.{key}": list(values) for m, own in reading.vary.items() for key, values in own.items()}
    return reading.choices | varied


KINDS: Mapping[str, Callable[[Suite], list[Row]]] = {
    "suites": suite_rows,
    "scenarios": scenario_rows,
    "methods": method_rows,
    "experiments": experiment_rows,
    "published": published_rows,
    "claims": claim_rows,
    "readings": reading_rows,
}
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "suites": ("suite", "title", "scenarios", "methods", "experiments", "published", "claims", "waiting"),
    "scenarios": ("suite", "id", "where", "says", "metric", "status", "waits_for"),
    "methods": ("suite", "id", "where", "says", "algorithm", "status", "waits_for"),
    "experiments": ("suite", "id", "where", "says", "methods", "seeds", "budget", "status"),
    "published": ("suite", "where", "group", "method", "scenario", "metric", "value", "spread", "seeds", "derived"),
    "claims": ("suite", "id", "where", "says", "experiments", "status"),
    "readings": ("suite", "id", "kind", "says", "readings", "changes"),
}


def listing_table(kind: str, rows: list[Row]) -> Table:
    """Rows as a table; the JSON has more of each."""
    table = Table(title=kind, title_justify="left")
    for column in COLUMNS[kind]:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(
            *(_cell(row, column) for column in COLUMNS[kind]),
            style=None if row.get("status") != "waits" else "dim",
        )
    return table


def ready(suite: Suite, experiment: Experiment) -> bool:
    """Whether any of its methods can run."""
    return any(not suite.waits_for(experiment, m) for m in experiment.methods)


def _status(waits_for: str | None) -> str:
    return "waits" if waits_for else "ready"


def _claim_status(suite: Suite, claim: Claim) -> str:
    return "untestable" if isinstance(claim.test, Untestable) else _status(_claim_waits(suite, claim.id))


def _settings(settings: Mapping[str, Setting]) -> Row:
    return {name: s.model_dump(exclude_none=True) for name, s in settings.items()}


def _claim_waits(suite: Suite, claim_id: str) -> str | None:
    """What keeps a claim from being judged on runs, in every experiment it names."""
    claim = suite["claim", claim_id]
    reasons: list[list[str]] = []
    for experiment in (suite["experiment", id_] for id_ in claim.experiments):
        cells = {suite.place(q, experiment)[:2] for q in quantities(claim.test)}
        cells = cells or {(experiment.id, m) for m in experiment.methods}
        reasons.append([why for e, m in sorted(cells) if (why := suite.waits_for(suite["experiment", e], m))])
    return "; ".join(dict.fromkeys(r for found in reasons for r in found)) if all(reasons) else None


def _published(suite: Suite, value: Printed) -> Row:
    return {
        "suite": suite.id,
        "id": value.id,
        "where": value.where,
        "experiment": value.experiment,
        "group": value.group,
        "method": value.method,
        "scenario": value.scenario,
        "metric": value.metric,
        "protocol": value.protocol,
        "budget": value.budget,
        "budget_kind": value.budget_kind,
        "value": None if value.value is None else float(value.value),
        "unit": value.unit or None,
        "decimals": value.decimals,
        "spread": None if value.spread is None else float(value.spread),
        "spread_type": value.spread_type,
        "seeds": value.seeds,
        "derived": value.derived,
        "bold": value.bold,
    }


def _cell(row: Row, column: str) -> str:
    value = row[column]
    if value is None:
        return "-" if column == "value" else ""
    if column == "value":
        return f"{value:g}{row['unit'] or ''}"
    if isinstance(value, bool):
        return "derived" if value else ""
    if isinstance(value, dict) and column == "changes":
        return ", ".join(f"{key} = {own}" for key, own in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)


def validation_line(name: str, suite: Suite) -> str:
    """A sound suite in one line."""
    parts = (len(suite.scenario), len(suite.method), len(suite.experiment), len(suite.claim))
    return "{}: sound; {} scenarios, {} methods, {} experiments, {} claims".format(name, *parts)


def validation_json(name: str, found: Suite | SuiteError) -> dict[str, Any]:
    """One suite's entry in what `bench validate --json` prints; no problems: it is sound."""
    if isinstance(found, Suite):
        return {"suite": found.id, "version": found.version, "problems": [], "warnings": [*warnings(found)]}
    problems = [dataclasses.asdict(p) for p in found.problems]
    return {"suite": name, "version": None, "problems": problems, "warnings": []}
