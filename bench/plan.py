"""Suite x profile -> a DAG of cells and runs. A run's id is a hash of everything that can change its numbers.

A cell is a method on a training set; a run is a cell with a seed. Two experiments that ask for the same numbers share
the run: names are not part of its id, resolved settings are.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from baselines.specs import ALGORITHMS
from bench.envs import FAMILIES
from bench.explain import Problem, listed, nearest, shown
from bench.suite import BudgetChange, Experiment, Setting, Suite, SuiteError
from bench.suite.contradictions import wrong_budget, wrong_hyperparameters

PLAN_FORMAT = 1  # of the hashed settings; bumped when the harness itself changes the numbers of every run
COMMAND_LINE = "(command line)"  # what errors call a request that is in no file
DeviationClass = Literal["substitute", "reduced", "changed", "assumed", "erratum"]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Note(Frozen):
    """A deviation as a record and a verdict carry it."""

    id: str
    class_: DeviationClass
    says: str


class Selection(Frozen):
    """What part of a suite is asked for. seeds: None asks for the profile's. settings: `--set` entries."""

    profile: str = "full"
    only: tuple[str, ...] = ()
    seeds: tuple[int, ...] | None = None
    settings: tuple[str, ...] = ()


class Cell(Frozen):
    """One method on one training set, resolved. key: a hash of its settings, the same for all its seeds."""

    key: str
    suite: str
    experiment: str
    method: str
    training_set: str
    settings: dict[str, Any]
    teacher: str | None  # the teacher's cell key
    seeds: tuple[int, ...]
    notes: tuple[Note, ...]

    @property
    def label(self) -> str:
        return f"{self.method} on {self.training_set}"


class Run(Frozen):
    """One cell x seed. id: a hash of the cell's settings, the seed and the teacher's run id."""

    id: str
    cell: str
    seed: int
    teacher: str | None  # the teacher's run id


class Waiting(Frozen):
    """A method on a training set that cannot run here yet. waits_for: what is missing."""

    experiment: str
    method: str
    training_set: str
    waits_for: str


class Plan(Frozen):
    """Cells and runs in an order in which teachers come first. shard: "i/n" where it is a part, else nothing.

    waiting: what was asked for and cannot run here yet.
    """

    suite: str
    suite_version: int
    profile: str
    cells: tuple[Cell, ...]
    runs: tuple[Run, ...]
    shard: str = ""
    waiting: tuple[Waiting, ...] = ()

    def cell(self, key: str) -> Cell:
        return next(cell for cell in self.cells if cell.key == key)


def digest(value: Any) -> str:
    """Sixteen hex digits of the SHA-256 of a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def make_plan(suite: Suite, selection: Selection) -> Plan:
    """The runs that a selection asks for, with the teachers they need. Raises SuiteError."""
    if selection.profile not in suite.profile:
        raise _refused("--profile", selection.profile, suite.profile)
    resolver = _Resolver(suite, selection)
    waiting: list[Waiting] = []
    for experiment in selected(suite, selection.only):
        for method in experiment.methods:
            if suite.waits_for(experiment, method):
                waiting += _waiting(suite, experiment, method)
            else:
                resolver.cell(experiment, method)
    cells = tuple(resolver.cells.values())
    return Plan(
        suite=suite.id,
        suite_version=suite.version,
        profile=selection.profile,
        cells=cells,
        runs=tuple(_runs(cells)),
        waiting=tuple(waiting),
    )


def _waiting(suite: Suite, experiment: Experiment, method: str) -> Iterator[Waiting]:
    """A method's cells, each with what its own scenarios lack; where they lack nothing, what the others do."""
    for t in experiment.training_sets:
        why = suite.waits_for(experiment, method, (*t.scenarios, *(t.score_on or ())))
        why = why or suite.waits_for(experiment, method)
        yield Waiting(experiment=experiment.id, method=method, training_set=t.id, waits_for=why)


