"""Where a method from elsewhere is compared, with what, and the plan of the runs that this takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.explain import Problem, shown
from bench.measures import Evidence
from bench.outside.method import Outside
from bench.plan import COMMAND_LINE, Cell, Plan, Resolver, Selection, Waiting, plan_of, refused, selected
from bench.suite import Experiment, Suite, SuiteError, TrainingSet


@dataclass(frozen=True)
class Contest:
    """A training set of an experiment: the entrant's cell, and the methods of the suite that it is compared with."""

    experiment: Experiment
    group: str  # the training set
    cell: Cell
    against: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """plan: the entrant's runs, their teachers', and with `run_baselines` those of what it is compared with."""

    method: Outside
    contests: tuple[Contest, ...]
    plan: Plan


def entry(
    suite: Suite, selection: Selection, method: Outside, against: Sequence[str], run_baselines: bool = False
) -> Entry:
    """against: methods of the suite; all of each experiment where none is named. Raises SuiteError."""
    if selection.profile not in suite.profile:
        raise refused("--profile", selection.profile, suite.profile)
    for name in against:
        if name not in {m.id for m in suite.method}:
            raise refused("--against", name, [m.id for m in suite.method])
    if method.name in {m.id for m in suite.method}:
        allowed = "a name that no method of the suite has"
        raise SuiteError(COMMAND_LINE, [Problem("METHOD", shown(method.name), allowed, "name it module:attribute")])
    resolver, contests, waiting = Resolver(suite, selection), [], []
    for experiment in selected(suite, selection.only):
        own = tuple(m for m in experiment.methods if not against or m in against)
        for t in experiment.training_sets if own else ():
            if why := _missing(suite, experiment, t, method):
                where = {"experiment": experiment.id, "method": method.name, "training_set": t.id}
                waiting.append(Waiting(**where, waits_for=why))
                continue
            ready = tuple(m for m in own if not suite.waits_for(experiment, m, t))
            contests.append(Contest(experiment, t.id, resolver.entrant(experiment, t, method), ready))
            for m in ready if run_baselines else ():
                resolver.cell(experiment, t, m)
    return Entry(method, tuple(contests), plan_of(resolver, waiting))


def _missing(suite: Suite, experiment: Experiment, t: TrainingSet, method: Outside) -> str:
    """What a method from elsewhere waits for on a training set; nothing where it can run."""
    if method.kind == "function" and len(t.scored) > 1:
        return f"a method that learns {len(t.scored)} scenarios: a training function learns one, a learner any number"
    named = [experiment.waits_for, *(suite["scenario", id_].waits_for for id_ in t.scored)]
    taught = suite.teachers_of(experiment, t) if method.declaration.teacher else ()
    named += [f"its teacher: {why}" for e, own, m in taught if (why := suite.waits_for(e, m, own))]
    return next((why for why in named if why), "")


@dataclass(frozen=True)
class Lacking:
    """Runs of a suite's method that a comparison lacks: seeds, in an experiment."""

    experiment: str
    method: str
    seeds: tuple[int, ...]


def lacking(evidence: Evidence, contests: Sequence[Contest]) -> list[Lacking]:
    """What of the suite's own methods has no finished run, each cell once."""
    found: dict[str, Lacking] = {}
    for contest in contests:
        for method in contest.against:
            for scenario in contest.cell.scenarios:
                cell = evidence.cell(contest.experiment, method, scenario, contest.group)
                seeds = tuple(seed for seed in contest.cell.seeds if seed not in evidence.finished(cell))
                if seeds:
                    found.setdefault(cell.key, Lacking(contest.experiment.id, method, seeds))
    return list(found.values())
