"""StarCraft and SMAX as PettingZoo parallel environments: one episode at a time, for methods from elsewhere.

Axes: N agent, O observation entry, A action, X state entry. Inside is the harness's environment with one seed and copy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box, Dict, Discrete, Space
from numpy.typing import NDArray
from pettingzoo import ParallelEnv
from torch import Tensor

from bench.envs.protocols import Environment
from bench.envs.registry import checked, make

Obs = dict[str, NDArray[Any]]
Infos = dict[str, dict[str, Any]]


class BattleParallelEnv(ParallelEnv[str, dict[str, NDArray[Any]], Any]):
    """Agents agent_0, agent_1, ...; Discrete actions, the team's reward to each.

    An observation is {"observation": [O] float32, "action_mask": [A] int8}, PettingZoo's form of masks: the actions
    that the agent can take now. Dead agents also have one action. state() [X]. A battle's end terminates all agents
    together; a limit truncates them. The infos of the last step have the outcomes by name, such as "win_rate".
    """

    def __init__(self, params: Any, environment: Environment, episode_limit: int):
        """Raises ValueError if episode_limit, in environment steps, is less than 1."""
        if episode_limit < 1:
            raise ValueError(f"episode_limit: got {episode_limit}; allowed: at least 1 environment step")
        self.metadata = {"name": params.name, "render_modes": [], "is_parallelizable": True}
        self.render_mode = None
        self.episode_limit = episode_limit
        self.possible_agents = [f"agent_{i}" for i in range(environment.agents)]
        self.agents = []
        self._environment, self._steps = environment, 0
        self._generator = torch.Generator()
        self._generator.seed()
        self._observation_space = Dict(
            {
                "observation": Box(-np.inf, np.inf, (environment.obs_size,), np.float32),
                "action_mask": Box(0, 1, (environment.action_size,), np.int8),
            }
        )
        self._action_space = Discrete(environment.action_size)
        self.state_space = Box(-np.inf, np.inf, (params.state_size,), np.float32)

    def observation_space(self, agent: str) -> Space[Any]:
        return self._observation_space

    def action_space(self, agent: str) -> Discrete:
        return self._action_space

    def state(self) -> NDArray[np.float32]:
        """The global state after the last reset or step."""
        found = self._environment.global_state()
        assert found is not None  # both families have a state
        return found[0, 0].numpy().astype(np.float32)

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict[str, Obs], Infos]:
        """Start an episode. A seed restarts the random stream; without a seed it goes on. There are no `options`.

        StarCraft itself takes no seed: its episodes do not repeat.
        """
        if seed is not None:
            self._generator.manual_seed(seed)
        self.agents, self._steps = self.possible_agents[:], 0
        obs = self._by_agent(self._environment.reset([self._generator], 1))
        return obs, {agent: {} for agent in self.agents}

    def step(
        self, actions: dict[str, int]
    ) -> tuple[dict[str, Obs], dict[str, float], dict[str, bool], dict[str, bool], Infos]:
        """One step of every agent. When the episode is over, `agents` becomes empty; reset before the next step.

        Raises ValueError if an agent's action is missing or not available now, or if no episode is running.
        """
        if not self.agents:
            raise ValueError("step: no episode is running; call reset first")
        given = self._environment.step(self._one_hot(actions))
        self._steps += 1
        agents, done = self.agents, bool(given.terminated.item())
        cut = bool(given.truncated.item()) or self._steps >= self.episode_limit
        outcome: dict[str, Any] = {}
        if done or cut:
            self.agents = []
            outcome = {name: float(own) for name, own in given.outcome.items()}
        infos = {agent: {**outcome} for agent in agents}
        rewards = dict(zip(agents, given.rewards[0, 0].tolist(), strict=True))
        return self._by_agent(given.obs), rewards, dict.fromkeys(agents, done), dict.fromkeys(agents, cut), infos

    def close(self) -> None:
        """End the game's process."""
        if close := getattr(self._environment, "close", None):
            close()

    def _one_hot(self, actions: dict[str, int]) -> Tensor:
        can = self._environment.avail_actions()[0, 0]
        chosen = [actions.get(agent, -1) for agent in self.agents]
        there = [0 <= int(a) < len(own) and bool(own[int(a)]) for a, own in zip(chosen, can, strict=True)]
        if len(actions) != len(self.agents) or not all(there):
            wrong = there.index(False) if False in there else 0
            allowed = can[wrong].nonzero().flatten().tolist()
            raise ValueError(
                f"actions: got {actions}; allowed: an integer for each agent; for {self.agents[wrong]} one of {allowed}"
            )
        return torch.nn.functional.one_hot(torch.tensor(list(map(int, chosen))), can.shape[-1]).double()[None, None]

    def _by_agent(self, obs: Tensor) -> dict[str, Obs]:
        rows, can = obs[0, 0].numpy().astype(np.float32), self._environment.avail_actions()[0, 0].numpy()
        each = zip(self.possible_agents, rows, can.astype(np.int8), strict=True)
        return {agent: {"observation": row, "action_mask": own} for agent, row, own in each}


def parallel_env(family: str, params: dict[str, Any], episode_limit: int) -> BattleParallelEnv:
    """The PettingZoo environment of a map, of family "starcraft" or "smax". Raises BackendMissing, ValueError."""
    own = checked(family, params)
    if not own.own_state:
        raise ValueError(f"family: got {family!r}; allowed: starcraft, smax")
    return BattleParallelEnv(own, make(family, own), episode_limit)
