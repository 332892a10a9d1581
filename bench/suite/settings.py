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
    """Problems of a method's settings, without those that it inherits from the method it extends."""
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


def wrong_hyperparameters(method_id: str, algorithm: str, settings: Mapping[str, Setting]) -> Iterator[Problem]:
    """Problems of a method's resolved settings against its algorithm's names, types and ranges."""
    model: type[Hyperparameters] = ALGORITHMS[algorithm].hyperparameters
    values = {name: setting.value for name, setting in settings.items()}
    try:
        model.model_validate(values)
    except ValidationError as error:
        wrong = {str(own["loc"][0]) for own in error.errors() if own["loc"] and own["type"] != "misfit"}
        for problem in explain(error, values, {"": list(model.model_fields)}):
            key = f"method[{method_id}].hyperparameters.{problem.key}".removesuffix(f".{TOP}")
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


def refused_settings(suite: Suite, m: Method) -> bool:
    """Whether the algorithm, in its present version, refuses the method's settings."""
    return any(wrong_hyperparameters(m.id, m.algorithm, suite.settings(m.id)))
