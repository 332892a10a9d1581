"""Record files -> records. Reading checks the hashes, and that each record is the run that it claims to be."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.plan import digest, run_id, scored, teacher_cells
from bench.store.files import StoreError, canonical, sha256
from bench.store.records import RECORD_SCHEMA, Record
from bench.store.settled import contradiction, learned
from bench.suite.explain import key_path, shown
from bench.suite.foreign import read_bytes

START, END = b'{\n "', b"\n}\n"  # of files written by `readable`
INDENTS = re.compile(rb"\n *")
KEY = re.compile(rb'"\s*:')  # the end of a key; inside a string it would be \":
AGAIN = "delete it, and the run is made again"
MOST_BYTES = 2**26  # in a record: a hundred thousand points of ten curves; a published record has 100,000 bytes


def read_record(path: Path) -> Record:
    """A record whose hashes are right, and whose file name and id follow from its settings, seed and teachers.

    Raises StoreError, which names the file and the problem.
    """
    try:
        content = read_bytes(path, MOST_BYTES)
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror or error}; {AGAIN}") from error
    record = _as_written(content) or _parsed(path, content)
    if path.stem != record.run:
        raise StoreError(f"{path}: contains the record of run {record.run}; delete it, or restore its name")
    if problem := _false_id(record) or _other_scenarios(record) or contradiction(record):
        raise StoreError(f"{path}: {problem}; delete it")
    return record


def false_teacher(record: Record, found: Callable[[str], Record | None], taught: Set[str] = frozenset()) -> str:
    """The problem of a teacher that is not a run of the settings' cell at the record's seed; "" if there is none.

    found: gives the record for a run's id, if there is one. It is needed for a teacher that was taught itself: only its
    own record names its teachers, and its id depends on them. taught: cells that are known to have teachers. A teacher
    of any other cell without a record here may be an untaught run.
    """
    for i, (cell, named) in enumerate(zip(teacher_cells(record.settings), record.teachers, strict=True)):
        teacher = found(named.run)
        if teacher is None and cell not in taught and named.run == run_id(cell, record.seed, ()):
            continue
        own = teacher is not None and (teacher.cell, teacher.seed) == (cell, record.seed)
        if teacher is None or not own or false_teacher(teacher, found, taught):
            allowed = f"the run of cell {cell} with seed {record.seed}, whose record must be here if it was taught"
            return f"teachers[{i}].run: got {named.run}; allowed: {allowed}; copy that record here, or delete this one"
    return ""


@dataclass(frozen=True)
class LostTeacher:
    """A teacher whose record does not confirm its student's record. there: whether it has a finished record."""

    run: str
    there: bool
    what: str


def lost_teachers(record: Record, records: Mapping[str, Record]) -> Iterator[LostTeacher]:
    """A student's teachers that have no sound finished record here, or had other weights.

    records: the sound ones, by run.
    """
    for i, named in enumerate(record.teachers):
        key, teacher = f"teachers[{i}]", records.get(named.run)
        if teacher is None or teacher.status != "finished":
            yield LostTeacher(
                named.run, False, f"{key}.run: {named.run} has no sound, finished record here; copy it here"
            )
        elif teacher.numbers.weights != named.weights:
            stated, held = named.weights[:12], teacher.numbers.weights[:12]
            what = f"{key}.weights: learned from {stated}..., but the record of {teacher.run} states {held}..."
            yield LostTeacher(named.run, True, f"{what}; delete this record, and the run is made again")


def sound(records: Mapping[str, Record]) -> tuple[dict[str, Record], dict[str, str]]:
    """The records that count among those of sound files, by run, and why the others do not count.

    A cell has one run per seed. There may be two candidates, since nothing here shows whether their teachers were
    taught. Then the one whose teachers' records are here counts.
    """
    taught = {record.cell for record in records.values() if record.teachers}
    others = {
        run: problem for run, record in records.items() if (problem := false_teacher(record, records.get, taught))
    }
    places: dict[tuple[str, int], list[Record]] = {}
    for run, record in records.items():
        if run not in others:
            places.setdefault((record.cell, record.seed), []).append(record)
    for rivals in places.values():
        known = [r for r in rivals if all(teacher.run in records for teacher in r.teachers)]
        for record in rivals if len(rivals) > 1 else ():
            if len(known) != 1 or record is not known[0]:
                seed, runs = record.seed, ", ".join(r.run for r in rivals)
                others[record.run] = (
                    f"run: cell {record.cell} has several runs of seed {seed}: {runs}; delete the wrong ones"
                )
    others |= _same_weights([record for run, record in records.items() if run not in others])
    return {run: record for run, record in records.items() if run not in others}, others


def _same_weights(records: Iterable[Record]) -> dict[str, str]:
    """Runs of different seeds with the same weights, and why they do not count: all but one are copies."""
    found: dict[str, list[Record]] = {}
    for record in records:
        if learned(record):
            found.setdefault(record.numbers.weights, []).append(record)
    several = [own for own in found.values() if len({record.seed for record in own}) > 1]
    return {
        record.run: f"numbers.weights: {', '.join(f'{r.run} (seed {r.seed})' for r in own)} state the same weights, "
        "which two seeds never have; delete the copies"
        for own in several
        for record in own
    }


