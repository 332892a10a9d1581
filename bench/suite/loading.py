"""Suite files: TOML -> models. An error names the file, the key, what was got, what is allowed and how to mend it."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import tomli_w
from pydantic import BaseModel, ValidationError

from bench.suite import (
    Anchors,
    Budget,
    Claim,
    Conflict,
    Derived,
    Deviation,
    Experiment,
    Limit,
    Looks,
    Margin,
    Measure,
    Method,
    Paper,
    Published,
    Reading,
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
from bench.suite.base import MOST, forms
from bench.suite.contradictions import contradictions
from bench.suite.explain import TOP, Problem, explain, listed, nearest, shown, unprintable
from bench.suite.foreign import read_bytes
from bench.suite.rereading import wrong_readings
from bench.suite.shipped import available, folder
from bench.suite.windows import needless

MOST_BYTES = 2**21  # in a suite file; our longest has 80,000
MOST_PARTS = 32  # in a dotted key
_KEY_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
LONG_KEY = re.compile(rf"(?<![\w.\"'-]){_KEY_PART}(?:[ \t]*+\.[ \t]*+{_KEY_PART}){{{MOST_PARTS}}}")


def load(name: str, need_anchors: bool = True) -> Suite:
    """A suite by its name, or a suite file by its path (`*.toml`). Raises SuiteError.

    need_anchors: whether to require the scale of each scenario whose share is a claim's margin; `bench anchors` does
    not, since it measures them.
    """
    path = Path(name) if name.endswith(".toml") else folder() / f"{name}.toml"
    if os.path.isfile(path):  # pathlib's is_file raises for a name that is too long
        try:
            content = read_bytes(path, MOST_BYTES)
        except OSError as error:
            mend = "name a readable file that holds a suite"
            got = error.strerror or str(error)
            raise SuiteError(name, [Problem("(file)", got, f"at most {MOST_BYTES:,} bytes", mend)]) from None
        return parse(content, path, need_anchors)
    if name.endswith(".toml"):
        got = "a folder" if os.path.isdir(path) else "not a regular file" if os.path.exists(path) else "no such file"
        raise SuiteError(name, [Problem("(file)", got, "a suite file", "correct the path")])
    here = f'; did you mean "{name}.toml", which is in this folder?' if os.path.isfile(f"{name}.toml") else ""
    mend = f"name one of them, or a path ending in .toml{here or nearest(name, available())}"
    raise SuiteError(name, [Problem("suite", shown(name), listed(available()), mend)])


def parse(content: bytes, source: str | Path, need_anchors: bool = True) -> Suite:
    """The text of a suite file -> Suite. source: what errors call the file."""
    try:
        tables = toml(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        got = f"byte {content[error.start]:#04x} at offset {error.start}, in line {line}"
        raise SuiteError(source, [Problem("(file)", got, "UTF-8 text", "save the file as UTF-8")]) from None
    except tomllib.TOMLDecodeError as error:
        open_ = str(error).startswith(r"Illegal character '\n'")
        mend = (
            "close the quote; a text of several lines needs three quotes at each end" if open_ else "correct that line"
        )
        raise SuiteError(source, [Problem("(file)", str(error), "TOML 1.0", mend)]) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, or thousands of nested brackets
        raise SuiteError(
            source, [Problem("(file)", str(error), "shorter numbers, less nesting", "shorten it")]
        ) from None
    if long := next(_long_lists(tables), None):
        raise SuiteError(source, [Problem(long, f"more than {MOST} entries", f"at most {MOST}", "shorten it")])
    if problems := list(unprintable(tables)):
        raise SuiteError(source, problems)
    try:
        suite = Suite.model_validate(tables)
    except ValidationError as error:
        raise SuiteError(source, explain(error, tables, ALLOWED_KEYS, forms())) from None
    problems = contradictions(suite, need_anchors) or list(wrong_readings(suite, need_anchors))
    if problems := problems or list(needless(suite)):
        raise SuiteError(source, problems)
    return suite


def toml(text: str) -> dict[str, Any]:
    """TOML -> tables. Raises ValueError and RecursionError; ValueError also for a key of too many parts.

    Python's reader walks from the top for every part of a dotted key: a key of fifty thousand parts took it an hour.
    """
    if found := LONG_KEY.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise ValueError(f"line {line}: a key of more than {MOST_PARTS} parts")
    return tomllib.loads(text)


def _long_lists(node: Any, place: str = "") -> Iterator[str]:
    """The places of lists and tables that are too long. Checked first: each of their entries could be a problem."""
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    if isinstance(node, list | dict) and len(node) > MOST:
        yield place or TOP
        return
    for key, value in entries:
        yield from _long_lists(value, f"{place}.{key}" if place and isinstance(node, dict) else f"{place or key}")


def dump(suite: Suite) -> str:
    """The suite as TOML with the keys of its file, without comments. `parse` reads it back as the same suite."""
    return tomli_w.dumps(suite.model_dump(mode="json", by_alias=True, exclude_unset=True))


def schema() -> dict[str, Any]:
    """The JSON Schema of suite files, for editors. It does not cover mistakes between entries (`contradictions`)."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Suite.model_json_schema(by_alias=True)}


def _fields(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _by_kind(key: str, union: Any) -> dict[str, list[str]]:
    """The keys of each model of a union whose members differ by `kind`."""
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
    "experiment.seeds.fixed": _fields(Seeds),
    "experiment.seeds.added": _fields(Looks),
    "profile.seeds.added": _fields(Looks),
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
    "reading": _fields(Reading),
    "conflict": _fields(Conflict),
    **_by_kind("measure", Measure),
    **_by_kind("claim.test", Test),
    **_by_kind("published.derived", Derived),
}
