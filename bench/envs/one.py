"""One environment, the interface that a family implements, and its possible failures. Torch-free, for its own process.

Axes: S seed, E environment copy, N agent, O observation entry, A action entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
REWARD = "the environment gave agent {agent} the reward {value}"
OBSERVATION = "the environment gave agent {agent} an observation whose entry {entry} is {value}"
ACTION = "the method gave agent {agent} an action whose entry {entry} is {value}"
ENDED_EARLY = "an episode ended before the limit; declared: ends_early is False, so none may"


@dataclass(frozen=True)
class Given:
    """The result of one step: obs, each agent's own, without padding; rewards [N]; outcome, by name."""

    obs: Sequence[Floats]
    rewards: Sequence[float]
    terminated: bool = False
    truncated: bool = False
    outcome: Mapping[str, float] = field(default_factory=dict)


class LaneFailed(Exception):
    """The end of one lane; the message says why, in one line. lane: its number, if known."""

    def __init__(self, says: str, lane: int | None = None):
        super().__init__(says)
        self.lane = lane


class EnvironmentFailed(LaneFailed):
    """An environment cannot go on, or gives values that its scenario does not declare."""


class Diverged(LaneFailed):
    """A number in an action, a reward or an observation is not finite; the lane is known."""


class One(Protocol):
    """One environment of one scenario. Every call may raise EnvironmentFailed."""

    def reset(self, seed: int) -> Sequence[Floats]:
        """Start an episode that the seed decides. Returns each agent's own observation."""
        ...

    def step(self, actions: Sequence[Floats | int]) -> Given:
        """One action for each agent: its number, or numbers between -1 and 1 if actions are continuous.

        Every step reports every outcome that the scenario declares.
        """
        ...

    def avail_actions(self) -> Sequence[NDArray[np.bool_]] | None:
        """Which of its own actions each agent can take now; None: always all of them."""
        ...

    def close(self) -> None: ...


class Stated(Protocol):
    """What a `One` has in addition if its parameters say `own_state`."""

    def global_state(self) -> Floats:
        """The global state [X] after `reset` and after each step. Training may read it; no agent sees it."""
        ...


def check_shapes(name: str, of_agents: Sequence[Any], sizes: Sequence[int]) -> None:
    """Raise EnvironmentFailed unless each agent has one row of its size."""
    if len(of_agents) != len(sizes):
        raise EnvironmentFailed(f"{name}: got {len(of_agents)} entries; declared: {len(sizes)}, one per agent")
    for agent, (own, size) in enumerate(zip(of_agents, sizes, strict=True)):
        if (shape := np.shape(own)) != (size,):
            raise EnvironmentFailed(f"{name}: agent {agent}: got shape {shape}; declared: ({size},)")


def check_ends(found: Given) -> None:
    """Raise EnvironmentFailed if an end is not a single bool, e.g. if it is one for each agent."""
    for name, said in (("terminated", found.terminated), ("truncated", found.truncated)):
        if not isinstance(said, bool | np.bool_):
            raise EnvironmentFailed(f"{name}: got {type(said).__name__}; declared: one bool")


def check_finite(values: NDArray[Any], says: str, *place: int) -> None:
    """Raise Diverged if a number is not finite. says: the message, such as REWARD.

    values: [S, E, N, ...], or [...] for the lane and agent in `place`.
    """
    if np.isfinite(values).all():
        return
    at = tuple(np.argwhere(~np.isfinite(values))[0].tolist())
    lane, agent, entry = (*place, at[0]) if place else (at[0], at[2], at[-1])
    raise Diverged(says.format(agent=agent, entry=entry, value=values[at]), lane)


def said_of(error: BaseException) -> str:
    """An exception's type and message, in one line."""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words or 'no message'}"
