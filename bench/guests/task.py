"""The argument of a training function: `train(task)`.

Axes: E episode (parallel copy), N agent, O observation entry, A action entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from bench.guests.actions import stacked
from bench.processes.channel import Channel

Obs = NDArray[np.float32]

# policy(obs, t) -> actions. obs: by agent, float32 [E, O of that agent], E parallel episodes at their step t, which
# runs from 0 in order. actions: by agent, whole numbers [E]. It may keep a memory: all E episodes begin at t = 0.
Policy = Callable[[Mapping[str, Obs], int], Mapping[str, Any]]


class BudgetSpent(Exception):
    """The training budget is used up: no further step. If it is not caught, it ends training like a return."""


@dataclass(frozen=True)
class Team:
    """The agents of a scenario. obs_sizes, action_sizes: each agent's own.

    continuous: whether an action is a vector of numbers in [-1, 1], of that size; else it is one of that many choices.
    """

    agents: tuple[str, ...]
    obs_sizes: tuple[int, ...]
    action_sizes: tuple[int, ...]
    continuous: bool = False

    @property
    def obs_size(self) -> int:
        """O, the longest observation. In a message all others are padded with zeros to this length."""
        return max(self.obs_sizes)

    @property
    def action_size(self) -> int:
        return max(self.action_sizes)

    def by_agent(self, obs: Obs) -> dict[str, Obs]:
        """[..., N, O] -> each agent's own [..., O of that agent]."""
        own = zip(self.agents, self.obs_sizes, np.moveaxis(obs, -2, 0), strict=True)
        return {agent: rows[..., :size].copy() for agent, size, rows in own}


class Task:
    """One run of one scenario.

    seed: the run's; derive all randomness from it. budget: environment steps that training may take, over all
    environments. episode_limit: steps of an episode. name: the scenario's, for printing. hyperparameters: those of the
    declaration. teacher: a trained team to learn from, if the declaration asks for one and the suite has one.
    """

    def __init__(self, channel: Channel, says: Mapping[str, Any]):
        self._channel = channel
        sizes = tuple(says["obs_sizes"]), tuple(says["action_sizes"])
        self.team = Team(tuple(says["agents"]), *sizes, continuous=says["continuous"])
        self.seed: int = says["seed"]
        self.budget: int = says["budget"]
        self.episode_limit: int = says["episode_limit"]
        self.name: str = says["name"]
        self.hyperparameters: Mapping[str, Any] = MappingProxyType(says["hyperparameters"])
        self.teacher = TeacherPolicy(channel, self.team) if says["teacher"] else None
        self._environments = 0
        self._steps = 0
        self._policy: Policy = _none_yet

    @property
    def steps(self) -> int:
        """Environment steps taken so far in all environments, by the harness's count."""
        return self._steps

    @property
    def steps_left(self) -> int:
        return self.budget - self._steps

    def environment(self) -> RemoteEnvironment:
        """A new PettingZoo parallel environment of the scenario. Each call gives another one, with its own stream."""
        self._environments += 1
        return RemoteEnvironment(self, self._environments - 1)

    def gymnasium(self) -> SingleAgent:
        """The same as a gymnasium environment. Raises ValueError if there are several agents."""
        return SingleAgent(self.environment())

    def report(self, step: int, policy: Policy) -> None:
        """Show the policy after `step` environment steps; the harness evaluates it if an evaluation is due.

        Report often: an evaluation takes place at the first report at or after its point. The final evaluation plays
        the last reported policy, in its state when training ends. Returns nothing: evaluations are not for training.
        Raises TypeError for a policy that cannot be called, ValueError if `step` is not the harness's count.
        """
        if not callable(policy):
            raise TypeError(f"report: got a policy of type {type(policy).__name__}; allowed: policy(obs, t) -> actions")
        if step != self._steps:
            raise ValueError(f"report: got step {step}; allowed: {self._steps}, the environment's count of steps")
        self._policy = policy
        self._channel.send({"do": "report", "step": int(step)})
        self.answer()

    def answer(self) -> None:
        """If the harness starts an evaluation, act in it until the harness says that it is done."""
        while True:
            says, array = self._channel.receive()
            if says["is"] == "done":
                return
            obs = np.frombuffer(array, np.float32).reshape(says["episodes"], len(self.team.agents), -1)
            actions = self._policy(self.team.by_agent(obs), says["t"])
            shape = (says["episodes"],)
            chosen = stacked(actions, self.team.agents, self.team.action_sizes, shape, self.team.continuous)
            self._channel.send({"do": "act"}, chosen.tobytes())

    def exchange(self, message: Mapping[str, Any], array: bytes = b"") -> tuple[dict[str, Any], bytes]:
        """Ask the harness. Raises BudgetSpent."""
        self._channel.send(message, array)
        says, answer = self._channel.receive()
        if says["is"] == "spent":
            raise BudgetSpent(f"the budget of {self.budget:,} environment steps is used up")
        self._steps = says["steps"]
        return says, answer


def _none_yet(obs: Mapping[str, Obs], t: int) -> Mapping[str, Any]:
    raise RuntimeError("no policy has been reported yet")


