"""Results on disk: one JSON record a run, weights, checkpoints. Atomic, hashed, versioned; folders merge by copying.

    <results>/records/<run id>.json            what a run measured, and where it comes from
    <results>/weights/<run id>.safetensors     its trained policy
    <results>/checkpoints/<run id>...          how far it is; removed when the record is written
    <results>/locks/<run id>.lock              held while a process trains it

A file is written under a temporary name, synced and renamed: it is whole or absent. A record carries two hashes:
`numbers_hash` over all that must repeat on the same platform, `content_hash` over everything.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from bench.explain import key_path
from bench.plan import Note, digest

RECORD_SCHEMA = 2
START, END = b'{\n "', b"\n}\n"  # of a file that `readable` wrote
INDENTS = re.compile(rb"\n *")
AGAIN = "delete it, and the run is made again"
WRITABLE, THERE = "make it writable", "bring the folder back"
MENDS = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there, or raise the quota",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f)",
    errno.EROFS: WRITABLE,
    errno.EACCES: WRITABLE,
    errno.EPERM: WRITABLE,
    errno.ENOENT: THERE,
    errno.ENOTDIR: THERE,
    errno.ESTALE: THERE,
}


_COUNTS: dict[tuple[int, ...], tuple[int, ...]] = {}


class StoreError(Exception):
    """A results folder that cannot be used, or a file in it that is not what was written."""


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Curve(Frozen):
    """Points over training: episodes and environment steps done; mean, standard deviation and count at each."""

    episodes: tuple[int, ...]
    steps: tuple[int, ...]
    mean: tuple[float | None, ...]  # None: not a finite number
    sd: tuple[float | None, ...]
    n: tuple[int, ...]

    @field_validator("episodes", "steps", "n")
    @classmethod
    def _once(cls, counts: tuple[int, ...]) -> tuple[int, ...]:
        """The same counts are held once: those of all runs of a cell are alike, and most of what a record takes."""
        return _COUNTS.setdefault(counts, counts)


class Scores(Frozen):
    """What a run came to in one scenario.

    curves: "training", "evaluation", "loss/<name>"; a scenario that it was not trained on has "evaluation" alone.
    returns: the final evaluation, per episode; final: their mean.
    """

    curves: dict[str, Curve]
    returns: tuple[float | None, ...]
    final: float | None


class Numbers(Frozen):
    """What must repeat. scores: of each scenario, in the order of `plan.scored` (names are no part of the numbers)."""

    scores: tuple[Scores, ...]
    first_update: int | None  # episodes of each task done at the first update
    weights: str  # SHA-256 of the weights file


class Provenance(Frozen):
    """Where the numbers come from; nothing here changes a verdict."""

    started: str
    wall_s: float
    cpu_s: float
    lanes: int  # seeds trained together
    device: str
    hardware: str
    packages: dict[str, str]
    commit: str | None
    dirty: bool | None


class TeacherRef(Frozen):
    run: str
    weights: str  # SHA-256 of the checkpoint it taught from


class Record(Frozen):
    """One finished run, or one that failed and says why."""

    schema_version: Literal[2] = RECORD_SCHEMA
    run: str
    cell: str
    suite: str
    suite_version: int
    experiment: str
    method: str
    training_set: str
    profile: str
    seed: int
    settings: dict[str, Any]
    teachers: tuple[TeacherRef, ...]  # one for each task, or none
    notes: tuple[Note, ...]
    status: Literal["finished", "failed"]
    reason: str
    numbers: Numbers
    provenance: Provenance


@dataclass(frozen=True)
class Found:
    """What a folder holds of one cell: sound records by seed, and what is wrong with the others."""

    records: dict[int, Record]
    damaged: tuple[str, ...]


@dataclass(frozen=True)
class Contents:
    """What a folder holds: sound records by cell and seed, and what is wrong with the others."""

    cells: Mapping[str, dict[int, Record]]
    damaged: tuple[str, ...]

    def of(self, cell: str) -> Found:
        return Found(self.cells.get(cell, {}), self.damaged)


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def numbers_hash(record: Record) -> str:
    return sha256(canonical(record.numbers.model_dump(mode="json")))


class Store:
    """A results folder."""

    def __init__(self, root: Path | str):
        self.root = Path(root)
        self.checkpoints = self.root / "checkpoints"

    def open_for_writing(self) -> None:
        """Make the folder and show that it can be written. Raises StoreError."""
        try:
            for part in ("records", "weights", "checkpoints", "locks"):
                (self.root / part).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root / "records") as probe:
                probe.write(bytes(4096))  # a full disk still takes empty files
        except OSError as error:
            mend = f"{MENDS.get(error.errno or 0, WRITABLE)}, or name a folder that can be written with --results DIR"
            raise StoreError(f"results folder {self.root} cannot be written: {error.strerror}; {mend}") from error

    def record_path(self, run: str) -> Path:
        return self.root / "records" / f"{run}.json"

    def weights_path(self, run: str) -> Path:
        return self.root / "weights" / f"{run}.safetensors"

    def write_record(self, record: Record) -> None:
        body = record.model_dump(mode="json") | {"numbers_hash": numbers_hash(record)}
        body["content_hash"] = sha256(canonical(body))
        write_atomically(self.record_path(record.run), readable(body))

    def record(self, run: str) -> Record | None:
        """A run's record, None where there is none. Raises StoreError, naming the file, where it is damaged."""
        path = self.record_path(run)
        return read_record(path) if path.exists() else None

    def settled(self, run: str) -> Record | None:
        """The sound record that says how the run ended; None where the run is still to be made, or made again."""
        try:
            return self.record(run)
        except StoreError:
            return None

    def finished(self, run: str) -> bool:
        """Whether a sound record says that the run finished."""
        record = self.settled(run)
        return record is not None and record.status == "finished"

    def forget_failure(self, run: str) -> None:
        """Remove the record of a run that failed, so that it is made again; what another process holds is left."""
        with self.claim(run) as mine:
            record = self.settled(run) if mine else None
            if record is not None and record.status == "failed":
                self.record_path(run).unlink()

    def forget_without_weights(self, run: str) -> bool:
        """Remove the record of a finished run whose weights are lost or damaged, so that both are made again."""
        with self.claim(run) as mine:
            record = self.settled(run) if mine else None
            if record is None or record.status != "finished":
                return False
            path = self.weights_path(run)
            if path.is_file() and sha256(path.read_bytes()) == record.numbers.weights:
                return False
            self.record_path(run).unlink()
            return True

    def cell(self, key: str, seeds: tuple[int, ...] | None = None) -> Found:
        """Every record of a cell, or of some of its seeds."""
        return self.cells({key}, seeds).get(key, Found({}, ()))

    def cells(self, keys: set[str], seeds: tuple[int, ...] | None = None) -> dict[str, Found]:
        """The records of several cells, each file read once. A damaged file is reported under every cell."""
        whole = self.contents(seeds)
        return {key: whole.of(key) for key in keys}

    def contents(self, seeds: tuple[int, ...] | None = None) -> Contents:
        """Every record of the folder, or of some seeds, each file read once."""
        cells: dict[str, dict[int, Record]] = {}
        damaged = []
        with _no_collection():
            for path in sorted((self.root / "records").glob("*.json"), key=lambda path: path.name):
                try:
                    record = read_record(path)
                except StoreError as error:
                    damaged.append(str(error))
                    continue
                if seeds is None or record.seed in seeds:
                    cells.setdefault(record.cell, {})[record.seed] = record
        return Contents(cells, tuple(damaged))

    @contextlib.contextmanager
    def claim(self, run: str) -> Iterator[bool]:
        """Whether this process got the run; no other trains it until the block ends, however it ends."""
        folder = self.root / "locks"
        if not folder.is_dir():  # filelock would make it anew, and hide that the results have vanished
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
        lock = FileLock(folder / f"{run}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def drop_checkpoint(self, run: str) -> None:
        (self.checkpoints / f"{run}.safetensors").unlink(missing_ok=True)
        shutil.rmtree(self.checkpoints / run, ignore_errors=True)

    def leftovers(self) -> dict[str, list[Path]]:
        """By run: what unfinished runs and killed processes left, which is checkpoints and half-written files."""
        found: dict[str, list[Path]] = {}
        for part in ("records", "weights", "checkpoints"):
            folder = self.root / part
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                if part == "checkpoints" or path.name.startswith("."):
                    found.setdefault(path.name.lstrip(".").partition(".")[0], []).append(path)
        return found

    def tidy(self, run: str) -> None:
        """Remove what a killed process left of a run that this process holds: half-written files, and the checkpoint
        where there is a record.
        """
        for folder in (self.root / "records", self.root / "weights", self.checkpoints):
            for path in folder.glob(f".{run}.*"):
                path.unlink(missing_ok=True)
        for path in (self.checkpoints / run).glob(".*"):
            path.unlink(missing_ok=True)
        if self.settled(run):
            self.drop_checkpoint(run)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """While many records are read: they have no cycles, and looking for some would take a third of the time."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collected:
            gc.enable()


def storage_problem(error: OSError, folder: Path | str) -> str:
    """One line about a results folder that stopped working under way: the path, why, and what to do."""
    mend = MENDS.get(error.errno or 0, "mend it")
    after = "then the same command goes on from the last checkpoints; records already written are whole"
    return f"{error.filename or folder}: {error.strerror or error}; {mend}, {after}"


def readable(body: Any) -> bytes:
    """JSON for files: keys in order, one a line, and a list of numbers on one line."""
    text = json.dumps(body, indent=1, sort_keys=True, allow_nan=False)
    lists = re.compile(r"\[\n *([-\d.eEnul,\n ]+?)\n *\]")  # of numbers and nulls alone
    breaks = re.compile(r",\n *")
    return lists.sub(lambda found: "[" + breaks.sub(", ", found[1]) + "]", text).encode() + b"\n"


def write_atomically(path: Path, content: bytes) -> None:
    """Write, sync, rename: readers see the old file or the new one, never a part. An OSError names the path."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:  # a failed write or sync does not say of which file
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with contextlib.suppress(OSError):  # a folder that cannot be written, as the error says
            temporary.unlink(missing_ok=True)


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
