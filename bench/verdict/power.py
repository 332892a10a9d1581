"""Before seeds are trained: how likely each claim and each printed value is to be decided with those that are planned.

Each is judged as ever, many times over, on imagined seeds (`bench.verdict.imagined`). So the rule as a whole is tried:
places, pairs, margins, corrections inside a claim. Where pilots, or what the paper prints with a spread, lack for some
of what a claim reads, all of it is drawn from the anchors instead.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.evidence.measures import Evidence, NotRun
from bench.plan import Resolver
from bench.stats.decisions import Decision
from bench.stats.estimates import MINIMUM_SEEDS, StatisticsError
from bench.stats.looks import asked_at
from bench.stats.power import MOST_SEEDS, POWER
from bench.suite import Claim, Experiment, Printed, Schedule, Untestable
from bench.verdict.claims import decision_of, places_of
from bench.verdict.imagined import Claimed, Draw, Make
from bench.verdict.printed import decide_printed
from bench.verdict.rules import require_on_runs

DRAWS = 200  # a chance of 80% has a standard error of 3%
EVERY_SEED = range(2**53)
DRAWS_OF_MOST = 40  # enough to tell nearly always from hardly ever


@dataclass(frozen=True)
class Power:
    """The chance that one claim or printed value is decided in one experiment.

    yes, no: shares of the draws, None where there is nothing to draw from. seeds: planned, at the last look. basis:
    what was taken for the truth, or why there is none. never: even 1000 seeds of ours decide in less than 80% of draws.
    """

    id: str
    kind: str
    experiment: str
    says: str
    seeds: int
    basis: str
    yes: float | None = None
    no: float | None = None
    never: bool = False

    @property
    def chance(self) -> float | None:
        """Of either answer."""
        return None if self.yes is None or self.no is None else self.yes + self.no


Judge = Callable[[Draw, Evidence], Decision]  # evidence: of the pilots, asked as at a look


def power(pilots: Evidence, planned: Resolver, experiments: Sequence[Experiment]) -> Iterator[Power]:
    """The chance of a decision on all that `judge` judges, in its order. planned: whose seeds are asked about."""
    suite, asked = pilots.suite, {e.id for e in experiments}
    schedules = {e.id: _schedule(planned, e) for e in experiments}
    for value in suite.printed:
        if value.experiment in asked and value.value is not None:
            yield _of_printed(pilots, value, schedules[value.experiment])
    for claim in suite.claim:
        for id_ in claim.experiments:
            if id_ in asked and not isinstance(claim.test, Untestable):
                yield _of_claim(pilots, claim, suite["experiment", id_], schedules[id_])


def _schedule(planned: Resolver, experiment: Experiment) -> Schedule:
    """The looks that are planned; one where seeds are fixed, or chosen on the command line."""
    if planned.selection.seeds is not None:
        return Schedule((len(planned.selection.seeds),))
    return experiment.schedule(planned.suite.profile[planned.selection.profile])


def _of_claim(pilots: Evidence, claim: Claim, experiment: Experiment, schedule: Schedule) -> Power:
    places = places_of(pilots.suite, claim, experiment)

    def judge(draw: Draw, evidence: Evidence) -> Decision:
        require_on_runs(claim.test)
        return decision_of(evidence, claim, experiment, places, draw.values)[0]

    def claimed(seeds: int, rng: np.random.Generator, basis: dict[str, None]) -> Draw:
        return Claimed(pilots, seeds, rng, basis, claim, experiment)

    blank = Power(claim.id, claim.test.kind, experiment.id, claim.says, schedule.most, "")
    return _chances(blank, pilots, schedule, judge, claimed)


def _of_printed(pilots: Evidence, value: Printed, schedule: Schedule) -> Power:
    def judge(draw: Draw, evidence: Evidence) -> Decision:
        return decide_printed(evidence, value, draw.finals)[1]

    def claimed(seeds: int, rng: np.random.Generator, basis: dict[str, None]) -> Draw:
        return Claimed(pilots, seeds, rng, basis)

    says = f"{value.metric.replace('_', ' ')} of {value.method} on {value.scenario} is {value.text}"
    blank = Power(value.id, "published", value.experiment, says, schedule.most, "")
    return _chances(blank, pilots, schedule, judge, claimed)


def _chances(blank: Power, pilots: Evidence, schedule: Schedule, judge: Judge, claimed: Make) -> Power:
    """The blank filled in, from pilots or else from what is claimed."""

    def from_pilots(seeds: int, rng: np.random.Generator, basis: dict[str, None]) -> Draw:
        return Draw(pilots, seeds, rng, basis)

    lacking: dict[str, None] = {}
    for make in (from_pilots, claimed):
        try:
            return _drawn(blank, pilots, schedule, judge, make)
        except NotRun as missing:
            lacking[str(missing)] = None
    return replace(blank, basis="; ".join(lacking))


def _drawn(blank: Power, pilots: Evidence, schedule: Schedule, judge: Judge, make: Make) -> Power:
    """Raises NotRun where there is nothing to draw from."""
    rng = np.random.default_rng([*hashlib.sha256(f"{blank.experiment} {blank.id}".encode()).digest()])
    basis: dict[str, None] = {}

    def shares(looks: tuple[int, ...], nominal: float | None, draws: int) -> tuple[float, float]:
        evidence = pilots.within(lambda _: EVERY_SEED, asked_at(looks, nominal))
        drawn = (make(looks[-1], rng, basis) for _ in range(draws))
        outcomes = [_outcome(judge, draw, evidence, looks) for draw in drawn]
        return outcomes.count("yes") / draws, outcomes.count("no") / draws

    with contextlib.suppress(StatisticsError):  # of this draw; others may do
        judge(make(max(blank.seeds, MINIMUM_SEEDS), rng, basis), pilots)  # what is missing is found at once
    yes, no = shares(*schedule, DRAWS)
    never = yes + no < POWER and sum(shares((MOST_SEEDS,), None, DRAWS_OF_MOST)) < POWER
    return replace(blank, basis=", ".join(basis), yes=yes, no=no, never=never)


def _outcome(judge: Judge, draw: Draw, evidence: Evidence, looks: Sequence[int]) -> str:
    """Of the first look that decides."""
    for seeds in looks:
        with contextlib.suppress(StatisticsError):
            if (outcome := judge(draw.first(seeds), evidence).outcome) != "undecided":
                return outcome
    return "undecided"
