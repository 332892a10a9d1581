"""What agents see of the world: landmarks, then other agents, relative to their own position.

Axes: S seed, E environment copy, N agent, L landmark, K other agent (N - 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from bench.envs.particle.physics import State


@dataclass(frozen=True)
class View:
    """What each agent sees: the L landmarks and then the K other agents, in index order.

    relative [S, E, N, L + K, 2]: their positions minus its own. distance [S, E, N, L + K].
    """

    relative: Tensor

    @cached_property
    def distance(self) -> Tensor:
        x2, y2 = self.relative.square().unbind(-1)
        return (x2 + y2).sqrt_()


class Viewer:
    """A function from states to views, for worlds with given numbers of agents and landmarks."""

    def __init__(self, agents: int, landmarks: int, device: torch.device | str):
        self._shape = agents, landmarks + agents - 1
        # Entities are numbered, agents first. Selecting the others by index leaves the agent itself out.
        company = [[*range(agents, agents + landmarks), *(j for j in range(agents) if j != i)] for i in range(agents)]
        self._company = torch.tensor(company, dtype=torch.int64, device=device).flatten()

    def __call__(self, state: State) -> View:
        entities = torch.cat([state.positions, state.landmarks], dim=-2).index_select(-2, self._company)
        return View(entities.unflatten(-2, self._shape) - state.positions.unsqueeze(-2))
