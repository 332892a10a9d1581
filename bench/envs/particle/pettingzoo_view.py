"""Any particle scenario as a PettingZoo parallel environment: one episode at a time, for methods from elsewhere.

Axes: N agent of ours, O observation entry, A action entry. Inside is the batched environment with one seed and copy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray
from pettingzoo import ParallelEnv
from torch import Tensor

from bench.envs import state
from bench.envs.particle.environment import ParticleEnvironment, ParticleParams
from bench.envs.particle.opponents import OpponentWeights

Obs = NDArray[np.float32]


class ParticleParallelEnv(ParallelEnv[str, NDArray[Any], Any]):
    """Agents by PettingZoo's names, e.g. "speaker_0"; Discrete actions, float32 observations, float rewards.

    Each agent has spaces of its own size, without padding. `state()` is the global state of padded observations. All
    agents are truncated together after episode_limit steps. Rewards and action signs are those of the scenario's
    dynamics: action 1 pushes to +x in "openai" and to -x in "mpe2".
    """

    def __init__(self, params: ParticleParams, episode_limit: int, opponent: OpponentWeights | None = None):
        """opponent: weights, for a scenario with a pretrained opponent; AssetMissing without them.

        Raises ValueError if episode_limit, in environment steps, is less than 1.
        """
        if episode_limit < 1:
            raise ValueError(f"episode_limit: got {episode_limit}; allowed: at least 1 environment step")
        self.metadata = {"name": f"{params.name}_{params.dynamics}", "render_modes": [], "is_parallelizable": True}
        self.render_mode = None
        self.episode_limit = episode_limit
        self.possible_agents = list(params.agent_names)
        self.agents = []
        self._environment = ParticleEnvironment(params, opponent=opponent)
        self._generator = torch.Generator()
        self._generator.seed()
        self._steps = 0
        low, high = -np.inf, np.inf
        self._sizes = dict(zip(self.possible_agents, params.obs_sizes, strict=True))
        self._observation_spaces = {a: Box(low, high, (size,), np.float32) for a, size in self._sizes.items()}
        actions = zip(self.possible_agents, params.action_sizes, strict=True)
        self._action_spaces = {a: Discrete(size) for a, size in actions}
        self.state_space = Box(low, high, (params.state_size,), np.float32)
        self._obs = np.zeros((len(self._sizes), params.obs_size), np.float32)

    def observation_space(self, agent: str) -> Box:
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> Discrete:
        return self._action_spaces[agent]

    def state(self) -> Obs:
        """The global state after the last reset or step, see `bench.envs.state`."""
        return state(torch.from_numpy(self._obs)).numpy().copy()

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Obs], dict[str, dict[str, Any]]]:
        """Start an episode. A seed restarts the random stream; without a seed it goes on (PettingZoo's convention).

        Before any seed is given, the stream starts from the operating system's randomness. There are no `options`.
        """
        if seed is not None:
            self._generator.manual_seed(seed)
        self.agents = self.possible_agents[:]
        self._steps = 0
        obs = self._environment.reset([self._generator], copies=1)
        return self._by_agent(obs), {agent: {} for agent in self.agents}

    def step(
        self, actions: dict[str, int]
    ) -> tuple[dict[str, Obs], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """One step of every agent. When the episode is over, `agents` becomes empty; reset before the next step.

        Raises ValueError if an agent's action is missing or not in its space, or if no episode is running.
        """
        if not self.agents:
            raise ValueError("step: no episode is running; call reset first")
        obs, rewards, terminated, *_ = self._environment.step(self._one_hot(actions))
        self._steps += 1
        agents = self.agents
        done = bool(terminated.item())
        over = self._steps >= self.episode_limit
        if done or over:
            self.agents = []
        return (
            self._by_agent(obs),
            dict(zip(agents, rewards[0, 0].tolist(), strict=True)),
            dict.fromkeys(agents, done),
            dict.fromkeys(agents, over),
            {agent: {} for agent in agents},
        )

    def _one_hot(self, actions: dict[str, int]) -> Tensor:
        wrong = {a: actions.get(a) for a in self.agents if a not in actions or actions[a] not in self._action_spaces[a]}
        if wrong or len(actions) != len(self.agents):
            allowed = ", ".join(f"{a} (0 to {self._action_spaces[a].n - 1})" for a in self.agents)
            raise ValueError(f"actions: got {actions}; allowed: an integer for each of {allowed}")
        chosen = torch.tensor([int(actions[agent]) for agent in self.agents])
        return torch.nn.functional.one_hot(chosen, self._environment.action_size).double()[None, None]

    def _by_agent(self, obs: Tensor) -> dict[str, Obs]:
        self._obs = obs[0, 0].numpy().astype(np.float32)
        return {a: row[: self._sizes[a]] for a, row in zip(self.possible_agents, self._obs, strict=True)}


def parallel_env(
    params: ParticleParams, episode_limit: int, opponent: OpponentWeights | None = None
) -> ParticleParallelEnv:
    """The PettingZoo environment of one scenario, episodes of `episode_limit` environment steps."""
    return ParticleParallelEnv(params, episode_limit, opponent)
