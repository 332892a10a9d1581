"""MAAC's update on task VIII's sizes: ours, and a plain loop that goes agent by agent and head by head."""

from __future__ import annotations

import torch

from baselines import specs
from baselines.learner import Layout, Task
from baselines.learner import Steps as Played
from baselines.maac import MAAC
from baselines.maddpg import gumbel
from baselines.streams import Streams
from bench.suite.loading import load
from tests.baselines.plain_maac import Critic, PlainMAAC, Settings, policy

AGENTS, OBS, ACTIONS, BATCH, STORED = 8, 86, 5, 1024, 4096


class MAACWork:
    """The suite's own settings, `seeds` seeds in lanes, a replay with a few thousand transitions."""

    def __init__(self, seeds: int, device: str):
        task = Task(AGENTS, OBS, ACTIONS, 100, 60_000, Layout(OBS, tuple(range(OBS))))
        h = load("knowru").hyperparameters("maac")
        assert isinstance(h, specs.MAAC)
        self.learner = MAAC([task], h, [Streams(s, torch.device(device)) for s in range(seeds)], device)
        copies, g = self.learner.copies, torch.Generator().manual_seed(0)
        no = torch.zeros(seeds, copies, 1, dtype=torch.bool)
        for _ in range(-(-STORED // copies)):
            obs, after = (torch.randn(seeds, copies, 1, AGENTS, OBS, generator=g).to(device) for _ in range(2))
            taken = torch.randint(ACTIONS, (seeds, copies, 1, AGENTS), generator=g)
            actions = torch.nn.functional.one_hot(taken, ACTIONS).float().to(device)
            rewards = torch.randn(seeds, copies, 1, AGENTS, generator=g).to(device)
            avail = torch.ones_like(actions, dtype=torch.bool)
            self.learner.learn(0, Played(obs, avail, actions, rewards, after, no, no, no), 50)  # no update is due

    def update(self) -> None:
        """One of each seed."""
        self.learner._captured(*self.learner._drawn(*self.learner._reward_scale()), {})


class NaiveMAAC:
    """One seed."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        policies = [policy(OBS, 64, ACTIONS) for _ in range(AGENTS)]
        self.plain = PlainMAAC(policies, Critic(AGENTS, OBS, ACTIONS, 128, 4), Settings())
        self.obs, self.after = torch.randn(2, STORED, AGENTS, OBS).unbind()
        self.actions = torch.nn.functional.one_hot(torch.randint(ACTIONS, (STORED, AGENTS)), ACTIONS).float()
        self.rewards = torch.randn(STORED, AGENTS)

    def update(self) -> None:
        index, noise = torch.randint(STORED, (BATCH,)), gumbel(torch.rand(2, AGENTS, BATCH, ACTIONS))
        standard = (self.rewards - self.rewards.mean(0)) / self.rewards.std(0, correction=0)
        self.plain.update(self.obs[index], self.actions[index], standard[index], self.after[index], *noise)
