"""Simple speaker listener: a listener must go to one of three landmarks, and only a speaker knows which.

Axes: S seed, E environment copy, N = 2 agent (speaker, listener), L = 3 landmark, C = 3 symbol; O = 11, A = 5.

Sources: `scenarios/simple_speaker_listener.py` of multiagent-particle-envs ("openai"), and mpe2 1.1.1's
simple_speaker_listener_v4.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bench.envs.particle.goals import start_with_goal, to_goal
from bench.envs.particle.params import Dynamics, SpeakerListenerParams
from bench.envs.particle.physics import State, action_force
from bench.envs.particle.view import View, Viewer

AGENTS, LANDMARKS, SYMBOLS = 2, 3, 3
COLOURS = ((0.65, 0.15, 0.15), (0.15, 0.65, 0.15), (0.15, 0.15, 0.65))  # of the landmarks, in both sources


class SpeakerListener:
    """The scenario's start, view, forces, messages, observation and reward, as functions of the state.

    Nobody collides. The listener hears in the same step what the speaker says.
    """

    def __init__(self, params: SpeakerListenerParams, device: torch.device | str):
        self.dynamics: Dynamics = params.dynamics
        self.shapes = {
            "positions": (AGENTS, 2),
            "velocities": (AGENTS, 2),
            "landmarks": (LANDMARKS, 2),
            "goal": (),
            "messages": (SYMBOLS,),
        }
        self.opponents = 0
        self.view = Viewer(AGENTS, LANDMARKS, device)
        self._padding = params.obs_size - params.obs_sizes[0]
        self._colours = torch.tensor(COLOURS, dtype=torch.float64, device=device)

    def start(self, generators: Sequence[torch.Generator], copies: int) -> State:
        """See `start_with_goal`. The speaker has a place, which nobody sees. Nothing has been said yet."""
        start = start_with_goal(generators, copies, AGENTS, LANDMARKS)
        silence = torch.zeros((len(generators), copies, SYMBOLS), dtype=torch.float64)
        return State(start.positions, start.velocities, start.landmarks, start.goal, silence)

    def force(self, actions: Tensor, view: View) -> Tensor:
        """[S, E, N, 2]: only the listener's action has a force."""
        force = action_force(actions, self.dynamics)
        force[..., 0, :] = 0
        return force

    def messages(self, actions: Tensor) -> Tensor:
        """The speaker's action, [S, E, C]."""
        return actions[..., 0, :SYMBOLS].clone()

    def observe(self, state: State, view: View) -> Tensor:
        """[S, E, N, O]. Speaker: [the goal's colour 3], padded. Listener: [velocity 2, landmarks 2L, message C]."""
        assert state.goal is not None
        assert state.messages is not None
        speaker = torch.nn.functional.pad(self._colours[state.goal], (0, self._padding))
        seen = view.relative[..., 1, :LANDMARKS, :].flatten(-2)
        listener = torch.cat([state.velocities[..., 1, :], seen, state.messages], dim=-1)
        return torch.stack([speaker, listener], dim=-2)

    def rewards(self, state: State, view: View) -> Tensor:
        """[S, E, N], from the listener's squared distance to the goal, d^2.

        mpe2: -d^2 for both. openai: the scenario is collaborative there, so each receives the sum over both agents,
        -2 d^2 (`shared_reward` of its MultiAgentEnv).
        """
        x, y = to_goal(state, view, LANDMARKS)[..., 1, :].unbind(-1)
        own = -(x * x + y * y)
        given = own * AGENTS if self.dynamics == "openai" else own
        return given.unsqueeze(-1).expand(-1, -1, AGENTS)
