"""What the hyperparameters of all algorithms share: types, and what a run costs. Torch-free."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class Cost:
    """What one run takes: operations (two a multiply-add) and bytes held."""

    operations: float
    bytes: float


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


def layered_weights(inputs: int, outputs: int, width: int, hidden_layers: int, use_rnn: bool) -> int:
    """Multiply-adds for one sample of a network whose second hidden layer may be a GRU, with three gates a side."""
    hidden = 6 * width**2 if use_rnn else (hidden_layers - 1) * width**2
    return (inputs + outputs) * width + hidden
