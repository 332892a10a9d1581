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
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from torch import Tensor


@dataclass(frozen=True)
class Seen:
    """What a policy may read at a step.

    obs [S, E, N, O]. avail_actions [S, E, N, A] bool. first [S, E] bool, on the CPU: an episode begins with this step.
    state [S, E, X], for those that execute on global information; None: it is all agents' observations in a row.
    """

    obs: Tensor
    avail_actions: Tensor
    first: Tensor
    state: Tensor | None = None


# A policy: what is seen -> actions [S, E, N, A]: one-hot, soft, or in [-1, 1] where the task is continuous. It may
# remember earlier steps of an episode, which come in order, and forgets them where another begins.
Acting = Callable[[Seen], Tensor]


@dataclass(frozen=True)
class Layout:
    """Where an agent's observation entries stand in the actor's input.

    width: entries of the actor's input. slots: for each of the O observation entries its place in that input;
    every other place reads zero. Fewer than O: the entries after them are not read. A row of them for each agent, where
    agents see different things.
    """

    width: int
    slots: tuple[int, ...] | tuple[tuple[int, ...], ...]

    @property
    def read(self) -> int:
        """How many of the O entries are read, the first ones."""
        first = self.slots[0]
        return len(self.slots) if isinstance(first, int) else len(first)