def _false_id(record: Record) -> str:
    """Why the id is not this run's; "" if it is."""
    try:
        cells = teacher_cells(record.settings)
    except (KeyError, TypeError, ValueError) as error:
        return f"settings: no cell has these ({type(error).__name__}: {str(error).splitlines()[0]})"
    if len(record.teachers) != len(cells):
        return f"teachers: got {len(record.teachers)}; allowed: {len(cells)}, as the settings say"
    if record.run != run_id(record.cell, record.seed, tuple(teacher.run for teacher in record.teachers)):
        return "run: the id is not the hash of cell, seed and teachers"
    return ""


def _other_scenarios(record: Record) -> str:
    """Why the numbers do not fit the settings' scenarios; "" if they do."""
    if (got := len(record.numbers.scores)) != (allowed := len(scored(record.settings))):
        return f"numbers.scores: got {got}; allowed: {allowed}, one for each scenario of the settings"
    return ""


def _as_written(content: bytes) -> Record | None:
    """The record of a file as `write_record` writes it; None for any other file, sound or not.

    The file's text without its blanks is the canonical text. That text is hashed and parsed, so a file that was not
    written exactly so has a wrong hash and can never become another record. Strings hold no line ends, so a line end
    shows where an entry begins. Blanks inside the numbers are not part of strings. If a text has more keys than its
    record, a key occurs twice.
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
    text = start + tail + b"}"
    try:
        record = Record.model_validate_json(text)
    except ValidationError:
        return None
    if len(KEY.findall(text)) != _keys(record):
        return None
    settings = tail.partition(b'"settings":')[2].partition(b',"status":')[0]
    return record if record.cell == sha256(settings)[:16] else None


def _keys(record: Record) -> int:
    """The number of keys in the record's JSON, in all tables together."""
    numbers, provenance = record.numbers, record.provenance
    curves = [curve for scores in numbers.scores for curve in scores.curves.values()]
    parts = (record, numbers, provenance, *numbers.scores, *curves, *record.notes, *record.teachers)
    tables = (record.settings, provenance.packages, provenance.environment)
    return len(curves) + sum(len(part.model_fields_set) for part in parts) + sum(map(_keys_in, tables))


def _keys_in(value: Any) -> int:
    """The number of keys in a JSON value."""
    if isinstance(value, dict):
        return len(value) + sum(map(_keys_in, value.values()))
    return sum(map(_keys_in, value)) if isinstance(value, list) else 0


def _compact(text: bytes) -> bytes:
    """The entries without the blanks that `readable` puts before lines and after keys."""
    return INDENTS.sub(b"", text).replace(b'": ', b'":')


def _quoted(text: str) -> bytes:
    return f'"{text}"'.encode()


def _parsed(path: Path, content: bytes) -> Record:
    """The record of any JSON, with any blanks and of any schema. Raises StoreError."""
    try:
        body = json.loads(content, parse_constant=_no_number, object_pairs_hook=each_once)
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()  # half a surrogate pair is not Unicode
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path}: not a complete JSON file ({error}); {AGAIN}") from error
    if not isinstance(body, Mapping):
        raise StoreError(f"{path}: not a record; {AGAIN}")
    body = dict(body)
    stated, numbers = body.pop("content_hash", None), body.pop("numbers_hash", None)
    if stated != sha256(canonical(body | {"numbers_hash": numbers})):
        raise StoreError(f"{path}: content_hash does not match the file's content: it was edited or damaged; {AGAIN}")
    if numbers != sha256(canonical(body.get("numbers"))):
        raise StoreError(f"{path}: numbers_hash does not match the numbers; {AGAIN}")
    body = upgraded(body)
    try:
        record = Record.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        said = first["msg"].removeprefix("Value error, ")
        raise StoreError(f"{path}: {key_path(first['loc'], body)}: {said}; {AGAIN}") from error
    if record.cell != digest(record.settings):
        raise StoreError(f"{path}: cell: {record.cell} is not the hash of the settings; {AGAIN}")
    return record


def upgraded(body: dict[str, Any]) -> dict[str, Any]:
    """A record's JSON in today's schema. Schema 1 had one scenario and one teacher per run."""
    if body.get("schema_version") != 1:
        return body
    numbers, teacher = body.get("numbers"), body.get("teacher")
    if isinstance(numbers, Mapping) and "scores" not in numbers:
        own = {key: numbers[key] for key in ("curves", "returns", "final") if key in numbers}
        body = body | {"numbers": {k: v for k, v in numbers.items() if k not in own} | {"scores": [own]}}
    others = {key: value for key, value in body.items() if key != "teacher"}
    return others | {"schema_version": RECORD_SCHEMA, "teachers": [teacher] if teacher else []}


def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The table; ValueError if a key occurs twice. Python's own reader takes the last value, others the first."""
    if len(table := dict(pairs)) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {shown(next(name for name in names if names.count(name) > 1))} occurs twice")
    return table


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
