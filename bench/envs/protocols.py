"""What the harness asks of environments, of their families' layouts and of installed games. Torch-free.

Axes: S seed, E environment copy, N agent (of ours), O observation entry, A action entry, X state entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import Tensor


class Step(NamedTuple):
    """The result of a step: rewards [S, E, N], terminated and truncated [S, E] bool, obs [S, E, N, O], outcome.

    terminated: in a terminal state. truncated: by a limit of the environment's own; the caller applies the scenario's.
    outcome: other values for metrics, by name, [S, E] each: so far in the episode, complete at its end.
    """

    obs: Tensor
    rewards: Tensor
    terminated: Tensor
    truncated: Tensor
    outcome: Mapping[str, Tensor]


class Environment(Protocol):
    """A batched environment: S seeds x E copies, stepped together. The caller applies the scenario's time limit.

    N = agents, O = obs_size, A = action_size: common to all agents. obs_sizes, action_sizes: each agent's own, from the
    first entry on. An observation's entries beyond its own size are zero; actions beyond it are not available.
    A step after an episode's end does not count: its results are masked. It changes no stream and no other copy.
    """

    agents: int
    obs_size: int
    action_size: int
    obs_sizes: tuple[int, ...]
    action_sizes: tuple[int, ...]

    def reset(self, generators: Sequence[torch.Generator], copies: int) -> Tensor:
        """Start E = copies episodes of each seed. Seed s draws only from generators[s]. Returns obs [S, E, N, O]."""
        ...

    def restart(self, over: Tensor) -> Tensor:
        """Start a new episode of each copy marked in over [S, E] (bool, CPU), from the streams given to `reset`.

        Returns obs [S, E, N, O] of all copies.
        """
        ...

    def avail_actions(self) -> Tensor:
        """Which actions each agent can take now, bool [S, E, N, A]; all of them if actions are continuous."""
        ...

    def global_state(self) -> Tensor | None:
        """The current state [S, E, X], which training may read and no agent sees; None: it is `bench.envs.state`."""
        ...

    def step(self, actions: Tensor) -> Step:
        """Take actions [S, E, N, A]: one-hot or soft over available ones, or continuous, each in [-1, 1].

        Raises ValueError for any other.
        """
        ...

    def state(self, lane: int) -> Mapping[str, NDArray[Any]]:
        """Everything that a seed's open episodes need to go on, except its random stream."""
        ...

    def resume(self, generators: Sequence[torch.Generator], states: Sequence[Mapping[str, NDArray[Any]]]) -> Tensor:
        """Go on from the `state` of each seed, without drawing. Returns the same obs [S, E, N, O] as before.

        Raises EnvironmentFailed if the environment does not reach the same observations again.
        """
        ...

    def close(self) -> None:
        """End everything that it has started. It is not stepped again."""
        ...


def state(obs: Tensor) -> Tensor:
    """EPyMARL's global state: all agents' padded observations concatenated, [..., N, O] -> [..., N * O]."""
    return obs.flatten(-2)


class Layouts(Protocol):
    """How teams of other sizes read a task's observations: functions of a module that imports no torch.

    agents: size of the team that has the layout. communication: whether it includes the other agents' messages.
    Raises ValueError if the task has no such layout.
    """

    def width(self, params: Any, agents: int, communication: bool = True) -> int:
        """Entries of an observation in the layout of a team of `agents` agents."""
        ...

    def slots(
        self, params: Any, agents: int, communication: bool = True
    ) -> tuple[int, ...] | tuple[tuple[int, ...], ...]:
        """The place of each of this task's O entries in that layout; ValueError if the layout is smaller.

        If agents see different things, there is one row for each agent. Communication entries come last; without
        communication only the entries before them have places.
        """
        ...

    def nearest(self, params: Any, obs: Tensor, agents: int) -> Tensor:
        """The part of obs [..., N, O] that a smaller team can read: [..., N, width(params, agents)]."""
        ...


class Installation(Protocol):
    """The installed parts of a game: functions of a module that imports no torch."""

    def missing(self) -> tuple[str, ...]:
        """Missing parts, a few words each."""
        ...

    def remarks(self) -> tuple[str, ...]:
        """Notes on the installed parts, and how to get the missing ones."""
        ...

    def described(self, name: str) -> Mapping[str, str]:
        """The parts that decide a scenario's numbers, by name: builds, hashes of files."""
        ...

    def deviates(self, told: Mapping[str, str]) -> str:
        """How a record's game differs from those that papers used; "" if it does not."""
        ...
