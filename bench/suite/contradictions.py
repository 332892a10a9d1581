"""Mistakes that no single entry of a suite file shows: duplicates, dangling references, cycles, unknown settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pydantic import ValidationError

from baselines.specs import ALGORITHMS, Hyperparameters
from bench.envs import FAMILIES, checked, metrics_of
from bench.suite import (
    SCHEMA,
    Claim,
    CurveMeasure,
    Experiment,
    FirstReach,
    Profile,
    Scenario,
    Suite,
    TrainingSet,
    quantities,
    split,
    unit_of,
)
from bench.suite.casting import absent_methods, wrong_casts
from bench.suite.explain import Problem, explain, listed, nearest, shown
from bench.suite.looks import unlike_looks, wrong_looks
from bench.suite.references import cycles, dangling, doubles
from bench.suite.settings import misplaced_settings, own_problems, refused_settings
from bench.suite.tables import doubled_values, wrong_claims, wrong_tables
from bench.suite.windows import wrong_windows

SPLIT = "say in waits_for what is missing, or split it"
_ABSENT = "correct the name, or say in waits_for what is missing"


def contradictions(suite: Suite, need_anchors: bool = True) -> list[Problem]:
    """Problems of a suite's primary reading; `rereading` checks the other readings.

    Checks run in order, and the first that finds problems ends the search: later problems often follow from earlier.
    need_anchors: see `loading.load`.
    """
    looks = (
        _wrong_format,
        wrong_looks,
        doubles,
        dangling,
        cycles,
        misplaced_settings,
        _wrong_settings,
        _wrong_waiting,
        wrong_casts,
        absent_methods,
        _wrong_substitutes,
        wrong_tables,
    )
    for look in looks:
        if problems := list(look(suite)):
            return problems
    problems = [*_wrong_budgets(suite), *wrong_quantities(suite), *doubled_values(suite), *wrong_claims(suite)]
    problems = problems or [*unlike_looks(suite), *wrong_windows(suite)]
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
            yield from own_problems(suite, m)


def _wrong_waiting(suite: Suite) -> Iterator[Problem]:
    """Parts with `waits_for` that can run, and experiments that cannot run although their parts can.

    An experiment's own `waits_for` is not checked: no list says what an experiment needs beyond its parts.
    """
    for s in suite.scenario:
        known = s.family in FAMILIES and s.params.get("name") in FAMILIES[s.family].scenarios
        if s.waits_for and known and not [*_wrong_params(s)]:
            mend = "remove waits_for, and give the environment's params"
            yield Problem(f"scenario[{s.id}].waits_for", shown(s.waits_for), "nothing: it can run", mend)
    for m in suite.method:
        if m.waits_for and m.algorithm in ALGORITHMS and not refused_settings(suite, m):
            mend = "remove waits_for; the algorithm takes its hyperparameters"
            yield Problem(f"method[{m.id}].waits_for", shown(m.waits_for), "nothing: it can run", mend)
    for e in suite.experiment:
        uncounted: dict[Problem, dict[str, None]] = {}  # each with the methods that have it
        for t in e.training_sets:
            ready = [m for m in e.methods if not suite.waits_for(e, m, t)]
            if ready:
                yield from _unfit(suite, e, t, ready)
            for m in ready:
                for problem in _uncounted(suite, e, t, m, SPLIT):
                    uncounted.setdefault(problem, {})[m] = None
        for problem, methods in uncounted.items():
            yield replace(problem, allowed=f"{problem.allowed}, for {listed(methods)}")


def _unfit(suite: Suite, e: Experiment, t: TrainingSet, ready: Sequence[str]) -> Iterator[Problem]:
    """Why the harness cannot run a training set although it has the methods and scenarios."""
    key, mend = f"experiment[{e.id}]", SPLIT
    one = [m for m in ready if not _takes_several(suite, m)]
    if len(t.scenarios) == 1 and (ordered := [m for m in ready if ALGORITHMS[suite["method", m].algorithm].in_order]):
        got = f"one scenario in {shown(t.id)}"
        yield Problem(
            f"{key}.training_sets", got, f"two or more, one phase after the other, for {listed(ordered)}", mend
        )
    if len(t.scenarios) > 1 and one:
        got = f"{len(t.scenarios)} scenarios in {shown(t.id)}"
        yield Problem(f"{key}.training_sets", got, f"one, for {listed(one)}", mend)
    together = [m for m in ready if not ALGORITHMS[suite["method", m].algorithm].in_order]
    lost = [s for s in t.scored if s not in t.scenarios and t.plays_as.get(s) not in t.scenarios]
    if len(t.scenarios) > 1 and lost and together:
        got = f"{shown(t.id)} is scored on {listed(lost)}, which it is not trained on"
        allowed = "score_on with a single training scenario, or a trained scenario for each in plays_as"
        yield Problem(f"{key}.training_sets", got, allowed, mend)
    for new, trained in t.plays_as.items():
        if new not in t.scored or new in t.scenarios or trained not in t.scenarios:
            allowed = "an untrained scenario of score_on, played as one of the training set's scenarios"
            yield Problem(f"{key}.training_sets", f"{shown(new)} as {shown(trained)} in {shown(t.id)}", allowed, mend)
        elif (sizes := _sizes(suite, new)) != (known := _sizes(suite, trained)):
            got = f"{shown(new)}, of sizes {sizes}, as {shown(trained)}"
            yield Problem(f"{key}.training_sets", got, f"a scenario of the same sizes, {known}", mend)
    for m in ready:
        yield from _untaken(suite, e, t, m, mend)


def _sizes(suite: Suite, scenario: str) -> tuple[tuple[int, int], ...]:
    """Each agent's number of observation entries and of actions."""
    params = checked(suite["scenario", scenario].family, suite["scenario", scenario].params)
    return tuple(zip(params.obs_sizes, params.action_sizes, strict=True))


