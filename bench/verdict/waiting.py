"""Claims and values that are still open, and how many seeds of which cells their next look needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.evidence.measures import Evidence
from bench.evidence.values import NotRun
from bench.suite import Experiment, Untestable
from bench.verdict.about import About
from bench.verdict.claims import claim_about, judge_claim
from bench.verdict.codes import DIRECTION, Verdict
from bench.verdict.looks import Planned
from bench.verdict.printed import judge_printed, printed_about


@dataclass(frozen=True)
class Standing:
    """A claim or printed value as it stands. cells: the keys of the cells that it reads. seeds: at its last look, or 0.

    next: the seeds of the look that it waits for; None if it is decided, if no look is left, or if more seeds do not
    help.
    """

    verdict: Verdict
    cells: tuple[str, ...]
    seeds: int
    next: int | None

    @property
    def decided(self) -> bool:
        """Whether there is an answer; for a verdict of not_comparable, a direction."""
        if self.verdict.verdict == "not_comparable":
            return self.verdict.ran and self.verdict.direction != DIRECTION["undecided"]
        return self.verdict.ran and self.verdict.verdict != "inconclusive"


def standings(evidence: Evidence, experiments: Sequence[Experiment]) -> list[Standing]:
    """Everything about these experiments that runs can decide. A fixed number of seeds is a single look."""
    planned = Planned(evidence)
    judged = list(_judged(planned, {e.id for e in experiments}))
    return [_standing(planned, verdict, on) for verdict, on in judged if on.cells]


def _judged(planned: Planned, asked: set[str]) -> Iterator[tuple[Verdict, About]]:
    suite = planned.every.suite
    for value in (v for v in suite.printed if v.experiment in asked):
        try:
            on = printed_about(planned.every, suite["experiment", value.experiment], value)
        except NotRun:
            continue
        yield judge_printed(planned.every, value, planned), on
    for claim in (c for c in suite.claim if not isinstance(c.test, Untestable)):
        for experiment in (suite["experiment", id_] for id_ in claim.experiments if id_ in asked):
            yield judge_claim(planned.every, claim, experiment, planned), claim_about(planned.every, claim, experiment)


def _standing(planned: Planned, verdict: Verdict, on: About) -> Standing:
    looks = planned.schedule(planned.every.suite["experiment", verdict.experiment]).looks
    there = min(planned.prefix(cell) for cell in on.cells)
    reached = [look for look in looks if look <= there]
    found = Standing(verdict, tuple(cell.key for cell in on.cells), max(reached, default=0), None)
    helpless = found.decided or not verdict.ran  # if one look has nothing to judge, no look has
    left = [look for look in looks if look > there][: 0 if reached and helpless else 1]
    return Standing(found.verdict, found.cells, found.seeds, left[0] if left else None)
