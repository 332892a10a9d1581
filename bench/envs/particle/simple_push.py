"""Simple push: an agent must reach its goal. An adversary must keep it away but does not know which landmark it is.

Axes: S seed, E environment copy, N = 2 agent (adversary, agent), L = 2 landmark; O = 19, A = 5.

Sources: `scenarios/simple_push.py` of multiagent-particle-envs ("openai"), and mpe2 1.1.1's simple_push_v3. They differ
only in integration order and action signs (physics.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bench.envs.particle.goals import goal_distance, start_with_goal, to_goal
from bench.envs.particle.params import Dynamics, SimplePushParams
from bench.envs.particle.physics import State, action_force, contact_force
from bench.envs.particle.view import View, Viewer

AGENTS, LANDMARKS = 2, 2
TOUCH = 0.1  # two agents of radius .05, the default of both sources
# Colours in both sources: landmark i has .1, and .8 more at i + 1; the agent has .25, and .5 more at its goal's.
LANDMARK_COLOURS = ((0.1, 0.9, 0.1), (0.1, 0.1, 0.9))
AGENT_COLOURS = ((0.25, 0.75, 0.25), (0.25, 0.25, 0.75))  # by goal


class SimplePush:
    """The scenario's start, view, forces, observation and reward, as functions of the state."""

    def __init__(self, params: SimplePushParams, device: torch.device | str):
        self.dynamics: Dynamics = params.dynamics
        self.shapes = {
            "positions": (AGENTS, 2),
            "velocities": (AGENTS, 2),
            "landmarks": (LANDMARKS, 2),
            "goal": (),
        }
        self.opponents = 0
        self.view = Viewer(AGENTS, LANDMARKS, device)
        self._padding = params.obs_size - params.obs_sizes[0]
        self._agent_colours = torch.tensor(AGENT_COLOURS, dtype=torch.float64, device=device)
        self._landmark_colours = torch.tensor(LANDMARK_COLOURS, dtype=torch.float64, device=device).flatten()

    def start(self, generators: Sequence[torch.Generator], copies: int) -> State:
        """See `start_with_goal`."""
        return start_with_goal(generators, copies, AGENTS, LANDMARKS)

    def force(self, actions: Tensor, view: View) -> Tensor:
        """Force of actions [S, E, N, 5] and of agents that push each other; landmarks do not push. [S, E, N, 2]."""
        control = action_force(actions, self.dynamics)
        return control + contact_force(view.relative[..., LANDMARKS:, :], view.distance[..., LANDMARKS:], TOUCH)

    def messages(self, actions: Tensor) -> None:
        """Nobody speaks."""

    def observe(self, state: State, view: View) -> Tensor:
        """[S, E, N, O]. Adversary: [velocity 2, landmarks 2L, the other 2], padded.

        Agent: [velocity 2, goal 2, own colour 3, landmarks 2L, their colours 3L, the other 2]. Positions are relative.
        """
        assert state.goal is not None
        adversary = torch.cat([state.velocities[..., 0, :], view.relative[..., 0, :, :].flatten(-2)], dim=-1)
        landmarks, other = view.relative[..., 1, :, :].flatten(-2).split([2 * LANDMARKS, 2], dim=-1)
        goal, colours = to_goal(state, view, LANDMARKS)[..., 1, :], self._landmark_colours
        parts = [state.velocities[..., 1, :], goal, self._agent_colours[state.goal]]
        agent = torch.cat([*parts, landmarks, colours.expand(*goal.shape[:2], -1), other], dim=-1)
        return torch.stack([torch.nn.functional.pad(adversary, (0, self._padding)), agent], dim=-2)

    def rewards(self, state: State, view: View) -> Tensor:
        """[S, E, N] from distances to the goal. Agent: minus its own. Adversary: the agent's minus its own."""
        adversary, agent = goal_distance(state, view, LANDMARKS).unbind(-1)
        return torch.stack([agent - adversary, -agent], dim=-1)
