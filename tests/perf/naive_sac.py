"""A plain SAC, a yardstick of test_sac.py: one seed, one environment, without optimisation.

Built as CleanRL builds it: gymnasium's vector environment with one entry and its statistics, a module for each network,
one Adam for both critics, a replay of numpy arrays, gradients of the actor's loss left to run through the critics'
weights. One step is one update of everything. Sizes and settings are the suite's vanilla_sac.

Axes: B batch, O observation entry, A action entry.
"""

from __future__ import annotations

from copy import deepcopy

import gymnasium
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss, relu

NAME, WIDTH, BATCH, CAPACITY = "HalfCheetah-v4", 256, 256, 1_000_000
LR, GAMMA, TAU, LOG_STD_MIN, LOG_STD_MAX = 3e-4, 0.99, 0.005, -20, 2


class Critic(nn.Module):
    def __init__(self, obs: int, actions: int):
        super().__init__()
        self.first, self.second = nn.Linear(obs + actions, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.value = nn.Linear(WIDTH, 1)

    def forward(self, obs: Tensor, actions: Tensor) -> Tensor:
        hidden = relu(self.first(torch.cat([obs, actions], 1)))
        return self.value(relu(self.second(hidden)))


class Actor(nn.Module):
    def __init__(self, obs: int, actions: int):
        super().__init__()
        self.first, self.second = nn.Linear(obs, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mean, self.log_std = nn.Linear(WIDTH, actions), nn.Linear(WIDTH, actions)

    def sample(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        """Actions [B, A] and their log likelihoods [B, 1]."""
        hidden = relu(self.second(relu(self.first(obs))))
        normal = torch.distributions.Normal(
            self.mean(hidden), self.log_std(hidden).clamp(LOG_STD_MIN, LOG_STD_MAX).exp()
        )
        u = normal.rsample()
        actions = torch.tanh(u)
        log_prob = normal.log_prob(u) - torch.log(1 - actions.pow(2) + 1e-6)
        return actions, log_prob.sum(1, keepdim=True)


class NaiveSAC:
    """`steps` steps of the environment, an update after each."""

    def __init__(self, seed: int, stored: int):
        torch.manual_seed(seed)

        def make() -> gymnasium.Env:
            return gymnasium.wrappers.RecordEpisodeStatistics(gymnasium.make(NAME))

        self.random = np.random.default_rng(seed)
        self.environment = gymnasium.vector.SyncVectorEnv([make])
        self.environment.action_space.seed(seed)
        self.obs = np.asarray(self.environment.reset(seed=seed)[0])
        obs, actions = self.obs.shape[1], int(np.prod(self.environment.single_action_space.shape or ()))
        self.actor, self.critics = Actor(obs, actions), [Critic(obs, actions) for _ in range(2)]
        self.targets = deepcopy(self.critics)
        self.critic_adam = torch.optim.Adam([p for critic in self.critics for p in critic.parameters()], LR)
        self.actor_adam = torch.optim.Adam(self.actor.parameters(), LR)
        self.log_alpha, self.entropy = torch.zeros(1, requires_grad=True), -float(actions)
        self.alpha_adam = torch.optim.Adam([self.log_alpha], LR)
        sizes = {"obs": obs, "after": obs, "actions": actions, "rewards": 1, "terminated": 1}
        self.replay, self.stored = {n: np.zeros((CAPACITY, size), np.float32) for n, size in sizes.items()}, 0
        for _ in range(stored):
            self._play(self.environment.action_space.sample())

    def steps(self, count: int) -> None:
        for _ in range(count):
            with torch.no_grad():
                actions, _ = self.actor.sample(torch.as_tensor(self.obs, dtype=torch.float32))
            self._play(actions.numpy())
            self.update()

    def _play(self, actions: np.ndarray) -> None:
        after, rewards, terminated, *_ = self.environment.step(actions)
        place, self.stored = self.stored % CAPACITY, self.stored + 1
        own = {"obs": self.obs, "after": after, "actions": actions, "rewards": rewards, "terminated": terminated}
        for name, values in own.items():
            self.replay[name][place] = values[0]
        self.obs = after

    def update(self) -> None:
        rows = self.random.integers(0, self.stored, BATCH)
        batch = {name: torch.as_tensor(values[rows]) for name, values in self.replay.items()}
        alpha = self.log_alpha.exp().item()
        with torch.no_grad():
            actions, log_prob = self.actor.sample(batch["after"])
            least = torch.min(*[target(batch["after"], actions) for target in self.targets])
            goal = batch["rewards"] + (1 - batch["terminated"]) * GAMMA * (least - alpha * log_prob)
        loss = sum(mse_loss(critic(batch["obs"], batch["actions"]), goal) for critic in self.critics)
        assert isinstance(loss, Tensor)
        self._down(loss, self.critic_adam)
        actions, log_prob = self.actor.sample(batch["obs"])
        least = torch.min(*[critic(batch["obs"], actions) for critic in self.critics])
        self._down((alpha * log_prob - least).mean(), self.actor_adam)
        with torch.no_grad():
            _, log_prob = self.actor.sample(batch["obs"])
        self._down((-self.log_alpha.exp() * (log_prob + self.entropy)).mean(), self.alpha_adam)
        for target, critic in zip(self.targets, self.critics, strict=True):
            for slow, fast in zip(target.parameters(), critic.parameters(), strict=True):
                slow.data.copy_(TAU * fast.data + (1 - TAU) * slow.data)

    def _down(self, loss: Tensor, adam: torch.optim.Adam) -> None:
        adam.zero_grad()
        loss.backward()
        adam.step()
