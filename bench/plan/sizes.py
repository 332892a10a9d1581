"""A cell's settings -> sizes of its method: a run's work, memory and disk, and the parameters of its policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from baselines.specs import ALGORITHMS, Hyperparameters, TaskSizes, Work
from bench.envs import FAMILIES, Params, checked, layouts_of
from bench.plan import Scored, guest, scored, spans
from bench.suite import unit_of

STREAMS_BYTES = 2 * 5 * 5056  # random streams, each the size of torch's generator; twice, like all state
PROCESS_BYTES = 400 * 2**20  # a worker with torch loaded, before any lane
POINT_BYTES = 70  # of a curve's point in a record: 62 to 83 in the published records of nine methods


def work(settings: Mapping[str, Any], done: int | None = None) -> list[Work]:
    """The work of training on each task of a cell, in one run or in `done` of its budget's unit.

    Steps are counted as whole episodes of the longest length. Empty for a method from elsewhere: its work is unknown.
    """
    if guest(settings):
        return []
    hyperparameters, found = _hyperparameters(settings), []
    for (own, params), (start, end) in zip(_trained(settings), spans(settings), strict=False):
        agents = len(params.obs_sizes)
        read = _read(settings, own, params, agents)
        state = params.state_size, params.own_state
        sizes = TaskSizes(agents, read, params.action_size, own.episode_limit, *state)
        counted = end - start if done is None else max(0, min(done, end) - start)
        found.append(hyperparameters.work(sizes, episodes_of(settings, own, counted)))
        if start and counted:
            found += [own for own in (hyperparameters.turn_work(sizes),) if own]
    return found


def episodes_of(settings: Mapping[str, Any], own: Scored, done: int | None = None) -> int:
    """Whole episodes of the longest length that `done` of a run's budget makes of a task; updates stay updates."""
    unit = unit_of(settings["budget"])
    counted = settings["budget"][unit] if done is None else done
    return -(-counted // own.episode_limit) if unit == "steps" else counted


def run_bytes(settings: Mapping[str, Any]) -> float:
    """Approximate memory of one run: its method, and the processes of its environments."""
    return sum(w.bytes for w in work(settings)) + environment_bytes(settings)


def job_bytes(settings: Mapping[str, Any], runs: int) -> float:
    """Approximate memory of a process that trains this many runs of a cell, with the processes of its environments."""
    families = {own.family for own in scored(settings)}
    return PROCESS_BYTES + sum(FAMILIES[f].process_bytes for f in families) + runs * run_bytes(settings)


def environment_bytes(settings: Mapping[str, Any]) -> float:
    """Approximate memory of the processes that the environments of one run start; most start none.

    Copies are kept from one evaluation to the next. A learner that plays steps is evaluated in separate copies; others
    are evaluated in the copies that they train in. For a method from elsewhere one copy is counted, since its number
    is unknown.
    """
    budget, hyperparameters = settings["budget"], None if guest(settings) else _hyperparameters(settings)
    episodes = max(budget["evaluation_episodes"], budget["final_evaluation_episodes"])
    found = 0.0
    for own in scored(settings):
        params = checked(own.family, own.params)
        looked_at = min(episodes, params.episodes_at_once or episodes)
        trained = own.trained and (hyperparameters.round_episodes if hyperparameters else 1)
        apart = hyperparameters is None or hyperparameters.plays_steps
        found += params.process_bytes * (trained + looked_at if apart else max(trained, looked_at))
    return found


def result_bytes(settings: Mapping[str, Any]) -> float:
    """Approximate disk space of a finished run: its record, from the points of its curves, and its weights."""
    budget, unit = settings["budget"], unit_of(settings["budget"])
    algorithm = None if guest(settings) else ALGORITHMS[settings["algorithm"]["name"]]
    series = 1 + len(algorithm.losses if algorithm else ())
    looks = 1 + (_hyperparameters(settings).members if algorithm else 0)
    points = series * budget[unit] / budget["record_every"] + looks * budget[unit] / budget["evaluate_every"]
    return POINT_BYTES * points * len(scored(settings)) + 4 * (policy_size(settings) or 0)


def checkpoint_bytes(settings: Mapping[str, Any]) -> float:
    """Approximate largest disk space of one run's checkpoint and its state between two phases.

    0 for a method from elsewhere, which keeps none.
    """
    found = work(settings)
    if not found:
        return 0
    budget = settings["budget"]
    phase = _hyperparameters(settings).first_phase(budget[unit_of(budget)], budget.get("first_phase"))
    phases = 1 if phase is None else 2
    return phases * (sum(w.checkpoint_bytes for w in found) + STREAMS_BYTES)


def repeats(settings: Mapping[str, Any]) -> bool:
    """Whether all games of a cell repeat exactly. Then its runs do, too."""
    return all(checked(own.family, own.params).repeats for own in scored(settings))


def policy_size(settings: Mapping[str, Any]) -> int | None:
    """Parameters that the agents act with in all tasks of a cell.

    None (unknown) for a method from elsewhere, and where a cell's settings do not say it.
    """
    if guest(settings):
        return None
    layout_agents, tasks = settings["hyperparameters"].get("layout_agents", 0), []
    for own, params in _trained(settings):
        agents = len(params.obs_sizes)
        read = _read(settings, own, params, layout_agents or agents)
        tasks.append(TaskSizes(agents, read, params.action_size, state=params.state_size))
    return _hyperparameters(settings).policy_size(tasks)


def _read(settings: Mapping[str, Any], own: Scored, params: Params, agents: int) -> int:
    """Observation entries that a cell's networks read, in the layout of this many agents."""
    communication = settings["hyperparameters"].get("layout_communication", True)
    return layouts_of(own.family).width(params, agents, communication)


def _hyperparameters(settings: Mapping[str, Any]) -> Hyperparameters:
    return ALGORITHMS[settings["algorithm"]["name"]].hyperparameters.model_validate(settings["hyperparameters"])


def _trained(settings: Mapping[str, Any]) -> Iterator[tuple[Scored, Params]]:
    """The tasks that are trained on, each with its parameters."""
    return ((own, checked(own.family, own.params)) for own in scored(settings) if own.trained)
