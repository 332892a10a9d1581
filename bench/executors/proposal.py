"""Which experiments, with how many seeds, fit a time, so that the most claims are decided.

How many claims seeds are expected to decide is the sum of their chances (`verdict.power`). From nothing on, the step
that decides most for the CPU time that it adds is taken while the wall time allows it: a claim's experiments, with so
many seeds. That is the greedy rule for a knapsack; where one step alone decides more than all of these, it is that one.
Runs that experiments share cost once, and runs that are there cost nothing. Time that is left goes to pilots: the
fewest seeds that tell something of claims whose chance nobody knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.evidence.measures import Evidence
from bench.executors.estimate import Forecast
from bench.plan import make_plan, selected
from bench.suite import Experiment, Schedule
from bench.verdict.power import Prospect, prospects, steps
from bench.verdict.waiting import standings

Seeds = Mapping[str, int]  # of each experiment that is chosen


@dataclass(frozen=True)
class Chosen:
    """An experiment of a proposal. looks: that these seeds reach, none where their number is fixed.

    of: seeds that are planned. cpu_s, expected: seconds and decided claims that it adds to those before it. unknown:
    claims of it whose chance nobody knows.
    """

    experiment: str
    seeds: int
    of: int
    looks: tuple[int, ...]
    cpu_s: float
    expected: float
    unknown: int


@dataclass(frozen=True)
class Proposal:
    """chosen: in the order in which they were. expected: claims that are decided by it. whole: by all that is planned.

    decided: claims, each in an experiment, that have an answer already. left: those that have none and that runs could
    decide. unknown: of them, by experiment, those whose chance nobody knows. waiting: claims none of whose cells can
    run yet.
    """

    budget_s: float
    jobs: int
    chosen: tuple[Chosen, ...]
    cpu_s: float
    wall_s: float
    expected: float
    whole: float
    decided: int
    left: int
    unknown: Mapping[str, int]
    waiting: int


def proposal(evidence: Evidence, pilots: Evidence, expected: Forecast, budget_s: float, jobs: int) -> Proposal:
    """What fits budget_s wall seconds in `jobs` processes. evidence: of the selection. pilots: taken for the truth."""
    suite, selection = evidence.suite, evidence.selection
    experiments = selected(suite, selection.only)
    found = [s.verdict for s in standings(evidence, experiments) if s.decided]
    done = {(verdict.id, verdict.experiment) for verdict in found if verdict.kind != "published"}
    claims = [*prospects(pilots, evidence, experiments)]
    open_ = [claim for claim in claims if claim.cells and (claim.id, claim.experiment) not in done]
    room = _Room(evidence, experiments, open_, expected, jobs)
    chosen = room.with_pilots(room.filled(budget_s), budget_s)
    return Proposal(
        budget_s=budget_s,
        jobs=jobs,
        chosen=tuple(room.told(chosen)),
        cpu_s=room.cost(room.runs(chosen)),
        wall_s=room.wall_s(room.runs(chosen)),
        expected=room.worth(chosen),
        whole=room.worth(room.most),
        decided=len(done),
        left=len(open_),
        unknown=room.unknown,
        waiting=sum(not claim.cells for claim in claims),
    )


class _Room:
    """Experiments with so many seeds: what they cost, and how many claims they decide."""

    def __init__(
        self,
        evidence: Evidence,
        experiments: Sequence[Experiment],
        claims: list[Prospect],
        forecast: Forecast,
        jobs: int,
    ):
        suite, selection = evidence.suite, evidence.selection
        self._plan, self._forecast, self._jobs = evidence.plan, forecast, jobs
        self._claims = [claim for claim in claims if claim.chances]
        self.unknown = Counter(claim.experiment for claim in claims if not claim.chances)
        self._plans = {e.id: make_plan(suite, selection.model_copy(update={"only": (e.id,)})) for e in experiments}
        self._cells = {id_: {cell.key for cell in plan.cells} for id_, plan in self._plans.items()}
        self._order = selection.seeds
        self._schedules: dict[str, Schedule] = {}
        for e in experiments:
            fixed = Schedule((len(self._order),)) if self._order is not None else None
            self._schedules[e.id] = fixed or e.schedule(suite.profile[selection.profile])

    @cached_property
    def most(self) -> Seeds:
        """All that is planned."""
        return {id_: schedule.most for id_, schedule in self._schedules.items()}

    def filled(self, budget_s: float) -> Seeds:
        """As many as fit, the best first."""
        chosen: dict[str, int] = {}
        while step := self._best(chosen, budget_s):
            chosen |= step
        alone = [step for step in self._steps({}) if self.wall_s(self.runs(step)) <= budget_s]
        return max([chosen, *alone], key=self.worth)

    def with_pilots(self, chosen: Seeds, budget_s: float) -> Seeds:
        """And the fewest seeds of experiments with claims of no known chance: the cheapest for a claim first."""
        found = dict(chosen)
        steps_ = {id_: steps(self._schedules[id_])[0] for id_ in self.unknown if id_ not in found}
        for id_ in sorted(steps_, key=lambda id_: self.cost(self._runs_of(id_, steps_[id_])) / self.unknown[id_]):
            more = {**found, id_: steps_[id_]}
            if self.wall_s(self.runs(more)) <= budget_s:
                found = more
        return found

    def runs(self, seeds: Seeds) -> frozenset[str]:
        """The ids of all runs of these experiments."""
        return frozenset().union(*(self._runs_of(id_, n) for id_, n in seeds.items()))

    def cost(self, runs: frozenset[str]) -> float:
        """CPU seconds of those that are left."""
        return sum(self._forecast.left.get(run, 0.0) for run in runs)

    def wall_s(self, runs: frozenset[str]) -> float:
        kept = tuple(run for run in self._plan.runs if run.id in runs)
        keys = {run.cell for run in kept}
        cells = tuple(cell for cell in self._plan.cells if cell.key in keys)
        return self._forecast.wall_of(self._plan.model_copy(update={"cells": cells, "runs": kept}), self._jobs)

    def worth(self, seeds: Seeds) -> float:
        """Claims that are expected to be decided."""
        return sum(claim.at(self._reached(claim, seeds)) for claim in self._claims)

    def told(self, seeds: Seeds) -> Iterator[Chosen]:
        before: dict[str, int] = {}
        for id_, n in seeds.items():
            schedule, after = self._schedules[id_], {**before, id_: n}
            looks = tuple(look for look in schedule.looks if look <= n) if schedule.often else ()
            added = self.cost(self.runs(after) - self.runs(before))
            decided = self.worth(after) - self.worth(before)
            yield Chosen(id_, n, schedule.most, looks, added, decided, self.unknown[id_])
            before = after

    def _best(self, chosen: Seeds, budget_s: float) -> Seeds | None:
        """The step that decides most for its cost, among those that fit."""
        have, worth = self.runs(chosen), self.worth(chosen)
        found: list[tuple[float, float, Seeds]] = []
        for step in self._steps(chosen):
            after = {**chosen, **step}
            if (gain := self.worth(after) - worth) > 0:
                found.append((gain / (self.cost(self.runs(after) - have) or 1e-9), gain, after))
        ordered = sorted(found, key=lambda one: one[:2], reverse=True)
        return next((after for *_, after in ordered if self.wall_s(self.runs(after)) <= budget_s), None)

    def _steps(self, chosen: Seeds) -> Iterator[Seeds]:
        """For every claim and number of seeds: what its experiments would have then."""
        taken: set[tuple[tuple[str, int], ...]] = set()
        for claim in self._claims:
            for n in claim.chances:
                step = {id_: self._raised(id_, n, chosen) for id_ in self._homes(claim)}
                key = tuple(sorted(step.items()))
                if key not in taken and any(n > chosen.get(id_, 0) for id_, n in step.items()):
                    taken.add(key)
                    yield step

    def _raised(self, experiment: str, n: int, chosen: Seeds) -> int:
        """So many seeds at least, of those that an experiment may have."""
        at_least = max(n, chosen.get(experiment, 0))
        schedule = self._schedules[experiment]
        return next((step for step in steps(schedule) if step >= at_least), schedule.most)

    def _homes(self, claim: Prospect) -> list[str]:
        """The claim's experiment, and others where cells stand that it reads beside."""
        found = [claim.experiment]
        for key in claim.cells:
            if not any(key in self._cells[id_] for id_ in found):
                found += [id_ for id_, keys in self._cells.items() if key in keys][:1]
        return found

    def _reached(self, claim: Prospect, seeds: Seeds) -> int:
        """Seeds that all of a claim's cells have."""
        return min(max((n for id_, n in seeds.items() if key in self._cells[id_]), default=0) for key in claim.cells)

    def _runs_of(self, experiment: str, n: int) -> frozenset[str]:
        first = set(self._order[:n]) if self._order is not None else range(n)
        return frozenset(run.id for run in self._plans[experiment].runs if run.seed in first)
