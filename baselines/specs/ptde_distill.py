"""PTDE's hyperparameters in stage 2. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from baselines.specs.base import (
    Algorithm,
    Batch,
    Count,
    Fraction,
    Hyperparameters,
    Network,
    Positive,
    TaskSizes,
    Unit,
    Width,
    Work,
    dense_size,
    episode_rows,
    misfit,
)


class PTDE(Hyperparameters):
    """Stage 2: a student of the frozen team's z, which then takes the place of what makes it. Nothing else learns.

    Its team is the teacher of the run, whose own hyperparameters say how it is built.
    """

    distill_loss: Literal["mse"]  # squared error to the mean of z, summed over its entries
    distill_batch_size: Batch  # pairs of an agent and a step
    distill_episodes: Count  # that the frozen team plays for them
    distill_round_episodes: Batch  # of them played side by side
    distill_epsilon: Fraction  # of the team's actions while it plays them
    distill_padding: bool  # steps after an episode's end are pairs, too: zeros and the agent's number
    held_out_share: Fraction  # of the pairs, which are drawn without regard to episodes
    student: Literal["mlp"]
    student_hidden_width: Width
    student_hidden_layers: Literal[2]
    student_variance: Annotated[float, Field(ge=0)]  # of the sample that it executes with; 0: its mean
    distill_optimizer: Literal["adam"]
    distill_lr: Positive

    @model_validator(mode="after")
    def _plays_whole_rounds(self) -> Self:
        if self.distill_episodes % self.distill_round_episodes:
            allowed = f"a multiple of distill_round_episodes, {self.distill_round_episodes}"
            raise misfit(f"{self.distill_episodes}", allowed, "correct one of them", "distill_episodes")
        return self

    @property
    def round_episodes(self) -> int:
        return self.distill_round_episodes

    def round_of(self, unit: Unit) -> int:
        return 1

    def work(self, task: TaskSizes, episodes: int) -> Work:
        """episodes: updates. The student and a batch that is held out; what the team plays is counted as stored.

        It is taken to read what a team of QMIX does.
        """
        samples, width = self.distill_batch_size, self.student_hidden_width
        size = dense_size(task.observation + task.actions + task.agents, width, width, width)
        return Work((Network(size, samples, samples),), episodes, episode_rows(task, self.distill_episodes))

    def policy_size(self, tasks: Sequence[TaskSizes]) -> None:
        """Not known: the student reads what its team does."""


ALGORITHMS = {
    "ptde": Algorithm(
        learner="baselines.ptde_distill:Stage2",
        version=1,
        hyperparameters=PTDE,
        teacher=True,
        losses=("distill", "held_out"),
        units=("updates",),
    ),
}