def sharded(plan: Plan, shard: str) -> Plan:
    """Part "i/n" of a plan: every n-th of its seeds, from the i-th on, with all their cells. Raises SuiteError.

    A student learns from the teacher of its own seed, so no shard waits for another and their folders merge by copying.
    """
    if not shard:
        return plan
    seeds = sorted({run.seed for run in plan.runs})
    parts = [int(part) for part in shard.split("/")] if re.fullmatch(r"[0-9]{1,6}/[0-9]{1,6}", shard) else [0, 0]
    index, count = parts
    if not 1 <= index <= count <= len(seeds):
        allowed = f"i/n with 1 <= i <= n <= {len(seeds)}, the plan's seeds: a seed is never split"
        raise SuiteError(COMMAND_LINE, [Problem("--shard", shown(shard), allowed, "e.g. --shard 1/2, --shard 2/2")])
    own = set(seeds[index - 1 :: count])
    cells = (cell.model_copy(update={"seeds": tuple(s for s in cell.seeds if s in own)}) for cell in plan.cells)
    runs = tuple(run for run in plan.runs if run.seed in own)
    return plan.model_copy(update={"cells": tuple(c for c in cells if c.seeds), "runs": runs, "shard": shard})


def cells_of(suite: Suite, selection: Selection, experiment: Experiment) -> dict[str, Cell]:
    """The cell of each of an experiment's methods that can run, with the notes that apply to it. Raises SuiteError."""
    ready = [method for method in experiment.methods if not suite.waits_for(experiment, method)]
    return {method: _Resolver(suite, selection).cell(experiment, method) for method in ready}


def selected(suite: Suite, only: Iterable[str]) -> list[Experiment]:
    """Experiments by id; all where none is named. Raises SuiteError."""
    ids = [e.id for e in suite.experiment]
    for name in only:
        if name not in ids:
            raise _refused("--only", name, ids)
    return [e for e in suite.experiment if not only or e.id in only]


def _refused(key: str, got: str, allowed: Iterable[str]) -> SuiteError:
    names = list(allowed)
    return SuiteError(COMMAND_LINE, [Problem(key, shown(got), listed(names), f"name one of them{nearest(got, names)}")])


def _runs(cells: Iterable[Cell]) -> Iterator[Run]:
    ids: dict[tuple[str, int], str] = {}
    for cell in cells:
        for seed in cell.seeds:
            teacher = ids[cell.teacher, seed] if cell.teacher else None
            id_ = digest({"cell": cell.key, "seed": seed, "teacher": teacher})
            ids[cell.key, seed] = id_
            yield Run(id=id_, cell=cell.key, seed=seed, teacher=teacher)


