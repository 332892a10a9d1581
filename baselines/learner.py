"""What a learner is: the protocol between the harness and every method.

Axes: S seed (lane), E environment copy, T time step, N agent, O observation entry, A action entry, X state entry;
K task.

A learner trains S seeds in lock-step on K tasks (one, for most methods). Seeds share no parameter, no random stream and
no reduction, so that a seed's numbers do not depend on its companions. In each round the harness takes the tasks in
turn: it plays E copies of one episode of task k under a frozen policy and hands them over; the learner stores them and
updates itself when its schedule says so; then comes task k + 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

# A policy while a round is played: observations [S, E, N, O], available actions [S, E, N, A] (bool) and the time step
# -> actions [S, E, N, A], one-hot or soft. It may remember earlier steps of its episodes, so steps come in order.
Acting = Callable[[Tensor, Tensor, int], Tensor]


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

    weights: what the teacher's `Learner.policy` gave; row s is the teacher of seed s.
    layout: how the viewed observation enters the teacher's first layer.
    view: maps the student's observations [..., N, O] to what the teacher reads, [..., N, O_teacher].
    hyperparameters: the teacher's own, which say how its network is built.
    """

    weights: Mapping[str, Tensor]
    layout: Layout
    view: Callable[[Tensor], Tensor]
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """What a learner may know of a task it trains on.

    episodes: the training budget, in episodes of this task. state_size: X. common_reward: every agent is given the
    team's reward.
    """

    agents: int
    obs_size: int
    action_size: int
    episode_limit: int
    episodes: int
    layout: Layout
    teacher: Teacher | None = None
    state_size: int = 0
    common_reward: bool = False


@dataclass(frozen=True)
class Rollout:
    """One round of one task: E episodes of every seed, played under a frozen policy.

    obs [S, E, T+1, N, O] float, avail_actions [S, E, T+1, N, A] bool, actions [S, E, T, N, A] float,
    rewards [S, E, T, N] float, terminated [S, E, T] bool: the step ended in a terminal state (the time limit is none).
    state [S, E, T+1, X] float; None: it is all agents' observations in a row.
    """

    obs: Tensor
    actions: Tensor
    rewards: Tensor
    terminated: Tensor
    avail_actions: Tensor
    state: Tensor | None = None


class Replay(Protocol):
    """An append-only log of one task's episodes; the harness saves what is new since the last checkpoint."""

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

    Constructor: `(tasks, hyperparameters, streams, device)`, with K tasks and one `Streams` a seed.
    copies: E, the episodes of each task in a round. replays: one for each task; none for a method that keeps none.
    """

    copies: int
    replays: Sequence[Replay]

    def exploring(self, task: int, episodes_done: int) -> Acting:
        """The policy for one round's training episodes of a task. episodes_done: of this task, before the round."""
        ...

    def greedy(self, task: int) -> Acting:
        """The policy for evaluations on a task, for any number of copies; one-hot actions. Draws from no stream."""
        ...

    def learn(self, task: int, rollout: Rollout, episodes_done: int) -> dict[str, Tensor]:
        """Store a task's round and update when due; losses by name, each [S], empty when no update was due.

        A task's losses have the same names every time.
        episodes_done: of this task, this round's included. The last task's call ends the round.
        """
        ...

    def policy(self) -> dict[str, Tensor]:
        """What a teacher or an evaluation needs, to be saved when training ends."""
        ...

    def state(self) -> dict[str, Tensor]:
        """All that training needs to go on, but for replays and random streams."""
        ...

    def load_state(self, state: Mapping[str, Tensor]) -> None: ...
