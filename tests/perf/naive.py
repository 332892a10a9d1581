"""A naive MADDPG, the yardstick of test_end_to_end.py: what one would write first, without optimisation.

mpe2's unchanged simple_spread, one seed and one episode at a time, a Python loop over agents, a torch module and an
Adam for each network, replay in NumPy. Sizes and settings are the suite's. Batches go through a network whole.

Axes: N agent, B batch, O observation entry, A action entry.
"""

from __future__ import annotations

from copy import deepcopy
from itertools import chain, pairwise

import numpy as np
import torch
from mpe2 import simple_spread_v3
from torch import Tensor, nn
from torch.nn.functional import mse_loss

ACTIONS, LIMIT = 5, 25
HIDDEN, LAYERS, BATCH, CAPACITY = 64, 3, 1024, 1_000_000
LR, GAMMA, TAU, CLIP, PENALTY = 0.01, 0.95, 0.01, 0.5, 0.001


def mlp(inputs: int, outputs: int) -> nn.Sequential:
    sizes = [inputs, *[HIDDEN] * LAYERS]
    hidden = [(nn.Linear(a, b), nn.ReLU()) for a, b in pairwise(sizes)]
    return nn.Sequential(*chain.from_iterable(hidden), nn.Linear(HIDDEN, outputs))


def soft_action(logits: Tensor) -> Tensor:
    """A Gumbel-softmax sample at temperature 1."""
    return (logits - torch.log(-torch.log(torch.rand_like(logits)))).softmax(-1)


class Replay:
    """A ring of transitions."""

    def __init__(self, agents: int, obs_size: int, seed: int):
        self.random, self.size, self.next = np.random.default_rng(seed), 0, 0
        self.obs, self.next_obs = (np.zeros((CAPACITY, agents, obs_size), np.float32) for _ in range(2))
        self.actions = np.zeros((CAPACITY, agents, ACTIONS), np.float32)
        self.rewards = np.zeros((CAPACITY, agents), np.float32)
        self.alive = np.zeros((CAPACITY, agents), np.float32)

    def add(self, *transition: np.ndarray) -> None:
        for column, value in zip(self._columns(), transition, strict=True):
            column[self.next] = value
        self.next = (self.next + 1) % CAPACITY
        self.size = min(self.size + 1, CAPACITY)

    def fill(self, transitions: int) -> None:
        """With random numbers, so sampling costs as much as in the middle of a run."""
        for column in self._columns():
            column[:transitions] = self.random.standard_normal((transitions, *column.shape[1:]))
        self.next = self.size = transitions

    def sample(self) -> list[Tensor]:
        """Observations, actions, rewards, whether the episode goes on, next observations: [B, N, ...] each."""
        index = self.random.integers(self.size, size=BATCH)
        return [torch.from_numpy(column[index]) for column in self._columns()]

    def _columns(self) -> tuple[np.ndarray, ...]:
        return self.obs, self.actions, self.rewards, self.alive, self.next_obs


class Agent:
    """Actor, critic, their targets and an optimiser each."""

    def __init__(self, obs_size: int, joint_size: int):
        self.actor, self.critic = mlp(obs_size, ACTIONS), mlp(joint_size, 1)
        self.target_actor, self.target_critic = deepcopy(self.actor), deepcopy(self.critic)
        self.actor_adam = torch.optim.Adam(self.actor.parameters(), lr=LR)
        self.critic_adam = torch.optim.Adam(self.critic.parameters(), lr=LR)

    def descend(self, adam: torch.optim.Adam, network: nn.Module, loss: Tensor) -> None:
        adam.zero_grad()
        loss.backward()
        for parameter in network.parameters():  # openai/maddpg clips each variable by itself
            nn.utils.clip_grad_norm_(parameter, CLIP)
        adam.step()

    @torch.no_grad()
    def move_targets(self) -> None:
        for target, online in ((self.target_actor, self.actor), (self.target_critic, self.critic)):
            for old, new in zip(target.parameters(), online.parameters(), strict=True):
                old.lerp_(new, TAU)


class NaiveMADDPG:
    """One seed. own_batches: each agent samples a batch of its own, as in openai/maddpg; else all share one."""

    def __init__(self, agents: int, seed: int, own_batches: bool):
        torch.manual_seed(seed)
        self.environment = simple_spread_v3.parallel_env(N=agents, max_cycles=LIMIT, continuous_actions=True)
        self.environment.reset(seed=seed)
        self.names = self.environment.possible_agents
        obs_size = 6 * agents
        self.agents = [Agent(obs_size, agents * (obs_size + ACTIONS)) for _ in range(agents)]
        self.replay, self.own_batches = Replay(agents, obs_size, seed), own_batches

    @torch.no_grad()
    def act(self, obs: np.ndarray) -> np.ndarray:
        """[N, O] -> [N, A]."""
        rows = torch.from_numpy(obs)
        return np.stack([soft_action(agent.actor(row)).numpy() for agent, row in zip(self.agents, rows, strict=True)])

    def episode(self) -> float:
        """Play and store one episode; its mean step reward."""
        observations, _ = self.environment.reset()
        obs, total = np.stack([observations[name] for name in self.names]), 0.0
        for _ in range(LIMIT):
            actions = self.act(obs)
            observations, rewards, ended, *_ = self.environment.step(dict(zip(self.names, actions, strict=True)))
            next_obs = np.stack([observations[name] for name in self.names])
            reward = np.array([rewards[name] for name in self.names])
            self.replay.add(obs, actions, reward, np.array([not ended[name] for name in self.names]), next_obs)
            obs, total = next_obs, total + float(reward.mean())
        return total / LIMIT

    def update(self) -> None:
        """A critic and an actor step of every agent, then its targets'."""
        batch = self.replay.sample()
        for n, agent in enumerate(self.agents):
            if self.own_batches and n:
                batch = self.replay.sample()
            self.update_critic(n, agent, *batch)
            self.update_actor(n, agent, *batch[:2])
        for agent in self.agents:
            agent.move_targets()

    def update_critic(
        self, n: int, agent: Agent, obs: Tensor, actions: Tensor, rewards: Tensor, alive: Tensor, next_obs: Tensor
    ) -> None:
        with torch.no_grad():
            chosen = [soft_action(other.target_actor(next_obs[:, m])) for m, other in enumerate(self.agents)]
            next_value = agent.target_critic(torch.cat([next_obs.flatten(1), *chosen], 1))[:, 0]
            target = rewards[:, n] + GAMMA * alive[:, n] * next_value
        value = agent.critic(torch.cat([obs.flatten(1), actions.flatten(1)], 1))[:, 0]
        agent.descend(agent.critic_adam, agent.critic, mse_loss(value, target))

    def update_actor(self, n: int, agent: Agent, obs: Tensor, actions: Tensor) -> None:
        logits = agent.actor(obs[:, n])
        played = list(actions.unbind(1))
        played[n] = soft_action(logits)
        value = agent.critic(torch.cat([obs.flatten(1), *played], 1))
        agent.descend(agent.actor_adam, agent.actor, -value.mean() + PENALTY * logits.square().mean())
