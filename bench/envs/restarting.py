"""A game in a process of its own. After a crash a new game replaces it: an episode is lost, but not the run.

Axes: N agent, O observation entry, A action entry, X state entry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.envs.apart import Apart
from bench.envs.one import EnvironmentFailed, Floats, Given
from bench.envs.params import Params
from bench.output.terminal import warn

MOST_BROKEN_OFF = 10  # games of one copy that may break off (assumed); one more ends the run


class Restarting:
    """`bench.envs.one.One` and `Stated`. called: the game's name in messages.

    An episode that broke off is truncated, with its last observation and no reward. In its outcome `broken_off` is 1
    and everything else 0.
    """

    def __init__(self, params: Params, make: Callable[[], Apart], called: str, most: int = MOST_BROKEN_OFF):
        self._params, self._make, self._called, self._most = params, make, called, most
        self._game: Apart | None = make()
        self._broken = 0

    def reset(self, seed: int) -> Sequence[Floats]:
        while True:
            try:
                self._game = self._game or self._make()
                return self._keep(self._game.reset(seed))
            except EnvironmentFailed as error:
                self._give_up(error)

    def step(self, actions: Sequence[Floats | int]) -> Given:
        if self._game is None:
            raise EnvironmentFailed("stepped after its game had broken off, before a new one began")
        try:
            given = self._game.step(actions)
        except EnvironmentFailed as error:
            self._give_up(error)
            outcome = dict.fromkeys(self._params.outcomes, 0.0) | {"broken_off": 1.0}
            return Given(self._obs, [0.0] * len(self._params.obs_sizes), False, truncated=True, outcome=outcome)
        self._keep(given.obs)
        return given

    def avail_actions(self) -> Sequence[NDArray[np.bool_]] | None:
        return self._avail

    def global_state(self) -> Floats:
        return self._state

    def close(self) -> None:
        if self._game is not None:
            self._game.close()

    def _keep(self, obs: Sequence[Floats]) -> Sequence[Floats]:
        assert self._game is not None
        self._obs, self._avail, self._state = obs, self._game.avail_actions(), self._game.global_state()
        return obs

    def _give_up(self, error: EnvironmentFailed) -> None:
        """End what is left of a game. Raises EnvironmentFailed if more games broke off than allowed."""
        if self._game is not None:
            self._game.close()
        self._game, self._broken = None, self._broken + 1
        if self._broken > self._most:
            raise EnvironmentFailed(f"{self._broken} games broke off, {self._most} are allowed: {error}") from error
        warn(f"{self._called}: a game broke off, {self._broken} of at most {self._most}: {error}")
