"""A results folder against its own hashes: records, weights, teachers, imports, and files that do not belong there.

It only reads and repairs nothing. A run that another record names as its teacher must have weights, unless the folder
has no weights at all: such a folder publishes only records, and its weights are absent, not missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from safetensors import SafetensorError
from safetensors.numpy import load

from bench.store import Record, Store, StoreError, read_record, sha256
from bench.store.checkpoints import AGAIN
from bench.store.files import MOST_TENSORS
from bench.store.ledger import STRANGER
from bench.store.reading import lost_teachers, sound
from bench.store.settled import parameters
from bench.suite.foreign import read_bytes

LEFT = "a finished run has left it there; delete it, or let the next bench run of the plan do so"


@dataclass(frozen=True)
class Finding:
    """A problem of a file. file: its path inside the folder."""

    kind: Literal["damaged", "missing", "leftover", "unknown"]
    file: str
    what: str


@dataclass(frozen=True)
class Verified:
    """imports: number of sound imports. absent: runs whose weights are not here and need not be.

    unfinished: runs in progress or interrupted.
    """

    finished: int
    failed: int
    weights: int
    imports: int
    findings: tuple[Finding, ...]
    absent: tuple[str, ...]
    unfinished: tuple[str, ...]


def verify(
    store: Store,
    imports: int = 0,
    damaged: Mapping[Path, str] = MappingProxyType({}),
    wrong_name: Callable[[Record], str] = lambda record: "",
) -> Verified:
    """Check every hash of a results folder. Raises StoreError if there is no such folder.

    imports: number of its sound imports. damaged: damaged imports, with the reason. wrong_name: gives the reason why a
    record cannot be a run of the method that it names (`names.py`), "" if it can.
    """
    if not (store.root / "records").is_dir() and not store.imported.is_dir():
        lacks = "it has neither a folder `records` nor `imported`"
        raise StoreError(f"{store.root}: not a results folder: {lacks}; name one that bench run or bench import made")
    records: dict[str, Record] = {}
    findings = list(_read(store, records))
    records, others = sound(records)
    others |= {run: f"{why}; delete it" for run, record in records.items() if (why := wrong_name(record))}
    records = {run: record for run, record in records.items() if run not in others}
    findings += [
        Finding("damaged", str(store.record_path(run).relative_to(store.root)), problem)
        for run, problem in others.items()
    ]
    present = {path.stem: path for path in sorted((store.root / "weights").glob("[!.]*.safetensors"))}
    leftovers = store.leftovers()
    findings += _weights(store, records, present)
    findings += _teachers(store, records)
    findings += [
        Finding("damaged", str(path.relative_to(store.root)), problem.removeprefix(f"{path}: "))
        for path, problem in damaged.items()
    ]
    findings += [
        Finding("leftover", str(path.relative_to(store.root)), LEFT)
        for run in sorted(leftovers.keys() & records.keys())
        for path in leftovers[run]
    ]
    failed = sum(record.status == "failed" for record in records.values())
    return Verified(
        finished=len(records) - failed,
        failed=failed,
        weights=len(present),
        imports=imports,
        findings=tuple(findings),
        absent=tuple(sorted(records.keys() - present.keys() - _required(records, present))),
        unfinished=tuple(sorted((leftovers.keys() | present.keys()) - records.keys())),
    )


def _read(store: Store, records: dict[str, Record]) -> Iterator[Finding]:
    """Put every sound record into `records`."""
    for path in sorted((store.root / "records").glob("[!.]*")):
        name = str(path.relative_to(store.root))
        if path.suffix != ".json":
            yield Finding("unknown", name, "not a record; delete it")
            continue
        try:
            record = read_record(path)
        except StoreError as error:
            yield Finding("damaged", name, str(error).removeprefix(f"{path}: "))
            continue
        if run := store.ledger.stranger(path):
            yield Finding("unknown", name, f"{STRANGER.format(run=run)}; the next bench run sets it aside")
            continue
        records[record.run] = record


def _required(records: Mapping[str, Record], present: Mapping[str, Path]) -> set[str]:
    """Runs whose weights must be in the folder."""
    return {teacher.run for r in records.values() for teacher in r.teachers} if present else set()


def _weights(store: Store, records: Mapping[str, Record], present: Mapping[str, Path]) -> Iterator[Finding]:
    for run in sorted(_required(records, present) - present.keys()):
        name = str(store.weights_path(run).relative_to(store.root))
        yield Finding("missing", name, f"another record names the run as its teacher; {AGAIN}")
    for run in sorted(records.keys() & present.keys()):
        name, stated = str(present[run].relative_to(store.root)), records[run].numbers.weights
        try:
            content = read_bytes(present[run], MOST_TENSORS)
        except OSError as error:
            yield Finding("damaged", name, f"cannot be read: {error.strerror}")
            continue
        if (held := sha256(content)) != stated:
            yield Finding("damaged", name, f"SHA-256 {held[:12]}... is not the record's {stated[:12]}...; {AGAIN}")
        elif problem := _another_policy(records[run], content):
            yield Finding("damaged", name, f"{problem}; {AGAIN}")


def _another_policy(record: Record, content: bytes) -> str:
    """Why weights cannot be those of the record's method; "" if they can, or if their number is unknown."""
    allowed = parameters(record) if record.status == "finished" else None
    if allowed is None:
        return ""
    try:
        got = sum(array.size for array in load(content).values())
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        return f"not a complete safetensors file ({error})"
    return "" if got == allowed else f"got {got:,} numbers; allowed: {allowed:,}, the policy of the record's settings"


def _teachers(store: Store, records: Mapping[str, Record]) -> Iterable[Finding]:
    """Problems of teachers: each must be here, finished, and have the weights that its student learned from."""
    for run, record in records.items():
        name = str(store.record_path(run).relative_to(store.root))
        for lost in lost_teachers(record, records):
            yield Finding("damaged" if lost.there else "missing", name, lost.what)
