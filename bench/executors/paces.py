"""How fast methods train: the seconds that runs took divided by those of `executors.model`, by device.

Measurements are in `<results>/paces.json`. They hold what was measured and no ratio, so they outlive a change of the
model.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from bench.executors.model import model_s
from bench.plan import Cell, digest, scored
from bench.store import Frozen, Record, Store, StoreError, write_atomically
from bench.suite import unit_of
from bench.suite.foreign import read_bytes

FILE = "paces.json"
MOST_BYTES = 2**26
CPU, GPU = "cpu", "cuda"


@dataclass(frozen=True)
class Pace:
    """A run's seconds divided by the modelled seconds. cell: its key. kind: its method's, see `kind`.

    factor: for CPU seconds, or on a GPU for the seconds that it had the GPU to itself.
    """

    cell: str
    kind: str
    device: str
    hardware: str
    factor: float


@dataclass(frozen=True)
class Paces:
    """Paces besides the results folder's own runs. measured: on this machine. published: from others' runs."""

    measured: tuple[Pace, ...] = ()
    published: tuple[Pace, ...] = ()


class At(Frozen):
    """How far runs are. done: by each, in the budget's unit. cpu_s: each one's share so far. wall_s: of all at once."""

    done: int = Field(ge=0)
    cpu_s: float = Field(ge=0)
    wall_s: float = Field(ge=0)


START = At(done=0, cpu_s=0.0, wall_s=0.0)


class Measured(Frozen):
    """The progress of some runs of a cell that trained together. lanes: their number. on: the day.

    device: cpu or cuda. hardware: the processor's name, or the GPU's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    suite: str
    method: str
    training_set: str
    settings: dict[str, Any]
    device: str
    hardware: str
    begun: At
    ended: At
    lanes: int = Field(ge=1)
    on: str

    @model_validator(mode="after")
    def _went_on(self) -> Measured:
        if self.ended.done <= self.begun.done or self.ended.cpu_s <= self.begun.cpu_s:
            raise ValueError("begun and ended: no progress between them")
        return self

    @property
    def pace(self) -> Pace:
        cpu_s, wall_s = self.ended.cpu_s - self.begun.cpu_s, self.ended.wall_s - self.begun.wall_s
        factor = (cpu_s if self.device == CPU else wall_s / self.lanes) / self._modelled_s
        return Pace(digest(self.settings), kind(self.settings), self.device, self.hardware, factor)

    @property
    def _modelled_s(self) -> float:
        """Modelled seconds of the progress. A finished run counts in full, with its last evaluation."""
        budget = self.settings["budget"]
        whole = self.ended.done == budget[unit_of(budget)]
        ended = model_s(self.settings, None if whole else self.ended.done)
        return ended - (model_s(self.settings, self.begun.done) if self.begun.done else 0.0)


class Seen:
    """Paces, by cell and by kind of method."""

    def __init__(self, paces: Iterable[Pace], device: str):
        self.own = [pace for pace in paces if pace.device == device]

    def of(self, cell: Cell) -> list[float]:
        """The cell's own paces, else those of its kind."""
        return self.exactly(cell) or self.like(cell)

    def exactly(self, cell: Cell) -> list[float]:
        """The cell's own paces."""
        return self._by_cell.get(cell.key, [])

    def like(self, cell: Cell) -> list[float]:
        """The paces of its kind."""
        return self._by_kind.get(kind(cell.settings), [])

    @cached_property
    def _by_cell(self) -> Mapping[str, list[float]]:
        return _grouped((pace.cell, pace.factor) for pace in self.own)

    @cached_property
    def _by_kind(self) -> Mapping[str, list[float]]:
        return _grouped((pace.kind, pace.factor) for pace in self.own)


def kind(settings: Mapping[str, Any]) -> str:
    """The kind of a run: its algorithm with its version, and its families. Runs of one kind have about one pace."""
    families = sorted({own.family for own in scored(settings)})
    return json.dumps([settings["algorithm"], families], sort_keys=True)


def pace_of(record: Record) -> Pace | None:
    """The pace of a finished run; None if its time is unknown."""
    took, device = record.provenance, record.provenance.device.partition(":")[0]
    seconds = took.cpu_s if device == CPU else took.wall_s / took.lanes
    if record.status != "finished" or seconds <= 0:
        return None
    return Pace(record.cell, kind(record.settings), device, took.hardware, seconds / model_s(record.settings))


def published_in(store: Store) -> tuple[Pace, ...]:
    """The paces of all sound records in a folder; none if there is no such folder."""
    records = (record for own in store.contents().cells.values() for record in own.values())
    return tuple(pace for record in records if (pace := pace_of(record)) is not None)


def stored(store: Store) -> tuple[Measured, ...]:
    """Earlier measurements. Raises StoreError if the file is damaged."""
    path = store.root / FILE
    if not path.exists():
        return ()
    try:
        return TypeAdapter(tuple[Measured, ...]).validate_json(read_bytes(path, MOST_BYTES))
    except (ValidationError, OSError) as error:
        why = str(error).splitlines()[0]
        raise StoreError(f"{path}: not a file of measurements ({why}); delete it, and measure again") from error


def keep(store: Store, found: Iterable[Measured]) -> None:
    """Add measurements. For each cell and device only the newest is kept."""
    every = {(digest(one.settings), one.device, one.hardware): one for one in (*stored(store), *found)}
    content = json.dumps([one.model_dump(mode="json") for one in every.values()], indent=1, sort_keys=True)
    write_atomically(store.root / FILE, f"{content}\n".encode())


def _grouped(pairs: Iterable[tuple[str, float]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for key, factor in pairs:
        found.setdefault(key, []).append(factor)
    return found
