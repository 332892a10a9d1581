"""What a learner is: the protocol between the harness and every method.

Axes: S seed (lane), E environment copy, T time step, N agent, O observation entry, A action entry.

A learner trains S seeds in lock-step. Seeds share no parameter, no random stream and no reduction, so that a seed's
numbers do not depend on its companions. The harness plays one *round* (E copies of one episode under a frozen policy)
and hands it over; the learner stores it and updates itself when its schedule says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Where an agent's observation entries stand in the actor's input.

    width: entries of the actor's input. slots: for each of the O observation entries its place in that input;
    every other place reads zero.
    """

    width: int
    slots: tuple[int, ...]


@dataclass(frozen=True)
class Teacher:
    """Trained policies to learn from.

    weights: actor parameters by name, each leading with [S, N_teacher]; row s is the teacher of seed s.
    layout: how the viewed observation enters the teacher's first layer.
    view: maps the student's observations [..., N, O] to what the teacher reads, [..., N, O_teacher].
    """

    weights: Mapping[str, Tensor]
    layout: Layout
    view: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Task:
    """What a learner may know of the task it trains on. episodes: the training budget."""

    agents: int
    obs_size: int
    action_size: int
    episode_limit: int
    episodes: int
    layout: Layout
    teacher: Teacher | None = None


@dataclass(frozen=True)
class Rollout:
    """One round: E episodes of every seed, played under a frozen policy.

    obs [S, E, T+1, N, O] float, actions [S, E, T, N, A] float, rewards [S, E, T, N] float, terminated [S, E, T] bool.
    """

    obs: Tensor
    actions: Tensor
    rewards: Tensor
    terminated: Tensor


class Replay(Protocol):
    """An append-only log of episodes; the harness saves what is new since the last checkpoint."""

    @property
    def episodes(self) -> int:
        """Episodes appended so far."""
        ...

    @property
    def first(self) -> int:
        """The oldest episode that is still there; 0 until a ring wraps."""
        ...

    def rows(self, lane: int, start: int, stop: int) -> dict[str, Tensor]:
        """Episodes start ... stop - 1 of a lane."""
        ...

    def restore(self, lane: int, start: int, rows: Mapping[str, Tensor]) -> None:
        """Take up `rows` of the episodes from `start` on; earlier ones count as appended and overwritten."""
        ...


class Learner(Protocol):
    """Trains S seeds at once. Every tensor of `state` and `policy` leads with [S].

    Constructor: `(task, hyperparameters, streams, device)`, with one `Streams` a seed.
    """

    copies: int
    replay: Replay

    def exploration_noise(self) -> Tensor:
        """Noise of one round, [T, S, E, N, A]."""
        ...

    def explore(self, obs: Tensor, noise: Tensor) -> Tensor:
        """Training actions [S, E, N, A] for observations [S, E, N, O]."""
        ...

    def greedy(self, obs: Tensor) -> Tensor:
        """Evaluation actions [S, E, N, A]."""
        ...

    def learn(self, rollout: Rollout, episodes_done: int) -> dict[str, Tensor]:
        """Store the round and update when due; losses by name, each [S], empty when no update was due."""
        ...

    def policy(self) -> dict[str, Tensor]:
        """What a teacher or an evaluation needs, to be saved when training ends."""
        ...

    def state(self) -> dict[str, Tensor]:
        """All that training needs to go on, but for replay and random streams."""
        ...

    def load_state(self, state: Mapping[str, Tensor]) -> None: ...
