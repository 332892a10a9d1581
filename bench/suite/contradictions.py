"""What no single entry of a suite file shows: doubles, dangling references, cycles, settings no algorithm has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import ValidationError

from baselines.specs import ALGORITHMS, Hyperparameters
from bench.envs import FAMILIES
from bench.explain import TOP, Problem, explain, listed, nearest, shown
from bench.suite import (
    SCHEMA,
    Claim,
    CurveMeasure,
    Experiment,
    FirstReach,
    Method,
    Scenario,
    Setting,
    Suite,
    TrainingSet,
    quantities,
    split,
)
from bench.suite.references import cycles, dangling, doubles
from bench.suite.tables import doubled_values, wrong_claims, wrong_tables

_ABSENT = "correct the name, or say in waits_for what is missing"


def contradictions(suite: Suite, need_anchors: bool = True) -> list[Problem]:
    """Problems of a suite, those that others follow from first. need_anchors: see `loading.load`."""
    looks = (
        _wrong_format,
        doubles,
        dangling,
        cycles,
        _wrong_settings,
        _wrong_waiting,
        _wrong_casts,
        _absent_methods,
        wrong_tables,
    )
    for look in looks:
        if problems := list(look(suite)):
            return problems
    problems = [*_wrong_budgets(suite), *_wrong_quantities(suite), *doubled_values(suite), *wrong_claims(suite)]
    return problems or (list(missing_scales(suite)) if need_anchors else [])


def _wrong_format(suite: Suite) -> Iterator[Problem]:
    if suite.schema_ != SCHEMA:
        yield Problem("schema", str(suite.schema_), str(SCHEMA), "use a release that reads this format")
    if "full" not in suite.profile:
        yield Problem("profile", listed(suite.profile), 'a profile "full": the paper\'s own budget', "add it")


def _wrong_settings(suite: Suite) -> Iterator[Problem]:
    for s in suite.scenario:
        if s.waits_for is None:
            yield from _wrong_params(s)
    for m in suite.method:
        if m.waits_for is not None:
            continue
        if m.algorithm not in ALGORITHMS:
            mend = f"{_ABSENT}{nearest(m.algorithm, ALGORITHMS)}"
            yield Problem(f"method[{m.id}].algorithm", shown(m.algorithm), listed(ALGORITHMS), mend)
        else:
            yield from _own_problems(suite, m)


def _wrong_waiting(suite: Suite) -> Iterator[Problem]:
    """Parts that are said to wait although they can run, and experiments that cannot run although their parts can.

    Whether an experiment waits rightly cannot be told: what it asks of the harness beyond its parts is in no list.
    """
    for s in suite.scenario:
        if s.waits_for and s.family in FAMILIES and s.params.get("name") in FAMILIES[s.family].scenarios:
            mend = "remove waits_for, and give the environment's params"
            yield Problem(f"scenario[{s.id}].waits_for", shown(s.waits_for), "nothing: it can run", mend)
    for m in suite.method:
        if m.waits_for and m.algorithm in ALGORITHMS and not _refused_settings(suite, m):
            mend = "remove waits_for; the algorithm takes its hyperparameters"
            yield Problem(f"method[{m.id}].waits_for", shown(m.waits_for), "nothing: it can run", mend)
    for e in suite.experiment:
        for t in e.training_sets:
            if ready := [m for m in e.methods if not suite.waits_for(e, m, t)]:
                yield from _unfit(suite, e, t, ready)


def _refused_settings(suite: Suite, m: Method) -> bool:
    """Whether its algorithm, as it is here, does not take a method's settings."""
    return any(wrong_hyperparameters(m.id, m.algorithm, suite.settings(m.id)))


def _unfit(suite: Suite, e: Experiment, t: TrainingSet, ready: Sequence[str]) -> Iterator[Problem]:
    """What the harness cannot run of a training set whose methods and scenarios it has."""
    key, mend = f"experiment[{e.id}]", "say in waits_for what is missing, or split it"
    one = [m for m in ready if not ALGORITHMS[suite["method", m].algorithm].several_tasks]
    if len(t.scenarios) > 1 and one:
        got = f"{len(t.scenarios)} scenarios in {shown(t.id)}"
        yield Problem(f"{key}.training_sets", got, f"one, for {listed(one)}", mend)
    if len(t.scenarios) > 1 and len(t.scored) > len(t.scenarios):
        got = f"{shown(t.id)} is scored on other scenarios than it is trained on"
        yield Problem(f"{key}.training_sets", got, "score_on with a single training scenario", mend)
    if (budget := t.budget or e.budget).task_episodes is None:
        allowed = "episodes, or epochs with epoch_episodes, where runs are to be made"
        yield Problem(f"{key}.budget", str(budget), allowed, mend)
    if e.recording is None:
        yield Problem(f"{key}.recording", "nothing", "a recording, where runs are to be made", mend)


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
        mend = f"{_ABSENT}{nearest(scenario.family, FAMILIES)}"
        yield Problem(f"{key}.family", shown(scenario.family), listed(FAMILIES), mend)
        return
    metrics = FAMILIES[scenario.family].metrics
    if scenario.metric not in metrics:
        yield Problem(f"{key}.metric", shown(scenario.metric), listed(metrics), "name one that its family scores in")
    scenarios = FAMILIES[scenario.family].scenarios
    model = scenarios.get(str(scenario.params.get("name")))
    if model is None:
        yield Problem(f"{key}.params.name", shown(scenario.params.get("name")), listed(scenarios), _ABSENT)
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
            key = f"method[{method_id}].hyperparameters.{problem.key}".removesuffix(f".{TOP}")
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
            for m, t in ((m, t) for m in e.methods for t in e.training_sets if not suite.waits_for(e, m, t)):
                model = ALGORITHMS[suite["method", m].algorithm].hyperparameters
                values = model.model_validate({name: s.value for name, s in suite.settings(m).items()})
                for limit in {suite["scenario", s].steps for s in t.scenarios}:
                    found |= dict.fromkeys(wrong_budget(e.id, m, values, limit, e.episodes(t, profile.budget)))
    yield from found


