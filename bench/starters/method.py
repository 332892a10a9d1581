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
    rng = np.random.default_rng(task.seed)
    sizes = dict(zip(task.team.agents, task.team.action_sizes, strict=True))

    def policy(obs: Mapping[str, Obs], t: int) -> dict[str, NDArray[np.int64]]:
        """Actions [E] for observations [E, O], E episodes side by side at step t."""
        return {agent: rng.integers(sizes[agent], size=len(own)) for agent, own in obs.items()}

    environment = task.environment()  # PettingZoo's parallel interface
    task.report(0, policy)
    while task.steps_left >= task.episode_limit:
        obs, _ = environment.reset()
        while environment.agents:
            actions = {a: int(own[0]) for a, own in policy({a: o[None] for a, o in obs.items()}, 0).items()}
            obs, *_ = environment.step(actions)  # rewards, terminated, truncated, infos: each by agent
        task.report(task.steps, policy)
