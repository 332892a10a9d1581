"""PPO of stable-baselines3 (2.9), unchanged, its parameters shared by all agents.

Every agent of every environment is one entry of a vector environment, so one network plays them all. All agents
must have the same spaces. Axes: E environment, N agent; the vector has E x N entries.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv

from bench.guests import Obs, Task

DECLARATION = {
    "says": "PPO of stable-baselines3, parameters shared by all agents",
    "tuning": {"runs": 0, "steps": 0, "seeds": [], "says": "the library's defaults, but for the length of a rollout"},
    "hyperparameters": {"environments": 4, "episodes": 2},
}


class SharedAgents(VecEnv):
    """PettingZoo parallel environments as stable-baselines3's vector environment. It resets ended episodes."""

    def __init__(self, task: Task, environments: int):
        self._environments = [task.environment() for _ in range(environments)]
        first, self._agents = self._environments[0], list(task.team.agents)
        spaces = first.observation_space(self._agents[0]), first.action_space(self._agents[0])
        for agent in self._agents:
            if (first.observation_space(agent), first.action_space(agent)) != spaces:
                raise ValueError(f"{agent}: its spaces differ from those of {self._agents[0]}; allowed: equal spaces")
        super().__init__(environments * len(self._agents), *spaces)
        self._actions = np.zeros(self.num_envs, np.int64)

    def reset(self) -> Any:
        return np.concatenate([self._rows(environment.reset()[0]) for environment in self._environments])

    def step_async(self, actions: NDArray[Any]) -> None:
        self._actions = actions

    def step_wait(self) -> Any:
        seen, rewards, dones, infos = [], [], [], []
        for environment, own in zip(self._environments, np.split(self._actions, len(self._environments)), strict=True):
            taken = dict(zip(self._agents, own.tolist(), strict=True))
            obs, reward, _, truncated, _ = environment.step(taken)
            rows, over = self._rows(obs), not environment.agents
            seen.append(self._rows(environment.reset()[0]) if over else rows)
            for n, agent in enumerate(self._agents):
                rewards.append(reward[agent])
                dones.append(over)
                infos.append({"terminal_observation": rows[n], "TimeLimit.truncated": truncated[agent]} if over else {})
        return np.concatenate(seen), np.array(rewards, np.float32), np.array(dones), infos

    def _rows(self, obs: Mapping[str, Obs]) -> Obs:
        return np.stack([obs[agent] for agent in self._agents])

    def close(self) -> None:
        """Nothing to close."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [None for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise AttributeError(attr_name)

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        raise AttributeError(method_name)

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False for _ in self._get_indices(indices)]


class Reports(BaseCallback):
    """Shows the policy after every rollout."""

    def __init__(self, task: Task):
        super().__init__()
        self._task = task

    def policy(self, obs: Mapping[str, Obs], t: int) -> dict[str, NDArray[np.int64]]:
        return {agent: self.model.predict(own, deterministic=True)[0] for agent, own in obs.items()}

    def _on_training_start(self) -> None:
        self._task.report(self._task.steps, self.policy)

    def _on_rollout_start(self) -> None:
        self._task.report(self._task.steps, self.policy)

    def _on_step(self) -> bool:
        return True


def train(task: Task) -> None:
    h = task.hyperparameters
    vector = SharedAgents(task, h["environments"])
    steps = h["episodes"] * task.episode_limit
    model = PPO("MlpPolicy", vector, n_steps=steps, batch_size=steps, seed=task.seed, device="cpu")
    rollouts = task.budget // (steps * h["environments"])  # whole ones: it does not train on a part of a rollout
    reports = Reports(task)
    model.learn(rollouts * steps * vector.num_envs, callback=reports)
    task.report(task.steps, reports.policy)
