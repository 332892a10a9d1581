"""Games of StarCraft II side by side, each in a process of its own; one that breaks off or hangs is started again.

Axes: N agent, O observation entry, A action entry, X state entry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.envs.apart import Apart
from bench.envs.assets import Assets, BackendMissing
from bench.envs.elsewhere import EnvironmentLimits
from bench.envs.one import EnvironmentFailed, Floats, Given
from bench.envs.registry import python_of
from bench.envs.several import Several
from bench.envs.starcraft.installation import missing_map
from bench.envs.starcraft.params import StarcraftParams
from bench.output.terminal import warn

LIMITS = EnvironmentLimits(start_s=300.0, call_s=120.0, memory_bytes=16 * 2**30)  # assumed: a game starts in a minute
MOST_BROKEN_OFF = 10  # games of one copy, assumed; the next ends the run


def starcraft_environment(params: StarcraftParams, device: str, assets: Assets) -> Several:
    """Raises BackendMissing where the game, or this map's file, is not there."""
    if problem := missing_map(params.name):
        raise BackendMissing(problem)
    python = python_of("starcraft")
    return Several(
        params, lambda: Restarting(params, lambda: Apart("bench.envs.starcraft.one:one", params, LIMITS, python))
    )


class Restarting:
    """`bench.envs.one.One` and `Stated`: a game after whose crash the next takes its place.

    The episode that broke off is truncated, with what was seen last and no reward; its outcome says `broken_off`.
    """

    def __init__(self, params: StarcraftParams, make: Callable[[], Apart], most: int = MOST_BROKEN_OFF):
        self._params, self._make, self._most = params, make, most
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
            raise EnvironmentFailed("stepped after its game had broken off, before another was begun")
        try:
            given = self._game.step(actions)
        except EnvironmentFailed as error:
            self._give_up(error)
            outcome = {"win_rate": 0.0, "broken_off": 1.0}
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
        """End what is left of a game. Raises EnvironmentFailed after the last that is allowed."""
        if self._game is not None:
            self._game.close()
        self._game, self._broken = None, self._broken + 1
        if self._broken > self._most:
            raise EnvironmentFailed(f"{self._broken} games broke off, {self._most} are allowed: {error}") from error
        warn(f"StarCraft II: game {self._broken} of {self._most} that may break off: {error}")
