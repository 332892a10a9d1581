"""Settings that an algorithm refuses: hyperparameters that are missing, unknown or of the wrong kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from baselines.specs import ALGORITHMS, Hyperparameters
from bench.suite import Method, Setting, Suite
from bench.suite.explain import TOP, Problem, explain, listed, shown
from bench.suite.shipped import usual

KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "text in quotes",
    "null": "nothing",
}


def own_problems(suite: Suite, method: Method) -> Iterator[Problem]:
    """Problems of a method's settings, without those that it inherits from the method it extends.

    What is wrong wherever nothing is stated of a scenario is not told again of each scenario.
    """
    parent = suite["method", method.extends] if method.extends else None
    everywhere: set[str] = set()
    for scenario, settings in suite.variants(method.id).items():
        stated = method.hyperparameters_on.get(scenario, {}) if scenario else method.hyperparameters
        told = {*everywhere}
        if parent is not None and parent.algorithm in ALGORITHMS:
            inherited = wrong_hyperparameters("", parent.algorithm, suite.settings(parent.id, scenario))
            told |= {problem.key.rpartition(".")[2] for problem in inherited}
        found = {
            p: p.key.rpartition(".")[2] for p in wrong_hyperparameters(method.id, method.algorithm, settings, scenario)
        }
        yield from (problem for problem, name in found.items() if name in stated or name not in told)
        everywhere |= {*found.values()} if not scenario else set()


def wrong_hyperparameters(
    method_id: str, algorithm: str, settings: Mapping[str, Setting], scenario: str = ""
) -> Iterator[Problem]:
    """Problems of a method's resolved settings, on a scenario, against its algorithm's names, types and ranges."""
    table = f"hyperparameters_on.{scenario}" if scenario else "hyperparameters"
    model: type[Hyperparameters] = ALGORITHMS[algorithm].hyperparameters
    values = {name: setting.value for name, setting in settings.items()}
    try:
        model.model_validate(values)
    except ValidationError as error:
        wrong = {str(own["loc"][0]) for own in error.errors() if own["loc"] and own["type"] != "misfit"}
        for problem in explain(error, values, {"": list(model.model_fields)}):
            key = f"method[{method_id}].{table}.{problem.key}".removesuffix(f".{TOP}")
            allowed, mend = problem.allowed, problem.mend
            if problem.got == "nothing" and problem.key in model.model_fields:
                allowed, known = kind_of(model, problem.key), usual(problem.key)
                mend = f'add {problem.key} = {{ value = ..., source = "..." }}' + (f"; usual: {known}" if known else "")
            elif problem.key in wrong & model.model_fields.keys():
                allowed = kind_of(model, problem.key)
            yield Problem(key, problem.got, allowed, mend)


def kind_of(model: type[Hyperparameters], name: str) -> str:
    """Type and range of a hyperparameter, in words."""
    schema = model.model_json_schema()["properties"][name]
    return " or ".join(map(_kind, schema.get("anyOf", [schema])))


def _kind(schema: Mapping[str, Any]) -> str:
    if words := schema.get("enum") or ([schema["const"]] if "const" in schema else None):
        return f"one of {listed(words)}" if len(words) > 1 else shown(words[0])
    ranges = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    ranges |= {"multipleOf": "a multiple of"}
    bounds = [f"{words} {schema[key]:g}" for key, words in ranges.items() if key in schema]
    return ", ".join([KINDS.get(schema.get("type", ""), "a value"), *bounds])


def misplaced_settings(suite: Suite) -> Iterator[Problem]:
    """Settings of a scenario that no run is trained on, and runs that would have several settings at once."""
    heirs: dict[str, set[str]] = {}  # by method, itself and those that extend it
    for m in suite.method:
        for ancestor in suite.lineage(m.id):
            heirs.setdefault(ancestor.id, set()).add(m.id)
    trained = {(m, s) for e in suite.experiment for t in e.training_sets for m in e.methods for s in t.scenarios}
    for m in suite.method:
        for scenario in m.hyperparameters_on:
            if not any((heir, scenario) in trained for heir in heirs[m.id]):
                known = dict.fromkeys(s for heir, s in sorted(trained) if heir in heirs[m.id])
                key, mend = f"method[{m.id}].hyperparameters_on", "name one of them, or remove the table"
                yield Problem(key, shown(scenario), f"a scenario that it is trained on: {listed(known)}", mend)
    for e in suite.experiment:
        for t in e.training_sets:
            for method in (m for m in e.methods if len(t.scenarios) > 1 and len(suite.variants(m)) > 1):
                settings = [suite.settings(method, scenario) for scenario in t.scenarios]
                names = {name for own in settings for name in own}
                if apart := [n for n in names if any(own.get(n) != settings[0].get(n) for own in settings)]:
                    got = f"{listed(sorted(apart))} of {shown(method)} by scenario in {shown(t.id)}"
                    allowed = "the same settings for all scenarios that one run is trained on"
                    yield Problem(f"experiment[{e.id}].training_sets", got, allowed, "split the training set")


def refused_settings(suite: Suite, m: Method) -> bool:
    """Whether the algorithm, in its present version, refuses the method's settings."""
    variants = suite.variants(m.id).values()
    return any(True for settings in variants for _ in wrong_hyperparameters(m.id, m.algorithm, settings))
