"""Verdicts as JSON-able values."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from bench import __version__
from bench.estimate import Forecast
from bench.executors.local import Outcome
from bench.measures import Evidence, Standing
from bench.plan import Plan
from bench.suite import Suite, SuiteError
from bench.verdict import Aggregate, TransferMetric, Verdict, counts, families


def validation_json(name: str, found: Suite | SuiteError) -> dict[str, Any]:
    """One suite's entry in what `bench validate --json` prints; no problems: it is sound."""
    if isinstance(found, Suite):
        return {"suite": found.id, "version": found.version, "problems": []}
    return {"suite": name, "version": None, "problems": [dataclasses.asdict(p) for p in found.problems]}


def check_json(
    evidence: Evidence, verdicts: list[Verdict], transfer: list[TransferMetric], aggregated: list[Aggregate]
) -> dict[str, Any]:
    """What `bench check --json` prints."""
    return {
        "suite": evidence.suite.id,
        "version": evidence.suite.version,
        "profile": evidence.selection.profile,
        "verdicts": [_verdict(v) for v in verdicts],
        "counts": counts(verdicts),
        "families": [dataclasses.asdict(f) for f in families(verdicts)],
        "transfer": [plain(dataclasses.asdict(t)) for t in transfer],
        "aggregates": [plain(dataclasses.asdict(a)) for a in aggregated],
        "damaged": list(evidence.damaged),
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


def _verdict(verdict: Verdict) -> dict[str, Any]:
    row = {k: v for k, v in dataclasses.asdict(verdict).items() if k not in ("p", "p_against", "headline")}
    row["deviations"] = [{"id": n.id, "class": n.class_, "says": n.says} for n in verdict.deviations]
    return plain(row)


def plain(value: Any) -> Any:
    """Tuples as lists, numbers that are not finite as null."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
