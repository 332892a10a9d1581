"""Numbers -> verdicts on claims and printed values. Transfer metrics and aggregates get none. See docs/verdicts.md."""

from __future__ import annotations

from collections.abc import Sequence

from bench.evidence.measures import Evidence
from bench.suite import Experiment, Untestable
from bench.verdict.about import Implementation
from bench.verdict.aggregates import Aggregate, aggregates
from bench.verdict.claims import judge_claim
from bench.verdict.codes import CODES, FORBIDDING, Code, Under, Verdict, counts
from bench.verdict.families import Family, families
from bench.verdict.looks import Look, Planned
from bench.verdict.printed import judge_printed
from bench.verdict.readings import across
from bench.verdict.transfer import TransferMetric, transfer_metrics

__all__ = [
    "CODES",
    "FORBIDDING",
    "Aggregate",
    "Code",
    "Family",
    "Implementation",
    "Look",
    "Planned",
    "TransferMetric",
    "Under",
    "Verdict",
    "aggregates",
    "counts",
    "families",
    "judge",
    "transfer_metrics",
    "unplanned",
]


def unplanned(evidence: Evidence) -> list[str]:
    """Finished seeds of the plan's cells that count in no verdict, one line per cell."""
    return Planned(evidence).lines(evidence.plan.cells)


def judge(evidence: Evidence, experiments: Sequence[Experiment], readings: bool = True) -> list[Verdict]:
    """A verdict on every printed value of these experiments, and on every claim about them that can be tested at all.

    In the suite's order, values first. readings: also judge each claim under every other reading.
    """
    asked = {e.id for e in experiments}
    suite, planned = evidence.suite, Planned(evidence)
    values = [judge_printed(evidence, value, planned) for value in suite.printed if value.experiment in asked]
    claims = [
        judge_claim(evidence, claim, suite["experiment", id_], planned)
        for claim in suite.claim
        for id_ in claim.experiments
        if id_ in asked and not isinstance(claim.test, Untestable)
    ]
    return across(evidence, [*values, *claims]) if readings else [*values, *claims]
