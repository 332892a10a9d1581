"""SAC of stable-baselines3 (2.9), unchanged, on a task of one agent.

It gets the scenario as a gymnasium environment. Its defaults are the settings of Haarnoja et al. (2018).
"""

from collections.abc import Mapping

import torch
from numpy.typing import NDArray
from stable_baselines3 import SAC
from stable_baselines3.common.callbacks import BaseCallback

from bench.guests import Obs, Task

DECLARATION = {
    "says": "SAC of stable-baselines3",
    "tuning": {"runs": 0, "steps": 0, "seeds": [], "says": "the library's defaults, but for the warm-up"},
    "hyperparameters": {"learning_starts": 10_000, "report_every": 500},
}


class Reports(BaseCallback):
    """Shows the policy's most probable actions now and then."""

    def __init__(self, task: Task, every: int):
        super().__init__()
        self._task, self._every, (self._agent,) = task, every, task.team.agents

    def policy(self, obs: Mapping[str, Obs], t: int) -> dict[str, NDArray]:
        return {self._agent: self.model.predict(obs[self._agent], deterministic=True)[0]}

    def _on_training_start(self) -> None:
        self._task.report(self._task.steps, self.policy)

    def _on_step(self) -> bool:
        if self.num_timesteps % self._every == 0:
            self._task.report(self._task.steps, self.policy)
        return True


def train(task: Task) -> None:
    torch.set_num_threads(1)
    h = task.hyperparameters
    starts = min(h["learning_starts"], task.budget // 2)
    model = SAC("MlpPolicy", task.gymnasium(), learning_starts=starts, seed=task.seed, device="cpu")
    reports = Reports(task, h["report_every"])
    model.learn(task.budget, callback=reports)
    task.report(task.steps, reports.policy)
