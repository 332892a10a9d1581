"""What is wrong with a file, said so that it can be mended: key, got, allowed, mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

FIXES = {
    "missing": "add the key",
    "extra_forbidden": "remove the key, or correct its name",
    "literal_error": "choose one of the allowed values",
    "union_tag_invalid": "choose one of the allowed values",
}


TOP = "(top level)"

PLAIN = {  # what the library says in words of its own
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
    "tuple_type": "a list",
    "too_short": "a longer list",
    "string_type": "text in quotes",
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
        return f"  {self.key}\n    got      {self.got}\n    allowed  {self.allowed}\n    mend     {self.mend}"


def nearest(word: str, allowed: Iterable[str]) -> str:
    """`; did you mean "x"?` where an allowed word is close, else nothing."""
    close = difflib.get_close_matches(word, list(allowed), n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""


def listed(words: Iterable[str]) -> str:
    return ", ".join(f'"{w}"' for w in words) or "nothing"


def shown(value: Any) -> str:
    """A value as the file has it, cut to a line."""
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def key_path(location: Sequence[int | str], root: Any) -> str:
    """`("method", 3, "lr")` -> `method[knowru].lr`: list entries by their id where they have one."""
    path = ""
    node: object = root  # a step that is not in it and not the last is a union's tag: passed over
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


def explain(error: ValidationError, root: Any, keys: Mapping[str, Sequence[str]] | None = None) -> list[Problem]:
    """A pydantic error as problems. keys: allowed key names by the model's title, for unknown keys."""
    return [_problem(e, root, keys or {}) for e in error.errors()]


def _problem(error: Mapping[str, Any], root: Any, keys: Mapping[str, Sequence[str]]) -> Problem:
    kind, location, context = error["type"], error["loc"], error.get("ctx", {})
    key = key_path(location, root)
    got = "nothing" if kind == "missing" else shown(error["input"])
    mend = FIXES.get(kind, "correct the value")
    said = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    allowed = str(context.get("expected") or context.get("expected_tags") or PLAIN.get(kind) or said)
    if kind == "misfit":  # its parts are said by the model itself: baselines/hyperparameters.py
        named = f"{key}.{context['key']}".removeprefix(f"{TOP}.") if context["key"] else key
        return Problem(named, context["got"], context["allowed"], context["mend"])
    if kind in ("literal_error", "union_tag_invalid") and isinstance(error["input"], str):
        mend += nearest(error["input"], [word.strip("' ") for word in allowed.replace(" or ", ", ").split(",")])
    if kind == "missing":
        allowed = f'the key "{location[-1]}" with a value'
    if kind == "extra_forbidden":
        names = keys.get(_table(location), ())
        got = f'the unknown key "{location[-1]}"'
        allowed = listed(names) if names else "no such key here"
        mend += nearest(str(location[-1]), names)
    return Problem(key, got, allowed, mend)


def _table(location: Sequence[int | str]) -> str:
    """The table a key stands in, list positions left out: `("method", 3, "x")` -> `method`."""
    return ".".join(str(step) for step in location[:-1] if not isinstance(step, int))