def _takes_several(suite: Suite, method: str) -> bool:
    algorithm = ALGORITHMS[suite["method", method].algorithm]
    return algorithm.several_tasks or algorithm.in_order


def _untaken(suite: Suite, e: Experiment, t: TrainingSet, m: str, mend: str) -> Iterator[Problem]:
    """Why a method's learner cannot use the episodes or the actions of a training set."""
    key, takes = f"experiment[{e.id}].training_sets", ALGORITHMS[suite["method", m].algorithm].hyperparameters
    for id_ in t.scenarios:
        params = checked(suite["scenario", id_].family, suite["scenario", id_].params)
        kind = "continuous" if params.continuous else "discrete"
        if params.ends_early and not takes.ends_early:
            got = f"{shown(id_)}, whose episodes may end before the limit"
            yield Problem(key, got, f"episodes of full length, for {shown(m)}", mend)
        if kind not in takes.actions:
            yield Problem(
                key, f"{shown(id_)}, whose actions are {kind}", f"{listed(takes.actions)}, for {shown(m)}", mend
            )


def _uncounted(suite: Suite, e: Experiment, t: TrainingSet, m: str, mend: str) -> Iterator[Problem]:
    """Why a method's budget on a training set cannot be counted, or nothing of it can be recorded."""
    budget, units = e.own_budget(t, m), ALGORITHMS[suite["method", m].algorithm].units
    owner = f"budget_of.{m}" if m in e.budget_of else "budget"
    if budget.counted is None or budget.counted[0] not in units:
        own = [f"{unit}, or epochs with epoch_episodes" if unit == "episodes" else unit for unit in units]
        yield Problem(f"experiment[{e.id}].{owner}", str(budget), f"{'; '.join(own)}, for a cell that runs", mend)
    elif budget.counted[0] == "steps" and len(t.scenarios) > 1:
        got = f"{budget} for {len(t.scenarios)} scenarios in {shown(t.id)}"
        yield Problem(f"experiment[{e.id}].{owner}", got, "episodes of each, if one run learns several", mend)
    if (recording := e.own_recording(m)) is None:
        allowed = "a recording, for a cell that runs"
        yield Problem(f"experiment[{e.id}].recording", "nothing", allowed, mend)
    elif m in e.budget_of and m not in e.recording_of and budget.unit != e.budget.unit:
        allowed = f"one in {budget.unit}, the unit of its budget"
        yield Problem(f"experiment[{e.id}].recording_of.{m}", str(recording.record_every), allowed, "add it")


def _wrong_params(scenario: Scenario) -> Iterator[Problem]:
    key = f"scenario[{scenario.id}]"
    if scenario.family not in FAMILIES:
        mend = f"{_ABSENT}{nearest(scenario.family, FAMILIES)}"
        yield Problem(f"{key}.family", shown(scenario.family), listed(FAMILIES), mend)
        return
    scenarios = FAMILIES[scenario.family].scenarios
    model = scenarios.get(str(scenario.params.get("name")))
    if model is None:
        yield Problem(f"{key}.params.name", shown(scenario.params.get("name")), listed(scenarios), _ABSENT)
        return
    try:
        params = model.model_validate(scenario.params)
    except ValidationError as error:
        for problem in explain(error, scenario.params, {"": list(model.model_fields)}):
            yield Problem(f"{key}.params.{problem.key}", problem.got, problem.allowed, problem.mend)
        return
    metrics = metrics_of(scenario.family, params)
    if scenario.metric not in metrics:
        yield Problem(f"{key}.metric", shown(scenario.metric), listed(metrics), "name one of them")


