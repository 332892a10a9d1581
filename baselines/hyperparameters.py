"""What the hyperparameters of all algorithms share: types, and what a run costs. Torch-free."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class Cost:
    """What one run takes: operations (two a multiply-add) and bytes held."""

    operations: float
    bytes: float


@dataclass(frozen=True)
class TaskSizes:
    """What the sizes of a policy's network depend on. observation: entries of what an agent reads of it."""

    agents: int
    observation: int
    actions: int


class Hyperparameters(BaseModel, ABC):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    @property
    @abstractmethod
    def round_episodes(self) -> int:
        """Episodes that are played together, under one policy; a budget is a whole number of rounds."""

    def least(self, episode_limit: int) -> dict[str, tuple[float, float]]:
        """Hyperparameters that the episode's length bounds: by name, the value and the least that it may be."""
        return {}

    @abstractmethod
    def cost(self, agents: int, obs_size: int, action_size: int, episode_limit: int, episodes: int) -> Cost:
        """Operations and bytes of one run of so many episodes."""

    @abstractmethod
    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        """Parameters of what the agents act with (`Learner.policy`), trained on these tasks; all agents' together."""


def misfit(got: str, allowed: str, mend: str, key: str = "") -> PydanticCustomError:
    """What a validator raises of hyperparameters that do not fit together; key: the one to mend, if it is one."""
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
    """Weights and biases of a body that all tasks share, of so many, with E_k and EA_k of each task.

    inputs: entries of what E_k reads, for each task. embedding: E_k's units. last: what EA_k reads.
    """
    return shared + sum(
        dense_size(i, embedding) + dense_size(last, t.actions) for i, t in zip(inputs, tasks, strict=True)
    )


def layered_weights(inputs: int, outputs: int, width: int, hidden_layers: int, use_rnn: bool) -> int:
    """Multiply-adds for one sample of a network whose second hidden layer may be a GRU, with three gates a side."""
    hidden = 6 * width**2 if use_rnn else (hidden_layers - 1) * width**2
    return (inputs + outputs) * width + hidden
