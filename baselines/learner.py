"""The learner: the protocol between the harness and every method.

Axes: S seed (lane), E environment copy, T time step, N agent, O observation entry, A action entry, X state entry;
K task.

A learner trains S seeds in lock-step on K tasks (one, for most methods). Seeds share no parameter, no random stream and
no reduction, so a seed's numbers do not depend on the other seeds. In each round the harness takes the tasks in turn.
It plays E copies of one episode of task k under a frozen policy and hands them over. The learner stores them and
updates itself if its schedule says so. Then comes task k + 1.
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
    state [S, E, X], for policies that act on global information; None: all agents' observations concatenated.
    """

    obs: Tensor
    avail_actions: Tensor
    first: Tensor
    state: Tensor | None = None


# A policy: what is seen -> actions [S, E, N, A]: one-hot, soft, or in [-1, 1] if the task is continuous. It may
# remember earlier steps of an episode, which come in order, and forgets them when another episode begins.
Acting = Callable[[Seen], Tensor]


@dataclass(frozen=True)
class Layout:
    """The places of an agent's observation entries in the actor's input.

    width: entries of the actor's input. slots: for each of the O observation entries, its place in that input; every
    other place is zero. If there are fewer than O slots, later entries are not read. If agents see different things,
    there is one row of slots for each agent.
    """

    width: int
    slots: tuple[int, ...] | tuple[tuple[int, ...], ...]

    @property
    def read(self) -> int:
        """How many of the O entries are read; these are the first ones."""
        first = self.slots[0]
        return len(self.slots) if isinstance(first, int) else len(first)


@dataclass(frozen=True)
class Teacher:
    """Trained policies to learn from.

    weights: from the teacher's `Learner.policy`; row s is the teacher of seed s.
    layout: how the viewed observation enters the teacher's first layer.
    view: maps the student's observations [..., N, O] to the teacher's, [..., N, O_teacher].
    hyperparameters: the teacher's own, which describe its network.
    kinds: those of its policies, as `Task.kinds`.
    """

    weights: Mapping[str, Tensor]
    layout: Layout
    view: Callable[[Tensor], Tensor]
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """What a learner may know about a task that it trains on.

    episodes: the training budget in episodes of this task; an upper bound if the budget counts something else.
    state_size: X. common_reward: whether every agent gets the team's reward. alone: whether episodes end early and
    every seed trains alone; then a batch may be cut to its longest episode (`EpisodeBatch.trimmed`). continuous:
    whether an action is A numbers in [-1, 1]; numbers not available to an agent are ignored. kinds: of each agent, e.g.
    "adversary"; empty: all are alike. replay_bytes: bound on a replay of whole episodes, for one seed; 0: none.
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
        """The sizes that tasks must share if one team learns them one after another."""
        return self.agents, self.obs_size, self.action_size, self.episode_limit


@dataclass(frozen=True)
class Rollout:
    """One round of one task: E episodes of every seed, played under a frozen policy.

    obs [S, E, T+1, N, O] float, avail_actions [S, E, T+1, N, A] bool, actions [S, E, T, N, A] float,
    rewards [S, E, T, N] float, terminated [S, E, T] bool: the step ended in a terminal state (the time limit is none).
    state [S, E, T+1, X] float; None: all agents' observations concatenated.
    mask [S, E, T] bool: the steps that were played; None: all of them until a terminal state. T is always the task's
    limit, even if the episodes are shorter.
    """

    obs: Tensor
    actions: Tensor
    rewards: Tensor
    terminated: Tensor
    avail_actions: Tensor
    state: Tensor | None = None
    mask: Tensor | None = None

    def ending_at_the_limit(self) -> Rollout:
        """The same rollout with its last step as a terminal one."""
        terminated = self.terminated.clone()
        terminated[:, :, -1] = True
        return replace(self, terminated=terminated)


@dataclass(frozen=True)
class Steps:
    """One round of one task for a learner that plays steps: T steps of E copies of every seed.

    Episodes may end inside; the next one then begins with the next step. obs, after [S, E, T, N, O]: seen before and
    after a step; `after` is from before another episode began. avail_actions [S, E, T, N, A] bool, actions
    [S, E, T, N, A], rewards [S, E, T, N]. first, terminated, truncated [S, E, T] bool: an episode began with the step;
    the step ended in a terminal state; a limit ended the episode, so the value of `after` counts. state, state_after
    [S, E, T, X]: as obs and after; None: all agents' observations concatenated.
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
    """The first of several tasks that one team can learn. Raises ValueError if their sizes differ."""
    if len({task.sizes for task in tasks}) > 1:
        got = ", ".join(str(task.sizes) for task in tasks)
        raise ValueError(f"tasks: got agents, observations, actions and limits {got}; allowed: the same in all")
    return tasks[0]


