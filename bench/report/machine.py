"""Verdicts as JSON-able values."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from bench.measures import Evidence
from bench.verdict import TransferMetric, Verdict, counts


def check_json(evidence: Evidence, verdicts: list[Verdict], transfer: list[TransferMetric]) -> dict[str, Any]:
    """What `bench check --json` prints."""
    return {
        "suite": evidence.suite.id,
        "version": evidence.suite.version,
        "profile": evidence.selection.profile,
        "verdicts": [_verdict(v) for v in verdicts],
        "counts": counts(verdicts),
        "transfer": [_plain(dataclasses.asdict(t)) for t in transfer],
        "damaged": list(evidence.damaged),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    row = dataclasses.asdict(verdict)
    row["deviations"] = [{"id": n.id, "class": n.class_, "says": n.says} for n in verdict.deviations]
    return _plain(row)


def _plain(value: Any) -> Any:
    """Tuples as lists, numbers that are not finite as null."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
