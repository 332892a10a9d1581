"""From a cell's settings to what is trained: its environments, its teachers, its learner."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from baselines.learner import Layout, Learner, Task, Teacher
from baselines.specs import ALGORITHMS
from baselines.streams import Streams
from bench.checkpoints import load_weights
from bench.envs import Environment, Params, checked, make
from bench.envs.particle.opponents import named_opponent
from bench.plan import Cell, Run, Scored, scored
from bench.store import Record, Store, StoreError, TeacherRef
from bench.suite.loading import opponents


@dataclass(frozen=True)
class Place:
    """A scenario of a cell with its environment. task: which of the learner's tasks is played in it."""

    scored: Scored
    params: Params
    environment: Environment
    task: int


def places(cell: Cell, device: torch.device) -> list[Place]:
    """Every scenario that a cell is scored on, those it is trained on first. Raises BackendMissing."""
    found = []
    for i, own in enumerate(cell.scored):
        params = checked(own.family, own.params)
        environment = make(own.family, params, device, named_opponent(own.params, opponents()))
        found.append(Place(own, params, environment, i if own.trained else 0))
    return found


def make_learner(
    cell: Cell, playing: Sequence[Place], teachers: Sequence[Teacher], streams: list[Streams], device: torch.device
) -> Learner:
    """The cell's method on the tasks that it is trained on. teachers: one for each, or none."""
    name, hyperparameters = cell.settings["algorithm"]["name"], cell.settings["hyperparameters"]
    if not cell.outside:  # a learner from elsewhere gets its hyperparameters as a table
        algorithm = ALGORITHMS[name]
        name, hyperparameters = algorithm.learner, algorithm.hyperparameters.model_validate(hyperparameters)
    layout_agents = cell.settings["hyperparameters"].get("layout_agents", 0)
    trained = [place for place in playing if place.scored.trained]
    tasks = [
        Task(
            agents=place.environment.agents,
            obs_size=place.environment.obs_size,
            action_size=place.environment.action_size,
            episode_limit=place.scored.episode_limit,
            episodes=cell.settings["budget"]["episodes"],
            layout=_layout(place.environment, layout_agents or place.environment.agents),
            teacher=teachers[i] if teachers else None,
            state_size=place.params.state_size,
            common_reward=place.params.common_reward,
        )
        for i, place in enumerate(trained)
    ]
    module, _, class_ = name.partition(":")
    learner = getattr(importlib.import_module(module), class_)(tasks, hyperparameters, streams, device)
    if problem := copies_problem(cell, learner.copies):
        raise ValueError(problem)
    return learner


def copies_problem(cell: Cell, copies: object) -> str:
    """Why rounds of so many episodes do not fit a cell's budget; nothing where they do."""
    rounds = [cell.settings["budget"][key] for key in ("episodes", "record_every", "evaluate_every")]
    if isinstance(copies, int) and copies > 0 and not any(episodes % copies for episodes in rounds):
        return ""
    return f"{cell.settings['algorithm']['name']}: copies: got {copies!r}; allowed: a divisor of {rounds} episodes"


def teacher_refs(store: Store, run: Run) -> tuple[TeacherRef, ...]:
    """The runs that a student learns from. Raises StoreError where one has not finished."""
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
    """The teachers of every task, those of all lanes stacked. lanes: of each lane, a reference for each task."""
    by_task = zip(*lanes, strict=True)
    return [_teacher(store, cell, place, own, device) for place, own in zip(playing, by_task, strict=False)]


def _teacher(store: Store, cell: Cell, place: Place, references: Sequence[TeacherRef], device: torch.device) -> Teacher:
    """One task's teachers, and how they read this task's observations."""
    weights = [load_weights(store, t.run, t.weights) for t in references]
    stacked = {name: torch.from_numpy(np.stack([w[name] for w in weights])).to(device) for name in weights[0]}
    record = _record(store, references[0].run)
    hyperparameters, (taught, *_) = record.settings["hyperparameters"], scored(record.settings)
    agents, environment = len(checked(taught.family, taught.params).obs_sizes), place.environment
    if cell.settings["hyperparameters"].get("teacher_view") == "nearest":
        width = environment.layout_width(agents)
        view = functools.partial(environment.nearest_view, teacher_agents=agents)
        return Teacher(stacked, Layout(width, tuple(range(width))), view, hyperparameters)
    layout = _layout(environment, hyperparameters.get("layout_agents", 0) or agents)
    return Teacher(stacked, layout, lambda obs: obs, hyperparameters)


def _layout(environment: Environment, agents: int) -> Layout:
    return Layout(environment.layout_width(agents), environment.observation_slots(agents))


def _record(store: Store, run: str) -> Record:
    record = store.record(run)
    if record is None:
        raise StoreError(f"{store.record_path(run)}: the teacher's record has vanished")
    return record
