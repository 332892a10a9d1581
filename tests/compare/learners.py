"""Learners from elsewhere, by the learner protocol."""

import os
import time
from typing import Any

from baselines import maddpg, mkt_marl, specs
from baselines.qmix import ValueDecomposition

DECLARATION = {
    "says": "MADDPG, brought from elsewhere",
    "tuning": {"runs": 0, "steps": 0, "seeds": [], "says": "nothing was tuned"},
    "hyperparameters": {
        "hidden_layers": 1,
        "hidden_width": 8,
        "lr": 0.01,
        "gamma": 0.95,
        "tau": 0.01,
        "batch_size": 16,
        "replay_size": 1000,
        "warmup_transitions": 16,
        "update_episodes": 1,
        "grad_clip": 0.5,
        "logit_penalty": 0.001,
        "temperature": 1.0,
        "layout_agents": 0,
    },
}


class Twin(maddpg.MADDPG):
    """The suite's own MADDPG."""

    def __init__(self, tasks, hyperparameters, streams, device):
        super().__init__(tasks, specs.MADDPG.model_validate(hyperparameters), streams, device)


class TwinOfSeveralTasks(ValueDecomposition):
    """The suite's own QMIX-Multi."""

    def __init__(self, tasks, hyperparameters, streams, device):
        h = specs.MultiTaskQMIX.model_validate(hyperparameters)
        network, mixer = mkt_marl.team_network(tasks, h), mkt_marl.team_mixer(tasks, h)
        super().__init__(tasks, h, streams, device, network=network, mixer=mixer)


class Crashing(Twin):
    def learn(self, task, rollout, episodes_done):
        os.abort()


class Raising(Twin):
    def learn(self, task, rollout, episodes_done):
        raise ValueError("no gradient today")


class Hanging(Twin):
    def learn(self, task, rollout, episodes_done):
        time.sleep(1000)
        return {}


class Diverging(Twin):
    def learn(self, task, rollout, episodes_done):
        return {name: loss / 0 for name, loss in super().learn(task, rollout, episodes_done).items()}


class Uneven(Twin):
    def __init__(self, tasks, hyperparameters, streams, device):
        super().__init__(tasks, hyperparameters | {"update_episodes": 4}, streams, device)


class Halved(Twin):
    def __init__(self, tasks, hyperparameters, streams, device):
        super().__init__(tasks, hyperparameters, streams, device)
        self.copies = self.copies / 2


class NumberForLoss(Twin):
    def learn(self, task, rollout, episodes_done) -> Any:
        return {"critic": 0.5}


class NoPolicy(Twin):
    def policy(self) -> Any:
        return None


class Fickle(Twin):
    """Its greedy policy is another with each evaluation."""

    evaluations = 0

    def greedy(self, task):
        acting, self.evaluations = super().greedy(task), self.evaluations + 1
        return lambda seen: acting(seen).roll(self.evaluations, -1)
