"""Verdicts as values for JSON."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from bench import __version__
from bench.evidence.measures import Evidence
from bench.evidence.standing import Standing
from bench.executors.dispatch import Outcome
from bench.executors.estimate import Forecast
from bench.plan import Plan, selected
from bench.report.words import sentence, tagged
from bench.verdict import Aggregate, TransferMetric, Verdict, counts, families, unplanned
from bench.verdict.retention import retentions

# Kinds whose finding is a difference, in the quantity's own unit.
DIFFERENCES = ("ordering", "mean_ordering", "not_greater", "equivalence", "difference", "value")


def check_json(
    evidence: Evidence, verdicts: list[Verdict], transfer: list[TransferMetric], aggregated: list[Aggregate]
) -> dict[str, Any]:
    """What `bench check --json` prints."""
    kept = [own for e in selected(evidence.suite, evidence.selection.only) for own in retentions(evidence, e)]
    return {
        "suite": evidence.suite.id,
        "version": evidence.suite.version,
        "profile": evidence.selection.profile,
        "verdicts": [verdict_json(v) for v in verdicts],
        "counts": counts(verdicts),
        "families": [dataclasses.asdict(f) for f in families(verdicts)],
        "transfer": [plain(dataclasses.asdict(t)) for t in transfer],
        "retention": [plain(dataclasses.asdict(k)) for k in kept],
        "aggregates": [plain(dataclasses.asdict(a)) for a in aggregated],
        "damaged": list(evidence.damaged),
        "untaught": evidence.untaught,
        "unplanned": unplanned(evidence),
        "failed": evidence.standing.failed,
    }


def plan_json(planned: Plan, now: Standing, expected: Forecast, jobs: int) -> dict[str, Any]:
    """What `bench plan --json` prints."""
    costs = expected.cells
    cells = [
        cell.model_dump(mode="json", exclude={"notes"})
        | {
            "teachers": list(cell.teachers),
            "cpu_s": costs[cell.key].cpu_s,
            "bytes": costs[cell.key].bytes,
            "checkpoint_bytes": costs[cell.key].checkpoint_bytes,
            "basis": costs[cell.key].basis,
        }
        for cell in planned.cells
    ]
    runs = [
        r.model_dump()
        | {"done": r.id in now.done, "failed": now.failed.get(r.id), "blocked": r.id in now.blocked}
        | {"left_s": expected.left.get(r.id, 0.0)}
        for r in planned.runs
    ]
    return {
        "suite": planned.suite,
        "version": planned.suite_version,
        "profile": planned.profile,
        "shard": planned.shard or None,
        "cells": cells,
        "waiting": [w.model_dump() for w in planned.waiting],
        "runs": runs,
        "left_s": expected.wall_s,
        "jobs": jobs,
        "bench": __version__,
    }


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """What `bench run --json` prints of the runs."""
    return {
        "finished": sorted(outcome.finished),
        "before": sorted(outcome.before),
        "elsewhere": sorted(outcome.elsewhere),
        "failed": outcome.failed,
        "blocked": sorted(outcome.blocked),
        "stopped": outcome.stopped,
        "broken": outcome.broken or None,
    }


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict as `bench check --json` prints it."""
    row = dataclasses.asdict(verdict) | {"sentence": sentence(verdict), "reason": tagged(verdict)}
    row |= {"holds_in": verdict.holds_in, "turned": verdict.turned}
    row["difference"] = verdict.found if verdict.kind in DIFFERENCES else None
    row["deviations"] = [{"id": n.id, "class": n.class_, "says": n.says} for n in verdict.deviations]
    return plain(row)


def plain(value: Any) -> Any:
    """Tuples as lists, numbers that are not finite as null."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
