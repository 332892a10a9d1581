"""The hyperparameters of PTDE's stage 1 on MAPPO, of whole episodes and in rollouts of steps. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from baselines.specs.base import Algorithm, Network, Positive, TaskSizes, Unit, Width, Work, dense_size, recurrent_size
from baselines.specs.mappo import LOSSES, MAPPO
from baselines.specs.mappo_steps import StepsMAPPO
from baselines.specs.qmix import UNITS

STAGE_1 = "baselines.ptde_mappo:stage_1"
STAGE_1_IN_STEPS = "baselines.ptde_mappo:stage_1_in_steps"


class PersonalActors(MAPPO):
    """GIU and GIP for MAPPO's actors; names as in `baselines.specs.ptde.Personal`."""

    z_width: Width
    z_head: Literal["additive", "mlp"]
    information: Literal["giu", "gip"]
    encoder_width: Width
    variance_floor: Positive
    z_distribution: Literal["gaussian"]
    z_execution: Literal["sample"]

    def work(self, task: TaskSizes, episodes: int) -> Work:
        whole, steps = super().work(task, episodes), self._round_steps(task)
        module = Network(self._information_size(task), 2 * steps, self.update_passes * steps)
        return Work((*whole.networks, module), whole.updates, whole.stored)

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        """The actor and the module that makes z."""
        return sum(self._head_size(task) + self._information_size(task) for task in tasks)

    def _round_steps(self, task: TaskSizes) -> int:
        return self.update_episodes * task.steps

    def _head_size(self, task: TaskSizes) -> int:
        width, both = self.hidden_width, self.hidden_width + self.z_width
        ends = dense_size(width, width) + dense_size(both, task.actions)
        last = dense_size(both, width, task.actions) if self.z_head == "mlp" else ends
        perceptron = dense_size(*[width] * self.hidden_layers)  # the layers after its first
        middle = recurrent_size(width, width, gates=3) if self.use_rnn else perceptron
        return dense_size(self._inputs(task), width) + middle + last

    def _information_size(self, task: TaskSizes) -> int:
        width = self.encoder_width
        heads = 2 * dense_size(width, self.z_width, self.z_width)
        if self.information == "giu":
            return dense_size(task.state_entries, width) + heads
        generated = dense_size(width, task.state_entries * width)
        return 2 * dense_size(self._inputs(task), width) + generated + heads


class PersonalMAPPO(PersonalActors):
    """Of whole episodes."""

    use_rnn: Literal[True]  # type: ignore[assignment]  # frozen, so narrower is sound


class PersonalStepsMAPPO(PersonalActors, StepsMAPPO):
    """In rollouts of steps. The actor is recurrent, or a perceptron on stacked frames."""

    def _round_steps(self, task: TaskSizes) -> int:
        return self.round_steps


class MAPPOGIU(PersonalMAPPO):
    information: Literal["giu"]  # type: ignore[assignment]


class MAPPOGIP(PersonalMAPPO):
    information: Literal["gip"]  # type: ignore[assignment]


class StepsMAPPOGIU(PersonalStepsMAPPO):
    information: Literal["giu"]  # type: ignore[assignment]


class StepsMAPPOGIP(PersonalStepsMAPPO):
    information: Literal["gip"]  # type: ignore[assignment]


IN_STEPS: tuple[Unit, ...] = ("steps",)
ALGORITHMS = {
    name: Algorithm(learner=learner, version=1, hyperparameters=model, teacher=False, losses=LOSSES, units=units)
    for name, model, learner, units in (
        ("mappo_giu", MAPPOGIU, STAGE_1, UNITS),
        ("mappo_gip", MAPPOGIP, STAGE_1, UNITS),
        ("mappo_steps_giu", StepsMAPPOGIU, STAGE_1_IN_STEPS, IN_STEPS),
        ("mappo_steps_gip", StepsMAPPOGIP, STAGE_1_IN_STEPS, IN_STEPS),
    )
}
