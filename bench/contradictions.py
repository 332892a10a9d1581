"""What no single entry of a suite file shows: doubles, dangling references, cycles, settings no algorithm has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pydantic import ValidationError

from baselines.specs import ALGORITHMS, Hyperparameters
from bench.envs import FAMILIES
from bench.explain import Problem, explain, listed, nearest, shown
from bench.suite import SCHEMA, Claim, FirstReach, Method, Scenario, Setting, Suite, quantities


def contradictions(suite: Suite) -> Iterator[Problem]:
    """What no single entry shows: schema, doubles, dangling references, cycles, settings no algorithm has."""
    if suite.schema_ != SCHEMA:
        yield Problem("schema", str(suite.schema_), str(SCHEMA), "use a release that reads this format")
    if "full" not in suite.profile:
        yield Problem("profile", listed(suite.profile), 'a profile "full": the paper\'s own budget', "add it")
    doubles = list(_doubles(suite))
    yield from doubles
    dangling = [] if doubles else list(_dangling(suite))
    yield from dangling
    cycles = [] if doubles or dangling else list(_cycles(suite))
    yield from cycles
    if not (doubles or dangling or cycles):
        wrong = list(_wrong_settings(suite))
        yield from wrong
        if not wrong:
            yield from _wrong_budgets(suite)
            yield from _wrong_quantities(suite)


def _doubles(suite: Suite) -> Iterator[Problem]:
    for kind in ("scenario", "method", "experiment", "measure", "claim", "deviation"):
        ids = [entry.id for entry in getattr(suite, kind)]
        for id_ in sorted({i for i in ids if ids.count(i) > 1}):
            yield Problem(f"{kind}[{id_}].id", f'"{id_}" {ids.count(id_)} times', "each id once", "rename all but one")


def _dangling(suite: Suite) -> Iterator[Problem]:
    ids = {
        kind: [entry.id for entry in getattr(suite, kind)] for kind in ("scenario", "method", "experiment", "measure")
    }

    def missing(key: str, kind: str, names: Iterable[str]) -> Iterator[Problem]:
        for name in names:
            if name not in ids[kind]:
                mend = f"declare a [[{kind}]] of that id, or correct the name{nearest(name, ids[kind])}"
                yield Problem(key, shown(name), listed(ids[kind]), mend)

    for m in suite.method:
        yield from missing(f"method[{m.id}].extends", "method", [m.extends] if m.extends else [])
    for e in suite.experiment:
        key = f"experiment[{e.id}]"
        yield from missing(f"{key}.methods", "method", e.methods)
        yield from missing(f"{key}.training_sets", "scenario", e.training_set.scenarios)
        yield from missing(f"{key}.baseline", "method", [e.baseline] if e.baseline else [])
        if e.teachers:
            yield from missing(f"{key}.teachers.experiment", "experiment", [e.teachers.experiment])
            names = [e.teachers.method, *e.teachers.instead, *e.teachers.instead.values()]
            yield from missing(f"{key}.teachers", "method", names)
    named = [(f"claim[{c.id}].test", q) for c in suite.claim for q in quantities(c.test)]
    named += [(f"measure[{m.id}].level", m.level) for m in suite.measure if isinstance(m, FirstReach)]
    for key, quantity in named:
        method, measure = quantity.rsplit(":", 1)
        yield from missing(key, "method", [method])
        yield from missing(key, "measure", [measure])
    for metric, measure in suite.transfer or ():
        yield from missing(f"transfer.{metric}", "measure", [measure])
    for c in suite.claim:
        yield from missing(f"claim[{c.id}].experiments", "experiment", c.experiments)
    targets = {*ids["scenario"], *ids["method"], *ids["experiment"]}
    for d in suite.deviation:
        for name in sorted({*d.applies_to} - targets):
            mend = f"correct the name{nearest(name, targets)}"
            yield Problem(f"deviation[{d.id}].applies_to", shown(name), "a scenario, method or experiment", mend)


def _cycles(suite: Suite) -> Iterator[Problem]:
    extends = {m.id: [m.extends] if m.extends else [] for m in suite.method}
    teaches = {e.id: [e.teachers.experiment] if e.teachers else [] for e in suite.experiment}
    for kind, word, edges in (("method", "extends", extends), ("experiment", "teachers", teaches)):
        for start in edges:
            path = [start]
            while (following := edges[path[-1]]) and following[0] not in path:
                path.append(following[0])
            if following and following[0] == start and start == min(path):
                got = " -> ".join([*path, start])
                yield Problem(
                    f"{kind}[{start}].{word}", f"a cycle: {got}", "no cycle", f"let one of them have no {word}"
                )


def _wrong_settings(suite: Suite) -> Iterator[Problem]:
    for s in suite.scenario:
        yield from _wrong_params(s)
    for m in suite.method:
        if m.algorithm not in ALGORITHMS:
            mend = f"correct the name{nearest(m.algorithm, ALGORITHMS)}"
            yield Problem(f"method[{m.id}].algorithm", shown(m.algorithm), listed(ALGORITHMS), mend)
        else:
            yield from _own_problems(suite, m)
    if all(m.algorithm in ALGORITHMS for m in suite.method):
        yield from _wrong_casts(suite)


def _own_problems(suite: Suite, method: Method) -> Iterator[Problem]:
    """Problems of a method's settings, without those that it takes over from the method it extends."""
    inherited: set[str] = set()
    if method.extends and suite["method", method.extends].algorithm in ALGORITHMS:
        parent = suite["method", method.extends]
        inherited = {
            p.key.rpartition(".")[2] for p in wrong_hyperparameters("", parent.algorithm, suite.settings(parent.id))
        }
    for problem in wrong_hyperparameters(method.id, method.algorithm, suite.settings(method.id)):
        name = problem.key.rpartition(".")[2]
        if name in method.hyperparameters or name not in inherited:
            yield problem


