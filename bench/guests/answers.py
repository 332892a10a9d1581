"""Answers of a method's process, checked before the harness uses them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from bench.guests.process import Foul

CHANGES = "its policy changes from one evaluation to the next, on the same episodes"


def foul(reason: str) -> NoReturn:
    raise Foul(reason)


def whole(message: dict[str, Any], key: str, least: int, most: int) -> int:
    """A whole number of a message. Raises Foul."""
    value = message.get(key)
    if type(value) is not int or not least <= value <= most:
        foul(f"{key}: got {value!r}; allowed: {least} to {most}")
    return value


def versions(claimed: Any) -> dict[str, str]:
    """Package versions that the method's process claims."""
    pairs: Sequence[tuple[Any, Any]] = list(claimed.items())[:500] if isinstance(claimed, dict) else []
    return {str(name)[:100]: str(version)[:100] for name, version in pairs}
