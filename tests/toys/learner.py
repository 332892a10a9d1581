"""A learner that plays steps, for tests only: linear Q-learning of each seed and agent, an update after every round.

Axes: S seed, E environment copy, T step, N agent, O observation entry, A action.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from baselines.learner import Acting, Replay, Rollout, Seen, Steps, Task
from baselines.specs import Algorithm, FirstPhase, Hyperparameters, TaskSizes, Unit, Work
from baselines.specs.base import Actions
from baselines.streams import Streams


class ToyQSettings(Hyperparameters):
    lr: float
    copies: int
    steps: int

    @property
    def round_episodes(self) -> int:
        return 1

    @property
    def plays_steps(self) -> bool:
        return True

    def round_of(self, unit: Unit) -> int:
        return self.copies * self.steps if unit == "steps" else 1

    def work(self, task: TaskSizes, episodes: int) -> Work:
        return Work((), 0.0, 0.0)

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        return sum(task.agents * task.observation * task.actions for task in tasks)


class ToyQ:
    """A `Learner`. Its memory of the rounds is a sum, so a lost, doubled or shifted step changes its numbers."""

    replays: Sequence[Replay] = ()

    def __init__(self, tasks: Sequence[Task], hyperparameters: ToyQSettings, streams: Sequence[Streams], device: Any):
        (self.task,) = tasks
        self.copies, self.steps, self._lr = hyperparameters.copies, hyperparameters.steps, hyperparameters.lr
        self._streams = streams
        self._weights = torch.zeros(len(streams), self.task.agents, self.task.obs_size, self.task.action_size)
        self._rounds = torch.zeros(len(streams))

    def exploring(self, task: int, episodes_done: int) -> Acting:
        assert episodes_done == int(self._rounds[0]) * self.copies * self.steps
        shape = (self.steps, self.copies, self.task.agents, self.task.action_size)
        noise = torch.stack([torch.rand(shape, generator=s["exploration"]) for s in self._streams])
        rows = iter(noise.unbind(1))
        return lambda seen: self._act(seen, 3 * next(rows))

    def greedy(self, task: int) -> Acting:
        return lambda seen: self._act(seen, torch.zeros(()))

    def learn(self, task: int, rollout: Steps, episodes_done: int) -> dict[str, Tensor]:
        steps = rollout
        bootstrap = self._q(steps.after).amax(-1).masked_fill(steps.terminated.unsqueeze(-1), 0)
        q = (self._q(steps.obs) * steps.actions).sum(-1)
        error = steps.rewards.float() + 0.5 * bootstrap - q  # [S, E, T, N]
        push = (steps.obs.unsqueeze(-1) * (steps.actions * error.unsqueeze(-1)).unsqueeze(-2)).mean((1, 2))
        self._weights = self._weights + self._lr * push + 1e-3 * steps.first.float().mean((1, 2)).view(-1, 1, 1, 1)
        self._rounds = self._rounds + 1
        return {"td": error.square().mean((1, 2, 3))}

    def policy(self) -> dict[str, Tensor]:
        return {"weights": self._weights.clone()}

    def state(self) -> dict[str, Tensor]:
        return {"weights": self._weights.clone(), "rounds": self._rounds.clone()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._weights, self._rounds = state["weights"].clone(), state["rounds"].clone()

    def _q(self, obs: Tensor) -> Tensor:
        """[S, E, ..., N, A]."""
        weights = self._weights.view(len(self._weights), *(1,) * (obs.dim() - 3), *self._weights.shape[1:])
        return (obs.float().unsqueeze(-1) * weights).sum(-2)

    def _act(self, seen: Seen, noise: Tensor) -> Tensor:
        q = (self._q(seen.obs) + noise).masked_fill(~seen.avail_actions, -torch.inf)
        return torch.nn.functional.one_hot(q.argmax(-1), q.shape[-1]).float()


class ToyDriftSettings(Hyperparameters):
    actions: ClassVar[tuple[Actions, ...]] = ("continuous",)
    lr: float
    copies: int
    steps: int | None = None  # None: whole episodes

    @property
    def round_episodes(self) -> int:
        return self.copies if self.steps is None else 1

    @property
    def plays_steps(self) -> bool:
        return self.steps is not None

    def work(self, task: TaskSizes, episodes: int) -> Work:
        return Work((), 0.0, 0.0)

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        return sum(task.agents * task.observation * task.actions for task in tasks)


class ToyDrift:
    """A `Learner` of continuous actions, by whole episodes or by steps: rewarded actions attract the weights."""

    replays: Sequence[Replay] = ()

    def __init__(self, tasks: Sequence[Task], settings: ToyDriftSettings, streams: Sequence[Streams], device: Any):
        (self.task,) = tasks
        assert self.task.continuous
        self.copies, self.steps, self._lr = settings.copies, settings.steps, settings.lr
        self._streams = streams
        self._weights = torch.zeros(len(streams), self.task.agents, self.task.obs_size, self.task.action_size)

    def exploring(self, task: int, episodes_done: int) -> Acting:
        shape = (self.steps or self.task.episode_limit, self.copies, self.task.agents, self.task.action_size)
        noise = torch.stack([torch.randn(shape, generator=s["exploration"]) for s in self._streams])
        rows = iter(noise.unbind(1))
        return lambda seen: self._act(seen, next(rows))

    def greedy(self, task: int) -> Acting:
        return lambda seen: self._act(seen, torch.zeros(()))

    def learn(self, task: int, played: Rollout | Steps, episodes_done: int) -> dict[str, Tensor]:
        steps = played.actions.shape[2]
        pull = played.obs[:, :, :steps].float().unsqueeze(-1) * played.actions.unsqueeze(-2)
        pull = (pull * played.rewards.float()[..., None, None]).mean((1, 2))
        self._weights = self._weights + self._lr * pull
        return {"pull": pull.square().mean((1, 2, 3))}

    def policy(self) -> dict[str, Tensor]:
        return {"weights": self._weights.clone()}

    def state(self) -> dict[str, Tensor]:
        return {"weights": self._weights.clone()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._weights = state["weights"].clone()

    def _act(self, seen: Seen, noise: Tensor) -> Tensor:
        weights = self._weights.unsqueeze(1)  # [S, 1, N, O, A]
        return ((seen.obs.float().unsqueeze(-1) * weights).sum(-2) + noise).tanh() * seen.avail_actions


class ToyPhasedSettings(ToyQSettings):
    turn_at: int  # of the budget
    push: float  # what the turn adds to the weights

    def first_phase(self, whole: int, stated: int | None = None) -> FirstPhase:
        return FirstPhase(self.turn_at, frozenset({"push"}))


class ToyLog:
    """A `Replay`: the sum of a round's rewards in each entry."""

    first, part_entries = 0, 7

    def __init__(self, lanes: int):
        self.sums: list[list[float]] = [[] for _ in range(lanes)]

    @property
    def entries(self) -> int:
        return min(map(len, self.sums))

    def rows(self, lane: int, start: int, stop: int) -> dict[str, Tensor]:
        return {"sums": torch.tensor(self.sums[lane][start:stop], dtype=torch.float64)}

    def restore(self, lane: int, start: int, rows: Mapping[str, Tensor]) -> None:
        assert len(self.sums[lane]) == start
        self.sums[lane] += rows["sums"].tolist()