@dataclass(frozen=True)
class Teacher:
    """Trained policies to learn from.

    weights: what the teacher's `Learner.policy` gave; row s is the teacher of seed s.
    layout: how the viewed observation enters the teacher's first layer.
    view: maps the student's observations [..., N, O] to what the teacher reads, [..., N, O_teacher].
    hyperparameters: the teacher's own, which say how its network is built.
    kinds: of each of its policies, as `Task.kinds`.
    """

    weights: Mapping[str, Tensor]
    layout: Layout
    view: Callable[[Tensor], Tensor]
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """What a learner may know of a task it trains on.

    episodes: the training budget, in episodes of this task; at most so many, where it counts something else.
    state_size: X. common_reward: every agent is given the team's reward. alone: its episodes end early and every seed
    trains alone, so that a batch may be cut to its longest episode (`EpisodeBatch.trimmed`). continuous: actions are
    A numbers in [-1, 1] each; those that are not available to an agent count for nothing. kinds: of each agent, e.g.
    "adversary"; none: all are alike. replay_bytes: that a replay of its whole episodes may take of a seed; 0: no bound.
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
    alone: bool = False
    continuous: bool = False
    kinds: tuple[str, ...] = ()
    replay_bytes: int = 0

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """What tasks that one team learns after one another have in common."""
        return self.agents, self.obs_size, self.action_size, self.episode_limit


@dataclass(frozen=True)
class Rollout:
    """One round of one task: E episodes of every seed, played under a frozen policy.

    obs [S, E, T+1, N, O] float, avail_actions [S, E, T+1, N, A] bool, actions [S, E, T, N, A] float,
    rewards [S, E, T, N] float, terminated [S, E, T] bool: the step ended in a terminal state (the time limit is none).
    state [S, E, T+1, X] float; None: it is all agents' observations in a row.
    mask [S, E, T] bool: the steps that were played; None: all of them until a terminal state. T is the task's limit,
    however short the episodes are.
    """

    obs: Tensor
    actions: Tensor
    rewards: Tensor
    terminated: Tensor
    avail_actions: Tensor
    state: Tensor | None = None
    mask: Tensor | None = None

    def ending_at_the_limit(self) -> Rollout:
        """The same, its last step taken for a terminal one."""
        terminated = self.terminated.clone()
        terminated[:, :, -1] = True
        return replace(self, terminated=terminated)


@dataclass(frozen=True)
class Steps:
    """One round of one task for a learner that plays steps: T steps of E copies of every seed.

    Episodes may end inside; the next one then begins with the next step. obs, after [S, E, T, N, O]: what was seen
    before and after a step, `after` before another episode began. avail_actions [S, E, T, N, A] bool, actions
    [S, E, T, N, A], rewards [S, E, T, N]. first, terminated, truncated [S, E, T] bool: an episode began with the step;
    it ended in a terminal state; a limit ended it, so that the value of what is seen after it counts. state,
    state_after [S, E, T, X]: as obs and after; None: all agents' observations in a row.
    """

    obs: Tensor
    avail_actions: Tensor
    actions: Tensor
    rewards: Tensor
    after: Tensor
    first: Tensor
    terminated: Tensor
    truncated: Tensor
    state: Tensor | None = None
    state_after: Tensor | None = None


def alike(tasks: Sequence[Task]) -> Task:
    """The first of tasks that one team can learn. Raises ValueError where their sizes differ."""
    if len({task.sizes for task in tasks}) > 1:
        got = ", ".join(str(task.sizes) for task in tasks)
        raise ValueError(f"tasks: got agents, observations, actions and limits {got}; allowed: the same in all")
    return tasks[0]


class Replay(Protocol):
    """An append-only log of one task's entries; the harness saves what is new since the last checkpoint.

    An entry is what the replay counts by: an episode, or a transition. All replays of a learner hold equally many.
    """

    @property
    def entries(self) -> int:
        """Entries appended so far."""
        ...

    @property
    def first(self) -> int:
        """The oldest entry that is still there; 0 until a ring wraps."""
        ...

    @property
    def part_entries(self) -> int:
        """Entries in a file of the log at most: what is written and read costs memory three times over."""
        ...

    def rows(self, lane: int, start: int, stop: int) -> dict[str, Tensor]:
        """Entries start ... stop - 1 of a lane."""
        ...

    def restore(self, lane: int, start: int, rows: Mapping[str, Tensor]) -> None:
        """Take up `rows` of the entries from `start` on; earlier ones count as appended and overwritten."""
        ...


class Learner(Protocol):
    """Trains S seeds at once. Every tensor of `state` and `policy` leads with [S].

    Constructor: `(tasks, hyperparameters, streams, device)`, with K tasks and one `Streams` a seed.
    copies: E, the copies of each task in a round; 0 for one that plays nothing, or nothing any more: `learn` then gets
    None. steps: how many of each copy; None: one whole episode. A round of steps goes on where the
    last one stopped. replays: one for each task; none for a method that keeps none.
    """

    steps: int | None
    replays: Sequence[Replay]

    @property
    def copies(self) -> int:
        """E in the next round."""
        ...

    def exploring(self, task: int, episodes_done: int) -> Acting:
        """The policy for one round's training episodes of a task.

        episodes_done: of this task, before the round; environment steps, where it plays steps.
        """
        ...

    def greedy(self, task: int) -> Acting:
        """The policy for evaluations on a task, for any number of copies; one-hot actions. Draws from no stream."""
        ...

    def learn(self, task: int, rollout: Any, episodes_done: int) -> dict[str, Tensor]:
        """Store a task's round, a `Rollout` or `Steps`, and update when due; losses by name, each [S].

        Empty when no update was due.

        A task's losses have the same names every time.
        episodes_done: as for `exploring`, this round's included. The last task's call ends the round.
        """
        ...

    def policy(self) -> dict[str, Tensor]:
        """What a teacher or an evaluation needs, to be saved when training ends."""
        ...

    def state(self) -> dict[str, Tensor]:
        """All that training needs to go on, but for replays and random streams.

        Names, shapes and types are those of a new learner: a checkpoint with others is not taken up.
        """
        ...

    def load_state(self, state: Mapping[str, Tensor]) -> None: ...


@runtime_checkable
class Valued(Protocol):
    """A learner whose agents have critics that can be asked."""

    def values(self, task: int, obs: Tensor) -> Tensor:
        """Each agent's value [S, E, N] of observations [S, E, N, O] and of what the team thinks best there.

        E is a multiple of 4.
        """
        ...


class CountsUpdates(Protocol):
    """A learner whose budget may count gradient updates."""

    @property
    def updates(self) -> int:
        """Of each task so far, the same in every lane; a round makes at most as many as a curve point covers."""
        ...


class Phased(Protocol):
    """A learner whose run has two phases (`specs.Hyperparameters.first_phase`)."""

    def ready(self) -> bool:
        """Whether the first phase is over; else a part of what ends it is done, and more is to come.

        Asked once its budget is spent, until it is so. A checkpoint may be made in between. What it does is shared by
        all methods that share the first phase.
        """
        ...

    def turn(self) -> dict[str, Tensor]:
        """What happens between them, once; losses by name, each [S]. Draws from no stream of the environment's.

        State, replays and streams before it are those of every method that shares the first phase.
        """
        ...


@dataclass(frozen=True)
class Shared:
    """What came of a comparison of an ensemble's members.

    elected [S] int64: the member with the best recent returns. teacher [S] int64: who taught all others; None: nobody.
    losses: by name, each [S].
    """

    elected: Tensor
    teacher: Tensor | None = None
    losses: Mapping[str, Tensor] = field(default_factory=dict)


@runtime_checkable
class Ensemble(Protocol):
    """A learner of several members, each with a policy of its own. Its `greedy` is the policy of the elected one.

    members: M. teaches: whether a comparison changes members, so that they are evaluated before and after it.
    """

    members: int
    teaches: bool

    def member_greedy(self, task: int, member: int) -> Acting:
        """As `greedy`, of one member."""
        ...

    def elected(self) -> Tensor:
        """The member with the best recent returns, [S] int64 on the CPU."""
        ...

    def compares(self, steps_done: int) -> bool:
        """Whether members are to be compared in the round that ended after so many steps; asked after `learn`."""
        ...

    def share(self) -> Shared:
        """Compare the members, and let one teach the others. Draws from no stream of the environment's."""
        ...
