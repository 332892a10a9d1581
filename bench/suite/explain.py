"""Problems of a file, each with the key, what was got, what is allowed and how to mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.output.escaping import visible
from bench.suite.patterns import IN_WORDS

FIXES = {
    "missing": "add the key",
    "extra_forbidden": "remove the key, or correct its name",
    "literal_error": "choose one of the allowed values",
    "union_tag_invalid": "choose one of the allowed values",
}


TOP = "(top level)"
QUOTE = "'"
SHOWN = 50  # problems shown of one file
MOST_PROBLEMS = 1000  # problems worded of one file: a hundred thousand take minutes, and nobody reads them

PLAIN = {  # our words for pydantic's
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
    "tuple_type": "a list",
    "too_short": "a longer list",
    "string_type": "text in quotes",
    "int_type": "a whole number, without quotes",
    "string_too_short": "some text",
}


@dataclass(frozen=True)
class Problem:
    """One mistake. key: where it stands, e.g. `method[knowru].hyperparameters.lr.value`."""

    key: str
    got: str
    allowed: str
    mend: str

    def __str__(self) -> str:
        key, got, allowed, mend = map(visible, (self.key, self.got, self.allowed, self.mend))
        return f"  {key}\n    got      {got}\n    allowed  {allowed}\n    mend     {mend}"


def told(source: str | Path, problems: Sequence[Problem]) -> str:
    """One message for all problems of a file."""
    more = [f"  and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
    count = f"{len(problems)}{' or more' if len(problems) >= MOST_PROBLEMS else ''}"
    return "\n".join([f"{visible(str(source))}: {count} problem(s)", *map(str, problems[:SHOWN]), *more])


def unprintable(root: Any) -> Iterator[Problem]:
    """Control characters, line ends included, in a file's keys and texts: a terminal that shows them obeys them."""
    mend = "remove them; to continue a long text on the next line, end the line with a backslash"
    left: list[tuple[Any, Any]] = [(root, None)]  # each value with its place: the place above, and the step from there
    found = 0
    while left and found < MOST_PROBLEMS:
        value, at = left.pop()
        if isinstance(value, str) and not value.isprintable():
            found += 1
            bad = ", ".join(dict.fromkeys(visible(c) for c in value if not c.isprintable()))
            yield Problem(
                key_path(_steps(at), root), f"{bad} in {shown(value)}", "printable characters, on one line", mend
            )
        elif isinstance(value, Mapping):
            left += [(own, (at, name)) for name, own in [*value.items()][::-1]]
            left += [(name, at) for name in value]
        elif isinstance(value, list):
            left += [(own, (at, i)) for i, own in [*enumerate(value)][::-1]]


def _steps(place: Any) -> list[int | str]:
    steps: list[int | str] = []
    while place:
        place, step = place
        steps.insert(0, step)
    return steps


def nearest(word: str, allowed: Iterable[str]) -> str:
    """`; did you mean "x"?` if an allowed word is close, else ""."""
    close = difflib.get_close_matches(word, list(allowed), n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""


def listed(words: Iterable[str]) -> str:
    return ", ".join(f'"{w}"' for w in words) or "nothing"


def shown(value: Any) -> str:
    """A value as the file has it, cut to 80 characters."""
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def key_path(location: Sequence[int | str], root: Any) -> str:
    """`("method", 3, "lr")` -> `method[knowru].lr`: list entries by their id, if they have one."""
    path = ""
    node: object = root  # a step that is neither in the node nor the last is a union's tag: skipped
    for step in location:
        if isinstance(node, list) and isinstance(step, int) and step < len(node):
            node = node[step]
            name = node.get("id", step) if isinstance(node, Mapping) else step
            path += f"[{name}]"
        elif isinstance(node, Mapping) and step in node:
            node = node[step]
            path += f".{step}"
        elif step == location[-1] and isinstance(step, str) and isinstance(node, Mapping):  # a missing key
            path += f".{step}"
    return path.lstrip(".") or TOP


def explain(
    error: ValidationError,
    root: Any,
    keys: Mapping[str, Sequence[str]] | None = None,
    forms: Mapping[str, str] | None = None,
) -> list[Problem]:
    """A pydantic error as problems, one per place.

    keys: allowed key names by the model's title, for unknown keys. forms: how a table looks, by the model's name.
    """
    found: dict[tuple[str, str], Problem] = {}
    for own in _first(error.errors(include_url=False)[:MOST_PROBLEMS]):
        problem = _problem(own, root, keys or {}, forms or {})
        place = (problem.key, problem.got)
        if before := found.get(place):  # the value fits none of several types
            known = before.allowed.split(" or ")
            both = before.allowed if problem.allowed in known else f"{before.allowed} or {problem.allowed}"
            found[place] = replace(before, allowed=both)
        else:
            found[place] = problem
    return list(found.values())


def _first(errors: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The errors, without lists that are too short only because their entries are wrong."""
    places = [error["loc"] for error in errors]
    for error in errors:
        at = error["loc"]
        short = error["type"] == "too_short"
        if not (short and any(len(place) > len(at) and place[: len(at)] == at for place in places)):
            yield error


def _problem(
    error: Mapping[str, Any], root: Any, keys: Mapping[str, Sequence[str]], forms: Mapping[str, str]
) -> Problem:
    kind, location, context = error["type"], error["loc"], error.get("ctx", {})
    key = key_path(location, root)
    got = "nothing" if kind == "missing" else shown(error["input"])
    mend = FIXES.get(kind, "correct the value")
    said = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    allowed = str(context.get("expected") or context.get("expected_tags") or PLAIN.get(kind) or said)
    if kind == "string_pattern_mismatch":
        allowed = str(IN_WORDS.get(context["pattern"], said))
    if kind == "misfit":  # the model itself words the parts: baselines/specs/base.py
        named = f"{key}.{context['key']}".removeprefix(f"{TOP}.") if context["key"] else key
        return Problem(named, context["got"], context["allowed"], context["mend"])
    if kind == "union_tag_invalid":  # one key tells the table's kind
        key, got = f"{key}.{context['discriminator'].strip(QUOTE)}", shown(context["tag"])
    if kind == "union_tag_invalid" or (kind == "literal_error" and isinstance(error["input"], str)):
        words = [word.strip(f"{QUOTE} ") for word in allowed.replace(" or ", ", ").split(",")]
        mend += nearest(context.get("tag", error["input"]), words)
    if kind in ("model_type", "model_attributes_type") and context.get("class_name") in forms:
        wanted = forms[context["class_name"]]
        if isinstance(error["input"], int | float | str):
            wanted = wanted.replace("{ value = ...", f"{{ value = {shown(error['input'])}")
        allowed, mend = f"a table, such as {wanted}", "write it as a table"
    if kind == "missing":
        allowed = f'the key "{location[-1]}" with a value'
    if kind == "extra_forbidden":
        names = keys.get(_table(location), ())
        got = f'the unknown key "{location[-1]}"'
        allowed = listed(names) if names else "no such key here"
        mend += nearest(str(location[-1]), names)
    return Problem(key, got, allowed, mend)


def _table(location: Sequence[int | str]) -> str:
    """The table that holds a key, without list positions: `("method", 3, "x")` -> `method`."""
    return ".".join(str(step) for step in location[:-1] if not isinstance(step, int))
