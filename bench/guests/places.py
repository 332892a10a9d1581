"""Where and with what a method from elsewhere is compared, and the plan of the runs that this needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.envs import checked
from bench.evidence.measures import Evidence
from bench.guests.method import Guest
from bench.plan import COMMAND_LINE, Cell, Plan, Resolver, Selection, Waiting, plan_of, refused, selected
from bench.suite import Experiment, Place, Suite, SuiteError, TrainingSet
from bench.suite.explain import Problem, shown


@dataclass(frozen=True)
class Rivals:
    """A training set of an experiment, and the suite's methods there that can run and take part in the comparison."""

    experiment: Experiment
    training_set: TrainingSet
    against: tuple[str, ...]

    @property
    def group(self) -> str:
        return self.training_set.id

    def place(self, scenario: str) -> Place:
        """The scenario's place; with its training set if the experiment scores the scenario in several."""
        return Place(scenario, self.group if len(self.experiment.sets_of(scenario)) > 1 else None)


@dataclass(frozen=True)
class Contest(Rivals):
    """A place where a method from elsewhere takes part. cell: the method's own."""

    cell: Cell


def each_cell(contests: Sequence[Contest]) -> list[Contest]:
    """One contest for each of the entrant's cells; the first one if experiments share the cell."""
    found: dict[str, Contest] = {}
    for contest in contests:
        found.setdefault(contest.cell.key, contest)
    return list(found.values())


@dataclass(frozen=True)
class Entry:
    """plan: the entrant's runs and their teachers'; with `run_baselines` also those of the methods compared with it."""

    method: Guest
    contests: tuple[Contest, ...]
    plan: Plan


def entry(
    suite: Suite, selection: Selection, method: Guest, against: Sequence[str], run_baselines: bool = False
) -> Entry:
    """against: methods of the suite; none named: all of each experiment. Raises SuiteError."""
    if method.name in {m.id for m in suite.method}:
        allowed = "a name that no method of the suite has"
        raise SuiteError(COMMAND_LINE, [Problem("METHOD", shown(method.name), allowed, "name it module:attribute")])
    there = rivals(suite, selection, against)
    suite = suite.on(selection.profile)
    resolver, contests, waiting = Resolver(suite, selection), [], []
    for place in there:
        experiment, t = place.experiment, place.training_set
        if why := _missing(suite, experiment, t, method):
            where = {"experiment": experiment.id, "method": method.name, "training_set": t.id}
            waiting.append(Waiting(**where, waits_for=why))
            continue
        contests.append(Contest(experiment, t, place.against, resolver.entrant(experiment, t, method.entrant)))
        for m in place.against if run_baselines else ():
            resolver.cell(experiment, t, m)
    return Entry(method, tuple(contests), plan_of(resolver, waiting))


def rivals(suite: Suite, selection: Selection, against: Sequence[str]) -> list[Rivals]:
    """Every training set of the selection that has a requested method. Raises SuiteError.

    against: the requested methods of the suite; none named: all of each experiment.
    """
    if selection.profile not in suite.profile:
        raise refused("--profile", selection.profile, suite.profile)
    suite = suite.on(selection.profile)
    for name in against:
        if name not in {m.id for m in suite.method}:
            raise refused("--against", name, [m.id for m in suite.method])
    found = []
    for experiment in selected(suite, selection.only):
        own = [m for m in experiment.methods if not against or m in against]
        for t in experiment.training_sets if own else ():
            ready = tuple(m for m in own if not suite.waits_for(experiment, m, t))
            found.append(Rivals(experiment, t, ready))
    return found


def _missing(suite: Suite, experiment: Experiment, t: TrainingSet, method: Guest) -> str:
    """What a method from elsewhere waits for on a training set; "" if it can run."""
    if method.kind == "function" and len(t.scored) > 1:
        return f"a method that learns {len(t.scored)} scenarios: a training function learns one, a learner any number"
    budget = experiment.own_budget(t)
    if budget.counted is not None and budget.counted[0] == "updates":
        return f"a budget in episodes or environment steps: a method from elsewhere cannot count {budget}"
    scenarios = [suite["scenario", id_] for id_ in t.scored]
    continuous = any(s.waits_for is None and checked(s.family, s.params).continuous for s in scenarios)
    if continuous and method.kind != "function":
        return "a training function: actions are continuous here, which learners from elsewhere do not support yet"
    named = [experiment.waits_for, *(s.waits_for for s in scenarios)]
    taught = suite.teachers_of(experiment, t) if method.declaration.teacher else ()
    named += [f"its teacher: {why}" for e, own, m in taught if (why := suite.waits_for(e, m, own))]
    return next((why for why in named if why), "")


def left_aside(suite: Suite, selection: Selection, against: Sequence[str]) -> list[str]:
    """Why requested methods are compared nowhere in the selection: a line for each."""
    found, there = [], selected(suite, selection.only)
    for name in against:
        places = [(e, t) for e in there if name in e.methods for t in e.training_sets]
        waiting = [suite.waits_for(e, name, t) for e, t in places]
        if not places:
            homes = ", ".join(e.id for e in suite.experiment if name in e.methods) or "none"
            found.append(f"{name} does not run in {', '.join(e.id for e in there)}; its experiments: {homes}")
        elif all(waiting):
            found.append(f"{name} cannot run yet: {'; '.join(dict.fromkeys(waiting))}")
    return found


@dataclass(frozen=True)
class Lacking:
    """Runs of a suite's method that a comparison lacks: seeds, in an experiment.

    training_sets: those that lack them; empty if the experiment has only one.
    """

    experiment: str
    method: str
    training_sets: tuple[str, ...]
    seeds: tuple[int, ...]


def lacking(evidence: Evidence, places: Sequence[Rivals]) -> list[Lacking]:
    """Runs of the suite's own methods that are not finished; each cell once, cells with the same seeds together."""
    groups: dict[tuple[str, str, tuple[int, ...]], list[str]] = {}
    seen: set[str] = set()
    for place in places:
        for method in place.against:
            cell = evidence.cell(place.experiment, method, place.training_set.scored[0], place.group)
            seeds = tuple(seed for seed in cell.seeds if seed not in evidence.finished(cell))
            if seeds and cell.key not in seen:
                seen.add(cell.key)
                own = groups.setdefault((place.experiment.id, method, seeds), [])
                own.extend([place.group] if len(place.experiment.training_sets) > 1 else [])
    return [Lacking(experiment, method, tuple(own), seeds) for (experiment, method, seeds), own in groups.items()]
