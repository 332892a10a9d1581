"""A cell's settings -> its environments, its teachers, its learner."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from baselines.learner import Layout, Learner, Task, Teacher
from baselines.specs import ALGORITHMS
from baselines.streams import Streams
from bench.envs import Environment, Params, checked, layouts_of, make
from bench.plan import Cell, Run, Scored, scored, spans
from bench.run.counting import alone
from bench.store import Record, Store, StoreError, TeacherRef
from bench.store.checkpoints import load_weights
from bench.suite.assets import everywhere


@dataclass(frozen=True)
class Place:
    """A scenario of a cell with its environment. task: the number of the learner's task that is played in it."""

    scored: Scored
    params: Params
    environment: Environment
    task: int
    device: torch.device

    @cached_property
    def apart(self) -> Environment:
        """A second environment of the same scenario, made at first use."""
        return make(self.scored.family, self.params, self.device, everywhere())

    def close(self) -> None:
        """Close the environments."""
        self.environment.close()
        if "apart" in self.__dict__:
            self.apart.close()


def places(cell: Cell, device: torch.device) -> list[Place]:
    """Every scenario that a cell is scored on, trained ones first. Raises BackendMissing."""
    found = []
    other = len(cell.trained) - 1 if any(start for start, _ in spans(cell.settings)) else 0
    for i, own in enumerate(cell.scored):
        params = checked(own.family, own.params)
        environment = make(own.family, params, device, everywhere())
        task = i if own.trained else other if own.plays_as is None else own.plays_as
        found.append(Place(own, params, environment, task, device))
    return found


def make_learner(
    cell: Cell,
    playing: Sequence[Place],
    teachers: Sequence[Teacher],
    streams: list[Streams],
    device: torch.device,
    replay_bytes: int = 0,
) -> Learner:
    """The cell's method on the tasks that it is trained on. teachers: one for each, or none.

    replay_bytes: see `Task`.
    """
    name, hyperparameters = cell.settings["algorithm"]["name"], cell.settings["hyperparameters"]
    if not cell.guest:  # a learner from elsewhere gets its hyperparameters as a table
        algorithm = ALGORITHMS[name]
        name, hyperparameters = algorithm.learner, algorithm.hyperparameters.model_validate(hyperparameters)
    trained = [place for place in playing if place.scored.trained]
    tasks = [
        Task(
            agents=place.environment.agents,
            obs_size=place.environment.obs_size,
            action_size=place.environment.action_size,
            episode_limit=place.scored.episode_limit,
            episodes=most_episodes(cell, place.scored),
            layout=_layout(place, cell.settings["hyperparameters"], place.environment.agents),
            teacher=teachers[i] if teachers else None,
            state_size=place.params.state_size,
            common_reward=place.params.common_reward,
            alone=alone(cell),
            continuous=place.params.continuous,
            kinds=place.params.kinds,
            replay_bytes=replay_bytes,
        )
        for i, place in enumerate(trained)
    ]
    module, _, class_ = name.partition(":")
    learner = getattr(importlib.import_module(module), class_)(tasks, hyperparameters, streams, device)
    if problem := copies_problem(cell, learner.copies, learner.steps):
        raise ValueError(problem)
    return learner


def most_episodes(cell: Cell, own: Scored) -> int:
    """Episodes of a task that a run can play within its budget."""
    if cell.unit != "steps":
        return cell.whole
    return cell.whole if checked(own.family, own.params).ends_early else -(-cell.whole // own.episode_limit)


def copies_problem(cell: Cell, copies: object, steps: int | None = None) -> str:
    """Why rounds of `copies` episodes, or of `steps` steps of each copy, do not fit a cell's budget; "" if they do."""
    rounds = [cell.settings["budget"][key] for key in (cell.unit, "record_every", "evaluate_every")]
    if cell.unit != "episodes" and isinstance(copies, int):
        if steps is None or cell.unit == "updates" or copies * steps <= min(rounds):
            return ""
        name = cell.settings["algorithm"]["name"]
        return f"{name}: copies x steps: got {copies} x {steps}; allowed: at most {min(rounds)}, the steps of a point"
    if steps is not None and isinstance(copies, int):
        limits = [own.episode_limit for own in cell.scored if own.trained]
        if len(set(limits)) == 1 and steps > 0 and not any(e * limits[0] % (copies * steps) for e in rounds):
            return ""
        name, unit = cell.settings["algorithm"]["name"], f"{rounds} episodes of {limits} steps"
        return f"{name}: copies x steps: got {copies} x {steps}; allowed: a divisor of {unit}, the same in all tasks"
    if isinstance(copies, int) and copies > 0 and not any(episodes % copies for episodes in rounds):
        return ""
    return f"{cell.settings['algorithm']['name']}: copies: got {copies!r}; allowed: a divisor of {rounds} episodes"


def teacher_refs(store: Store, run: Run) -> tuple[TeacherRef, ...]:
    """The runs that a student learns from. Raises StoreError if one has not finished."""
    found = []
    for teacher in run.teachers:
        record = store.record(teacher)
        if record is None or record.status != "finished":
            raise StoreError(f"{store.record_path(teacher)}: the teacher of run {run.id} has not finished")
        found.append(TeacherRef(run=teacher, weights=record.numbers.weights))
    return tuple(found)


def make_teachers(
    store: Store, cell: Cell, playing: Sequence[Place], lanes: Sequence[Sequence[TeacherRef]], device: torch.device
) -> list[Teacher]:
    """The teachers of every task, stacked over lanes. lanes: for each lane, a reference for each task."""
    by_task = zip(*lanes, strict=True)
    return [_teacher(store, cell, place, own, device) for place, own in zip(playing, by_task, strict=False)]


def _teacher(store: Store, cell: Cell, place: Place, references: Sequence[TeacherRef], device: torch.device) -> Teacher:
    """One task's teachers, with the layout in which they read this task's observations."""
    weights = [load_weights(store, t.run, t.weights) for t in references]
    stacked = {name: torch.from_numpy(np.stack([w[name] for w in weights])).to(device) for name in weights[0]}
    record = _record(store, references[0].run)
    hyperparameters, (taught, *_) = record.settings["hyperparameters"], scored(record.settings)
    kinds, layouts = checked(taught.family, taught.params).kinds, layouts_of(place.scored.family)
    agents = len(kinds)
    if cell.settings["hyperparameters"].get("teacher_view") == "nearest":
        width = layouts.width(place.params, agents, hyperparameters.get("layout_communication", True))
        view = functools.partial(layouts.nearest, place.params, agents=agents)
        return Teacher(stacked, Layout(width, tuple(range(width))), view, hyperparameters, kinds)
    layout = _layout(place, hyperparameters, agents)
    return Teacher(stacked, layout, lambda obs: obs, hyperparameters, kinds)


def _layout(place: Place, hyperparameters: Mapping[str, Any], agents: int) -> Layout:
    """The layout of this task's observations: from a team's hyperparameters, else that of a team of `agents` agents."""
    layouts, agents = layouts_of(place.scored.family), hyperparameters.get("layout_agents", 0) or agents
    communication = hyperparameters.get("layout_communication", True)
    return Layout(
        layouts.width(place.params, agents, communication), layouts.slots(place.params, agents, communication)
    )


def _record(store: Store, run: str) -> Record:
    record = store.record(run)
    if record is None:
        raise StoreError(f"{store.record_path(run)}: the teacher's record has vanished")
    return record
