"""KnowRU's hyperparameters. Torch-free."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from baselines.specs.base import Algorithm, Fraction, Network, TaskSizes, misfit
from baselines.specs.maddpg import LOSSES, MADDPG


class KnowRU(MADDPG):
    """Gao et al. 2021."""

    alpha_start: Fraction  # weight of L_reuse at the first episode
    alpha_end: Fraction  # and at the end of the annealing; a start below it stays as it is
    anneal_fraction: Annotated[float, Field(gt=0, le=1)]  # share of the training budget over which alpha falls
    reuse_loss: Literal["mse", "ce", "kl"]
    reuse_scale: Literal["none", "order_of_magnitude"]
    teacher_view: Literal["same", "nearest"]  # the teacher reads the same padded observation, or its nearest objects

    @model_validator(mode="after")
    def _teacher_can_read(self) -> Self:
        if self.teacher_view == "nearest" and not self.layout_communication:
            got = "nearest with layout_communication = false"
            raise misfit(got, "same", "keep the communication entries or the same view", "teacher_view")
        return self

    def _networks(self, task: TaskSizes) -> tuple[Network, Network]:
        """The teachers' actors also make a forward pass on every batch."""
        actors, critics = super()._networks(task)
        return replace(actors, forward=actors.forward + actors.learned), critics


class KnowRUAdversaries(KnowRU):
    """Sec. 4.3: of two sides, only adversaries reuse knowledge."""

    students: Literal["adversaries"]  # the side that reuses knowledge


ALGORITHMS = {
    "knowru_adversaries": Algorithm(
        learner="baselines.knowru:knowru_adversaries",
        version=1,
        hyperparameters=KnowRUAdversaries,
        teacher=True,
        losses=(*LOSSES, "reuse", "alpha"),
    ),
    "knowru": Algorithm(
        learner="baselines.knowru:knowru",
        version=1,
        hyperparameters=KnowRU,
        teacher=True,
        losses=(*LOSSES, "reuse", "alpha"),
    ),
}
