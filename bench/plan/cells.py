"""Cells and runs, for plans, records and reports. A run's id is a hash of everything that can change its numbers.

A cell is a method on a training set; a run is a cell with a seed. The id holds resolved settings and no names, so two
experiments that ask for the same numbers share the run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from baselines.specs import ALGORITHMS, later
from bench.suite import PRIMARY, Unit, unit_of
from bench.suite.base import Derived

PLAN_FORMAT = 1  # of the hashed settings; goes up when the harness itself changes the numbers of every run
DeviationClass = Literal["substitute", "reduced", "changed", "assumed", "erratum", "shared", "reading"]


class Frozen(Derived):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Note(Frozen):
    """A deviation, for records and verdicts. scenarios: those it is about; None: the whole run."""

    id: str
    class_: DeviationClass
    says: str
    scenarios: tuple[str, ...] | None = None


class Selection(Frozen):
    """The part of a suite that is asked for. seeds: None means the profile's. settings: `--set` entries.

    only: experiments, methods: methods of theirs, which plans extend by their teachers; () means all. reading: the one
    that the suite is already under; plans name it.
    """

    profile: str = "full"
    only: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    seeds: tuple[int, ...] | None = None
    settings: tuple[str, ...] = ()
    reading: str = PRIMARY


class Scored(Frozen):
    """A scenario in a cell's settings. trained: False if the team is only scored on it.

    teacher: the key of the cell that teaches this task. plays_as: for an untrained scenario, the number of the trained
    task that it is played as; None: the first. All fields are hashed: a field added later must be `specs.later`.
    """

    family: str
    version: int
    params: dict[str, Any]
    episode_limit: int
    metric: str
    trained: bool = True
    teacher: str | None = None
    plays_as: int | None = later(None)


class Cell(Frozen):
    """One method on one training set, resolved. key: a hash of its settings, the same for all its seeds.

    scenarios: the names in the suite of those it is scored on, in the order of `scored`, trained ones first.
    """

    key: str
    suite: str
    experiment: str
    method: str
    training_set: str
    scenarios: tuple[str, ...]
    settings: dict[str, Any]
    seeds: tuple[int, ...]
    notes: tuple[Note, ...]

    @property
    def label(self) -> str:
        return f"{self.method} on {self.training_set}"

    @property
    def scored(self) -> tuple[Scored, ...]:
        return scored(self.settings)

    @property
    def trained(self) -> tuple[str, ...]:
        """The scenarios that it is trained on, by their names in the suite."""
        return tuple(name for name, s in zip(self.scenarios, self.scored, strict=True) if s.trained)

    def notes_on(self, scenario: str) -> tuple[Note, ...]:
        """The deviations that a verdict on one of its scenarios names.

        They are those of the run and those of this scenario. A scenario that it was not trained on has those of all
        trained scenarios. A substitute for another of its tasks appears as class "shared", since the same network
        learned that task.
        """
        found: list[Note] = []
        for note in self.notes:
            if note.scenarios is None or scenario in note.scenarios or scenario not in self.trained:
                found.append(note.model_copy(update={"scenarios": None}))
            elif note.class_ == "substitute":
                tasks = ", ".join(name for name in self.trained if name in note.scenarios)
                says = f"the team was also trained on a substitute task, {tasks}: {note.says}"
                found.append(Note(id=note.id, class_="shared", says=says))
        return tuple(dict.fromkeys(found))

    @property
    def guest(self) -> bool:
        """Whether its method comes from elsewhere and so runs in a process of its own."""
        return guest(self.settings)

    @property
    def teachers(self) -> tuple[str, ...]:
        """The keys of the cells that teach it, one for each task it is trained on."""
        return teacher_cells(self.settings)

    @property
    def unit(self) -> Unit:
        """The unit that its runs count by."""
        return unit_of(self.settings["budget"])

    @property
    def whole(self) -> int:
        """Its budget, in its unit."""
        return self.settings["budget"][self.unit]

    @property
    def steps(self) -> int:
        """The most environment steps that training takes, in all tasks; 0 if the budget counts updates."""
        return self.steps_of(self.whole)

    def steps_of(self, done: int) -> int:
        """The most environment steps for `done` of its unit, in all tasks."""
        limits = [s.episode_limit for s in self.scored if s.trained]
        if self.unit == "episodes":
            return sum(
                n * max(0, min(done, end) - start)
                for n, (start, end) in zip(limits, spans(self.settings), strict=False)
            )
        return done * {"steps": len(limits), "updates": 0}[self.unit]


class Entrant(Frozen):
    """A method that the suite does not know, for plans.

    algorithm, hyperparameters: its part of a cell's settings. teacher: whether it learns from the suite's teachers.
    """

    name: str
    algorithm: dict[str, Any]
    hyperparameters: dict[str, Any]
    teacher: bool


class Run(Frozen):
    """One cell x seed. id: a hash of the cell's settings, the seed and the teacher's run id."""

    id: str
    cell: str
    seed: int
    teachers: tuple[str, ...] = ()  # the teachers' run ids, one for each task


class Waiting(Frozen):
    """A method on a training set that cannot run here yet. waits_for: what is missing."""

    experiment: str
    method: str
    training_set: str
    waits_for: str


class Plan(Frozen):
    """Cells and runs, teachers before students. shard: "i/n" for a part of a plan, else "".

    waiting: cells that were asked for and cannot run here yet.
    """

    suite: str
    suite_version: int
    profile: str
    cells: tuple[Cell, ...]
    runs: tuple[Run, ...]
    shard: str = ""
    waiting: tuple[Waiting, ...] = ()

    def cell(self, key: str) -> Cell:
        return self._by_key[key]

    @cached_property
    def _by_key(self) -> dict[str, Cell]:
        return {cell.key: cell for cell in self.cells}


def digest(value: Any) -> str:
    """Sixteen hex digits of the SHA-256 of a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def scored(settings: Mapping[str, Any]) -> tuple[Scored, ...]:
    """The scenarios of a cell's settings. A cell of one scenario has it under "scenario", with "teacher" beside it."""
    if "scenario" in settings:
        return (Scored(**settings["scenario"], teacher=settings["teacher"]),)
    return tuple(Scored.model_validate(s) for s in settings["scenarios"])