class ToyPhased(ToyQ):
    """`Phased`: between its phases a draw pushes the weights; in every round the sum of all rewards does."""

    def __init__(self, tasks: Sequence[Task], hyperparameters: ToyPhasedSettings, *others: Any):
        super().__init__(tasks, hyperparameters, *others)
        self._push = hyperparameters.push
        self._log = ToyLog(len(self._streams))
        self.replays = (self._log,)

    def learn(self, task: int, rollout: Steps, episodes_done: int) -> dict[str, Tensor]:
        for own, rewards in zip(self._log.sums, rollout.rewards, strict=True):
            own.append(float(rewards.sum()))
        told = torch.tensor([sum(own) for own in self._log.sums])
        self._weights = self._weights + 1e-4 * told.view(-1, 1, 1, 1)
        return super().learn(task, rollout, episodes_done)

    def ready(self) -> bool:
        return True

    def turn(self) -> dict[str, Tensor]:
        drawn = torch.stack([torch.rand(self._weights.shape[1:], generator=s["update"]) for s in self._streams])
        self._weights = self._weights + self._push * drawn
        return {"turn": drawn.mean((1, 2, 3))}


class ToyReaderSettings(Hyperparameters):
    updates_at_once: int

    @property
    def round_episodes(self) -> int:
        return 1

    def round_of(self, unit: Unit) -> int:
        return self.updates_at_once

    def work(self, task: TaskSizes, episodes: int) -> Work:
        return Work((), float(episodes), 0.0)

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        return 1


class ToyReader:
    """A `Learner` that plays nothing, like one that learns from a data set: a random walk of its weights."""

    replays: Sequence[Replay] = ()
    copies, steps = 0, None

    def __init__(self, tasks: Sequence[Task], settings: ToyReaderSettings, streams: Sequence[Streams], device: Any):
        (self.task,) = tasks
        self.updates, self._at_once, self._streams = 0, settings.updates_at_once, streams
        self._weights = torch.zeros(len(streams), self.task.action_size)

    def exploring(self, task: int, episodes_done: int) -> Acting:
        raise AssertionError("it plays nothing")

    def greedy(self, task: int) -> Acting:
        values = self._weights.view(len(self._weights), 1, 1, -1)

        def act(seen: Seen) -> Tensor:
            best = values.expand(*seen.obs.shape[:3], -1).masked_fill(~seen.avail_actions, -torch.inf).argmax(-1)
            return torch.nn.functional.one_hot(best, values.shape[-1]).float()

        return act

    def learn(self, task: int, rollout: None, episodes_done: int) -> dict[str, Tensor]:
        assert (rollout, episodes_done) == (None, 0)
        for _ in range(self._at_once):
            steps = [torch.randn(self.task.action_size, generator=s["update"]) for s in self._streams]
            self._weights = self._weights + torch.stack(steps)
        self.updates += self._at_once
        return {"length": self._weights.norm(dim=-1)}

    def policy(self) -> dict[str, Tensor]:
        return {"weights": self._weights.clone()}

    def state(self) -> dict[str, Tensor]:
        updates = torch.full((len(self._streams),), self.updates)
        return {"weights": self._weights.clone(), "updates": updates}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._weights, self.updates = state["weights"].clone(), int(state["updates"][0])


TOY_Q = Algorithm(
    learner="tests.toys.learner:ToyQ",
    version=1,
    hyperparameters=ToyQSettings,
    teacher=False,
    losses=("td",),
    units=("episodes", "steps"),
)
TOY_DRIFT = TOY_Q.model_copy(
    update={"learner": "tests.toys.learner:ToyDrift", "hyperparameters": ToyDriftSettings, "losses": ("pull",)}
)
TOY_PHASED = TOY_Q.model_copy(
    update={"learner": "tests.toys.learner:ToyPhased", "hyperparameters": ToyPhasedSettings, "losses": ("td", "turn")}
)
TOY_READER = Algorithm(
    learner="tests.toys.learner:ToyReader",
    version=1,
    hyperparameters=ToyReaderSettings,
    teacher=False,
    losses=("length",),
    units=("updates",),
)
