"""Methods from elsewhere with runs in a results folder, reconstructed from their records."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from bench.evidence.measures import Evidence
from bench.guests.method import Declaration, Guest
from bench.guests.places import Entry, entry
from bench.store import Record


def entrants(evidence: Evidence) -> list[Entry]:
    """Methods by name and code, with the contests of the evidence's profile in which they have a finished run.

    Left out are runs with other settings than the profile's, since they belong to another cell, and methods whose name
    the suite now uses for a method of its own.
    """
    suite, found = evidence.suite, []
    names = {method.id for method in suite.method}
    for method in _methods(evidence):
        if method.name in names:
            continue
        entered = entry(suite, evidence.selection, method, ())
        contests = tuple(contest for contest in entered.contests if evidence.finished(contest.cell))
        if contests:
            found.append(Entry(method, contests, entered.plan))
    return found


def _methods(evidence: Evidence) -> list[Guest]:
    own: dict[tuple[str, str], list[Record]] = {}
    for records in evidence.contents.cells.values():
        for record in records.values():
            algorithm = record.settings.get("algorithm")
            if record.suite == evidence.suite.id and isinstance(algorithm, dict) and "source" in algorithm:
                own.setdefault((record.method, str(algorithm["source"])), []).append(record)
    methods = (_method(records) for _, records in sorted(own.items()))
    return [method for method in methods if method is not None]


def _method(records: Iterable[Record]) -> Guest | None:
    """The method that all these records were made with; None if their settings are not of a method from elsewhere."""
    records = list(records)
    first, settings = records[0], records[0].settings
    algorithm = settings["algorithm"]
    try:
        declaration = Declaration(
            says=algorithm["says"],
            tuning=algorithm["tuning"],
            teacher=any(record.teachers for record in records),
            hyperparameters=settings["hyperparameters"],
        )
        return Guest(
            name=first.method,
            target=algorithm["name"],
            kind=algorithm["kind"],
            source=algorithm["source"],
            declaration=declaration,
        )
    except (KeyError, ValidationError):
        return None
