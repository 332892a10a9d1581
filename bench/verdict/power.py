"""Before seeds are trained: how likely the planned seeds are to decide each claim and each printed value.

Each is judged by the usual rules, many times, on imagined seeds (`bench.verdict.imagined`). So the whole rule is tried:
places, pairs, margins, corrections inside a claim. If some of what a claim reads has neither pilots nor a printed value
with a spread, all of it is drawn from the anchors instead.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from bench.evidence.measures import Evidence
from bench.evidence.values import NotRun
from bench.plan import Resolver
from bench.stats.decisions import Decision
from bench.stats.estimates import MINIMUM_SEEDS, StatisticsError
from bench.stats.looks import asked_at
from bench.stats.power import MOST_SEEDS, POWER
from bench.suite import Claim, Experiment, Printed, Schedule, Untestable
from bench.verdict.claims import claim_about, decision_of, places_of
from bench.verdict.imagined import Claimed, Draw, Make
from bench.verdict.printed import decide_printed
from bench.verdict.rules import require_on_runs

DRAWS = 200  # a chance of 80% has a standard error of 3%
EVERY_SEED = range(2**53)
DRAWS_OF_MOST = 40  # enough to tell nearly always from hardly ever
DRAWS_OF_STEPS = 100  # a chance of 80% has a standard error of 4%
FEWER = (MINIMUM_SEEDS, 5)  # smaller numbers of seeds that a plan with a fixed number may choose


@dataclass(frozen=True)
class Power:
    """The chance that one claim or printed value is decided in one experiment.

    yes, no: shares of the draws; None if there is nothing to draw from. seeds: planned, at the last look. basis: what
    was taken as the truth, or why there is none. never: even 1000 seeds of ours decide in less than 80% of draws.
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
        """The chance of either answer."""
        return None if self.yes is None or self.no is None else self.yes + self.no


@dataclass(frozen=True)
class Prospect:
    """The chances that a claim is decided in one experiment, by the number of its cells' seeds; empty if unknown.

    cells: the keys of the cells that it reads. basis: what was taken as the truth, or why there is none.
    """

    id: str
    experiment: str
    cells: tuple[str, ...]
    basis: str
    chances: Mapping[int, float]

    def at(self, seeds: int) -> float:
        """The chance with so many seeds, judged at the last step that they reach."""
        return self.chances.get(max((step for step in self.chances if step <= seeds), default=0), 0.0)


Judge = Callable[[Draw, Evidence], Decision]  # evidence: of the pilots, asked as at a look
Found = TypeVar("Found")


def power(pilots: Evidence, planned: Resolver, experiments: Sequence[Experiment]) -> Iterator[Power]:
    """The chance of a decision on everything that `judge` judges, in its order. planned: has the seeds in question."""
    suite, asked = pilots.suite, {e.id for e in experiments}
    schedules = {e.id: _schedule(planned, e) for e in experiments}
    for value in suite.printed:
        if value.experiment in asked and value.value is not None:
            yield _of_printed(pilots, value, schedules[value.experiment])
    for claim in suite.claim:
        for id_ in claim.experiments:
            if id_ in asked and not isinstance(claim.test, Untestable):
                yield _of_claim(pilots, claim, suite["experiment", id_], schedules[id_])


def prospects(pilots: Evidence, planned: Evidence, experiments: Sequence[Experiment]) -> Iterator[Prospect]:
    """The prospects of every claim that runs can decide, also with fewer seeds than planned: see `steps`."""
    resolver = Resolver(planned.suite, planned.selection)
    for experiment in experiments:
        schedule = _schedule(resolver, experiment)
        for claim in pilots.suite.claim:
            if experiment.id in claim.experiments and not isinstance(claim.test, Untestable):
                cells = tuple(cell.key for cell in claim_about(planned, claim, experiment).cells)
                yield _prospect(pilots, claim, experiment, schedule, cells)


def _prospect(
    pilots: Evidence, claim: Claim, experiment: Experiment, schedule: Schedule, cells: tuple[str, ...]
) -> Prospect:
    """cells: the planned ones, whatever pilots ran."""
    judge, claimed = _asked(pilots, claim, experiment)

    def drawn(make: Make) -> tuple[str, dict[int, float]]:
        return _growing((experiment.id, claim.id), pilots, schedule, judge, make)

    found = _tried(pilots, claimed, drawn) if cells else "none of its cells can run yet"
    basis, chances = (found, {}) if isinstance(found, str) else found
    return Prospect(claim.id, experiment.id, cells, basis, chances)


