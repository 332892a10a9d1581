"""Results from elsewhere on disk: <results>/imported/<name>.json, one file per import, hashed like a record.

They are kept apart from our own runs: nothing that judges, plans or reports runs reads this folder. Imports are never
joined or changed. To change one, delete it and make it again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from bench.exchange import ExchangeError
from bench.exchange.candidates import Refused
from bench.exchange.declaration import Declaration
from bench.stats import LARGEST
from bench.store import Frozen, Store, StoreError, canonical, readable, sha256, write_atomically
from bench.store.reading import each_once
from bench.store.records import Count
from bench.suite.explain import Problem, key_path, shown
from bench.suite.foreign import read_bytes

IMPORT_SCHEMA = 1
Format = Literal["marl-eval", "csv"]
AGAIN = "delete it, and import the file again"
MOST_BYTES = 2**28  # in an import, which is at most four times as long as its source

Score = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]  # the spread of larger ones would overflow


class ImportedRun(Frozen):
    """A run that somebody else made. steps, mean: its evaluations, in the suite's metric. final: its final score.

    final_steps: training steps until the final evaluation, if the file states them.
    """

    method: str
    scenario: str
    seed: Count
    steps: tuple[Count, ...]
    mean: tuple[Score, ...]
    final: Score
    final_steps: Count | None = None

    @model_validator(mode="after")
    def _even(self) -> ImportedRun:
        if len(self.steps) != len(self.mean) or any(after <= before for before, after in pairwise(self.steps)):
            raise ValueError("increasing steps, and as many means")
        return self

    @property
    def trained(self) -> int | None:
        """Training steps behind the final score: until the final or else the last evaluation; None if unknown."""
        return self.final_steps if self.final_steps is not None else max(self.steps, default=None)

    @property
    def key(self) -> tuple[str, str, int]:
        return self.method, self.scenario, self.seed

    @property
    def place(self) -> str:
        return f"{self.method} on {self.scenario}, seed {self.seed}"


class Source(Frozen):
    """The imported file or folder. sha256: for a folder, that of the list of its files with their hashes."""

    file: str
    format: Format
    sha256: str


class Import(Frozen):
    """The runs of one file with their declared protocol. name: the import's unique name."""

    schema_version: Literal[1] = IMPORT_SCHEMA
    status: Literal["imported"] = "imported"
    name: str
    suite: str
    suite_version: int
    source: Source
    protocol: Declaration
    runs: tuple[ImportedRun, ...]
    refused: tuple[Refused, ...]

    @model_validator(mode="after")
    def _as_declared(self) -> Import:
        if len({run.key for run in self.runs}) < len(self.runs):
            raise ValueError("runs: each seed of a method in a scenario once")
        if others := {run.seed for run in self.runs} - {*self.protocol.seeds}:
            raise ValueError(f"runs: seed {min(others)} is not among the protocol's")
        return self

    @property
    def methods(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(run.method for run in self.runs))

    @property
    def scenarios(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(run.scenario for run in self.runs))

    def label(self, method: str) -> str:
        """The method's name in tables. It shows that the method was not run here."""
        return f"{method} (imported: {self.name})"

    def of(self, method: str, scenario: str) -> dict[int, ImportedRun]:
        """Runs by seed, in their order."""
        found = {run.seed: run for run in self.runs if (run.method, run.scenario) == (method, scenario)}
        return {seed: found[seed] for seed in sorted(found)}

    def final_scores(self, method: str, scenario: str) -> dict[int, float]:
        """Final scores by seed; empty without runs."""
        return {seed: run.final for seed, run in self.of(method, scenario).items()}


@dataclass(frozen=True)
class Imports:
    """The imported results in a results folder. damaged: damaged files, with the reason."""

    sound: tuple[Import, ...]
    damaged: Mapping[Path, str]

    def of_suite(self, suite: str) -> tuple[Import, ...]:
        return tuple(found for found in self.sound if found.suite == suite)


def folder(root: Path) -> Path:
    return Store(root).imported


def imports(root: Path) -> Imports:
    """Everything that was imported into a results folder, by name."""
    sound, damaged = [], {}
    for path in sorted(folder(root).glob("[!.]*.json")):
        try:
            sound.append(read_import(path))
        except StoreError as error:
            damaged[path] = str(error)
    return Imports(tuple(sound), damaged)


def require_new(root: Path, name: str, source: Source, suite: str, metric: str) -> None:
    """Refuse a name that is invalid or taken, and a file whose metric was already imported for this suite.

    metric: its name in the file. Raises ExchangeError.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}", name):
        allowed = "letters, digits, '_', '.' and '-', at most 80"
        raise ExchangeError("(command line)", [Problem("--name", shown(name), allowed, "choose another")])
    path = folder(root) / f"{name}.json"
    if path.exists():
        problem = Problem("--name", shown(name), "a name that is not taken", f"choose another, or delete {path}")
        raise ExchangeError("(command line)", [problem])
    for other in imports(root).sound:
        same = (other.source.sha256, other.suite, other.protocol.column) == (source.sha256, suite, metric)
        if same and other.source.format == source.format:
            got = f"the source of {folder(root) / other.name}.json"
            allowed = "each file once for a metric and a suite"
            raise ExchangeError(source.file, [Problem("(file)", got, allowed, "delete that import first")])


def write_import(root: Path, found: Import) -> Path:
    """Write it completely or not at all. Returns its path. Raises OSError."""
    path = folder(root) / f"{found.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    body = found.model_dump(mode="json")
    body |= {"numbers_hash": sha256(canonical(body["runs"]))}
    body |= {"content_hash": sha256(canonical(body))}
    write_atomically(path, readable(body))
    return path


def read_import(path: Path) -> Import:
    """An import with its hashes checked. Raises StoreError."""
    try:
        body: Any = json.loads(read_bytes(path, MOST_BYTES), object_pairs_hook=each_once)
        stated = (
            {key: body.pop(key, None) for key in ("content_hash", "numbers_hash")} if isinstance(body, dict) else {}
        )
        hashed = sha256(canonical({**body, "numbers_hash": stated["numbers_hash"]})) if stated else ""
        numbers = sha256(canonical(body.get("runs"))) if stated else ""
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(f"{path}: not a complete JSON file ({error}); {AGAIN}") from error
    if not stated:
        raise StoreError(f"{path}: not imported results; {AGAIN}")
    for key, own in (("content_hash", hashed), ("numbers_hash", numbers)):
        if stated[key] != own:
            raise StoreError(f"{path}: {key} does not match the file's content: it was edited or damaged; {AGAIN}")
    try:
        found = Import.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        raise StoreError(f"{path}: {key_path(first['loc'], body)}: {first['msg']}; {AGAIN}") from error
    if path.stem != found.name:
        raise StoreError(f"{path}: contains the import {found.name}; {AGAIN}")
    return found


def summary(found: Import) -> Iterator[str]:
    """A line for each method and scenario."""
    for method in found.methods:
        for scenario in found.scenarios:
            if seeds := found.of(method, scenario):
                yield f"{found.label(method)} on {scenario}: seeds {', '.join(map(str, seeds))}"
