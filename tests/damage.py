"""Thousands of damaged files, as from a broken disk, a bad editor or a careless merge."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tomli_w

from bench.store import Record, StoreError, canonical, read_record, sha256
from bench.suite import Suite, SuiteError
from bench.suite.loading import parse

OTHERS: list[Any] = ["", "x", 0, -1, 2**70, 0.5, -1e300, True, [], {}, [[]], [{}], {"": 1}, "\x00", "\ud7ff" * 100]
JSON_OTHERS: list[Any] = [*OTHERS, None, "NaN"]


def bytes_flipped(content: bytes, chance: random.Random) -> bytes:
    """One to eight bytes changed, cut out or doubled."""
    damaged = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(damaged))
        how = chance.randrange(3)
        if how == 0:
            damaged[at] ^= chance.randint(1, 255)
        elif how == 1:
            del damaged[at : at + chance.randint(1, 40)]
        else:
            damaged[at:at] = damaged[at : at + chance.randint(1, 40)]
    return bytes(damaged)


def truncated(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content))]


def restructured(tree: Any, chance: random.Random, others: list[Any]) -> Any:
    """A copy of nested tables with one to three entries removed, added, or put in another type."""
    damaged = copy.deepcopy(tree)
    for _ in range(chance.randint(1, 3)):
        places = list(_places(damaged))
        if not places:
            break
        holder, key = chance.choice(places)
        how = chance.randrange(3)
        if how == 0:
            del holder[key]
        elif how == 1:
            holder[key] = copy.deepcopy(chance.choice(others))
        elif isinstance(holder, dict):
            holder[chance.choice(["", "colour", "id", "kind"])] = copy.deepcopy(chance.choice(others))
        else:
            holder.append(copy.deepcopy(chance.choice(others)))
    return damaged


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every entry of nested dicts and lists, as holder and key."""
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in entries:
        yield node, key
        yield from _places(value)


def damaged_suites(text: str, tree: dict[str, Any], count: int, seed: int) -> Iterator[bytes]:
    """A suite file's text and its tables, damaged in `count` ways."""
    chance = random.Random(seed)
    for i in range(count):
        if i % 4 == 0:
            yield bytes_flipped(text.encode(), chance)
        elif i % 4 == 1:
            yield truncated(text.encode(), chance)
        else:
            yield tomli_w.dumps(restructured(tree, chance, OTHERS)).encode()


def damaged_records(content: bytes, count: int, seed: int) -> Iterator[bytes]:
    """A record's file damaged in `count` ways; in a third the content hash is corrected, as a forger would do."""
    chance = random.Random(seed)
    body = json.loads(content)
    for i in range(count):
        if i % 4 == 0:
            yield bytes_flipped(content, chance)
        elif i % 4 == 1:
            yield truncated(content, chance)
        else:
            damaged = restructured(body, chance, JSON_OTHERS)
            if i % 4 == 3 and isinstance(damaged, dict):
                damaged.pop("content_hash", None)
                damaged["content_hash"] = sha256(canonical(damaged))
            yield json.dumps(damaged).encode()


def refusals(contents: Iterator[bytes], read: Callable[[bytes], Suite | Record], name: str) -> dict[str, int]:
    """How many were refused and how many are still sound; any other exception propagates."""
    counts = {"refused": 0, "sound": 0}
    for content in contents:
        refusal = _refusal(content, read)
        counts["sound" if refusal is None else "refused"] += 1
        if refusal is not None:
            assert str(refusal).startswith(f"{name}: "), refusal
            assert len(str(refusal)) > len(name) + 10
        if isinstance(refusal, SuiteError):
            assert all(p.key and p.got and p.allowed and p.mend for p in refusal.problems), refusal
    return counts


def _refusal(content: bytes, read: Callable[[bytes], Suite | Record]) -> SuiteError | StoreError | None:
    try:
        read(content)
    except (SuiteError, StoreError) as error:
        return error
    return None


def suite_reader(name: str) -> Callable[[bytes], Suite]:
    return lambda content: parse(content, name)


def record_reader(path: Path) -> Callable[[bytes], Record]:
    def read(content: bytes) -> Record:
        path.write_bytes(content)
        return read_record(path)

    return read
