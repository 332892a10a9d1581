"""From a suite's entries to cells: settings resolved, teachers first, every deviation noted."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from baselines.specs import ALGORITHMS, UNITS
from bench.envs import FAMILIES, checked, layouts_of
from bench.plan.cells import Cell, Entrant, Note, Scored, Selection, cell_settings, digest, hashed_hyperparameters
from bench.suite import (
    PRIMARY,
    RECORDING,
    Budget,
    BudgetChange,
    Experiment,
    Scenario,
    Seeds,
    Setting,
    Suite,
    SuiteError,
    TrainingSet,
    unit_of,
)
from bench.suite.contradictions import wrong_budget
from bench.suite.explain import Problem, explain, listed, nearest, shown
from bench.suite.settings import kind_of, wrong_hyperparameters

COMMAND_LINE = "(command line)"  # the name that errors give a request outside any file
BUDGET = "budget"


class Resolver:
    """Collects cells, teachers before students, each once, with all seeds that are needed."""

    def __init__(self, suite: Suite, selection: Selection):
        self.suite, self.selection = suite, selection
        self.cells: dict[str, Cell] = {}
        self.changes = [_parse_setting(text) for text in selection.settings]
        self._check_changes()

    def cell(self, experiment: Experiment, t: TrainingSet, method: str, needed: Iterable[int] = ()) -> Cell:
        """The cell, registered with its experiment's seeds and those that its students need."""
        seeds = tuple(sorted({*self.seeds(experiment), *needed}))
        taught = self.suite.teaching(experiment, t, method)
        teachers = tuple(self.cell(*teaching, needed=seeds) for teaching in taught)
        settings = self._settings(experiment, t, method, tuple(c.key for c in teachers))
        notes = self._notes(experiment, t, method)
        return self._registered(experiment, t, method, settings, seeds, teachers, notes)

    def entrant(self, experiment: Experiment, t: TrainingSet, method: Entrant) -> Cell:
        """The cell of a method from elsewhere, in place of the experiment's methods, with their teachers if it asks."""
        seeds = self.seeds(experiment)
        taught = self.suite.teachers_of(experiment, t) if method.teacher else ()
        teachers = tuple(self.cell(*teaching, needed=seeds) for teaching in taught)
        budget = self._budget(experiment, t, None)
        budget.pop("first_phase", None)  # it has only one phase
        others = {"algorithm": method.algorithm, "hyperparameters": method.hyperparameters}
        scenarios = tuple(self._scored(t, id_, tuple(c.key for c in teachers)) for id_ in t.scored)
        settings = cell_settings(scenarios, {**others, "budget": budget})
        notes = self._notes(experiment, t, None)
        return self._registered(experiment, t, method.name, settings, seeds, teachers, notes)

    def _registered(
        self,
        experiment: Experiment,
        t: TrainingSet,
        method: str,
        settings: dict[str, Any],
        seeds: tuple[int, ...],
        teachers: tuple[Cell, ...],
        notes: Iterable[Note],
    ) -> Cell:
        key = digest(settings)
        if key in self.cells:
            seeds = tuple(sorted({*self.cells[key].seeds, *seeds}))
            self.cells[key] = self.cells[key].model_copy(update={"seeds": seeds})
        else:
            taught = zip(teachers, t.scenarios, strict=False)  # no teachers, or one per task
            inherited = [_of_task(note, task) for teacher, task in taught for note in teacher.notes]
            self.cells[key] = Cell(
                key=key,
                suite=self.suite.id,
                experiment=experiment.id,
                method=method,
                training_set=t.id,
                scenarios=t.scored,
                settings=settings,
                seeds=seeds,
                notes=tuple(dict.fromkeys([*notes, *inherited])),
            )
        return self.cells[key]

    def seeds(self, experiment: Experiment) -> tuple[int, ...]:
        """The selection's seeds, else the experiment's own, in order."""
        if self.selection.seeds is not None:
            return self.selection.seeds
        return tuple(range(experiment.schedule(self.suite.profile[self.selection.profile]).most))

    def _settings(
        self, experiment: Experiment, t: TrainingSet, method_id: str, teachers: tuple[str, ...]
    ) -> dict[str, Any]:
        """Everything but the seed that can change a run's numbers."""
        algorithm = self.suite["method", method_id].algorithm
        budget = self._budget(experiment, t, method_id)
        stated = {name: s.value for name, s in self._hyperparameters(method_id, t).items()}
        model = ALGORITHMS[algorithm].hyperparameters.model_validate(stated)
        hyperparameters = hashed_hyperparameters(type(model), stated)
        for scenario in (self.suite["scenario", id_] for id_ in t.scenarios):
            problems = list(wrong_budget(experiment.id, method_id, model, scenario.steps, budget))
            if problems := [*problems, *_wrong_layout(method_id, hyperparameters, scenario)]:
                raise SuiteError(COMMAND_LINE, problems)
        scenarios = tuple(self._scored(t, id_, teachers) for id_ in t.scored)
        algorithm_ = {"name": algorithm, "version": ALGORITHMS[algorithm].version}
        return cell_settings(scenarios, {"algorithm": algorithm_, "hyperparameters": hyperparameters, "budget": budget})

    def _scored(self, t: TrainingSet, scenario_id: str, teachers: tuple[str, ...]) -> Scored:
        scenario, trained = self.suite["scenario", scenario_id], scenario_id in t.scenarios
        return Scored(
            family=scenario.family,
            version=FAMILIES[scenario.family].version,
            params=scenario.params,
            episode_limit=scenario.steps,
            metric=scenario.metric,
            trained=trained,
            teacher=teachers[t.scenarios.index(scenario_id)] if trained and teachers else None,
            plays_as=t.scenarios.index(t.plays_as[scenario_id]) if scenario_id in t.plays_as else None,
        )

    def _hyperparameters(self, method_id: str, t: TrainingSet) -> dict[str, Setting]:
        settings = self.suite.settings(method_id, t.scenarios[0])
        algorithm = self.suite["method", method_id].algorithm
        for name, value in self._made_smaller(settings):
            settings[name] = settings[name].model_copy(update={"value": value})
        for owner, name, value in self.changes:
            if owner == method_id or (owner is None and name in settings):
                settings[name] = _changed(algorithm, owner, name, value)
        problems = list(wrong_hyperparameters(method_id, algorithm, settings))
        if problems:
            raise SuiteError(COMMAND_LINE, problems)
        return settings

    def _made_smaller(self, settings: Mapping[str, Setting]) -> Iterator[tuple[str, int]]:
        """The counts of a method that the profile reduces."""
        profile = self.suite.profile[self.selection.profile]
        return ((name, value) for name, value in profile.hyperparameters.items() if name in settings)

    def _budget(self, experiment: Experiment, t: TrainingSet, method_id: str | None) -> dict[str, Any]:
        """Budget and recording under the profile, with the changes for all methods, then those for this method.

        A change for all methods in another unit than this method's budget does not apply.
        """
        found = experiment.numbers(t, method_id, self.suite.profile[self.selection.profile])
        unit = unit_of(found)
        for whose in (BUDGET, _own_budget(method_id)):
            for owner, name, value in self.changes:
                other = (name in UNITS and name != unit) or (name == "first_phase" and name not in found)
                if owner != whose or (owner == BUDGET and other):
                    continue
                key = f"--set {owner}.{name}"
                if name in UNITS and name != unit:
                    allowed = f"{whose}.{unit}, the unit that it counts by"
                    raise SuiteError(COMMAND_LINE, [Problem(key, shown(value), allowed, "name this key")])
                try:
                    BudgetChange.model_validate({name: value})
                except ValidationError as error:
                    problems = explain(error, {name: value})
                    raise SuiteError(COMMAND_LINE, [replace(problem, key=key) for problem in problems]) from None
                found[name] = value
        return found

    def _check_changes(self) -> None:
        """Raise SuiteError unless every `--set` names a budget key, or a hyperparameter that a method has."""
        if not self.changes:
            return
        variants = {m.id: self.suite.variants(m.id).values() for m in self.suite.method}
        stated = {id_: [*dict.fromkeys(name for own in each for name in own)] for id_, each in variants.items()}
        known = {m.id: ALGORITHMS.get(m.algorithm) for m in self.suite.method}
        names = {id_: list(a.hyperparameters.model_fields) if a else stated[id_] for id_, a in known.items()}
        counted = {own.counted[0] for e in self.suite.experiment for own in _budgets(e) if own.counted}
        phased = any(own.first_phase for e in self.suite.experiment for own in _budgets(e))
        budget = [*(unit for unit in UNITS if unit in counted), *RECORDING, *["first_phase"] * phased]
        names |= {BUDGET: budget} | {_own_budget(id_): budget for id_ in stated}
        for owner, name, _ in self.changes:
            if owner is None:
                allowed = sorted({n for own in stated.values() for n in own})
            elif owner in names:
                allowed = names[owner]
            else:
                raise refused("--set", owner, [BUDGET, *stated])
            if name not in allowed:
                raise refused(f"--set {owner or ''}{'.' if owner else ''}{name}", name, allowed)

    def _notes(self, experiment: Experiment, t: TrainingSet, method_id: str | None) -> Iterator[Note]:
        """Declared deviations, a reduced budget, changed settings, and what the suite file assumes.

        method_id: None for a method from elsewhere, about which the file says nothing.
        """
        suite = self.suite
        lineage = suite.lineage(method_id) if method_id else []
        hyperparameters = suite.settings(method_id, t.scenarios[0]) if method_id else {}
        whole = {experiment.id, *(m.id for m in lineage)}
        scenarios = {s.id for s in suite.scenario}
        reading = suite.readings.get(self.selection.reading)
        runs_as = PRIMARY if reading is None or reading.kind == "analysis" else reading.id
        for d in suite.deviation:
            if d.under is not None and runs_as not in d.under:
                continue
            about = tuple(dict.fromkeys(s for id_ in d.applies_to for s in suite.members(id_) if s in scenarios))
            if whole & {*d.applies_to}:
                yield Note(id=d.id, class_=d.class_, says=d.says)
            elif {*about} & {*t.scored}:
                yield Note(id=d.id, class_=d.class_, says=d.says, scenarios=about)
        if stands_in := suite.profile[self.selection.profile].substitute:
            played = tuple(s for s in scenarios if suite["scenario", s].family == stands_in.family)
            if {*played} & {*t.scored}:
                says = f"{stands_in.family} stands in for {stands_in.of}: {stands_in.says}"
                yield Note(id=stands_in.family, class_="substitute", says=says, scenarios=tuple(sorted(played)))
        own, profile = experiment.numbers(t, method_id), suite.profile[self.selection.profile]
        reduced, unit = experiment.numbers(t, method_id, profile), unit_of(own)
        if own != reduced:
            says = f"profile {self.selection.profile}: {reduced[unit]} of {own[unit]} {unit}"
            yield Note(id="profile", class_="reduced", says=says)
        if smaller := [f"{name} = {value}" for name, value in self._made_smaller(hyperparameters)]:
            says = f"profile {self.selection.profile}: {', '.join(smaller)}"
            yield Note(id="profile", class_="reduced", says=says)
        if reading is not None:
            yield Note(id=reading.id, class_="reading", says=reading.says)
        for text in self.selection.settings:
            owner, name, _ = _parse_setting(text)
            if owner == BUDGET and name in UNITS and name != unit:
                continue  # it is for methods that count by that unit
            if owner in (BUDGET, method_id, _own_budget(method_id)) or (owner is None and name in hyperparameters):
                yield Note(id="--set", class_="changed", says=text)
        if isinstance(experiment.seeds, Seeds) and experiment.seeds.kind == "assumed":
            says = f"{experiment.seeds.value} seeds, unless --seeds chooses others: {experiment.seeds.source}"
            yield Note(id="seeds", class_="assumed", says=says)
        if (budget := experiment.own_budget(t, method_id)).kind == "assumed":
            yield Note(id="budget", class_="assumed", says=f"{budget}: {budget.source}")
        if (recording := experiment.own_recording(method_id)) and recording.kind == "assumed":
            points = f"a training point every {recording.record_every} {unit}"
            yield Note(id="recording", class_="assumed", says=f"{points}: {recording.source}")
        for name, setting in hyperparameters.items():
            if setting.kind == "assumed":
                against = f"; contradicted by the authors' code, {c}" if (c := setting.contradicted) else ""
                yield Note(id=name, class_="assumed", says=f"{name} = {setting.value}: {setting.source}{against}")


