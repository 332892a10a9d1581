"""One environment, as a family's file gives it, and what may go wrong with it. Torch-free, as is one's own process.

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
ENDED_EARLY = "an episode ended before the limit; declared: none does, for ends_early is False"


@dataclass(frozen=True)
class Given:
    """What one step gives: obs, each agent's own, unpadded; rewards [N]; outcome, by name."""

    obs: Sequence[Floats]
    rewards: Sequence[float]
    terminated: bool = False
    truncated: bool = False
    outcome: Mapping[str, float] = field(default_factory=dict)


class LaneFailed(Exception):
    """What ends one lane; the message says why, in a line. lane: whose, where it is known."""

    def __init__(self, says: str, lane: int | None = None):
        super().__init__(says)
        self.lane = lane


class EnvironmentFailed(LaneFailed):
    """An environment that cannot go on, or that gives what its scenario does not declare."""


class Diverged(LaneFailed):
    """A number of an action, a reward or an observation is not finite; its lane is known."""


class One(Protocol):
    """One environment of one scenario. Every call may raise EnvironmentFailed."""

    def reset(self, seed: int) -> Sequence[Floats]:
        """Start an episode that the seed decides; each agent's own observation."""
        ...

    def step(self, actions: Sequence[Floats | int]) -> Given:
        """One action for each agent: its number, or numbers between -1 and 1 where actions are continuous.

        Every step tells every outcome that the scenario declares.
        """
        ...

    def avail_actions(self) -> Sequence[NDArray[np.bool_]] | None:
        """Which of its own actions each agent has now; None: all of them, always."""
        ...

    def close(self) -> None: ...


class Stated(Protocol):
    """What a `One` has beside where its parameters say `own_state`."""

    def global_state(self) -> Floats:
        """The global state [X], which training may read and no agent sees; after `reset` and after each step."""
        ...


def check_shapes(name: str, of_agents: Sequence[Any], sizes: Sequence[int]) -> None:
    """Raise EnvironmentFailed where there is not one row of its size for each agent."""
    if len(of_agents) != len(sizes):
        raise EnvironmentFailed(f"{name}: got {len(of_agents)} entries; declared: {len(sizes)}, one an agent")
    for agent, (own, size) in enumerate(zip(of_agents, sizes, strict=True)):
        if (shape := np.shape(own)) != (size,):
            raise EnvironmentFailed(f"{name}: agent {agent}: got shape {shape}; declared: ({size},)")


def check_ends(found: Given) -> None:
    """Raise EnvironmentFailed where an end is not one bool, e.g. one for each agent."""
    for name, said in (("terminated", found.terminated), ("truncated", found.truncated)):
        if not isinstance(said, bool | np.bool_):
            raise EnvironmentFailed(f"{name}: got {type(said).__name__}; declared: one bool")


def check_finite(values: NDArray[Any], says: str, *place: int) -> None:
    """Raise Diverged where a number is not finite. says: what it is, see REWARD.

    values: [S, E, N, ...], or [...] of the lane and agent that `place` names.
    """
    if np.isfinite(values).all():
        return
    at = tuple(np.argwhere(~np.isfinite(values))[0].tolist())
    lane, agent, entry = (*place, at[0]) if place else (at[0], at[2], at[-1])
    raise Diverged(says.format(agent=agent, entry=entry, value=values[at]), lane)


def said_of(error: BaseException) -> str:
    """An exception's type and words, in one line."""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words or 'no message'}"
