"""Before seeds are trained: how likely each claim and each printed value is to be decided with those that are planned.

Each is judged as ever, many times over, on imagined seeds (`bench.verdict.imagined`). So the rule as a whole is tried:
places, pairs, margins, corrections inside a claim. Where pilots, or what the paper prints with a spread, lack for some
of what a claim reads, all of it is drawn from the anchors instead.
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
FEWER = (MINIMUM_SEEDS, 5)  # seeds that a plan may make do with where their number is fixed


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


@dataclass(frozen=True)
class Prospect:
    """The chance that a claim is decided in one experiment, by how many seeds its cells have; none where it is unknown.

    cells: the keys of what it reads. basis: what was taken for the truth, or why there is none.
    """

    id: str
    experiment: str
    cells: tuple[str, ...]
    basis: str
    chances: Mapping[int, float]

    def at(self, seeds: int) -> float:
        """With so many seeds, judged at the last step that they reach."""
        return self.chances.get(max((step for step in self.chances if step <= seeds), default=0), 0.0)


Judge = Callable[[Draw, Evidence], Decision]  # evidence: of the pilots, asked as at a look
Found = TypeVar("Found")


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


def prospects(pilots: Evidence, planned: Evidence, experiments: Sequence[Experiment]) -> Iterator[Prospect]:
    """Of every claim that runs can decide, with fewer seeds than are planned, too: see `steps`."""
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
    """cells: that are planned, whatever pilots ran."""
    judge, claimed = _asked(pilots, claim, experiment)

    def drawn(make: Make) -> tuple[str, dict[int, float]]:
        return _growing((experiment.id, claim.id), pilots, schedule, judge, make)

    found = _tried(pilots, claimed, drawn) if cells else "none of its cells can run yet"
    basis, chances = (found, {}) if isinstance(found, str) else found
    return Prospect(claim.id, experiment.id, cells, basis, chances)


def steps(schedule: Schedule) -> tuple[int, ...]:
    """The looks; where seeds are fixed, those and two smaller numbers."""
    return schedule.looks if schedule.often else tuple(sorted({*FEWER, schedule.most} & {*range(schedule.most + 1)}))


def _schedule(planned: Resolver, experiment: Experiment) -> Schedule:
    """The looks that are planned; one where seeds are fixed, or chosen on the command line."""
    if planned.selection.seeds is not None:
        return Schedule((len(planned.selection.seeds),))
    return experiment.schedule(planned.suite.profile[planned.selection.profile])


def _of_claim(pilots: Evidence, claim: Claim, experiment: Experiment, schedule: Schedule) -> Power:
    blank = Power(claim.id, claim.test.kind, experiment.id, claim.says, schedule.most, "")
    return _chances(blank, pilots, schedule, *_asked(pilots, claim, experiment))


def _asked(pilots: Evidence, claim: Claim, experiment: Experiment) -> tuple[Judge, Make]:
    """How a claim is judged on imagined seeds, and how these are made where the paper is taken at its word."""
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
    """From pilots, or else from what is claimed; where there is nothing to draw from, what lacks."""

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
    """Raises NotRun where there is nothing to draw from."""
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
    """What was drawn from, and by the number of seeds the chance that they decide. Raises NotRun.

    One draw serves all numbers: fewer seeds are its first ones. A look that decides is the last; fixed seeds are judged
    by themselves, whatever fewer would have said.
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
    """Of the first look that decides."""
    for seeds in looks:
        with contextlib.suppress(StatisticsError):
            if (outcome := judge(draw.first(seeds), evidence).outcome) != "undecided":
                return outcome
    return "undecided"
