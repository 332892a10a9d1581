"""Before seeds are trained: how likely each claim and each printed value is to be decided with those that are planned.

Each is judged as ever, many times over, on imagined seeds. These are drawn around what pilots came to, from the normal
distribution with the pilots' means, spreads and correlations; where there is no pilot, around what the paper prints
with a spread, each method by itself. So the rule as a whole is tried: places, pairs, margins, corrections inside a
claim. What is taken for the truth is as uncertain as the few seeds that it comes from.

Axes: P pilot seed, S imagined seed.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.evidence.measures import Evidence, NotRun, Values
from bench.plan import Resolver
from bench.stats.decisions import Decision
from bench.stats.estimates import MINIMUM_SEEDS, StatisticsError
from bench.stats.looks import asked_at
from bench.stats.power import MOST_SEEDS, POWER
from bench.suite import Claim, Experiment, Final, FirstReach, Printed, Schedule, Suite, Untestable, split
from bench.verdict.claims import decision_of, places_of
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


Judge = Callable[["Draw", Evidence], Decision]  # evidence: of the pilots, asked as at a look


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

    blank = Power(claim.id, claim.test.kind, experiment.id, claim.says, schedule.most, "")
    return _chances(blank, pilots, schedule, judge)


def _of_printed(pilots: Evidence, value: Printed, schedule: Schedule) -> Power:
    says = f"{value.metric.replace('_', ' ')} of {value.method} on {value.scenario} is {value.text}"
    blank = Power(value.id, "published", value.experiment, says, schedule.most, "")
    return _chances(blank, pilots, schedule, lambda draw, own: decide_printed(own, value, draw.finals)[1])


def _chances(blank: Power, pilots: Evidence, schedule: Schedule, judge: Judge) -> Power:
    """The blank filled in."""
    rng = np.random.default_rng([*hashlib.sha256(f"{blank.experiment} {blank.id}".encode()).digest()])
    basis: dict[str, None] = {}

    def shares(looks: tuple[int, ...], nominal: float | None, draws: int) -> tuple[float, float]:
        evidence = pilots.within(lambda _: EVERY_SEED, asked_at(looks, nominal))
        drawn = (Draw(pilots, looks[-1], rng, basis) for _ in range(draws))
        outcomes = [_outcome(judge, draw, evidence, looks) for draw in drawn]
        return outcomes.count("yes") / draws, outcomes.count("no") / draws

    try:
        judge(Draw(pilots, max(blank.seeds, MINIMUM_SEEDS), rng, basis), pilots)  # what is missing is found at once
    except NotRun as missing:
        return replace(blank, basis=str(missing))
    except StatisticsError:
        pass  # of this draw; others may do
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


class Draw:
    """Imagined seeds of everything that is asked for, the same ones throughout: what goes together in pilots, does."""

    def __init__(self, pilots: Evidence, seeds: int, rng: np.random.Generator, basis: dict[str, None]):
        """basis: gets what was drawn from."""
        self._pilots, self._seeds, self._most, self._rng, self._basis = pilots, seeds, seeds, rng, basis
        self._parts: dict[object, np.ndarray] = {}  # by pilot seed, or by what is printed: a standard normal [S]

    def first(self, seeds: int) -> Draw:
        """The first of the same seeds."""
        fewer = copy.copy(self)
        fewer._seeds = seeds
        return fewer

    def values(self, experiment: Experiment, quantity: str, scenario: str, group: str | None = None) -> Values:
        """As `Evidence.values`. Raises NotRun, StatisticsError."""
        suite = self._pilots.suite
        measure = suite["measure", split(quantity)[2]]
        try:
            pilot = self._pilots.values(experiment, quantity, scenario, group)
        except NotRun:
            if not isinstance(measure, Final):
                raise
            home, method, _ = suite.place(quantity, experiment)
            return self._printed(suite, home, method, scenario, group if home == experiment.id else None)
        drawn = self._like(pilot)
        if isinstance(measure, FirstReach):
            budget = self._pilots.budget(experiment, scenario, group)
            drawn = replace(drawn, values=drawn.values.clip(0, budget), reached=drawn.values < budget)
        return drawn

    def finals(self, experiment: Experiment, method: str, scenario: str, group: str | None = None) -> Values:
        """As `Evidence.finals`. Raises NotRun, StatisticsError."""
        try:
            return self._like(self._pilots.finals(experiment, method, scenario, group))
        except NotRun:
            return self._printed(self._pilots.suite, experiment.id, method, scenario, group)

    def _like(self, pilot: Values) -> Values:
        """Seeds with the pilot's mean and spread, and with its correlations to whatever else is drawn."""
        seeds, count = tuple(range(self._seeds)), len(pilot.seeds)
        if pilot.exact:
            self._basis["computed"] = None
            return replace(pilot, seeds=seeds, values=np.full(len(seeds), pilot.mean), reached=_all(seeds))
        if count < MINIMUM_SEEDS:
            raise NotRun(f"{count} pilot seeds are too few, {MINIMUM_SEEDS} are needed")
        self._basis[f"{count} pilot seeds"] = None
        parts = np.stack([self._normal(seed) for seed in pilot.seeds])  # [P, S]
        values = pilot.mean + (pilot.values - pilot.mean) @ parts / np.sqrt(count - 1)
        if pilot.episodes is not None:  # a share of episodes won
            values = np.rint(values.clip(0, 1) * pilot.episodes) / pilot.episodes
        return replace(pilot, seeds=seeds, values=values, reached=_all(seeds))

    def _printed(self, suite: Suite, home: str, method: str, scenario: str, group: str | None) -> Values:
        """Seeds around what the paper prints, of this method alone. Raises NotRun without a printed spread."""
        for value in suite.printed_in(home):
            if (value.method, value.scenario, value.protocol) != (method, scenario, "greedy"):
                continue
            if value.group == group and value.value is not None and value.spread_type == "std":
                self._basis["the paper's means and spreads"] = None
                spread, seeds = float(value.spread or 0) / value.share, tuple(range(self._seeds))
                drawn = float(value.exact) + spread * self._normal((home, method, scenario, group))
                return Values(seeds, drawn, _all(seeds), ())
        raise NotRun(f"no pilot of {method} on {scenario} in {home}, and the paper prints no spread of it")

    def _normal(self, of: object) -> np.ndarray:
        if of not in self._parts:
            self._parts[of] = self._rng.standard_normal(self._most)
        return self._parts[of][: self._seeds]


def _all(seeds: tuple[int, ...]) -> np.ndarray:
    return np.ones(len(seeds), dtype=np.bool_)
