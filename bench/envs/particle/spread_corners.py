"""DVM's spread (Wadhwania et al. 2019, Sec. V-A.1): N agents, one in each corner, must cover N targets.

Axes: S seed, E environment copy, N agent, L = N landmark (target), K = N - 1 other agent; A = 5 discrete or 2
continuous.

Source: SamirW/multiagent-particle-envs d4ff9f9, `scenarios/simple_spread_flip.py`, `..._3.py` and `..._4.py`: corners,
phases, observation, individual reward. The joint reward is the paper's text, which has no collisions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bench.envs.particle.params import Dynamics, SpreadCornersParams
from bench.envs.particle.physics import SENSITIVITY, State, action_force, contact_force, ordered_sum
from bench.envs.particle.view import View, Viewer

TOUCH = 0.3  # two agents of radius .15
CLOCK = 25.0  # 2 agents see the time as a share of this many steps
# Signs of x and y of each corner, in the source's order: landmark i lies in corner i.
CORNERS = {2: ((-1, -1), (1, 1)), 3: ((1, 1), (-1, -1), (1, -1)), 4: ((1, 1), (-1, 1), (-1, -1), (1, -1))}
INNER = {2: 0.5, 3: 0.33, 4: 0.33}  # the magnitudes of a corner's coordinates reach from this to 1
SECOND_PHASE = {2: (1, 0), 3: (1, 2, 0)}  # the corner that each agent starts in; 4 agents: at random


class SpreadCorners:
    """The scenario's start, view, forces, observation, reward and outcome, as functions of the state."""

    def __init__(self, params: SpreadCornersParams, device: torch.device | str):
        self.agents, self._params = params.agents, params
        self.dynamics: Dynamics = params.dynamics
        self.shapes = {
            "positions": (self.agents, 2),
            "velocities": (self.agents, 2),
            "landmarks": (self.agents, 2),
            "goal": (),
            "clock": (),
        }
        self.opponents = 0
        self.view = Viewer(self.agents, self.agents, device)
        self._signs = torch.tensor(CORNERS[self.agents], dtype=torch.float64)

    def start(self, generators: Sequence[torch.Generator], copies: int) -> State:
        """Agents, then landmarks, uniform in their corners, at rest; on the CPU, one copy after another.

        goal: the corner that the first agent starts in.
        """
        agents, shuffled = self.agents, self._params.phase == 2 and self.agents not in SECOND_PHASE
        size = 4 * agents + (agents if shuffled else 0)
        drawn = torch.stack([torch.rand(copies, size, generator=g, dtype=torch.float64) for g in generators])
        places = drawn[..., : 4 * agents].unflatten(-1, (2, agents, 2))
        if shuffled:
            corners = drawn[..., 4 * agents :].argsort(-1)
        else:
            own = SECOND_PHASE[agents] if self._params.phase == 2 else tuple(range(agents))
            corners = torch.tensor(own).expand(*drawn.shape[:2], -1)
        inner = INNER[agents]
        magnitudes = inner + (1 - inner) * places
        positions, landmarks = magnitudes[..., 0, :, :] * self._signs[corners], magnitudes[..., 1, :, :] * self._signs
        clock = torch.zeros(positions.shape[:2], dtype=torch.float64)
        return State(positions, torch.zeros_like(positions), landmarks, corners[..., 0].clone(), clock=clock)

    def force(self, actions: Tensor, view: View) -> Tensor:
        """Force of actions [S, E, N, A] and of agents that push each other; landmarks do not push. [S, E, N, 2]."""
        control = SENSITIVITY * actions if self._params.continuous else action_force(actions, self.dynamics)
        return control + contact_force(view.relative[..., self.agents :, :], view.distance[..., self.agents :], TOUCH)

    def messages(self, actions: Tensor) -> None:
        """Nobody speaks."""

    def observe(self, state: State, view: View) -> Tensor:
        """[own velocity 2, own position 2, landmarks 2L, other agents 2K, their messages 2K], [S, E, N, O].

        Positions of landmarks and of other agents are relative to one's own, each sorted by heading, as a lidar sees
        them. Nobody speaks. 2 agents also see the time: as in the source, the time before the last step.
        """
        landmarks, others = view.relative.split([self.agents, self.agents - 1], dim=-2)
        silence = torch.zeros_like(others)
        parts = [
            state.velocities,
            state.positions,
            *(x.flatten(-2) for x in (by_heading(landmarks), by_heading(others))),
        ]
        parts.append(silence.flatten(-2))
        if self.agents == 2:
            assert state.clock is not None
            time = (state.clock - 1).clamp_min(0) / CLOCK
            parts.append(time[..., None, None].expand(*view.relative.shape[:3], 1))
        return torch.cat(parts, dim=-1)

    def rewards(self, state: State, view: View) -> Tensor:
        """[S, E, N]: minus the distance of each target's nearest agent, summed over targets; the same for all.

        individual: minus the number of agents nearer than TOUCH, oneself included.
        """
        uncovered = ordered_sum(view.distance[..., : self.agents].amin(dim=-2), dim=-1).unsqueeze(-1)
        if self._params.reward == "joint":
            return (-uncovered).expand(-1, -1, self.agents)
        return -uncovered - (view.distance[..., self.agents :] < TOUCH).sum(dim=-1) - 1

    def outcome(self, state: State, view: View) -> dict[str, Tensor]:
        """own_corner [S, E]: whether the first agent's nearest target is that of its start corner."""
        return {"own_corner": (view.distance[..., 0, : self.agents].argmin(-1) == state.goal).double()}


def by_heading(relative: Tensor) -> Tensor:
    """Points [..., K, 2] in the order of their angle atan2(y, x), from -pi to pi; equal ones keep their order.

    The sort key rises with the angle. Unlike atan2, its rounding does not depend on its place in memory.
    """
    x, y = relative.unbind(-1)
    size = x.abs() + y.abs()
    heading = torch.where(size > 0, torch.copysign(1 - x / size, y), torch.zeros_like(x))
    order = heading.argsort(dim=-1, stable=True)
    return relative.gather(-2, order.unsqueeze(-1).expand_as(relative))
