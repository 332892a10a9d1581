"""The layouts of a family whose tasks are read only by their own teams: observations stay unchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.envs.params import Params

if TYPE_CHECKING:
    from torch import Tensor


def width(params: Params, agents: int, communication: bool = True) -> int:
    """O, for the task's own team. Raises ValueError for another team, or without communication entries."""
    own_team(params, agents)
    all_entries(params, communication)
    return params.obs_size


def slots(params: Params, agents: int, communication: bool = True) -> tuple[int, ...]:
    """Every entry in its own place. Raises ValueError like `width`."""
    own_team(params, agents)
    all_entries(params, communication)
    return tuple(range(params.obs_size))


def nearest(params: Params, obs: Tensor, agents: int) -> Tensor:
    """Raises ValueError: no smaller team can read these observations."""
    raise ValueError(f"view of {agents} agents: allowed: none, since only its own team can read this task")


def own_team(params: Params, agents: int) -> None:
    """Raises ValueError if these are not the task's own agents."""
    if agents != len(params.obs_sizes):
        raise ValueError(f"layout: got {agents} agents; allowed: {len(params.obs_sizes)}, the task's own")


def all_entries(params: Params, communication: bool) -> None:
    """Raises ValueError if communication entries should be left out: it is unknown which entries they are."""
    if not communication:
        raise ValueError(f"layout_communication: got false; allowed: true for {type(params).__name__}")
