"""A naive QMIX, the yardstick of test_qmix.py: one seed, one episode at a time, without optimisation.

mpe2's unchanged speaker-listener, torch modules and one Adam. Written as in EPyMARL: the agents' network goes
through a batch step by step, because another agent might be recurrent. `whole=True` sends the sequence through at once,
the cheapest form that is still plain. Sizes and settings are the suite's qmix_teacher.

Axes: B batch of episodes, T time step, N agent, O observation entry, A action.
"""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import torch
from mpe2 import simple_speaker_listener_v4
from torch import Tensor, nn

LIMIT, AGENTS, OBS, ACTIONS = 25, 2, 11, 5
OWN_ACTIONS = (3, 5)  # of speaker and listener
HIDDEN, MIXING, HYPER, BATCH, CAPACITY = 64, 32, 64, 32, 5000
LR, GAMMA, CLIP, TARGET_INTERVAL, UNAVAILABLE = 5e-4, 0.99, 10.0, 200, -9_999_999.0
EPSILON = 0.05


class Mixer(nn.Module):
    """Q_tot [B, T] of Q_i [B, T, N] and states [B, T, X]."""

    def __init__(self) -> None:
        super().__init__()
        state = AGENTS * OBS

        def hyper(outputs: int) -> nn.Sequential:
            return nn.Sequential(nn.Linear(state, HYPER), nn.ReLU(), nn.Linear(HYPER, outputs))

        self.w_1, self.w_final, self.b_1 = hyper(AGENTS * MIXING), hyper(MIXING), nn.Linear(state, MIXING)
        self.v = nn.Sequential(nn.Linear(state, MIXING), nn.ReLU(), nn.Linear(MIXING, 1))

    def forward(self, q: Tensor, state: Tensor) -> Tensor:
        shape, q, state = q.shape[:2], q.reshape(-1, 1, AGENTS), state.reshape(-1, AGENTS * OBS)
        w_1 = self.w_1(state).abs().view(-1, AGENTS, MIXING)
        hidden = torch.nn.functional.elu(torch.bmm(q, w_1) + self.b_1(state).unsqueeze(1))
        w_final = self.w_final(state).abs().unsqueeze(-1)
        return (torch.bmm(hidden, w_final) + self.v(state).unsqueeze(-1)).view(shape)


class NaiveQMIX:
    """One seed of QMIX on speaker-listener: `episode` plays and stores one, `update` is one step."""

    def __init__(self, seed: int, whole: bool):
        torch.manual_seed(seed)
        self.environment = simple_speaker_listener_v4.parallel_env(max_cycles=LIMIT, continuous_actions=False)
        self.environment.reset(seed=seed)
        self.names, self.whole = self.environment.possible_agents, whole
        self.random = np.random.default_rng(seed)
        self.agent = nn.Sequential(
            nn.Linear(OBS + AGENTS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, ACTIONS)
        )
        self.mixer = Mixer()
        self.target_agent, self.target_mixer = deepcopy(self.agent), deepcopy(self.mixer)
        self.parameters = [*self.agent.parameters(), *self.mixer.parameters()]
        self.adam = torch.optim.Adam(self.parameters, lr=LR)
        self.avail = torch.tensor([[a < own for a in range(ACTIONS)] for own in OWN_ACTIONS])
        self.obs = torch.zeros(CAPACITY, LIMIT + 1, AGENTS, OBS)
        self.actions = torch.zeros(CAPACITY, LIMIT, AGENTS, dtype=torch.long)
        self.rewards = torch.zeros(CAPACITY, LIMIT)
        self.episodes = self.updates = 0
        self.mean, self.variance, self.count = 0.0, 1.0, 1e-4

    def fill(self, episodes: int) -> None:
        """With random numbers, so sampling costs as much as in the middle of a run."""
        self.obs[:episodes].normal_()
        self.rewards[:episodes].normal_()
        self.episodes = episodes

    @torch.no_grad()
    def episode(self) -> float:
        """Play and store one episode; its return, summed over agents."""
        place, total = self.episodes % CAPACITY, 0.0
        observations, _ = self.environment.reset()
        self.obs[place, 0] = self._padded(observations)
        for t in range(LIMIT):
            actions = self._act(self.obs[place, t])
            named = {name: int(a) for name, a in zip(self.names, actions, strict=True)}
            observations, rewards, *_ = self.environment.step(named)
            self.obs[place, t + 1] = self._padded(observations)
            self.actions[place, t] = actions
            self.rewards[place, t] = sum(rewards.values())
            total += sum(rewards.values())
        self.episodes += 1
        return total

    def update(self) -> None:
        """One step down the TD loss of a batch, then the targets where they are due."""
        stored = min(self.episodes, CAPACITY)
        index = torch.from_numpy(self.random.choice(stored, BATCH, replace=False))
        obs, actions = self.obs[index], self.actions[index]
        rewards = self._standardised(self.rewards[index])
        q = self._q(self.agent, obs)
        taken = q[:, :-1].gather(3, actions.unsqueeze(3)).squeeze(3)
        with torch.no_grad():
            target = self._q(self.target_agent, obs)[:, 1:].masked_fill(~self.avail, UNAVAILABLE)
            best = q[:, 1:].masked_fill(~self.avail, UNAVAILABLE).max(3, keepdim=True)[1]
            next_q = self.target_mixer(target.gather(3, best).squeeze(3), obs[:, 1:].flatten(2))
            alive = torch.ones(BATCH, LIMIT)
            alive[:, -1] = 0
            targets = rewards + GAMMA * alive * next_q
        loss = (self.mixer(taken, obs[:, :-1].flatten(2)) - targets).square().mean()
        self.adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, CLIP)
        self.adam.step()
        self.updates += 1
        if self.updates % TARGET_INTERVAL == 0:
            self.target_agent.load_state_dict(self.agent.state_dict())
            self.target_mixer.load_state_dict(self.mixer.state_dict())

    def _q(self, agent: nn.Module, obs: Tensor) -> Tensor:
        """[B, T+1, N, O] -> [B, T+1, N, A]."""
        inputs = torch.cat([obs, torch.eye(AGENTS).expand(*obs.shape[:3], AGENTS)], 3)
        if self.whole:
            return agent(inputs)
        return torch.stack([agent(inputs[:, t].flatten(0, 1)).view(-1, AGENTS, ACTIONS) for t in range(LIMIT + 1)], 1)

    def _act(self, obs: Tensor) -> Tensor:
        """Epsilon-greedy actions [N] of observations [N, O]."""
        q = self.agent(torch.cat([obs, torch.eye(AGENTS)], 1)).masked_fill(~self.avail, UNAVAILABLE)
        anything = torch.distributions.Categorical(self.avail.float()).sample()
        return torch.where(torch.rand(AGENTS) < EPSILON, anything, q.argmax(1))

    def _padded(self, observations: dict[str, np.ndarray]) -> Tensor:
        return torch.stack(
            [torch.nn.functional.pad(torch.from_numpy(o), (0, OBS - len(o))) for o in observations.values()]
        )

    def _standardised(self, rewards: Tensor) -> Tensor:
        mean, variance, n = rewards.mean().item(), rewards.var().item(), rewards.numel()
        delta, count = mean - self.mean, self.count + n
        squares = self.variance * self.count + variance * n + delta**2 * self.count * n / count
        self.mean, self.variance, self.count = self.mean + delta * n / count, squares / count, count
        return (rewards - self.mean) / self.variance**0.5