class TeacherPolicy:
    """A trained team. teacher(obs, t) -> its logits or Q values of each action, by agent, float32 [E, A of that agent].

    Its algorithm decides which of both. The highest is its choice. obs and t are those of a `Policy`.
    """

    def __init__(self, channel: Channel, team: Team):
        self._channel, self._team = channel, team

    def __call__(self, obs: Mapping[str, Obs], t: int = 0) -> dict[str, NDArray[np.float32]]:
        team = self._team
        episodes = len(obs[team.agents[0]])
        padded = np.zeros((episodes, len(team.agents), team.obs_size), np.float32)
        for n, (agent, size) in enumerate(zip(team.agents, team.obs_sizes, strict=True)):
            padded[:, n, :size] = obs[agent]
        self._channel.send({"do": "teach", "t": t, "episodes": episodes}, padded.tobytes())
        _, answer = self._channel.receive()
        values = np.frombuffer(answer, np.float32).reshape(episodes, len(team.agents), -1)
        own = zip(team.agents, team.action_sizes, np.moveaxis(values, 1, 0), strict=True)
        return {agent: rows[:, :size].copy() for agent, size, rows in own}


class RemoteEnvironment(ParallelEnv[str, Any, Any]):
    """The scenario as a PettingZoo environment: float32 observations, float rewards, no padding.

    Actions are Discrete, or a Box from -1 to 1. All agents are truncated together at the episode's limit. The run's
    seed decides every episode. `reset` accepts a seed and options but ignores them, so nobody can train on the episodes
    of the evaluation.
    """

    def __init__(self, task: Task, copy: int):
        self._task, self._copy = task, copy
        team = task.team
        self.metadata = {"name": task.name, "render_modes": [], "is_parallelizable": True}
        self.render_mode = None
        self.possible_agents = list(team.agents)
        self.agents: list[str] = []
        self._observation_spaces = {a: _box(size) for a, size in zip(team.agents, team.obs_sizes, strict=True)}
        acting = _bounded if team.continuous else Discrete
        self._action_spaces = {a: acting(size) for a, size in zip(team.agents, team.action_sizes, strict=True)}
        self.state_space = _box(len(team.agents) * team.obs_size)
        self._obs = np.zeros((len(team.agents), team.obs_size), np.float32)

    def observation_space(self, agent: str) -> Box:
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> Box | Discrete:
        return self._action_spaces[agent]

    def state(self) -> Obs:
        """The global state: all agents' observations concatenated, each padded to the longest."""
        return self._obs.flatten()

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Obs], dict[str, dict[str, Any]]]:
        """Start an episode. An episode that is abandoned has cost its steps and counts nowhere."""
        _, answer = self._task.exchange({"do": "reset", "copy": self._copy})
        self.agents = self.possible_agents[:]
        return self._seen(answer), {agent: {} for agent in self.agents}

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[dict[str, Obs], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """One step of every agent. Raises IllegalAction, BudgetSpent, and RuntimeError if no episode is running."""
        if not self.agents:
            raise RuntimeError("step: no episode is running; call reset first")
        team, agents = self._task.team, self.agents
        chosen = stacked(actions, team.agents, team.action_sizes, (), team.continuous)
        says, answer = self._task.exchange({"do": "step", "copy": self._copy}, chosen.tobytes())
        rewards = np.frombuffer(answer[: 8 * len(agents)], np.float64).tolist()
        terminated, truncated = bool(says["terminated"]), bool(says["truncated"])
        if terminated or truncated:
            self.agents = []
        return (
            self._seen(answer[8 * len(agents) :]),
            dict(zip(agents, rewards, strict=True)),
            dict.fromkeys(agents, terminated),
            dict.fromkeys(agents, truncated),
            {agent: {} for agent in agents},
        )

    def render(self) -> None:
        """There is nothing to see."""

    def _seen(self, answer: bytes) -> dict[str, Obs]:
        self._obs = np.frombuffer(answer, np.float32).reshape(self._obs.shape).copy()
        return self._task.team.by_agent(self._obs)


class SingleAgent(gymnasium.Env[Any, Any]):
    """A scenario with one agent as a gymnasium environment; see `RemoteEnvironment`."""

    def __init__(self, environment: RemoteEnvironment):
        """Raises ValueError if there are several agents."""
        if len(environment.possible_agents) != 1:
            got = ", ".join(environment.possible_agents)
            raise ValueError(f"gymnasium: got the agents {got}; allowed: one; use task.environment() of PettingZoo")
        self._environment, (self._agent,) = environment, environment.possible_agents
        self.observation_space = environment.observation_space(self._agent)
        self.action_space = environment.action_space(self._agent)
        self.metadata, self.render_mode = environment.metadata, None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Obs, dict[str, Any]]:
        """Start an episode. The run's seed decides it; the argument is ignored."""
        super().reset(seed=seed)
        obs, _ = self._environment.reset()
        return obs[self._agent], {}

    def step(self, action: Any) -> tuple[Obs, float, bool, bool, dict[str, Any]]:
        """As `RemoteEnvironment.step`."""
        obs, rewards, terminated, truncated, _ = self._environment.step({self._agent: action})
        agent = self._agent
        return obs[agent], rewards[agent], terminated[agent], truncated[agent], {}


def _bounded(size: int) -> Box:
    return Box(-1.0, 1.0, (size,), np.float32)


def _box(size: int) -> Box:
    return Box(-np.inf, np.inf, (size,), np.float32)