def wrong_budget(
    experiment: str, method: str, hyperparameters: Hyperparameters, episode_limit: int, numbers: Mapping[str, int]
) -> Iterator[Problem]:
    """Problems of a budget (`Experiment.numbers`) for a method.

    Budget and recording must be whole numbers of its rounds, where these are all alike, and cover one at least. The
    recording must divide the budget.
    """
    unit = unit_of(numbers)
    rounds, key = hyperparameters.round_of(unit), f"experiment[{experiment}]"
    least = hyperparameters.longest_round(unit, episode_limit)
    for name in (unit, "record_every", "evaluate_every"):
        if numbers[name] % rounds:
            allowed = f'a multiple of {rounds}: method "{method}" plays {rounds} {unit} between updates'
            yield Problem(f"{key}.{name}", str(numbers[name]), allowed, "round it")
        elif numbers[unit] % numbers[name] and not (name == "evaluate_every" and numbers[name] > numbers[unit]):
            beyond = ", or more than the budget for no evaluation on the way" if name == "evaluate_every" else ""
            allowed = f'a divisor of the budget of {numbers[unit]} {unit} of method "{method}"{beyond}'
            yield Problem(f"{key}.{name}", str(numbers[name]), allowed, "change it, or the budget")
        elif numbers[name] < least:
            allowed = f'at least {least}, the steps of a round of method "{method}"'
            yield Problem(f"{key}.{name}", str(numbers[name]), allowed, "make it larger")
    stated = numbers.get("first_phase")
    phase = hyperparameters.first_phase(numbers[unit], stated)
    if phase and not (0 < phase.end < numbers[unit] and phase.end % rounds == 0):
        allowed = f"within the budget of {numbers[unit]} {unit}, and a multiple of {rounds}"
        yield Problem(f"method[{method}]", f"a first phase up to {phase.end}", allowed, "change it, or the budget")
    for name in ("record_every", "evaluate_every"):
        if stated and stated % numbers[name]:
            allowed = f"a divisor of the first phase of {stated} {unit}"
            yield Problem(f"{key}.{name}", str(numbers[name]), allowed, "change it, or the first phase")
    if stated and phase is None:
        allowed = f'nothing, for method "{method}", which has only one phase'
        yield Problem(f"{key}.budget.first_phase", str(stated), allowed, "remove it")
    for key, (got, lowest) in hyperparameters.least(episode_limit).items():
        if got < lowest:
            allowed = f"at least {lowest}, with episodes of {episode_limit} steps"
            yield Problem(f"method[{method}].hyperparameters.{key}", str(got), allowed, "make it larger")


def _enlarged(suite: Suite, name: str, profile: Profile) -> Iterator[Problem]:
    """Profiles are reductions: a method never trains longer under one than in the paper."""
    for e in suite.experiment:
        counted = (e.own_budget(t, m).counted for t in e.training_sets for m in e.methods)
        for unit, own in filter(None, dict.fromkeys(counted)):
            for asked in (getattr(change, unit) for change in profile.changes(e.id) if change.unit == unit):
                if asked > own:
                    allowed = f'at most {own}, the budget of experiment "{e.id}": a profile is a reduction'
                    yield Problem(f"profile[{name}].budget.{unit}", str(asked), allowed, "make it smaller")


def _not_reduced(suite: Suite, name: str, profile: Profile) -> Iterator[Problem]:
    """A hyperparameter that a profile changes must be a count, and become smaller in every method that states it."""
    for key, asked in profile.hyperparameters.items():
        variants = (own for m in suite.method for own in suite.variants(m.id).values())
        stated = [own[key].value for own in variants if key in own]
        counts = [value for value in stated if isinstance(value, int) and not isinstance(value, bool)]
        place = f"profile[{name}].hyperparameters.{key}"
        if not stated or len(counts) < len(stated):
            yield Problem(place, str(asked), "a count that a method states", "name such a hyperparameter")
        elif asked > min(counts):
            allowed = f"at most {min(counts)}, the smallest that a method states: a profile is a reduction"
            yield Problem(place, str(asked), allowed, "make it smaller")


