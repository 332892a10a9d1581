"""Simple spread: N agents must cover N landmarks without bumping into each other.

Axes: S seed, E environment copy, N agent, L landmark (as many as agents), K other agent (N - 1), O = 6N.

Sources: `scenarios/simple_spread.py` of multiagent-particle-envs ("openai"), and mpe2 1.1.1's simple_spread_v3.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bench.envs.particle.params import Dynamics, SimpleSpreadParams
from bench.envs.particle.physics import State, action_force, contact_force, ordered_sum
from bench.envs.particle.view import View, Viewer

TOUCH = 0.3  # two agents of radius .15 (both sources); nearer than this they collide
LOCAL_RATIO = 0.5  # mpe2's default weight of an agent's own collisions; the rest is the weight of the coverage


class SimpleSpread:
    """The scenario's start, view, forces, observation and reward, as functions of the state."""

    def __init__(self, params: SimpleSpreadParams, device: torch.device | str):
        self.agents = params.agents
        self.dynamics: Dynamics = params.dynamics
        self.shapes = {
            "positions": (self.agents, 2),
            "velocities": (self.agents, 2),
            "landmarks": (self.agents, 2),
        }
        self.opponents = 0
        self.view = Viewer(self.agents, self.agents, device)

    def start(self, generators: Sequence[torch.Generator], copies: int) -> State:
        """Agents, then landmarks, uniform in [-1, 1]^2 and at rest; on the CPU. Copies draw one after another, so a
        seed's k-th episode is the same for any number of copies.
        """
        shape = (copies, 2 * self.agents, 2)
        uniform = torch.stack([torch.rand(shape, generator=g, dtype=torch.float64) for g in generators]) * 2 - 1
        positions, landmarks = uniform.split(self.agents, dim=-2)
        return State(positions, torch.zeros_like(positions), landmarks)

    def force(self, actions: Tensor, view: View) -> Tensor:
        """Force of actions [S, E, N, 5] and of agents that push each other; landmarks do not push. [S, E, N, 2]."""
        control = action_force(actions, self.dynamics)
        return control + contact_force(view.relative[..., self.agents :, :], view.distance[..., self.agents :], TOUCH)

    def messages(self, actions: Tensor) -> None:
        """Nobody speaks."""

    def observe(self, state: State, view: View) -> Tensor:
        """[own velocity 2, own position 2, landmarks 2L, other agents 2K, their messages 2K], [S, E, N, 6N].

        Positions of landmarks and agents are relative to one's own. Nobody speaks, so the messages are zero.
        """
        silence = torch.zeros_like(view.distance[..., self.agents :, None].expand(*view.distance.shape[:-1], -1, 2))
        return torch.cat([state.velocities, state.positions, view.relative.flatten(-2), silence.flatten(-2)], dim=-1)

    def rewards(self, state: State, view: View) -> Tensor:
        """[S, E, N], from G = -sum over landmarks of the distance to the nearest agent, and c_i = the number of other
        agents nearer than TOUCH to agent i.

        mpe2: G / 2 - c_i / 2. openai: everyone receives the sum over agents, N G - sum_i c_i - N. The last term is
        there because that code also tests each agent for a collision with itself.
        """
        uncovered = ordered_sum(view.distance[..., : self.agents].amin(dim=-2), dim=-1).unsqueeze(-1)
        collisions = view.distance[..., self.agents :] < TOUCH  # counts are whole, so exact in any order
        if self.dynamics == "mpe2":
            return uncovered * (LOCAL_RATIO - 1) - collisions.sum(dim=-1) * LOCAL_RATIO
        team = (uncovered * -self.agents).sub_(collisions.sum(dim=(-2, -1)).unsqueeze(-1)).sub_(self.agents)
        return team.expand(-1, -1, self.agents)
