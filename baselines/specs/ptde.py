"""PTDE's hyperparameters in stage 1, and those of other methods that give agents global information. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from baselines.specs.base import (
    Algorithm,
    Network,
    Positive,
    TaskSizes,
    Width,
    dense_size,
    recurrent_size,
)
from baselines.specs.qmix import LOSSES, UNITS, ValueDecomposition

STAGE_1 = "baselines.ptde:stage_1"


class Informed(ValueDecomposition):
    """QMIX or VDN whose agents' network reads z beside the GRU's output."""

    use_rnn: Literal[True]  # type: ignore[assignment]  # frozen, so narrower is sound
    z_width: Width  # entries of z
    z_head: Literal["additive", "mlp"]  # makes Q_i from both (`baselines.networks.team.InformedNetwork`)

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        """The agents' network and the module that makes z."""
        return sum(self._head_size(t) + self._information_size(t) for t in tasks)

    def _head_size(self, task: TaskSizes) -> int:
        inputs, width = self._inputs(task.agents, task.observation, task.actions), self.hidden_width
        both = width + self.z_width
        ends = dense_size(width, width) + dense_size(both, task.actions)
        last = dense_size(both, width, task.actions) if self.z_head == "mlp" else ends
        return dense_size(inputs, width) + recurrent_size(width, width, gates=3) + last

    def _information_size(self, task: TaskSizes) -> int:
        """Parameters of the module that makes z."""
        return 0

    def _information_weights(self, task: TaskSizes) -> int:
        """Multiply-adds of the module that makes z, for all agents of a step."""
        return self._information_size(task)

    def _networks(self, task: TaskSizes) -> tuple[Network, ...]:
        steps = self.batch_size * (task.steps + 1)
        return *super()._networks(task), Network(self._information_weights(task), steps, steps)


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
            return dense_size(task.state_entries, width) + heads
        inputs = self._inputs(task.agents, task.observation, task.actions)
        return 2 * dense_size(inputs, width) + dense_size(width, task.state_entries * width) + heads


class GIU(Personal):
    information: Literal["giu"]  # type: ignore[assignment]


class GIP(Personal):
    information: Literal["gip"]  # type: ignore[assignment]


ALGORITHMS = {
    "giu": Algorithm(learner=STAGE_1, version=1, hyperparameters=GIU, teacher=False, losses=LOSSES, units=UNITS),
    "gip": Algorithm(learner=STAGE_1, version=1, hyperparameters=GIP, teacher=False, losses=LOSSES, units=UNITS),
}
