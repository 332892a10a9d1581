"""Simple adversary: good agents share a goal among L landmarks. Adversaries see everybody and must guess it.

Axes: S seed, E environment copy, N agent (K adversaries, then the good agents), L landmark; A = 5.

Sources: `scenarios/simple_adversary.py` of multiagent-particle-envs ("openai"), and mpe2 1.1.1's simple_adversary_v3.
Both have one adversary, and as many landmarks as good agents. Other numbers use the same rules.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bench.envs.particle.goals import goal_distance, start_with_goal, to_goal
from bench.envs.particle.params import Dynamics, SimpleAdversaryParams
from bench.envs.particle.physics import State, action_force, ordered_sum
from bench.envs.particle.view import View, Viewer


class SimpleAdversary:
    """The scenario's start, view, forces, observation and reward, as functions of the state. Nobody collides.

    opponents: the adversaries that are not ours, the first of all agents.
    """

    def __init__(self, params: SimpleAdversaryParams, device: torch.device | str):
        self.adversaries, self.landmarks = params.adversaries, params.landmarks
        self.agents = params.adversaries + params.agents
        self.dynamics: Dynamics = params.dynamics
        self.shapes = {
            "positions": (self.agents, 2),
            "velocities": (self.agents, 2),
            "landmarks": (self.landmarks, 2),
            "goal": (),
        }
        self.opponents = params.opponents
        self.view = Viewer(self.agents, self.landmarks, device)

    def start(self, generators: Sequence[torch.Generator], copies: int) -> State:
        """See `start_with_goal`."""
        return start_with_goal(generators, copies, self.agents, self.landmarks)

    def force(self, actions: Tensor, view: View) -> Tensor:
        """[S, E, N, 2]."""
        return action_force(actions, self.dynamics)

    def messages(self, actions: Tensor) -> None:
        """Nobody speaks."""

    def observe(self, state: State, view: View) -> Tensor:
        """[S, E, N, O]. Adversary: [landmarks 2L, other agents 2(N - 1)], padded by 2.

        Good agent: [goal 2, landmarks 2L, other agents 2(N - 1)]. Positions are relative; nobody sees a velocity.
        """
        company, k = view.relative.flatten(-2), self.adversaries
        adversaries = torch.nn.functional.pad(company[..., :k, :], (0, 2))
        good = torch.cat([to_goal(state, view, self.landmarks)[..., k:, :], company[..., k:, :]], dim=-1)
        return torch.cat([adversaries, good], dim=-2)

    def rewards(self, state: State, view: View) -> Tensor:
        """[S, E, N] from distances d to the goal.

        Each good agent: the sum of the adversaries' d minus the smallest d of a good agent. Adversary: -d in mpe2, -d^2
        in openai.
        """
        distance, k = goal_distance(state, view, self.landmarks), self.adversaries
        theirs = distance[..., :k]
        good = ordered_sum(theirs, dim=-1) - distance[..., k:].amin(dim=-1)
        adversaries = -theirs if self.dynamics == "mpe2" else -theirs.square()
        return torch.cat([adversaries, good.unsqueeze(-1).expand(*good.shape, self.agents - k)], dim=-1)
