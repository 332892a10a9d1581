"""Record files -> records, with their hashes checked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.explain import key_path
from bench.plan import digest
from bench.store.files import StoreError, canonical, sha256
from bench.store.records import RECORD_SCHEMA, Record

START, END = b'{\n "', b"\n}\n"  # of a file that `readable` wrote
INDENTS = re.compile(rb"\n *")
AGAIN = "delete it, and the run is made again"


def read_record(path: Path) -> Record:
    """A record with its hashes checked. Raises StoreError that names the file and what is wrong with it."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path}: not a whole JSON file ({error}); {AGAIN}") from error
    record = _as_written(content) or _parsed(path, content)
    if path.stem != record.run:
        raise StoreError(f"{path}: holds the record of run {record.run}; {AGAIN}")
    return record


def _as_written(content: bytes) -> Record | None:
    """The record of a file as `write_record` leaves it; None of any other, sound or not.

    Hashed is the canonical text that the file's own text makes without its blanks, and that text is what is parsed: a
    file that is not quite as written is a wrong hash, never another record. Strings hold no line ends, so these tell
    where an entry begins; blanks inside the numbers are none of theirs.
    """
    if not (content.startswith(START) and content.endswith(END)):
        return None
    head, _, rest = content[1 : -len(END)].partition(b'\n "numbers": ')
    numbers, _, rest = rest.partition(b',\n "numbers_hash": ')
    numbers_hash, _, rest = rest.partition(b",")
    numbers, tail = numbers.translate(None, b" \n"), _compact(rest)
    before, _, rest = _compact(head).partition(b'"content_hash":')
    content_hash, _, after = rest.partition(b",")
    start = b'{%b%b"numbers":%b,' % (before, after, numbers)
    body = b'%b"numbers_hash":%b,%b}' % (start, numbers_hash, tail)
    if _quoted(sha256(body)) != content_hash or _quoted(sha256(numbers)) != numbers_hash:
        return None
    try:
        record = Record.model_validate_json(start + tail + b"}")
    except ValidationError:
        return None
    settings = tail.partition(b'"settings":')[2].partition(b',"status":')[0]
    return record if record.cell == sha256(settings)[:16] else None


def _compact(text: bytes) -> bytes:
    """Entries without the blanks that `readable` puts before lines and after keys."""
    return INDENTS.sub(b"", text).replace(b'": ', b'":')


def _quoted(text: str) -> bytes:
    return f'"{text}"'.encode()


def _parsed(path: Path, content: bytes) -> Record:
    """The record of any JSON, whatever its blanks and its schema. Raises StoreError."""
    try:
        body = json.loads(content, parse_constant=_no_number)
        canonical(body)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path}: not a whole JSON file ({error}); {AGAIN}") from error
    if not isinstance(body, Mapping):
        raise StoreError(f"{path}: not a record; {AGAIN}")
    body = dict(body)
    stated, numbers = body.pop("content_hash", None), body.pop("numbers_hash", None)
    if stated != sha256(canonical(body | {"numbers_hash": numbers})):
        raise StoreError(f"{path}: content_hash does not match what the file holds: it was edited or damaged; {AGAIN}")
    if numbers != sha256(canonical(body.get("numbers"))):
        raise StoreError(f"{path}: numbers_hash does not match the numbers; {AGAIN}")
    body = upgraded(body)
    try:
        record = Record.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        raise StoreError(f"{path}: {key_path(first['loc'], body)}: {first['msg']}; {AGAIN}") from error
    if record.cell != digest(record.settings):
        raise StoreError(f"{path}: cell: {record.cell} is not the hash of the settings; {AGAIN}")
    return record


def upgraded(body: dict[str, Any]) -> dict[str, Any]:
    """A record's JSON in today's schema. Schema 1 knew one scenario and one teacher a run."""
    if body.get("schema_version") != 1:
        return body
    numbers, teacher = body.get("numbers"), body.get("teacher")
    if isinstance(numbers, Mapping) and "scores" not in numbers:
        own = {key: numbers[key] for key in ("curves", "returns", "final") if key in numbers}
        body = body | {"numbers": {k: v for k, v in numbers.items() if k not in own} | {"scores": [own]}}
    others = {key: value for key, value in body.items() if key != "teacher"}
    return others | {"schema_version": RECORD_SCHEMA, "teachers": [teacher] if teacher else []}


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
