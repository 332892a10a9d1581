"""From a suite's entries to cells: settings resolved, teachers first, every deviation noted."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from typing import Any

from baselines.specs import ALGORITHMS
from bench.envs import FAMILIES
from bench.explain import Problem, listed, nearest, shown
from bench.outside.method import Outside
from bench.plan.cells import Cell, Note, Scored, Selection, cell_settings, digest
from bench.suite import BudgetChange, Experiment, Setting, Suite, SuiteError, TrainingSet
from bench.suite.contradictions import wrong_budget, wrong_hyperparameters

COMMAND_LINE = "(command line)"  # what errors call a request that is in no file


class Resolver:
    """Collects cells, teachers before students, each once, with the seeds that anything needs."""

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

    def entrant(self, experiment: Experiment, t: TrainingSet, method: Outside) -> Cell:
        """The cell of a method from elsewhere, in the place of the experiment's own, taught as they are if it asks."""
        seeds = self.seeds(experiment)
        taught = self.suite.teachers_of(experiment, t) if method.declaration.teacher else ()
        teachers = tuple(self.cell(*teaching, needed=seeds) for teaching in taught)
        budget = experiment.episodes(t, self.suite.profile[self.selection.profile].budget) | self._changed_budget()
        others = {"algorithm": method.algorithm, "hyperparameters": method.declaration.hyperparameters}
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
            taught = zip(teachers, t.scenarios, strict=False)  # no teachers, or one a task
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
        """An experiment's own, in order."""
        if self.selection.seeds is not None:
            return self.selection.seeds
        return tuple(range(self.suite.profile[self.selection.profile].seeds or experiment.seeds.value))

    def _settings(
        self, experiment: Experiment, t: TrainingSet, method_id: str, teachers: tuple[str, ...]
    ) -> dict[str, Any]:
        """Everything but the seed that can change a run's numbers."""
        algorithm = self.suite["method", method_id].algorithm
        change = self.suite.profile[self.selection.profile].budget
        budget = experiment.episodes(t, change) | self._changed_budget()
        hyperparameters = {name: s.value for name, s in self._hyperparameters(method_id).items()}
        model = ALGORITHMS[algorithm].hyperparameters.model_validate(hyperparameters)
        for scenario in t.scenarios:
            steps = self.suite["scenario", scenario].steps
            if problems := list(wrong_budget(experiment.id, method_id, model, steps, budget)):
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
        )

    def _hyperparameters(self, method_id: str) -> dict[str, Setting]:
        settings = self.suite.settings(method_id)
        for owner, name, value in self.changes:
            if owner == method_id or (owner is None and name in settings):
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
        """Every `--set` names a budget key, what a method's algorithm knows, or a stated hyperparameter of any."""
        if not self.changes:
            return
        stated = {m.id: list(self.suite.settings(m.id)) for m in self.suite.method}
        known = {m.id: ALGORITHMS.get(m.algorithm) for m in self.suite.method}
        names = {id_: list(a.hyperparameters.model_fields) if a else stated[id_] for id_, a in known.items()}
        budget = list(BudgetChange.model_fields)
        for owner, name, _ in self.changes:
            if owner is None:
                allowed = sorted({n for own in stated.values() for n in own})
            elif owner == "budget" or owner in names:
                allowed = budget if owner == "budget" else names[owner]
            else:
                raise refused("--set", owner, ["budget", *names])
            if name not in allowed:
                raise refused(f"--set {owner or ''}{'.' if owner else ''}{name}", name, allowed)

    def _notes(self, experiment: Experiment, t: TrainingSet, method_id: str | None) -> Iterator[Note]:
        """Declared deviations, a reduced budget, changed settings, and what the suite file assumes.

        method_id: None for a method from elsewhere, of which the file says nothing.
        """
        suite = self.suite
        lineage = suite.lineage(method_id) if method_id else []
        hyperparameters = suite.settings(method_id) if method_id else {}
        whole = {experiment.id, *(m.id for m in lineage)}
        scenarios = {s.id for s in suite.scenario}
        for d in suite.deviation:
            about = tuple(dict.fromkeys(s for id_ in d.applies_to for s in suite.members(id_) if s in scenarios))
            if whole & {*d.applies_to}:
                yield Note(id=d.id, class_=d.class_, says=d.says)
            elif {*about} & {*t.scored}:
                yield Note(id=d.id, class_=d.class_, says=d.says, scenarios=about)
        own, reduced = experiment.episodes(t), experiment.episodes(t, suite.profile[self.selection.profile].budget)
        if own != reduced:
            says = f"profile {self.selection.profile}: {reduced['episodes']} of {own['episodes']} episodes"
            yield Note(id="profile", class_="reduced", says=says)
        for text in self.selection.settings:
            owner, name, _ = _parse_setting(text)
            if owner in ("budget", method_id) or (owner is None and name in hyperparameters):
                yield Note(id="--set", class_="changed", says=text)
        if experiment.seeds.kind == "assumed":
            says = f"{experiment.seeds.value} seeds, unless --seeds chooses others: {experiment.seeds.source}"
            yield Note(id="seeds", class_="assumed", says=says)
        if (budget := t.budget or experiment.budget).kind == "assumed":
            yield Note(id="budget", class_="assumed", says=f"{budget}: {budget.source}")
        if experiment.recording and experiment.recording.kind == "assumed":
            points = f"a training point every {experiment.recording.record_every} episodes"
            yield Note(id="recording", class_="assumed", says=f"{points}: {experiment.recording.source}")
        for name, setting in hyperparameters.items():
            if setting.kind == "assumed":
                yield Note(id=name, class_="assumed", says=f"{name} = {setting.value}: {setting.source}")


def _of_task(note: Note, task: str) -> Note:
    """A teacher's deviation as its student carries it: what is about some scenarios is about the task it teaches."""
    elsewhere = note.scenarios is not None and task not in note.scenarios
    return note.model_copy(update={"scenarios": (task,)}) if elsewhere else note


def refused(key: str, got: str, allowed: Iterable[str]) -> SuiteError:
    """A request on the command line that names something that is not there."""
    names = list(allowed)
    return SuiteError(COMMAND_LINE, [Problem(key, shown(got), listed(names), f"name one of them{nearest(got, names)}")])


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
