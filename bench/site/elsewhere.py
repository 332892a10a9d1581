"""What a suite's page says about methods from elsewhere, and about results that were only imported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.compare import Comparison, compared
from bench.evidence.measures import Evidence
from bench.exchange.declaration import in_words
from bench.exchange.imported import imports
from bench.guests.places import Entry
from bench.report.boards import labels
from bench.stats.intervals import Interval, mean_interval


@dataclass(frozen=True)
class Entrant:
    label: str
    found: Comparison


@dataclass(frozen=True)
class ImportedScore:
    """A method that was not run here, in a scenario. score: its mean final score, as its makers evaluated it."""

    method: str
    scenario: str
    score: Interval
    seeds: int
    protocol: str  # which import, and what its declaration says


def compared_entrants(evidence: Evidence, entered: Sequence[Entry]) -> list[Entrant]:
    return [Entrant(label, compared(evidence, own)) for label, own in zip(labels(entered), entered, strict=True)]


def imported_scores(evidence: Evidence) -> list[ImportedScore]:
    """The scores of every import for the suite, in order."""
    return [
        ImportedScore(own.label(method), s, mean_interval([*scores.values()]), len(scores), in_words(own.protocol))
        for own in imports(evidence.store.root).of_suite(evidence.suite.id)
        for method in own.methods
        for s in own.scenarios
        if (scores := own.final_scores(method, s))
    ]