def steps(schedule: Schedule) -> tuple[int, ...]:
    """The looks; for a fixed number of seeds, that number and two smaller ones."""
    return schedule.looks if schedule.often else tuple(sorted({*FEWER, schedule.most} & {*range(schedule.most + 1)}))


def _schedule(planned: Resolver, experiment: Experiment) -> Schedule:
    """The planned looks; one if the number of seeds is fixed, or chosen on the command line."""
    if planned.selection.seeds is not None:
        return Schedule((len(planned.selection.seeds),))
    return experiment.schedule(planned.suite.profile[planned.selection.profile])


def _of_claim(pilots: Evidence, claim: Claim, experiment: Experiment, schedule: Schedule) -> Power:
    blank = Power(claim.id, claim.test.kind, experiment.id, claim.says, schedule.most, "")
    return _chances(blank, pilots, schedule, *_asked(pilots, claim, experiment))


def _asked(pilots: Evidence, claim: Claim, experiment: Experiment) -> tuple[Judge, Make]:
    """How a claim is judged on imagined seeds, and how these are made if the paper is taken at its word."""
    places = places_of(pilots.suite, claim, experiment)

    def judge(draw: Draw, evidence: Evidence) -> Decision:
        require_on_runs(claim.test)
        return decision_of(evidence, claim, experiment, places, draw.values)[0]

    def claimed(seeds: int, rng: np.random.Generator, basis: dict[str, None]) -> Draw:
        return Claimed(pilots, seeds, rng, basis, claim, experiment)

    return judge, claimed


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
    found = _tried(pilots, claimed, lambda make: _drawn(blank, pilots, schedule, judge, make))
    return replace(blank, basis=found) if isinstance(found, str) else found


def _tried(pilots: Evidence, claimed: Make, drawn: Callable[[Make], Found]) -> Found | str:
    """The result from pilots, or else from what is claimed; if there is nothing to draw from, what is missing."""

    def from_pilots(seeds: int, rng: np.random.Generator, basis: dict[str, None]) -> Draw:
        return Draw(pilots, seeds, rng, basis)

    lacking: dict[str, None] = {}
    for make in (from_pilots, claimed):
        try:
            return drawn(make)
        except NotRun as missing:
            lacking[str(missing)] = None
    return "; ".join(lacking)


def _drawn(blank: Power, pilots: Evidence, schedule: Schedule, judge: Judge, make: Make) -> Power:
    """The blank with its chances. Raises NotRun if there is nothing to draw from."""
    rng, basis = _generator(blank.experiment, blank.id), dict[str, None]()

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


def _growing(
    of: tuple[str, str], pilots: Evidence, schedule: Schedule, judge: Judge, make: Make
) -> tuple[str, dict[int, float]]:
    """What was drawn from, and the chance that each number of seeds decides. Raises NotRun.

    One draw serves all numbers: fewer seeds are its first ones. A look that decides is the last. A fixed number of
    seeds is judged by itself, whatever fewer seeds would have said.
    """
    rng, basis = _generator(*of), dict[str, None]()
    numbers, decided = steps(schedule), Counter[int]()
    evidence = pilots.within(lambda _: EVERY_SEED, asked_at(*schedule))
    with contextlib.suppress(StatisticsError):  # of this draw; others may do
        judge(make(max(schedule.most, MINIMUM_SEEDS), rng, basis), pilots)  # what is missing is found at once
    for _ in range(DRAWS_OF_STEPS):
        draw = make(schedule.most, rng, basis)
        for i, n in enumerate(numbers):
            if _outcome(judge, draw, evidence, [n]) == "undecided":
                continue
            decided.update(numbers[i:] if schedule.often else [n])
            if schedule.often:
                break
    return ", ".join(basis), {n: decided[n] / DRAWS_OF_STEPS for n in numbers}


def _generator(experiment: str, question: str) -> np.random.Generator:
    """The same draws for the same question, every time."""
    return np.random.default_rng([*hashlib.sha256(f"{experiment} {question}".encode()).digest()])


def _outcome(judge: Judge, draw: Draw, evidence: Evidence, looks: Sequence[int]) -> str:
    """The outcome of the first look that decides."""
    for seeds in looks:
        with contextlib.suppress(StatisticsError):
            if (outcome := judge(draw.first(seeds), evidence).outcome) != "undecided":
                return outcome
    return "undecided"
