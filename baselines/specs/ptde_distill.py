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
    """Stage 2: a student learns the frozen team's z, then replaces the module that makes it. Nothing else learns.

    The team is the teacher of the run; its own hyperparameters describe it.
    """

    distill_loss: Literal["mse"]  # squared error to the mean of z, summed over its entries
    distill_batch_size: Batch  # pairs of an agent and a step
    distill_episodes: Count  # that the frozen team plays for the pairs
    distill_round_episodes: Batch  # of these, played in parallel
    distill_epsilon: Fraction  # of the team's actions in these episodes
    distill_padding: bool  # whether steps after an episode's end are also pairs: zeros and the agent's number
    held_out_share: Fraction  # of the pairs; drawn without regard to episodes
    student: Literal["mlp"]
    student_hidden_width: Width
    student_hidden_layers: Literal[2]
    student_variance: Annotated[float, Field(ge=0)]  # of the student's samples in execution; 0: its mean
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
        """episodes: updates. Counts the student and a held-out batch; the episodes that the team plays count as stored.

        The student's two parts count as networks of their own. It is assumed to read what a team of QMIX reads.
        """
        samples, width = self.distill_batch_size, self.student_hidden_width
        first = dense_size(task.observation + task.actions + task.agents, width)
        parts = (Network(size, samples, samples) for size in (first, dense_size(width, width, width)))
        return Work((*parts,), episodes, episode_rows(task, self.distill_episodes))

    def policy_size(self, tasks: Sequence[TaskSizes]) -> None:
        """Not known: the student reads what its team reads."""


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
