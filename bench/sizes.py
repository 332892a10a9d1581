"""A cell's settings -> how large its method is there: operations and bytes of a run, parameters of its policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from baselines.specs import ALGORITHMS, Cost, Hyperparameters, TaskSizes
from bench.envs import Params, checked
from bench.plan import Scored, outside, scored


def cost(settings: Mapping[str, Any], episodes: int | None = None) -> Cost:
    """Operations and bytes of one run of a cell, or of so many of its episodes of each task."""
    if outside(settings):
        return Cost(0.0, 0.0)  # nobody knows; the environment's steps are all that is counted
    hyperparameters, tasks = _hyperparameters(settings), []
    for own, params in _trained(settings):
        sizes = len(params.obs_sizes), params.obs_size, params.action_size, own.episode_limit
        tasks.append(hyperparameters.cost(*sizes, settings["budget"]["episodes"] if episodes is None else episodes))
    return Cost(sum(t.operations for t in tasks), sum(t.bytes for t in tasks))


def policy_size(settings: Mapping[str, Any]) -> int | None:
    """Parameters of what the agents act with in all tasks of a cell; None for a method from elsewhere: nobody knows."""
    if outside(settings):
        return None
    layout_agents, tasks = settings["hyperparameters"].get("layout_agents", 0), []
    for _, params in _trained(settings):
        agents = len(params.obs_sizes)
        tasks.append(TaskSizes(agents, params.layout_width(layout_agents or agents), params.action_size))
    return _hyperparameters(settings).policy_size(tasks)


def _hyperparameters(settings: Mapping[str, Any]) -> Hyperparameters:
    return ALGORITHMS[settings["algorithm"]["name"]].hyperparameters.model_validate(settings["hyperparameters"])


def _trained(settings: Mapping[str, Any]) -> Iterator[tuple[Scored, Params]]:
    """The tasks that are trained on, each with its parameters."""
    return ((own, checked(own.family, own.params)) for own in scored(settings) if own.trained)
