"""What a record holds."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, field_validator

from bench.plan import Note
from bench.store.files import canonical, sha256

RECORD_SCHEMA = 2
_COUNTS: dict[tuple[int, ...], tuple[int, ...]] = {}


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


def numbers_hash(record: Record) -> str:
    return sha256(canonical(record.numbers.model_dump(mode="json")))