def _wrong_budgets(suite: Suite) -> Iterator[Problem]:
    found: dict[Problem, None] = {}
    for name, profile in suite.profile.items():
        found |= dict.fromkeys((*_enlarged(suite, name, profile), *_not_reduced(suite, name, profile)))
        played = suite.on(name)
        for e in played.experiment:
            for m, t in ((m, t) for m in e.methods for t in e.training_sets if not played.waits_for(e, m, t)):
                values = suite.hyperparameters(m, t.scenarios[0])
                for limit in {played["scenario", s].steps for s in t.scenarios}:
                    found |= dict.fromkeys(wrong_budget(e.id, m, values, limit, e.numbers(t, m, profile)))
    yield from found


def wrong_quantities(suite: Suite) -> Iterator[Problem]:
    """Impossible comparisons: of a thing with itself, or of a curve that the protocol or the method does not have."""
    times = (own for own in suite.measure if isinstance(own, FirstReach))
    for id_, level in ((own.id, level) for own in times for level in own.quantities):
        if isinstance(suite["measure", split(level)[2]], FirstReach):
            yield Problem(f"measure[{id_}].level", shown(level), "a level, not a time", "name another measure")
    for c in suite.claim:
        key, named = f"claim[{c.id}].test", quantities(c.test)
        if len({*named}) < len(named):
            yield Problem(key, listed(named), "each quantity once", "remove the duplicate")
        for quantity in named:
            method, _, measure = split(quantity)
            found = suite["measure", measure]
            if not isinstance(found, CurveMeasure):
                continue
            series = found.series
            algorithm = ALGORITHMS.get(suite["method", method].algorithm)
            losses = algorithm.losses if algorithm else (series.removeprefix("loss/"),)
            if (series.split("/")[0] in ("evaluation", "turn")) is (c.protocol == "training"):
                allowed = '"greedy" for evaluation curves, "training" for training curves and losses'
                yield Problem(f"claim[{c.id}].protocol", shown(c.protocol), allowed, f'or change measure "{measure}"')
            if series.startswith("loss/") and series.removeprefix("loss/") not in losses:
                allowed = listed(f"loss/{name}" for name in losses)
                yield Problem(f"measure[{measure}].series", shown(series), allowed, f'name a loss of "{method}"')


def _wrong_substitutes(suite: Suite) -> Iterator[Problem]:
    """Substitutes that replace nothing, and training sets that cannot be trained with one."""
    for name, profile in suite.profile.items():
        if (by := profile.substitute) is None:
            continue
        key, families = f"profile[{name}].substitute", {s.family for s in suite.scenario}
        sets = {t.id for e in suite.experiment for t in e.training_sets}
        if by.of not in families or by.of == by.family:
            yield Problem(
                f"{key}.of", shown(by.of), f"another family of this file: {listed(sorted(families))}", "correct it"
            )
        elif by.family not in FAMILIES:
            yield Problem(f"{key}.family", shown(by.family), listed(FAMILIES), "name one of them")
        elif lost := {*by.training_sets} - sets:
            mend = "name a training set of this file"
            yield Problem(f"{key}.training_sets", listed(sorted(lost)), listed(sorted(sets)), mend)
        else:
            played = suite.on(name)
            for look in (_wrong_settings, _wrong_waiting, wrong_casts):
                yield from (replace(p, key=f"{key}: {p.key}") for p in look(played))


def missing_scales(suite: Suite) -> Iterator[Problem]:
    """Scenarios without anchors, although a claim or metric that can be run uses a share of their scale."""
    below = {m.id for m in suite.measure if isinstance(m, FirstReach) and m.below and m.below.share_of_scale}
    scaled, needed = [c for c in suite.claim if _scaled(c, below)], dict[str, str]()
    for e in suite.experiment:
        running = {s for t in e.training_sets if any(not suite.waits_for(e, m, t) for m in e.methods) for s in t.scored}
        about = {f'claim "{c.id}"': suite.scope(c, e) for c in scaled if e.id in c.experiments}
        if e.baseline and suite.transfer and suite.transfer.time_to_threshold in below:
            about["the transfer metric time_to_threshold"] = e.trained
        needed |= {s: user for user, ids in about.items() for id_ in ids for s in suite.members(id_) if s in running}
    for id_, user in needed.items():
        if suite["scenario", id_].anchors is None:
            mend = f"measure them: bench anchors {suite.id}"
            yield Problem(f"scenario[{id_}].anchors", "nothing", f"anchors: {user} uses a share of their scale", mend)


def _scaled(claim: Claim, below: set[str]) -> bool:
    """Whether a claim's margin, or a level that it compares, is a share of a scenario's scale."""
    own = claim.margin is not None and claim.margin.share_of_scale is not None
    return bool(own or below & {split(q)[2] for q in quantities(claim.test)})
