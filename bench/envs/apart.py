"""One environment in a process of its own: a game that crashes, hangs or leaks ends its own run and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.envs.elsewhere import USUAL, Elsewhere, EnvironmentLimits
from bench.envs.one import EnvironmentFailed, Floats, Given
from bench.envs.params import Params

__all__ = ["Apart", "EnvironmentLimits"]

CHILD = "bench.envs.apart_child"


class Apart:
    """A `One` that lives in another process. Each call may raise EnvironmentFailed, with a reason in one line."""

    def __init__(self, target: str, params: Params, limits: EnvironmentLimits = USUAL, python: str = ""):
        """target: "module:function". The other process calls it with the table of params; it returns a `One`.

        python: the interpreter of that process, if it is not this one.
        """
        self._sizes, self._state_size = params.obs_sizes, params.state_size if params.own_state else 0
        order = {"make": target, "params": params.model_dump(mode="json"), "own_state": params.own_state}
        self._elsewhere = Elsewhere(CHILD, order, limits, python)

    def reset(self, seed: int) -> Sequence[Floats]:
        return self._own(*self._ask({"do": "reset", "seed": seed}))

    def step(self, actions: Sequence[Floats | int]) -> Given:
        numbers = [own if isinstance(own, int) else own.tolist() for own in actions]
        said, content = self._ask({"do": "step", "actions": numbers})
        flags = {name: bool(said[name]) for name in ("terminated", "truncated")}
        return Given(self._own(said, content), said["rewards"], **flags, outcome=said["outcome"])

    def avail_actions(self) -> Sequence[NDArray[np.bool_]] | None:
        return self._avail

    def global_state(self) -> Floats:
        """See `bench.envs.one.Stated`."""
        return self._state

    def close(self) -> None:
        """End the process and everything it has started; remove its folder."""
        self._elsewhere.close()

    def _own(self, said: Mapping[str, Any], content: bytes) -> list[Floats]:
        """Each agent's observation, cut from their concatenation; then the state, if the environment has its own."""
        if (shapes := said["shapes"]) != (declared := [[size] for size in self._sizes]):
            raise EnvironmentFailed(f"obs: got shapes {shapes}; declared: {declared}, one per agent")
        numbers = np.frombuffer(content, np.float64).copy()
        if (rest := len(numbers) - sum(self._sizes)) != self._state_size:
            raise EnvironmentFailed(f"state: got {rest} entries; declared: {self._state_size}")
        *obs, self._state = np.split(numbers, np.cumsum(self._sizes))
        return obs

    def _ask(self, message: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
        said, content = self._elsewhere.ask(message)
        available = said.get("avail")
        self._avail = None if available is None else [np.array(own, bool) for own in available]
        return said, content
