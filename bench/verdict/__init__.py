"""Numbers -> verdicts on claims and printed values; transfer metrics and aggregates are none. See docs/verdicts.md."""

from __future__ import annotations

from collections.abc import Sequence

from bench.measures import Evidence
from bench.suite import Experiment, Untestable
from bench.verdict.aggregates import Aggregate, aggregates
from bench.verdict.claims import judge_claim
from bench.verdict.codes import CODES, Code, Verdict, counts
from bench.verdict.families import Family, families
from bench.verdict.printed import judge_printed
from bench.verdict.transfer import TransferMetric, transfer_metrics

__all__ = [
    "CODES",
    "Aggregate",
    "Code",
    "Family",
    "TransferMetric",
    "Verdict",
    "aggregates",
    "counts",
    "families",
    "judge",
    "transfer_metrics",
]


def judge(evidence: Evidence, experiments: Sequence[Experiment]) -> list[Verdict]:
    """A verdict on every printed value of these experiments, and on every claim about them that can be tested at all.

    In the suite's order, values first.
    """
    asked = {e.id for e in experiments}
    suite = evidence.suite
    values = [judge_printed(evidence, value) for value in suite.printed if value.experiment in asked]
    claims = [
        judge_claim(evidence, claim, suite["experiment", id_])
        for claim in suite.claim
        for id_ in claim.experiments
        if id_ in asked and not isinstance(claim.test, Untestable)
    ]
    return [*values, *claims]
