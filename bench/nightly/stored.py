"""What a nightly check keeps beside the reference results: canaries, the accepted baseline, the pinned reference.

    <baseline>/canaries/<platform class>.json    every canary's numbers on that class
    <baseline>/nightly/accepted.json             scores by seed; only `bench nightly accept` moves them
    <baseline>/nightly/pinned.json               the same, from long ago; only `bench nightly accept --pin` moves them

Each file keeps the reason of every change.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.processes.platforms import Platform
from bench.store import StoreError, readable, write_atomically
from bench.suite.explain import key_path
from bench.suite.foreign import read_bytes

MOST_BYTES = 2**26  # of a file, or of a night's record
Curves = dict[str, dict[str, dict[str, tuple[float | None, ...]]]]  # means by seed, scenario and name


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Change(Frozen):
    """Why a file was written. commit: of the code that wrote it, if known."""

    when: str
    reason: str
    commit: str | None
    dirty: bool | None


class Canary(Frozen):
    """A canary's numbers. cell: the hash of its settings. numbers: each seed's `numbers_hash`."""

    cell: str
    settings: dict[str, Any]
    numbers: dict[str, str]
    curves: Curves


Drawn = Canary  # the same, just made


class CanaryFile(Frozen):
    """The canaries of one platform class, by name. packages: the versions they were made with."""

    schema_version: Literal[1] = 1
    platform: Platform
    packages: dict[str, str]
    changes: tuple[Change, ...]
    canaries: dict[str, Canary]


class Known(Frozen):
    """A cell's scores: by scenario and seed."""

    name: str
    suite: str
    scores: dict[str, dict[int, float]]


class Reference(Frozen):
    """The scores that fresh seeds are compared with, by cell key. changes: the last one first."""

    schema_version: Literal[1] = 1
    changes: tuple[Change, ...]
    cells: dict[str, Known]


Kept = TypeVar("Kept", CanaryFile, Reference)


def canary_path(baseline: Path, platform: Platform) -> Path:
    return baseline / "canaries" / f"{platform.name}.json"


def accepted_path(baseline: Path) -> Path:
    return baseline / "nightly" / "accepted.json"


def pinned_path(baseline: Path) -> Path:
    return baseline / "nightly" / "pinned.json"


def canary_files(baseline: Path) -> list[CanaryFile]:
    """All stored canary files. Raises StoreError."""
    return [read(path, CanaryFile) for path in sorted((baseline / "canaries").glob("*.json"))]


def nearest(files: list[CanaryFile], platform: Platform) -> tuple[CanaryFile | None, bool]:
    """The canaries of this class and True; else those of the class most like it and False. None if there are none."""
    if exact := [file for file in files if file.platform == platform]:
        return exact[0], True
    return max(files, key=lambda file: file.platform.likeness(platform), default=None), False


def alike(kept: CanaryFile, files: list[CanaryFile]) -> list[str]:
    """Other classes whose canaries have the same numbers to the last bit, for all canaries that both have."""
    found = []
    for other in files:
        both = [(own, other.canaries[name]) for name, own in kept.canaries.items() if name in other.canaries]
        same = [own.numbers == theirs.numbers for own, theirs in both if own.cell == theirs.cell]
        if other.platform != kept.platform and same and all(same):
            found.append(other.platform.name)
    return found


def reference(path: Path) -> Reference:
    """A reference; without cells if there is no file. Raises StoreError."""
    return read(path, Reference) if path.exists() else Reference(changes=(), cells={})


def read(path: Path, model: type[Kept]) -> Kept:
    """Raises StoreError that names the file and what is wrong with it."""
    try:
        return model.model_validate_json(read_bytes(path, MOST_BYTES))
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        mend = "restore it from version control"
        raise StoreError(f"{path}: {key_path(first['loc'], {})}: {first['msg']}; {mend}") from error


def write(path: Path, kept: CanaryFile | Reference) -> None:
    """Raises StoreError if the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, readable(kept.model_dump(mode="json")))
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from error