def _budgets(experiment: Experiment) -> Iterator[Budget]:
    """All budgets that an experiment states."""
    yield experiment.budget
    yield from (t.budget for t in experiment.training_sets if t.budget)
    yield from experiment.budget_of.values()


def _own_budget(method_id: str | None) -> str:
    """How `--set` names one method's budget."""
    return f"{method_id}.{BUDGET}"


def _of_task(note: Note, task: str) -> Note:
    """A teacher's deviation as its student inherits it. If it is about some scenarios, it is now about the task."""
    elsewhere = note.scenarios is not None and task not in note.scenarios
    return note.model_copy(update={"scenarios": (task,)}) if elsewhere else note


def refused(key: str, got: str, allowed: Iterable[str]) -> SuiteError:
    """The error for a request on the command line that names something unknown."""
    names = list(allowed)
    return SuiteError(COMMAND_LINE, [Problem(key, shown(got), listed(names), f"name one of them{nearest(got, names)}")])


def _wrong_layout(method_id: str, hyperparameters: Mapping[str, Any], scenario: Scenario) -> Iterator[Problem]:
    """Problems of a layout that cannot hold a scenario's observations."""
    if "layout_agents" not in hyperparameters:
        return
    params = checked(scenario.family, scenario.params)
    asked = {"layout_communication": True, **hyperparameters}
    agents, communication = asked["layout_agents"] or len(params.obs_sizes), asked["layout_communication"]
    try:
        layouts_of(scenario.family).slots(params, agents, communication)
    except ValueError as error:
        got = ", ".join(f"{name} = {shown(asked[name])}" for name in ("layout_agents", "layout_communication"))
        allowed = f'a layout of scenario "{scenario.id}" ({error})'
        yield Problem(f"method[{method_id}].hyperparameters", got, allowed, "change one of the two")