def _wrong_params(scenario: Scenario) -> Iterator[Problem]:
    key = f"scenario[{scenario.id}]"
    if scenario.family not in FAMILIES:
        mend = f"correct the name{nearest(scenario.family, FAMILIES)}"
        yield Problem(f"{key}.family", shown(scenario.family), listed(FAMILIES), mend)
        return
    scenarios = FAMILIES[scenario.family].scenarios
    model = scenarios.get(str(scenario.params.get("name")))
    if model is None:
        yield Problem(f"{key}.params.name", shown(scenario.params.get("name")), listed(scenarios), "name one of them")
        return
    try:
        model.model_validate(scenario.params)
    except ValidationError as error:
        for problem in explain(error, scenario.params, {"": list(model.model_fields)}):
            yield Problem(f"{key}.params.{problem.key}", problem.got, problem.allowed, problem.mend)


def wrong_hyperparameters(method_id: str, algorithm: str, settings: Mapping[str, Setting]) -> Iterator[Problem]:
    """Problems of a method's resolved settings against its algorithm's names, types and ranges."""
    model: type[Hyperparameters] = ALGORITHMS[algorithm].hyperparameters
    values = {name: setting.value for name, setting in settings.items()}
    try:
        model.model_validate(values)
    except ValidationError as error:
        for problem in explain(error, values, {"": list(model.model_fields)}):
            key = f"method[{method_id}].hyperparameters.{problem.key}"
            yield Problem(key, problem.got, problem.allowed, problem.mend)


def wrong_budget(
    experiment: str, method: str, hyperparameters: Hyperparameters, episode_limit: int, episodes: Mapping[str, int]
) -> Iterator[Problem]:
    """Problems of a budget (all keys of BudgetChange) for a method: it must be a whole number of its rounds."""
    rounds = hyperparameters.round_episodes
    for key in ("episodes", "record_every", "evaluate_every"):
        if episodes[key] % rounds:
            allowed = f'a multiple of {rounds}: method "{method}" plays {rounds} episodes between updates'
            yield Problem(f"experiment[{experiment}].{key}", str(episodes[key]), allowed, "round it")
    for key, (got, least) in hyperparameters.least(episode_limit).items():
        if got < least:
            allowed = f"at least {least}, with episodes of {episode_limit} steps"
            yield Problem(f"method[{method}].hyperparameters.{key}", str(got), allowed, "make it larger")


