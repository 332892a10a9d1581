"""The content of a record, and its bounds.

Axes: P curve point, E episode.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from baselines.specs import Unit, later
from bench.output.escaping import visible
from bench.plan import Note
from bench.stats import LARGEST
from bench.store.files import canonical, sha256
from bench.suite.base import LARGEST_COUNT

RECORD_SCHEMA = 2
_COUNTS: dict[tuple[int, ...], tuple[int, ...]] = {}
_RISING: set[tuple[int, ...]] = set()  # counts that were already checked

Count = Annotated[int, Field(ge=0, le=LARGEST_COUNT)]
Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]  # the spread of larger ones would overflow
Seconds = Annotated[float, Field(ge=0, le=LARGEST)]
Spread = Annotated[float, Field(ge=0, le=LARGEST)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]  # SHA-256
RunId = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]  # it names files


def _prints(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"got {visible(text[:100])}; allowed: printable characters, on one line")
    return text


Line = Annotated[str, AfterValidator(_prints)]  # a terminal that shows other characters would obey them


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Curve(Frozen):
    """Points over training: episodes and environment steps done; mean, standard deviation and count at each.

    updates: gradient updates done, if the run's budget counts them. [P], P > 0; these counts never decrease from one
    point to the next.
    """

    episodes: Annotated[tuple[Count, ...], Field(min_length=1)]
    steps: tuple[Count, ...]
    updates: tuple[Count, ...] | None = later(None)
    mean: tuple[Number | None, ...]  # None: not a number within bounds
    sd: tuple[Spread | None, ...]
    n: tuple[Count, ...]

    @field_validator("episodes", "steps", "updates")
    @classmethod
    def _rising(cls, counts: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if counts is not None and counts not in _RISING:
            if any(after < before for before, after in pairwise(counts)):
                raise ValueError("counts that never decrease from point to point")
            _RISING.add(counts)
        return counts

    def at(self, unit: Unit) -> tuple[int, ...]:
        """Where its points lie, in the unit that its run counts by."""
        found: tuple[int, ...] | None = getattr(self, unit)
        if found is None:
            raise ValueError(f"a curve has no {unit}: its run does not count them")
        return found

    @field_validator("episodes", "steps", "updates", "n")
    @classmethod
    def _once(cls, counts: tuple[int, ...] | None) -> tuple[int, ...] | None:
        """Keep equal counts only once: all runs of a cell have the same, and they are most of a record's size."""
        return None if counts is None else _COUNTS.setdefault(counts, counts)

    @model_validator(mode="after")
    def _even(self) -> Curve:
        points = len(self.episodes)
        lists = (self.steps, self.episodes if self.updates is None else self.updates, self.mean, self.sd, self.n)
        if any(len(own) != points for own in lists):
            raise ValueError(f"steps, updates, mean, sd and n: as many points as episodes, {points}")
        if 0 in self.n:
            raise ValueError(f"n: got 0 at point {self.n.index(0)}; allowed: at least 1 value for a point")
        return self


class Scores(Frozen):
    """The result of a run in one scenario.

    curves: "training", "evaluation", "loss/<name>"; a scenario that it was not trained on has only "evaluation"; an
    ensemble also has those of `bench.run.members`.
    returns: those of the final evaluation's episodes [E]; empty without an evaluation. final: their mean, to the last
    bit; None if there is no return or one is None. members: the same for each member of an ensemble.
    """

    curves: dict[str, Curve]
    returns: tuple[Number | None, ...]
    final: Number | None
    members: tuple[tuple[Number | None, ...], ...] = later(())

    @classmethod
    def of(
        cls, curves: Mapping[str, Curve], returns: Iterable[float], members: Iterable[Iterable[float]] = ()
    ) -> Scores:
        """Scores with the mean of the returns. A return that is out of bounds becomes None."""
        kept = tuple(within(value) for value in returns)
        each = tuple(tuple(within(value) for value in own) for own in members)
        return cls(curves=dict(curves), returns=kept, final=_mean(kept), members=each)

    @property
    def best_member(self) -> float | None:
        """The highest mean of a member's returns; the final score if there is no ensemble."""
        means = [_mean(own) for own in self.members] or [self.final]
        known = [mean for mean in means if mean is not None]
        return max(known) if len(known) == len(means) else None

    @model_validator(mode="after")
    def _own_mean(self) -> Scores:
        if self.final != (mean := _mean(self.returns)):
            raise ValueError(f"final: got {self.final}; allowed: {mean}, the mean of the returns")
        return self


class Numbers(Frozen):
    """The numbers that must repeat. All of it is hashed. A field added later, here or in a part, must be `specs.later`.

    scores: for each scenario, in the order of `plan.scored` (names are not part of the numbers).
    """

    scores: tuple[Scores, ...]
    first_update: Count | None  # place of the first update, in the budget's unit
    weights: Digest  # of the weights file


class Provenance(Frozen):
    """Where the numbers come from; nothing here changes a verdict.

    environment: variables that can change numbers (processes/numerical.py), with their values during training.
    """

    started: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
    wall_s: Seconds
    cpu_s: Seconds
    lanes: Count  # seeds trained together
    device: Line
    hardware: Line
    packages: dict[Line, Line]
    commit: Annotated[str, Field(pattern="^[0-9a-f]{1,64}$")] | None
    dirty: bool | None
    anew: Count = later(0)  # how often, after a stop, new episodes of a game that does not repeat began
    environment: dict[Line, Line] = later({})
    platform: Line = later("")  # the class within which runs repeat to the last bit (processes/platforms.py)


class TeacherRef(Frozen):
    run: RunId
    weights: Digest  # of the checkpoint that taught


class Record(Frozen):
    """One finished run, or one that failed and says why."""

    schema_version: Literal[2] = RECORD_SCHEMA
    run: RunId
    cell: RunId
    suite: Line
    suite_version: Count
    experiment: Line
    method: Line
    training_set: Line
    profile: Line
    seed: Count
    settings: dict[str, Any]
    teachers: tuple[TeacherRef, ...]  # one for each task, or none
    notes: tuple[Note, ...]
    status: Literal["finished", "failed"]
    reason: str
    numbers: Numbers
    provenance: Provenance
    remarks: tuple[str, ...] = later(())  # about a method from elsewhere

    @model_validator(mode="after")
    def _ended(self) -> Record:
        if self.status == "finished" and any(scores.final is None for scores in self.numbers.scores):
            raise ValueError("numbers: a finished run has a final score in each scenario")
        return self


def within(value: float) -> float | None:
    """The number, or None if it is not finite or out of a record's bounds."""
    return value if abs(value) <= LARGEST else None


def _mean(returns: tuple[float | None, ...]) -> float | None:
    numbers = [value for value in returns if value is not None]
    import numpy as np  # imported here: suites and plans do not need it

    return float(np.mean(numbers)) if numbers and len(numbers) == len(returns) else None


def numbers_hash(record: Record) -> str:
    return sha256(canonical(record.numbers.model_dump(mode="json")))
