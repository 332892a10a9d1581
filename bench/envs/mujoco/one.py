"""One task of gymnasium, as a `One`: actions in [-1, 1], no wrapper, no time limit of its own.

Axes: N agent (one), O observation entry, A action entry.

gymnasium's vector environments are not used: at an episode's end they give the first observation of the next episode,
or take a step without an action. Here the last observation is the one after the last step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from bench.envs.one import Floats, Given


class GymnasiumOne:
    """`bench.envs.one.One`. task: its actions are in a box."""

    def __init__(self, task: gymnasium.Env[Any, Any]):
        space = task.action_space
        assert isinstance(space, gymnasium.spaces.Box)
        low, high = space.low.astype(np.float64), space.high.astype(np.float64)
        self._task, self._centre, self._half = task, (high + low) / 2, (high - low) / 2

    def reset(self, seed: int) -> list[Floats]:
        obs, _ = self._task.reset(seed=seed)
        return [np.asarray(obs, np.float64)]

    def step(self, actions: Sequence[Floats | int]) -> Given:
        """Actions in [-1, 1] are scaled to the box's bounds, in float64."""
        obs, reward, terminated, truncated, _ = self._task.step(self._centre + self._half * actions[0])
        return Given([np.asarray(obs, np.float64)], [float(reward)], bool(terminated), bool(truncated))

    def avail_actions(self) -> None:
        return None

    def close(self) -> None:
        self._task.close()