class _Resolver:
    """Collects cells, teachers before students, each once, with the seeds that anything needs."""

    def __init__(self, suite: Suite, selection: Selection):
        self.suite, self.selection = suite, selection
        self.cells: dict[str, Cell] = {}
        self.changes = [_parse_setting(text) for text in selection.settings]
        self._check_changes()

    def cell(self, experiment: Experiment, method_id: str, needed: Iterable[int] = ()) -> Cell:
        """The cell, registered with its experiment's seeds and those that its students need."""
        suite = self.suite
        seeds = tuple(sorted({*self._seeds(experiment), *needed}))
        teaching = suite.teacher_of(experiment, method_id)
        teacher = self.cell(*teaching, needed=seeds) if teaching else None
        settings = self._settings(experiment, method_id) | {"teacher": teacher.key if teacher else None}
        key = digest(settings)
        if key in self.cells:
            seeds = tuple(sorted({*self.cells[key].seeds, *seeds}))
            self.cells[key] = self.cells[key].model_copy(update={"seeds": seeds})
        else:
            self.cells[key] = Cell(
                key=key,
                suite=suite.id,
                experiment=experiment.id,
                method=method_id,
                training_set=experiment.training_set.id,
                settings=settings,
                teacher=teacher.key if teacher else None,
                seeds=seeds,
                notes=tuple(dict.fromkeys([*self._notes(experiment, method_id), *(teacher.notes if teacher else ())])),
            )
        return self.cells[key]

    def _seeds(self, experiment: Experiment) -> tuple[int, ...]:
        if self.selection.seeds is not None:
            return self.selection.seeds
        return tuple(range(self.suite.profile[self.selection.profile].seeds or experiment.seeds.value))

    def _settings(self, experiment: Experiment, method_id: str) -> dict[str, Any]:
        """Everything but the seed that can change a run's numbers."""
        scenario = self.suite["scenario", experiment.training_set.scenarios[0]]
        algorithm = self.suite["method", method_id].algorithm
        budget = experiment.episodes(self.suite.profile[self.selection.profile].budget) | self._changed_budget()
        hyperparameters = {name: s.value for name, s in self._hyperparameters(method_id).items()}
        model = ALGORITHMS[algorithm].hyperparameters.model_validate(hyperparameters)
        problems = list(wrong_budget(experiment.id, method_id, model, scenario.steps, budget))
        if problems:
            raise SuiteError(COMMAND_LINE, problems)
        return {
            "format": PLAN_FORMAT,
            "scenario": {
                "family": scenario.family,
                "version": FAMILIES[scenario.family].version,
                "params": scenario.params,
                "episode_limit": scenario.steps,
                "metric": scenario.metric,
            },
            "algorithm": {"name": algorithm, "version": ALGORITHMS[algorithm].version},
            "hyperparameters": hyperparameters,
            "budget": budget,
        }

    def _hyperparameters(self, method_id: str) -> dict[str, Setting]:
        settings = self.suite.settings(method_id)
        for owner, name, value in self.changes:
            if owner in (None, method_id) and name in settings:
                settings[name] = Setting(value=value, source="--set")
        algorithm = self.suite["method", method_id].algorithm
        problems = list(wrong_hyperparameters(method_id, algorithm, settings))
        if problems:
            raise SuiteError(COMMAND_LINE, problems)
        return settings

    def _changed_budget(self) -> dict[str, Any]:
        changed = {name: value for owner, name, value in self.changes if owner == "budget"}
        for name, value in changed.items():
            if type(value) is not int or value < 1:
                problem = Problem(f"--set budget.{name}", shown(value), "a whole number >= 1", "correct the value")
                raise SuiteError(COMMAND_LINE, [problem])
        return changed

    def _check_changes(self) -> None:
        """Every `--set` names a budget key, a method's hyperparameter, or a hyperparameter of some method."""
        names = {m.id: list(self.suite.settings(m.id)) for m in self.suite.method}
        budget = list(BudgetChange.model_fields)
        for owner, name, _ in self.changes:
            if owner is None:
                allowed = sorted({n for own in names.values() for n in own})
            elif owner == "budget" or owner in names:
                allowed = budget if owner == "budget" else names[owner]
            else:
                raise _refused("--set", owner, ["budget", *names])
            if name not in allowed:
                raise _refused(f"--set {owner or ''}{'.' if owner else ''}{name}", name, allowed)

    def _notes(self, experiment: Experiment, method_id: str) -> Iterator[Note]:
        """Declared deviations, a reduced budget, changed settings, and what the suite file assumes."""
        suite = self.suite
        applies = {experiment.id, *experiment.training_set.scenarios, *(m.id for m in suite.lineage(method_id))}
        for d in suite.deviation:
            if applies & {*d.applies_to}:
                yield Note(id=d.id, class_=d.class_, says=d.says)
        own, reduced = experiment.episodes(), experiment.episodes(suite.profile[self.selection.profile].budget)
        if own != reduced:
            says = f"profile {self.selection.profile}: {reduced['episodes']} of {own['episodes']} episodes"
            yield Note(id="profile", class_="reduced", says=says)
        for text in self.selection.settings:
            owner, name, _ = _parse_setting(text)
            if owner in ("budget", method_id) or (owner is None and name in suite.settings(method_id)):
                yield Note(id="--set", class_="changed", says=text)
        if experiment.seeds.kind == "assumed":
            says = f"{experiment.seeds.value} seeds, unless --seeds chooses others: {experiment.seeds.source}"
            yield Note(id="seeds", class_="assumed", says=says)
        if experiment.budget.kind == "assumed":
            says = f"{experiment.budget.episodes} episodes: {experiment.budget.source}"
            yield Note(id="budget", class_="assumed", says=says)
        if experiment.recording and experiment.recording.kind == "assumed":
            points = f"a training point every {experiment.recording.record_every} episodes"
            yield Note(id="recording", class_="assumed", says=f"{points}: {experiment.recording.source}")
        for name, setting in suite.settings(method_id).items():
            if setting.kind == "assumed":
                yield Note(id=name, class_="assumed", says=f"{name} = {setting.value}: {setting.source}")


def _parse_setting(text: str) -> tuple[str | None, str, Any]:
    """`method.key=value`, `budget.key=value` or `key=value` -> (owner, key, value); values are read as TOML."""
    key, separator, value = text.partition("=")
    if not separator or not key.strip() or not value.strip():
        problem = Problem("--set", shown(text), "[METHOD.|budget.]KEY=VALUE", "e.g. --set maddpg.lr=0.005")
        raise SuiteError(COMMAND_LINE, [problem])
    owner, dot, name = key.strip().rpartition(".")
    try:
        parsed = tomllib.loads(f"value = {value.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    return (owner if dot else None), name, parsed
