"""A method to start from: random actions. Copy it, and write your own `train`."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bench.guests import Obs, Task

DECLARATION = {
    "says": "uniformly random actions",
    "tuning": {"runs": 0, "steps": 0, "seeds": [], "says": "nothing was tuned"},
    "hyperparameters": {},
}


def train(task: Task) -> None:
    exploring = evaluating = np.random.default_rng(task.seed)
    sizes = dict(zip(task.team.agents, task.team.action_sizes, strict=True))

    def policy(obs: Mapping[str, Obs], t: int) -> dict[str, NDArray[np.int64]]:
        """Actions [E] for observations [E, O], E episodes side by side at step t."""
        nonlocal evaluating
        if t == 0:  # new episodes begin: the same draws each time, so an evaluation repeats
            evaluating = np.random.default_rng(task.seed)
        return {agent: evaluating.integers(sizes[agent], size=len(own)) for agent, own in obs.items()}

    environment = task.environment()  # PettingZoo's parallel interface
    task.report(0, policy)
    while task.steps_left >= task.episode_limit:
        obs, _ = environment.reset()
        while environment.agents:
            actions = {agent: int(exploring.integers(sizes[agent])) for agent in obs}
            obs, *_ = environment.step(actions)  # rewards, terminated, truncated, infos: each by agent
        task.report(task.steps, policy)