def spans(settings: Mapping[str, Any]) -> list[tuple[int, int]]:
    """For each of a cell's scenarios, the part (start, end) of the budget in which it is played or evaluated.

    If a method takes its tasks in order, the last task begins where the first phase ends, and the others end there.
    Scenarios that it is only scored on are evaluated in the second phase.
    """
    budget, places = settings["budget"], scored(settings)
    whole, end = budget[unit_of(budget)], budget.get("first_phase")
    algorithm = None if guest(settings) else ALGORITHMS.get(settings["algorithm"].get("name"))
    trained = sum(place.trained for place in places)
    if end is None or algorithm is None or not algorithm.in_order:
        return [(0, whole)] * len(places)
    return [(0, end)] * (trained - 1) + [(end, whole)] * (len(places) - trained + 1)


def teacher_cells(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys of the cells that teach a cell with these settings, one for each task it is trained on, or none."""
    return tuple(s.teacher for s in scored(settings) if s.teacher is not None)


def guest(settings: Mapping[str, Any]) -> bool:
    """Whether the method of a cell's settings comes from elsewhere: then the settings hold a hash of its source."""
    return "source" in settings["algorithm"]


def hashed_hyperparameters(model: type[BaseModel], stated: Mapping[str, Any]) -> dict[str, Any]:
    """The stated hyperparameters that go into a cell's settings: all but `specs.later` ones at their default.

    Raises pydantic's ValidationError.
    """
    dumped = model.model_validate(dict(stated)).model_dump()
    return {name: value for name, value in stated.items() if name in dumped}


def cell_settings(scenarios: tuple[Scored, ...], others: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `scored`: the settings whose hash is a cell's key. others: algorithm, hyperparameters, budget."""
    if len(scenarios) == 1:
        (one,) = scenarios
        own = one.model_dump(exclude={"trained", "teacher"})
        return {"format": PLAN_FORMAT, "scenario": own, **others, "teacher": one.teacher}
    return {"format": PLAN_FORMAT, "scenarios": [s.model_dump() for s in scenarios], **others}


def run_id(cell: str, seed: int, teachers: tuple[str, ...]) -> str:
    """A run's id. A single teacher, or none, is hashed under "teacher"; several under "teachers"."""
    taught = {"teachers": list(teachers)} if len(teachers) > 1 else {"teacher": teachers[0] if teachers else None}
    return digest({"cell": cell, "seed": seed, **taught})
