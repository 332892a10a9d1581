"""Suite files: TOML -> models. An error names file, key, what was got, what is allowed, how to mend."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, get_args

import tomli_w
from pydantic import BaseModel, ValidationError

from bench.explain import Problem, explain, listed, nearest, shown
from bench.suite import (
    Anchors,
    Budget,
    Claim,
    Derived,
    Deviation,
    Experiment,
    Limit,
    Margin,
    Measure,
    Method,
    Paper,
    Published,
    Recording,
    Repeat,
    Scenario,
    ScenarioSet,
    Seeds,
    Suite,
    SuiteError,
    Teachers,
    Test,
    TrainingSet,
    Transfer,
)
from bench.suite.contradictions import contradictions


def folder() -> Path:
    """Where the suite files are: in the wheel beside the code, in a checkout beside the package."""
    package = Path(__file__).parent.parent
    inside = package / "suites"
    return inside if inside.is_dir() else package.parent / "suites"


def opponents() -> Path:
    """Where trained opponents are, named by their content: what a scenario's opponent_sha256 names."""
    return folder() / "opponents"


def available() -> list[str]:
    return sorted(path.stem for path in folder().glob("*.toml"))


def load(name: str, need_anchors: bool = True) -> Suite:
    """A suite by its name, or a suite file by its path (`*.toml`). Raises SuiteError.

    need_anchors: claims whose margin is a share of a scenario's scale need that scale; `bench anchors` itself does not.
    """
    path = Path(name) if name.endswith(".toml") else folder() / f"{name}.toml"
    if path.is_file():
        return parse(path.read_bytes(), path, need_anchors)
    if name.endswith(".toml"):
        got = "a folder" if path.is_dir() else "no such file"
        raise SuiteError(name, [Problem("(file)", got, "a suite file", "correct the path")])
    mend = f"name one of them, or a path ending in .toml{nearest(name, available())}"
    raise SuiteError(name, [Problem("suite", shown(name), listed(available()), mend)])


def parse(content: bytes, source: str | Path, need_anchors: bool = True) -> Suite:
    """The text of a suite file -> Suite. source: what errors call the file."""
    try:
        tables = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        got = f"byte {content[error.start]:#04x} at offset {error.start}"
        raise SuiteError(source, [Problem("(file)", got, "UTF-8 text", "save the file as UTF-8")]) from None
    except tomllib.TOMLDecodeError as error:
        raise SuiteError(source, [Problem("(file)", str(error), "TOML 1.0", "correct that line")]) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets nested as deep
        raise SuiteError(
            source, [Problem("(file)", str(error), "numbers and nesting of sane size", "cut it")]
        ) from None
    try:
        suite = Suite.model_validate(tables)
    except ValidationError as error:
        raise SuiteError(source, explain(error, tables, ALLOWED_KEYS)) from None
    if problems := contradictions(suite, need_anchors):
        raise SuiteError(source, problems)
    return suite


def dump(suite: Suite) -> str:
    """The suite as TOML that `parse` reads back as the same suite: the keys that its file had, without comments."""
    return tomli_w.dumps(suite.model_dump(mode="json", by_alias=True, exclude_unset=True))


def schema() -> dict[str, Any]:
    """The JSON Schema of suite files, for editors; what no single entry shows is `contradictions`' business."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Suite.model_json_schema(by_alias=True)}


def _fields(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _by_kind(key: str, union: Any) -> dict[str, list[str]]:
    """The keys of each model of a union that `kind` tells apart."""
    models = get_args(get_args(union)[0])
    return {f"{key}.{get_args(m.model_fields['kind'].annotation)[0]}": _fields(m) for m in models}


ALLOWED_KEYS = {
    "": _fields(Suite),
    "paper": _fields(Paper),
    "scenario": _fields(Scenario),
    "scenario.anchors": _fields(Anchors),
    "scenario.episode_limit.table": _fields(Limit),
    "set": _fields(ScenarioSet),
    "method": _fields(Method),
    "experiment": _fields(Experiment),
    "experiment.seeds": _fields(Seeds),
    "experiment.budget": _fields(Budget),
    "experiment.recording": _fields(Recording),
    "experiment.training_sets": _fields(TrainingSet),
    "experiment.training_sets.budget": _fields(Budget),
    "experiment.teachers": _fields(Teachers),
    "published": _fields(Published),
    "repeat": _fields(Repeat),
    "transfer": _fields(Transfer),
    "claim": _fields(Claim),
    "claim.margin": _fields(Margin),
    "deviation": _fields(Deviation),
    **_by_kind("measure", Measure),
    **_by_kind("claim.test", Test),
    **_by_kind("published.derived", Derived),
}
