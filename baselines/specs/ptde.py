"""PTDE's hyperparameters, and those of what else gives agents global information. Torch-free."""

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
    recurrent_size,
)
from baselines.specs.qmix import LOSSES, UNITS, ValueDecomposition

STAGE_1 = "baselines.ptde:stage_1"


class Informed(ValueDecomposition):
    """QMIX or VDN whose agents' network reads z beside the GRU's output."""

    use_rnn: Literal[True]  # type: ignore[assignment]  # frozen, so narrower is sound
    z_width: Width  # entries of z
    z_head: Literal["additive", "mlp"]  # what makes Q_i of both (`baselines.networks.team.InformedNetwork`)

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        """The agents' network and what makes z."""
        return sum(self._head_size(t) + self._information_size(t) for t in tasks)

    def _head_size(self, task: TaskSizes) -> int:
        inputs, width = self._inputs(task.agents, task.observation, task.actions), self.hidden_width
        both = width + self.z_width
        ends = dense_size(width, width) + dense_size(both, task.actions)
        last = dense_size(both, width, task.actions) if self.z_head == "mlp" else ends
        return dense_size(inputs, width) + recurrent_size(width, width, gates=3) + last

    def _information_size(self, task: TaskSizes) -> int:
        """Parameters of what makes z."""
        return 0

    def _information_weights(self, task: TaskSizes) -> int:
        """Multiply-adds of what makes z, for all agents of a step."""
        return self._information_size(task)

    def _networks(self, task: TaskSizes) -> tuple[Network, ...]:
        steps = self.batch_size * (task.steps + 1)
        return *super()._networks(task), Network(self._information_weights(task), steps, steps)

    def _state(self, task: TaskSizes) -> int:
        """Entries of the state, taken for all observations in a row."""
        return task.agents * task.observation


class Personal(Informed):
    """GIU and GIP (Chen et al. 2024)."""

    information: Literal["giu", "gip"]
    encoder_width: Width  # hidden units: of the state's encoding, and of the network that generates GIP's weights
    variance_floor: Positive  # least variance of z
    z_distribution: Literal["gaussian"]
    z_execution: Literal["sample"]  # z is sampled in training and in evaluations

    def _information_size(self, task: TaskSizes) -> int:
        width = self.encoder_width
        heads = 2 * dense_size(width, self.z_width, self.z_width)
        if self.information == "giu":
            return dense_size(self._state(task), width) + heads
        inputs = self._inputs(task.agents, task.observation, task.actions)
        return 2 * dense_size(inputs, width) + dense_size(width, self._state(task) * width) + heads


class GIU(Personal):
    information: Literal["giu"]  # type: ignore[assignment]


class GIP(Personal):
    information: Literal["gip"]  # type: ignore[assignment]


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
        """episodes: updates. The student and a batch that is held out; what the team plays is counted as stored."""
        samples = self.distill_batch_size
        student = Network(self.policy_size([task]), samples, samples)
        return Work((student,), updates=episodes, stored=episode_rows(task, self.distill_episodes))

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        """The student alone; the team is counted where it was trained."""
        width = self.student_hidden_width
        return sum(dense_size(t.observation + t.actions + t.agents, width, width, width) for t in tasks)


ALGORITHMS = {
    "giu": Algorithm(learner=STAGE_1, version=1, hyperparameters=GIU, teacher=False, losses=LOSSES, units=UNITS),
    "gip": Algorithm(learner=STAGE_1, version=1, hyperparameters=GIP, teacher=False, losses=LOSSES, units=UNITS),
    "ptde": Algorithm(
        learner="baselines.ptde_distill:Stage2",
        version=1,
        hyperparameters=PTDE,
        teacher=True,
        losses=("distill", "held_out"),
        units=("updates",),
    ),
}
