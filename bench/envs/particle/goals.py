"""Common parts of scenarios in which one landmark is the goal: how an episode starts, and how far the goal is.

Axes: S seed, E environment copy, N agent (all in the world), L landmark, K other agent (N - 1).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bench.envs.particle.physics import State
from bench.envs.particle.view import View


def start_with_goal(generators: Sequence[torch.Generator], copies: int, agents: int, landmarks: int) -> State:
    """Agents, then landmarks, uniform in [-1, 1]^2 and at rest, and a goal among the landmarks; on the CPU.

    Copies draw one after another, so a seed's k-th episode is the same for any number of copies.
    """
    entities = agents + landmarks
    drawn = [torch.rand((copies, 2 * entities + 1), generator=g, dtype=torch.float64) for g in generators]
    places, goal = torch.stack(drawn).split([2 * entities, 1], dim=-1)
    positions, fixed = (places * 2 - 1).unflatten(-1, (entities, 2)).split([agents, landmarks], dim=-2)
    return State(positions, torch.zeros_like(positions), fixed, goal=(goal.squeeze(-1) * landmarks).long())


def to_goal(state: State, view: View, landmarks: int) -> Tensor:
    """The goal's position minus each agent's own, [S, E, N, 2]."""
    assert state.goal is not None
    seen = view.relative[..., :landmarks, :]
    chosen = state.goal[..., None, None, None].expand(*seen.shape[:3], 1, 2)
    return seen.gather(-2, chosen).squeeze(-2)


def goal_distance(state: State, view: View, landmarks: int) -> Tensor:
    """How far each agent is from the goal, [S, E, N]."""
    assert state.goal is not None
    chosen = state.goal[..., None, None].expand(*view.distance.shape[:3], 1)
    return view.distance[..., :landmarks].gather(-1, chosen).squeeze(-1)