def _wrong_budgets(suite: Suite) -> Iterator[Problem]:
    found: dict[Problem, None] = {}
    for profile in suite.profile.values():
        for e in suite.experiment:
            limit = suite["scenario", e.training_set.scenarios[0]].episode_limit
            for m in e.methods:
                model = ALGORITHMS[suite["method", m].algorithm].hyperparameters
                values = model.model_validate({name: s.value for name, s in suite.settings(m).items()})
                found |= dict.fromkeys(wrong_budget(e.id, m, values, limit, e.episodes(profile.budget)))
    yield from found


def _wrong_quantities(suite: Suite) -> Iterator[Problem]:
    """Comparisons that cannot be meant: of a thing with itself, of a curve the protocol or the method does not have."""
    for m in suite.measure:
        if isinstance(m, FirstReach) and isinstance(suite["measure", m.level.rsplit(":", 1)[1]], FirstReach):
            yield Problem(f"measure[{m.id}].level", shown(m.level), "a level, not a time", "name another measure")
    for c in suite.claim:
        key, named = f"claim[{c.id}].test", quantities(c.test)
        if len({*named}) < len(named):
            yield Problem(key, listed(named), "each quantity once", "remove the double")
        for quantity in named:
            method, measure = quantity.rsplit(":", 1)
            series = suite["measure", measure].series
            losses = ALGORITHMS[suite["method", method].algorithm].losses
            if (series == "evaluation") is not (c.protocol == "greedy"):
                allowed = '"greedy" for evaluation curves, "training" for training curves and losses'
                yield Problem(f"claim[{c.id}].protocol", shown(c.protocol), allowed, f'or change measure "{measure}"')
            if series.startswith("loss/") and series.removeprefix("loss/") not in losses:
                allowed = listed(f"loss/{name}" for name in losses)
                yield Problem(f"measure[{measure}].series", shown(series), allowed, f'name one of "{method}"')


def _wrong_casts(suite: Suite) -> Iterator[Problem]:
    """Methods where they cannot stand: a student without a teacher, a claim about a method that is not run."""
    for e in suite.experiment:
        students = [m for m in e.methods if ALGORITHMS[suite["method", m].algorithm].teacher]
        if students and e.teachers is None:
            mend = "add teachers = { experiment, method, pairing }"
            yield Problem(f"experiment[{e.id}].teachers", "nothing", f"teachers for {listed(students)}", mend)
        for student in students if e.teachers else []:
            experiment, teacher = suite.teacher_of(e, student) or (e, "")
            if teacher not in experiment.methods:
                mend = f'add it to the methods of experiment "{experiment.id}", or name another teacher'
                yield Problem(f"experiment[{e.id}].teachers", shown(teacher), listed(experiment.methods), mend)
        if e.baseline and e.baseline not in e.methods:
            yield Problem(f"experiment[{e.id}].baseline", shown(e.baseline), listed(e.methods), "name one of them")
    for c in suite.claim:
        for e in (suite["experiment", id_] for id_ in c.experiments):
            for method in sorted({q.rsplit(":", 1)[0] for q in quantities(c.test)} - {*e.methods}):
                mend = f'add it to the methods of experiment "{e.id}", or correct the claim'
                yield Problem(f"claim[{c.id}].test", shown(method), listed(e.methods), mend)


def missing_scales(suite: Suite) -> Iterator[Problem]:
    below = {m.id for m in suite.measure if isinstance(m, FirstReach) and m.below.share_of_scale}
    used = {id_: f'claim "{c.id}"' for c in suite.claim for id_ in c.experiments if _scaled(c, below)}
    if suite.transfer and suite.transfer.time_to_threshold in below:
        used |= {e.id: "the transfer metric time_to_threshold" for e in suite.experiment if e.baseline}
    needed = {suite["experiment", id_].training_set.scenarios[0]: user for id_, user in used.items()}
    for id_, user in needed.items():
        if suite["scenario", id_].anchors is None:
            mend = f"measure them: bench anchors {suite.id}"
            yield Problem(f"scenario[{id_}].anchors", "nothing", f"anchors: {user} has a share of their scale", mend)


def _scaled(claim: Claim, below: set[str]) -> bool:
    """Whether a claim's margin, or a level that it compares, is a share of a scenario's scale."""
    return bool(claim.margin.share_of_scale or below & {q.rsplit(":", 1)[1] for q in quantities(claim.test)})
