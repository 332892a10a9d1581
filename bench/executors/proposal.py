"""The experiments and numbers of seeds that decide the most claims within a given time.

The expected number of decided claims is the sum of the claims' chances (`verdict.power`). A step gives the experiments
of one claim some number of seeds. Starting from nothing, the step with the most decided claims per added CPU time is
taken, as long as the wall time allows it. This is the greedy rule for a knapsack; if one step alone decides more than
all of these together, that step is taken instead. A run that experiments share costs once; an existing run costs
nothing. Time that is left goes to pilots: the fewest seeds that say something about claims of unknown chance.
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

Seeds = Mapping[str, int]  # number of seeds of each chosen experiment


@dataclass(frozen=True)
class Chosen:
    """An experiment of a proposal. looks: those that these seeds reach; none if their number is fixed.

    of: all planned seeds. cpu_s, expected: seconds and decided claims that it adds to those before it. unknown: its
    claims of unknown chance.
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
    """chosen: in the order of choice. expected: claims that it is expected to decide. whole: the same for all runs.

    decided: claims, each in an experiment, that have an answer already. left: claims without an answer that runs could
    decide. unknown: those of them of unknown chance, by experiment. waiting: claims whose cells cannot run yet.
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
    """The proposal for budget_s wall seconds in `jobs` processes. evidence: the selection's. pilots: taken as true."""
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
    """The cost of experiments with given numbers of seeds, and how many claims they decide."""

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
        """All planned seeds."""
        return {id_: schedule.most for id_, schedule in self._schedules.items()}

    def filled(self, budget_s: float) -> Seeds:
        """As many steps as fit, the best first."""
        chosen: dict[str, int] = {}
        while step := self._best(chosen, budget_s):
            chosen |= step
        alone = [step for step in self._steps({}) if self.wall_s(self.runs(step)) <= budget_s]
        return max([chosen, *alone], key=self.worth)

    def with_pilots(self, chosen: Seeds, budget_s: float) -> Seeds:
        """`chosen`, plus the fewest seeds of experiments with claims of unknown chance, cheapest per claim first."""
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
        """CPU seconds of the runs that are left."""
        return sum(self._forecast.left.get(run, 0.0) for run in runs)

    def wall_s(self, runs: frozenset[str]) -> float:
        kept = tuple(run for run in self._plan.runs if run.id in runs)
        keys = {run.cell for run in kept}
        cells = tuple(cell for cell in self._plan.cells if cell.key in keys)
        return self._forecast.wall_of(self._plan.model_copy(update={"cells": cells, "runs": kept}), self._jobs)

    def worth(self, seeds: Seeds) -> float:
        """The expected number of decided claims."""
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
        """The step that decides most for its cost, among steps that fit."""
        have, worth = self.runs(chosen), self.worth(chosen)
        found: list[tuple[float, float, Seeds]] = []
        for step in self._steps(chosen):
            after = {**chosen, **step}
            if (gain := self.worth(after) - worth) > 0:
                found.append((gain / (self.cost(self.runs(after) - have) or 1e-9), gain, after))
        ordered = sorted(found, key=lambda one: one[:2], reverse=True)
        return next((after for *_, after in ordered if self.wall_s(self.runs(after)) <= budget_s), None)

    def _steps(self, chosen: Seeds) -> Iterator[Seeds]:
        """All steps: for every claim and number of seeds, the seeds that its experiments would then have."""
        taken: set[tuple[tuple[str, int], ...]] = set()
        for claim in self._claims:
            for n in claim.chances:
                step = {id_: self._raised(id_, n, chosen) for id_ in self._homes(claim)}
                key = tuple(sorted(step.items()))
                if key not in taken and any(n > chosen.get(id_, 0) for id_, n in step.items()):
                    taken.add(key)
                    yield step

    def _raised(self, experiment: str, n: int, chosen: Seeds) -> int:
        """The least allowed number of seeds of an experiment that is at least n."""
        at_least = max(n, chosen.get(experiment, 0))
        schedule = self._schedules[experiment]
        return next((step for step in steps(schedule) if step >= at_least), schedule.most)

    def _homes(self, claim: Prospect) -> list[str]:
        """The claim's experiment, and others whose cells it also reads."""
        found = [claim.experiment]
        for key in claim.cells:
            if not any(key in self._cells[id_] for id_ in found):
                found += [id_ for id_, keys in self._cells.items() if key in keys][:1]
        return found

    def _reached(self, claim: Prospect, seeds: Seeds) -> int:
        """The number of seeds that all of a claim's cells have."""
        return min(max((n for id_, n in seeds.items() if key in self._cells[id_]), default=0) for key in claim.cells)

    def _runs_of(self, experiment: str, n: int) -> frozenset[str]:
        first = set(self._order[:n]) if self._order is not None else range(n)
        return frozenset(run.id for run in self._plans[experiment].runs if run.seed in first)
