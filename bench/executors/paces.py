"""How fast methods train: seconds that runs took, over what `executors.model` says, by where that was seen.

Measured ones stand in `<results>/paces.json`. They are kept as they were seen, so a model that changes asks them anew.
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
    """What a run took over what the model says. cell: its key. kind: of its method, see `kind`.

    factor: of CPU seconds, or on a GPU of the seconds that the GPU was its own.
    """

    cell: str
    kind: str
    device: str
    hardware: str
    factor: float


@dataclass(frozen=True)
class Paces:
    """What is known beside the results folder's own runs. measured: on this machine. published: of others' runs."""

    measured: tuple[Pace, ...] = ()
    published: tuple[Pace, ...] = ()


class At(Frozen):
    """Where runs are. done: of the budget's unit, by each. cpu_s: each one's share so far; wall_s: of them all."""

    done: int = Field(ge=0)
    cpu_s: float = Field(ge=0)
    wall_s: float = Field(ge=0)


START = At(done=0, cpu_s=0.0, wall_s=0.0)


class Measured(Frozen):
    """From where to where runs of a cell came together. lanes: their number. on: the day.

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
            raise ValueError("nothing was done between begun and ended")
        return self

    @property
    def pace(self) -> Pace:
        cpu_s, wall_s = self.ended.cpu_s - self.begun.cpu_s, self.ended.wall_s - self.begun.wall_s
        factor = (cpu_s if self.device == CPU else wall_s / self.lanes) / self._modelled_s
        return Pace(digest(self.settings), kind(self.settings), self.device, self.hardware, factor)

    @property
    def _modelled_s(self) -> float:
        """A run that was done counts whole, its last evaluation among it."""
        budget = self.settings["budget"]
        whole = self.ended.done == budget[unit_of(budget)]
        ended = model_s(self.settings, None if whole else self.ended.done)
        return ended - (model_s(self.settings, self.begun.done) if self.begun.done else 0.0)


class Seen:
    """Paces, by cell and by kind of method."""

    def __init__(self, paces: Iterable[Pace], device: str):
        self.own = [pace for pace in paces if pace.device == device]

    def of(self, cell: Cell) -> list[float]:
        """The cell's own, else those of its kind."""
        return self.exactly(cell) or self.like(cell)

    def exactly(self, cell: Cell) -> list[float]:
        """The cell's own."""
        return self._by_cell.get(cell.key, [])

    def like(self, cell: Cell) -> list[float]:
        """Those of its kind."""
        return self._by_kind.get(kind(cell.settings), [])

    @cached_property
    def _by_cell(self) -> Mapping[str, list[float]]:
        return _grouped((pace.cell, pace.factor) for pace in self.own)

    @cached_property
    def _by_kind(self) -> Mapping[str, list[float]]:
        return _grouped((pace.kind, pace.factor) for pace in self.own)


def kind(settings: Mapping[str, Any]) -> str:
    """Runs of one kind have one pace, near enough: algorithm with its version, families of environments."""
    families = sorted({own.family for own in scored(settings)})
    return json.dumps([settings["algorithm"], families], sort_keys=True)


def pace_of(record: Record) -> Pace | None:
    """Of a run that finished; None where it took no time that is known."""
    took, device = record.provenance, record.provenance.device.partition(":")[0]
    seconds = took.cpu_s if device == CPU else took.wall_s / took.lanes
    if record.status != "finished" or seconds <= 0:
        return None
    return Pace(record.cell, kind(record.settings), device, took.hardware, seconds / model_s(record.settings))


def published_in(store: Store) -> tuple[Pace, ...]:
    """Of every sound record of a folder; none where there is no such folder."""
    records = (record for own in store.contents().cells.values() for record in own.values())
    return tuple(pace for record in records if (pace := pace_of(record)) is not None)


def stored(store: Store) -> tuple[Measured, ...]:
    """What was measured before. Raises StoreError where the file is damaged."""
    path = store.root / FILE
    if not path.exists():
        return ()
    try:
        return TypeAdapter(tuple[Measured, ...]).validate_json(read_bytes(path, MOST_BYTES))
    except (ValidationError, OSError) as error:
        why = str(error).splitlines()[0]
        raise StoreError(f"{path}: not what was measured ({why}); delete it, and measure again") from error


def keep(store: Store, found: Iterable[Measured]) -> None:
    """Add what was measured; of a cell and a device only the newest is kept."""
    every = {(digest(one.settings), one.device, one.hardware): one for one in (*stored(store), *found)}
    content = json.dumps([one.model_dump(mode="json") for one in every.values()], indent=1, sort_keys=True)
    write_atomically(store.root / FILE, f"{content}\n".encode())


def _grouped(pairs: Iterable[tuple[str, float]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for key, factor in pairs:
        found.setdefault(key, []).append(factor)
    return found