def _changed(algorithm: str, owner: str | None, name: str, value: Any) -> Setting:
    """Raises SuiteError for a value that no setting can have: one that is not finite, a list, a table."""
    try:
        return Setting(value=value, source="--set")
    except ValidationError:
        key = f"--set {owner}.{name}" if owner else f"--set {name}"
        allowed = kind_of(ALGORITHMS[algorithm].hyperparameters, name)
        raise SuiteError(COMMAND_LINE, [Problem(key, shown(value), allowed, "correct the value")]) from None


def _parse_setting(text: str) -> tuple[str | None, str, Any]:
    """`key=value`, after `method.`, `budget.` or `method.budget.` -> (owner, key, value); values are read as TOML."""
    key, separator, value = text.partition("=")
    if not separator or not key.strip() or not value.strip():
        problem = Problem("--set", shown(text), "[METHOD.][budget.]KEY=VALUE", "e.g. --set maddpg.lr=0.005")
        raise SuiteError(COMMAND_LINE, [problem])
    owner, dot, name = key.strip().rpartition(".")
    try:
        parsed = tomllib.loads(f"value = {value.strip()}")["value"]
    except (ValueError, RecursionError):  # not TOML, or huge numbers or nesting: text
        parsed = value.strip()
    return (owner if dot else None), name, parsed
