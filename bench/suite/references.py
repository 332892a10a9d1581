"""Names in a suite file: each is declared once, each reference has a target, and there are no cycles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from baselines.specs import ALGORITHMS
from bench.suite import (
    LISTS,
    PRIMARY,
    Averaged,
    Experiment,
    FirstReach,
    Mean,
    MeanOrdering,
    RelativeTime,
    Retained,
    Retention,
    Suite,
    quantities,
    split,
)
from bench.suite.explain import Problem, listed, nearest, shown

DEEPEST = 20  # longest chain of methods that extend, or experiments that teach, one another


def doubles(suite: Suite) -> Iterator[Problem]:
    """Ids that a list declares more than once; scenarios and sets share their names."""
    for kind in LISTS:
        ids = [entry.id for entry in suite.entries(kind)]
        for id_ in sorted({i for i in ids if ids.count(i) > 1}):
            yield Problem(f"{kind}[{id_}].id", f'"{id_}" {ids.count(id_)} times', "each id once", "rename all but one")
    for id_ in sorted({s.id for s in suite.scenario} & {s.id for s in suite.set_}):
        yield Problem(f"set[{id_}].id", f'"{id_}"', "a name that no scenario has", "rename the set")


def dangling(suite: Suite) -> Iterator[Problem]:
    """References to undeclared names."""
    ids = {kind: [entry.id for entry in suite.entries(kind)] for kind in LISTS}
    ids["scenario or set"] = [*ids["scenario"], *ids["set"]]
    ids["scenario, set, method or experiment"] = [*ids["scenario or set"], *ids["method"], *ids["experiment"]]
    ids["scenario, set, method, experiment or claim"] = [*ids["scenario, set, method or experiment"], *ids["claim"]]
    for key, kind, name in _references(suite):
        if name not in ids[kind]:
            mend = f"declare a [[{kind}]] with that id, or correct the name{nearest(name, ids[kind])}"
            yield Problem(key, shown(name), listed(ids[kind]), mend)


def _references(suite: Suite) -> Iterator[tuple[str, str, str]]:
    """Every reference: its key, the list that should have it, the name."""
    for s in suite.set_:
        yield from _each(f"set[{s.id}].scenarios", "scenario", s.scenarios)
    for m in suite.method:
        yield from _each(f"method[{m.id}].extends", "method", [m.extends] if m.extends else [])
        yield from _each(f"method[{m.id}].hyperparameters_on", "scenario", m.hyperparameters_on)
    for e in suite.experiment:
        key = f"experiment[{e.id}]"
        yield from _each(f"{key}.methods", "method", e.methods)
        yield from _each(f"{key}.training_sets", "scenario", e.scenarios)
        for t in e.training_sets:
            yield from _each(f"{key}.training_sets.{t.id}.plays_as", "scenario", (*t.plays_as, *t.plays_as.values()))
        yield from _each(f"{key}.baseline", "method", [e.baseline] if e.baseline else [])
        yield from _each(f"{key}.budget_of", "method", e.budget_of)
        yield from _each(f"{key}.recording_of", "method", e.recording_of)
        if e.teachers:
            yield f"{key}.teachers.experiment", "experiment", e.teachers.experiment
            names = [e.teachers.method, *e.teachers.instead, *e.teachers.instead.values()]
            yield from _each(f"{key}.teachers", "method", names)
    for name, profile in suite.profile.items():
        yield from _each(f"profile[{name}].too_short_for", "measure", profile.too_short_for)
        for id_, t in profile.substitute.training_sets.items() if profile.substitute else ():
            yield from _each(f"profile[{name}].substitute.training_sets.{id_}", "scenario", t.scored)
        yield from _each(f"profile[{name}].of", "experiment", profile.of)
    yield from _table_references(suite)
    yield from _claim_references(suite)
    for r in suite.reading:
        for own, kind in (
            ("methods", "method"),
            ("scenarios", "scenario"),
            ("metrics", "scenario"),
            ("budget", "experiment"),
        ):
            yield from _each(f"reading[{r.id}].{own}", kind, getattr(r, own))
        yield from _each(f"reading[{r.id}].measures", "measure", r.measures)
        yield from _each(f"reading[{r.id}].vary", "measure", r.vary)
        yield from _each(f"reading[{r.id}].margins", "claim", r.margins)
    for c in suite.conflict:
        yield from _each(f"conflict[{c.id}].keys", "scenario, set, method, experiment or claim", c.keys)
    for d in suite.deviation:
        yield from _each(f"deviation[{d.id}].applies_to", "scenario, set, method or experiment", d.applies_to)
        yield from _each(f"deviation[{d.id}].under", "reading", (id_ for id_ in d.under or () if id_ != PRIMARY))


def _table_references(suite: Suite) -> Iterator[tuple[str, str, str]]:
    for p in suite.published:
        key = f"published[{p.id}]"
        yield f"{key}.experiment", "experiment", p.experiment
        if isinstance(p.derived, Retained):
            yield f"{key}.derived.from", "published", p.derived.from_
            yield from _each(f"{key}.derived", "method", [p.derived.student, p.derived.teacher])
        elif isinstance(p.derived, Mean):
            yield from _each(f"{key}.derived.from", "published", p.derived.from_)
            yield from _each(f"{key}.derived.scenarios", "scenario", p.derived.scenarios)
            yield from _each(f"{key}.derived.of", "method", [*p.derived.of, *p.derived.of.values()])
    for r in suite.repeat:
        yield from _each(f"repeat[{r.id}].methods", "method", r.methods)
        yield from _each(f"repeat[{r.id}].tables", "published", r.tables)


def _claim_references(suite: Suite) -> Iterator[tuple[str, str, str]]:
    named = [(f"claim[{c.id}].test", q) for c in suite.claim for q in quantities(c.test)]
    named += [
        (f"measure[{m.id}].level", level) for m in suite.measure if isinstance(m, FirstReach) for level in m.quantities
    ]
    relative = (m for m in suite.measure if isinstance(m, RelativeTime))
    named += [(f"measure[{m.id}].levels", level) for m in relative for level in m.levels]
    for key, quantity in named:
        method, experiment, measure = split(quantity)
        yield key, "method", method
        yield from _each(key, "experiment", [experiment] if experiment else [])
        yield key, "measure", measure
    for m in suite.measure:
        if isinstance(m, Retention):
            yield f"measure[{m.id}].teacher", "method", m.teacher
    for metric, measure in suite.transfer or ():
        yield f"transfer.{metric}", "measure", measure
    for c in suite.claim:
        averaged = [c.test.table] if isinstance(c.test, Averaged) else []
        yield from _each(f"claim[{c.id}].test.table", "published", averaged)
        compared = [c.test.greater, c.test.less] if isinstance(c.test, MeanOrdering) else []
        yield from _each(f"claim[{c.id}].test", "set", compared)
        yield from _each(f"claim[{c.id}].experiments", "experiment", c.experiments)
        yield from _each(f"claim[{c.id}].about", "method", [c.about] if c.about else [])
        yield from _each(f"claim[{c.id}].scenarios", "scenario or set", c.scenarios or ())


def _each(key: str, kind: str, names: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    return ((key, kind, name) for name in names)


def _taught_within(suite: Suite, experiment: Experiment) -> bool:
    """Whether teachers and students are in one experiment. That is not a cycle as long as no teacher is a student."""
    teachers = experiment.teachers
    if teachers is None or teachers.experiment != experiment.id:
        return False
    algorithms = [ALGORITHMS.get(suite["method", m].algorithm) for m in (teachers.method, *teachers.instead.values())]
    return not any(a and a.teacher for a in algorithms)


def cycles(suite: Suite) -> Iterator[Problem]:
    """Methods that extend themselves and experiments that teach themselves, directly or not; chains too long."""
    extends = {m.id: [m.extends] if m.extends else [] for m in suite.method}
    outside = {e.id: e.teachers for e in suite.experiment if not _taught_within(suite, e)}
    teaches = {e.id: [t.experiment] if (t := outside.get(e.id)) else [] for e in suite.experiment}
    for kind, word, edges in (("method", "extends", extends), ("experiment", "teachers", teaches)):
        for start in edges:
            path = [start]
            while (following := edges[path[-1]]) and following[0] not in path and len(path) <= DEEPEST:
                path.append(following[0])
            if len(path) > DEEPEST:
                got = f"{' -> '.join(path[:3])} -> ... and further"
                yield Problem(f"{kind}[{start}].{word}", got, f"at most {DEEPEST} in a row", "shorten the chain")
                return
            if following and following[0] == start and start == min(path):
                got = " -> ".join([*path, start])
                yield Problem(
                    f"{kind}[{start}].{word}", f"a cycle: {got}", "no cycle", f"let one of them have no {word}"
                )