class Replay(Protocol):
    """An append-only log of one task's entries. The harness saves the new entries at each checkpoint.

    An entry is the replay's unit: an episode or a transition. All replays of a learner have equally many.
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
        """The most entries in one file of the log: writing and reading take three times their memory."""
        ...

    def rows(self, lane: int, start: int, stop: int) -> dict[str, Tensor]:
        """Entries start ... stop - 1 of a lane."""
        ...

    def restore(self, lane: int, start: int, rows: Mapping[str, Tensor]) -> None:
        """Restore `rows` of the entries from `start` on. Earlier entries count as appended and overwritten."""
        ...


class Learner(Protocol):
    """Trains S seeds at once. Every tensor of `state` and `policy` leads with [S].

    Constructor: `(tasks, hyperparameters, streams, device)`, with K tasks and one `Streams` per seed.
    copies: E, the copies of each task in a round; 0 if it plays nothing, or no more: `learn` then gets None. steps: how
    many steps of each copy; None: one whole episode. A round of steps goes on where the last one stopped. replays: one
    for each task; empty for a method without replay.
    """

    steps: int | None
    replays: Sequence[Replay]

    @property
    def copies(self) -> int:
        """E in the next round."""
        ...

    def exploring(self, task: int, episodes_done: int) -> Acting:
        """The policy for one round's training episodes of a task.

        episodes_done: of this task, before the round; environment steps if it plays steps.
        """
        ...

    def greedy(self, task: int) -> Acting:
        """The policy for evaluations on a task, for any number of copies. One-hot actions; draws from no stream."""
        ...

    def learn(self, task: int, rollout: Any, episodes_done: int) -> dict[str, Tensor]:
        """Store a task's round, a `Rollout` or `Steps`, and update if due. Losses by name, each [S].

        Empty if no update was due.

        A task's losses have the same names every time.
        episodes_done: as for `exploring`, including this round. The last task's call ends the round.
        """
        ...

    def policy(self) -> dict[str, Tensor]:
        """What a teacher or an evaluation needs; it is saved when training ends."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Everything that training needs to go on, except replays and random streams.

        Names, shapes and types are those of a new learner; a checkpoint with others is refused.
        """
        ...

    def load_state(self, state: Mapping[str, Tensor]) -> None: ...


@runtime_checkable
class Valued(Protocol):
    """A learner whose agents have critics that can be evaluated."""

    def values(self, task: int, obs: Tensor) -> Tensor:
        """Each agent's value [S, E, N] of observations [S, E, N, O] and of the team's best actions there.

        E is a multiple of 4.
        """
        ...


class CountsUpdates(Protocol):
    """A learner whose budget may count gradient updates."""

    @property
    def updates(self) -> int:
        """Updates of each task so far, the same in every lane. A round makes at most what a curve point covers."""
        ...


class Phased(Protocol):
    """A learner whose run has two phases (`specs.Hyperparameters.first_phase`)."""

    def ready(self) -> bool:
        """Whether the first phase is over. If not, this call does a part of the work that ends it.

        It is called after the phase's budget is spent, until it is True. Checkpoints may be made in between. All
        methods that share the first phase share this work.
        """
        ...

    def turn(self) -> dict[str, Tensor]:
        """The change between both phases, made once. Losses by name, each [S]. Draws from no environment stream.

        Before it, state, replays and streams are the same for all methods that share the first phase.
        """
        ...


@dataclass(frozen=True)
class Shared:
    """The result of a comparison of an ensemble's members.

    elected [S] int64: the member with the best recent returns. teacher [S] int64: the member that taught all others;
    None: nobody taught. losses: by name, each [S].
    """

    elected: Tensor
    teacher: Tensor | None = None
    losses: Mapping[str, Tensor] = field(default_factory=dict)


@runtime_checkable
class Ensemble(Protocol):
    """A learner of several members, each with a policy of its own. Its `greedy` is the policy of the elected one.

    members: M. teaches: whether a comparison changes members; then they are evaluated before and after it.
    """

    members: int
    teaches: bool

    def member_greedy(self, task: int, member: int) -> Acting:
        """As `greedy`, for one member."""
        ...

    def elected(self) -> Tensor:
        """The member with the best recent returns, [S] int64 on the CPU."""
        ...

    def compares(self, steps_done: int) -> bool:
        """Whether to compare members in the round that ended after this many steps. Called after `learn`."""
        ...

    def share(self) -> Shared:
        """Compare the members, and let one teach the others. Draws from no environment stream."""
        ...
