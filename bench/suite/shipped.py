"""The suite files that come with the package: where they are, and which values they give a hyperparameter."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from bench.suite.explain import shown


def folder() -> Path:
    """Where the suite files are: in the wheel beside the code, in a checkout beside the package."""
    package = Path(__file__).parent.parent
    inside = package / "suites"
    return inside if inside.is_dir() else package.parent / "suites"


def opponents() -> Path:
    """Where trained opponents are. Their names are hashes of their content: a scenario's `opponent_sha256`."""
    return folder() / "opponents"


def available() -> list[str]:
    return sorted(path.stem for path in folder().glob("*.toml"))


@cache
def usual(hyperparameter: str) -> str:
    """The values that our suites give it, such as `0.01 (knowru), 0.0005 (mkt_marl)`; "" if none does."""
    found = {name: _values(folder() / f"{name}.toml", hyperparameter) for name in available()}
    return ", ".join(f"{value} ({name})" for name, values in found.items() for value in values)


def _values(path: Path, hyperparameter: str) -> list[str]:
    """The values in a file's methods, each once. The file may be invalid: it may be the one whose mistake is shown."""
    try:
        methods = tomllib.loads(path.read_text("utf-8")).get("method", [])
        settings = [own.get("hyperparameters", {}).get(hyperparameter) for own in methods]
        return list(dict.fromkeys(shown(own["value"]) for own in settings if own))
    except (ValueError, TypeError, AttributeError, KeyError):
        return []