def _wrong_quantities(suite: Suite) -> Iterator[Problem]:
    """Comparisons that cannot be meant: of a thing with itself, of a curve the protocol or the method does not have."""
    for m in suite.measure:
        if isinstance(m, FirstReach) and isinstance(suite["measure", split(m.level)[2]], FirstReach):
            yield Problem(f"measure[{m.id}].level", shown(m.level), "a level, not a time", "name another measure")
    for c in suite.claim:
        key, named = f"claim[{c.id}].test", quantities(c.test)
        if len({*named}) < len(named):
            yield Problem(key, listed(named), "each quantity once", "remove the double")
        for quantity in named:
            method, _, measure = split(quantity)
            found = suite["measure", measure]
            if not isinstance(found, CurveMeasure):
                continue
            series = found.series
            algorithm = ALGORITHMS.get(suite["method", method].algorithm)
            losses = algorithm.losses if algorithm else (series.removeprefix("loss/"),)
            if (series == "evaluation") is (c.protocol == "training"):
                allowed = '"greedy" for evaluation curves, "training" for training curves and losses'
                yield Problem(f"claim[{c.id}].protocol", shown(c.protocol), allowed, f'or change measure "{measure}"')
            if series.startswith("loss/") and series.removeprefix("loss/") not in losses:
                allowed = listed(f"loss/{name}" for name in losses)
                yield Problem(f"measure[{measure}].series", shown(series), allowed, f'name one of "{method}"')


def _wrong_casts(suite: Suite) -> Iterator[Problem]:
    """Students without a teacher, and a baseline that is not run."""
    for e in suite.experiment:
        ready = [m for m in e.methods if not suite.waits_for(e, m)]
        students = [m for m in ready if ALGORITHMS[suite["method", m].algorithm].teacher]
        if e.teachers is not None:
            home = suite["experiment", e.teachers.experiment]
            yield from dict.fromkeys(p for student in students for p in _wrong_teachers(suite, e, home, student))
        elif students:
            mend = "add teachers = { experiment, method, pairing }"
            yield Problem(f"experiment[{e.id}].teachers", "nothing", f"teachers for {listed(students)}", mend)
        if e.baseline and e.baseline not in e.methods:
            yield Problem(f"experiment[{e.id}].baseline", shown(e.baseline), listed(e.methods), "name one of them")


def _absent_methods(suite: Suite) -> Iterator[Problem]:
    """Claims about a method that is not run; teachers stand in their students' experiment."""
    for c in suite.claim:
        for e in (suite["experiment", id_] for id_ in c.experiments):
            for home, method in sorted({suite.place(q, e)[:2] for q in quantities(c.test)}):
                there = suite["experiment", home].methods
                if method not in there:
                    mend = f'add it to the methods of experiment "{home}", or correct the claim'
                    yield Problem(f"claim[{c.id}].test", shown(method), listed(there), mend)


def _wrong_teachers(suite: Suite, e: Experiment, home: Experiment, student: str) -> Iterator[Problem]:
    """A teacher that its experiment, `home`, does not run, and tasks that no training set of it teaches."""
    key = f"experiment[{e.id}].teachers"
    for t in (t for t in e.training_sets if not suite.waits_for(e, student, t)):
        if untaught := [s for s in t.scenarios if home.taught_on(s) is None]:
            mend = f'add a training set of each of these alone to experiment "{home.id}"'
            yield Problem(key, f"none on {listed(untaught)}", f"a teacher on each scenario of {shown(t.id)}", mend)
        for _, _, teacher in suite.teaching(e, t, student)[:1]:
            if teacher not in home.methods:
                mend = f'add it to the methods of experiment "{home.id}", or name another teacher'
                yield Problem(key, shown(teacher), listed(home.methods), mend)


def missing_scales(suite: Suite) -> Iterator[Problem]:
    """Scenarios without anchors although something that can be run has a share of their scale."""
    below = {m.id for m in suite.measure if isinstance(m, FirstReach) and m.below.share_of_scale}
    used = {id_: f'claim "{c.id}"' for c in suite.claim for id_ in c.experiments if _scaled(c, below)}
    if suite.transfer and suite.transfer.time_to_threshold in below:
        used |= {e.id: "the transfer metric time_to_threshold" for e in suite.experiment if e.baseline}
    needed: dict[str, str] = {}
    for e in (e for e in suite.experiment if e.id in used):
        running = [t for t in e.training_sets if any(not suite.waits_for(e, m, t) for m in e.methods)]
        needed |= {scenario: used[e.id] for t in running for scenario in t.scored}
    for id_, user in needed.items():
        if suite["scenario", id_].anchors is None:
            mend = f"measure them: bench anchors {suite.id}"
            yield Problem(f"scenario[{id_}].anchors", "nothing", f"anchors: {user} has a share of their scale", mend)


def _scaled(claim: Claim, below: set[str]) -> bool:
    """Whether a claim's margin, or a level that it compares, is a share of a scenario's scale."""
    own = claim.margin is not None and claim.margin.share_of_scale is not None
    return bool(own or below & {split(q)[2] for q in quantities(claim.test)})
