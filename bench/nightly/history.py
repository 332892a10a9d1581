"""Nights as small records, one file each: `<results>/nights/<night>-<hash>.json`. Folders merge by copying."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from bench.nightly.stored import MOST_BYTES, Frozen
from bench.store import StoreError, canonical, readable, sha256, write_atomically
from bench.suite.foreign import read_bytes


class FindingRecord(Frozen):
    cause: str
    says: str
    fails: bool


class ComparisonRecord(Frozen):
    """A comparison without its scores, which the runs' own records hold."""

    name: str
    scenario: str
    against: str
    state: str
    recent: int
    known: int
    shift: float
    p: float
    level: float


class NightRecord(Frozen):
    """The outcome of one check. canaries: how many of each state. cells: run ids by cell name. failed, again: why.

    exact: whether the canaries were compared to the last bit.
    """

    schema_version: Literal[1] = 1
    night: datetime.date
    started: str
    seconds: float
    commit: str | None
    dirty: bool | None
    platform: str
    exact: bool
    packages: dict[str, str]
    suites: tuple[str, ...]
    exit_code: int
    findings: tuple[FindingRecord, ...]
    canaries: dict[str, int]
    cells: dict[str, tuple[str, ...]]
    failed: dict[str, str]
    again: dict[str, str]
    postponed: dict[str, str]
    comparisons: tuple[ComparisonRecord, ...]


def append(root: Path, record: NightRecord) -> Path:
    """The path of the new record. Two checks of one night get two files. Raises StoreError."""
    body = record.model_dump(mode="json")
    path = root / "nights" / f"{record.night}-{sha256(canonical(body))[:12]}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, readable(body))
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from error
    return path


def nights(root: Path) -> tuple[list[NightRecord], list[str]]:
    """Every night in order, and one line for each file that is not a night's record."""
    found, damaged = [], []
    for path in sorted((root / "nights").glob("*.json")):
        try:
            found.append(NightRecord.model_validate_json(read_bytes(path, MOST_BYTES)))
        except (OSError, ValidationError) as error:
            damaged.append(f"{path}: {str(error).splitlines()[0]}")
    return sorted(found, key=lambda night: (night.night, night.started)), damaged
