"""The state of a plan's runs: done, failed, or blocked by a failed teacher."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bench.plan import Plan
from bench.store import Record


@dataclass(frozen=True)
class Standing:
    """The state of a plan's runs, by run id. blocked: their teacher, or its teacher, failed."""

    done: frozenset[str]
    failed: Mapping[str, str]  # why
    blocked: frozenset[str]

    @property
    def settled(self) -> frozenset[str]:
        """Runs with nothing left to do."""
        return self.done | self.failed.keys() | self.blocked


def standing(plan: Plan, records: Iterable[Record]) -> Standing:
    """The state of a plan's runs by these records."""
    by_run = {record.run: record for record in records}
    own = [by_run[run.id] for run in plan.runs if run.id in by_run]
    failed = {record.run: record.reason for record in own if record.status == "failed"}
    done = frozenset(record.run for record in own) - failed.keys()
    blocked: set[str] = set()
    for run in plan.runs:  # teachers come first
        settled = run.id in done or run.id in failed
        if not settled and any(teacher in failed or teacher in blocked for teacher in run.teachers):
            blocked.add(run.id)
    return Standing(done, failed, frozenset(blocked))
