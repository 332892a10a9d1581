"""Common parts of all methods' hyperparameters: types, and the work of a run. Torch-free."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=10**12)]
Layers = Annotated[int, Field(ge=1, le=100)]
Width = Annotated[int, Field(ge=1, le=2**14)]  # units of a layer
Batch = Annotated[int, Field(ge=1, le=10**6)]  # number learned from, or played, at once
BatchOfFours = Annotated[int, Field(ge=4, le=10**6, multiple_of=4)]  # transitions; kernels/nn.py, WHOLE_COLUMNS
BatchOfRegisters = Annotated[int, Field(ge=32, le=10**6, multiple_of=32)]  # kernels/layers.py, WHOLE_REGISTERS
Actions = Literal["discrete", "continuous"]
Unit = Literal["episodes", "steps", "updates"]  # a run's unit: episodes and environment steps are those of each task
UNITS: tuple[Unit, ...] = ("episodes", "steps", "updates")


def later(default: Any) -> Any:
    """A field added after numbers were published. At its default it is left out of files and hashes."""
    return Field(default=default, exclude_if=lambda value: value == default)


@dataclass(frozen=True)
class TaskSizes:
    """The sizes of a task that decide a method's size and work.

    observation: entries that an agent reads. steps: those of a whole episode. state: entries of the state. own_state:
    whether a replay keeps the state, since it is not all observations concatenated.
    """

    agents: int
    observation: int
    actions: int
    steps: int = 0
    state: int = 0
    own_state: bool = False

    @property
    def state_entries(self) -> int:
        """Entries of the state; if a task has none, of all observations concatenated."""
        return self.state or self.agents * self.observation


@dataclass(frozen=True)
class Network:
    """The work of an update with one network.

    weights: multiply-adds of one sample. forward: samples that pass it without a gradient. learned: samples that it
    learns from; each costs three times a forward one, for the gradients of weights and of inputs. copies: number of
    such networks that split the samples among them (the agents' own).
    """

    weights: int
    forward: int
    learned: int = 0
    copies: int = 1

    @property
    def samples(self) -> int:
        """The number of forward samples with the same cost."""
        return self.forward + 3 * self.learned


@dataclass(frozen=True)
class Work:
    """The counted work of training on one task. stored: numbers in the replay or round, 4 bytes each."""

    networks: tuple[Network, ...]
    updates: float
    stored: float

    @property
    def operations(self) -> float:
        """Operations of matrix products, two per multiply-add."""
        return 2 * self.updates * sum(n.weights * n.samples for n in self.networks)

    @property
    def samples(self) -> float:
        """Samples that pass any network."""
        return self.updates * sum(n.samples for n in self.networks)

    @property
    def bytes(self) -> float:
        """Bytes of stored numbers, and of parameters with gradient and Adam's two moments."""
        return 4 * self.stored + 16 * self._weights

    @property
    def checkpoint_bytes(self) -> float:
        """The most bytes on disk, without curves: stored numbers, and parameters with target and Adam's two moments.

        The latter count twice: a new file is complete before it replaces the old one.
        """
        return 4 * self.stored + 2 * 16 * self._weights

    @property
    def _weights(self) -> int:
        return sum(n.copies * n.weights for n in self.networks)


@dataclass(frozen=True)
class FirstPhase:
    """Where a run's first phase ends, in its budget's unit, and which hyperparameters have no effect before that.

    The learner's preparation of the turn (`baselines.learner.Phased.ready`) is part of the first phase.
    """

    end: int
    later: frozenset[str]


class Hyperparameters(BaseModel, ABC):
    """ends_early: whether its learner accepts episodes that end before the limit. actions: accepted kinds."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)
    ends_early: ClassVar[bool] = True
    actions: ClassVar[tuple[Actions, ...]] = ("discrete",)

    @property
    @abstractmethod
    def round_episodes(self) -> int:
        """Episodes played together under one policy. A budget in episodes is a whole number of rounds."""

    def round_of(self, unit: Unit) -> int:
        """How much of a unit every round takes: budget and recording must be multiples of it. 1: no constraint."""
        return self.round_episodes if unit == "episodes" else 1

    def longest_round(self, unit: Unit, episode_limit: int) -> int:
        """The most of a unit that a round takes: a point of a curve covers at least this much."""
        whole_episodes = unit == "steps" and not self.plays_steps
        return self.round_episodes * episode_limit if whole_episodes else self.round_of(unit)

    @property
    def plays_steps(self) -> bool:
        """Whether its learner plays steps of environments that stay open; else it plays whole episodes."""
        return False

    @property
    def counts_steps(self) -> bool:
        """Whether its learner's schedules count environment steps, which may differ between lanes of whole episodes."""
        return False

    @property
    def members(self) -> int:
        """Number of an ensemble's members, each with curves of its own; 0: no ensemble."""
        return 0

    def first_phase(self, whole: int, stated: int | None = None) -> FirstPhase | None:
        """The first of two phases of a run with this budget (`baselines.learner.Phased`); None: it has only one.

        stated: the end of the phase that the budget states.
        """
        return None

    def turn_work(self, task: TaskSizes) -> Work | None:
        """The work of preparing the turn (`baselines.learner.Phased.ready`). task: one of the second phase."""
        return None

    def least(self, episode_limit: int) -> dict[str, tuple[float, float]]:
        """Hyperparameters that depend on the episode's length: by name, the value and the least allowed value."""
        return {}

    @abstractmethod
    def work(self, task: TaskSizes, episodes: int) -> Work:
        """The work of one task in a run of `episodes` episodes of each. A teacher's network counts like its student's.

        task.observation: entries of the padded observation. episodes: updates, if the budget counts updates.
        """

    @abstractmethod
    def policy_size(self, tasks: Sequence[TaskSizes]) -> int | None:
        """Parameters that the agents act with (`Learner.policy`), trained on these tasks; all agents' together.

        None if their number depends on what its teacher reads.
        """


class Algorithm(BaseModel):
    """learner: "module:Class". teacher: whether a run needs a trained team to learn from. losses: those it reports.
    rare_losses: those of them that it reports only at some moments.

    version: goes up when its numbers change; it enters every run's id. several_tasks: whether one run can learn more
    than one task. units: allowed units of its budgets. in_order: whether it has two phases, with a budget that says
    where the first ends. Then the last task is played only in the second phase, and the others only in the first.
    """

    model_config = ConfigDict(frozen=True)
    learner: str
    version: int
    hyperparameters: type[Hyperparameters]
    teacher: bool
    losses: tuple[str, ...]
    rare_losses: tuple[str, ...] = ()
    several_tasks: bool = False
    units: tuple[Unit, ...] = ("episodes",)
    in_order: bool = False


def misfit(got: str, allowed: str, mend: str, key: str = "") -> PydanticCustomError:
    """The error for hyperparameters that do not fit together. key: the one to correct, if there is a single one."""
    parts = {"key": key, "where": key and f"{key}: ", "got": got, "allowed": allowed, "mend": mend}
    return PydanticCustomError("misfit", "{where}got {got}; allowed: {allowed}; {mend}", parts)


def dense_size(*widths: int) -> int:
    """Weights and biases of linear layers, from the input's width to the output's."""
    return sum((before + 1) * after for before, after in pairwise(widths))


def recurrent_size(inputs: int, width: int, gates: int) -> int:
    """Weights and biases, of the input and of the hidden state, of a GRU (3 gates) or an LSTM (4)."""
    return gates * width * (inputs + width + 2)


def layered_size(inputs: int, outputs: int, width: int, hidden_layers: int, use_rnn: bool) -> int:
    """Weights and biases of a network whose second hidden layer may be a GRU."""
    if use_rnn:
        return dense_size(inputs, width) + recurrent_size(width, width, gates=3) + dense_size(width, outputs)
    return dense_size(inputs, *[width] * hidden_layers, outputs)


def multi_task_size(inputs: Sequence[int], shared: int, tasks: Sequence[TaskSizes], embedding: int, last: int) -> int:
    """Number of parameters of a body that all tasks share (`shared`), plus E_k and EA_k of each task.

    inputs: entries that E_k reads, for each task. embedding: E_k's units. last: entries that EA_k reads.
    """
    return shared + sum(
        dense_size(i, embedding) + dense_size(last, t.actions) for i, t in zip(inputs, tasks, strict=True)
    )


def episode_rows(task: TaskSizes, episodes: int) -> float:
    """Numbers that a replay of so many whole episodes holds: observations, states, and bytes for actions and ends."""
    row = task.agents * (task.observation + (task.actions + 2) / 4) + task.own_state * task.state + 1.25
    return episodes * (task.steps + 1) * row


def step_rows(task: TaskSizes, transitions: float) -> float:
    """Numbers in a replay of single steps (`baselines.replay.steps`): a row for each, and bytes for its end.

    This includes the place of the next observation. Last observations add one per episode.
    """
    return transitions * (task.agents * (task.observation + task.actions + 1) + 1.25)


def updates_of(episodes: int, batch_size: int, update_episodes: int) -> int:
    """Number of updates: one after every `update_episodes` episodes, from the first full batch of episodes on."""
    return max(0, episodes - batch_size + update_episodes) // update_episodes


def layered_weights(inputs: int, outputs: int, width: int, hidden_layers: int, use_rnn: bool) -> int:
    """Multiply-adds for one sample of a network whose second hidden layer may be a GRU, with three gates per side."""
    hidden = 6 * width**2 if use_rnn else (hidden_layers - 1) * width**2
    return (inputs + outputs) * width + hidden
