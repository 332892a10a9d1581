"""The hyperparameters of PTDE's stage 1 on MAPPO, of whole episodes and in rollouts of steps. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from baselines.specs.base import (
    Algorithm,
    Hyperparameters,
    Network,
    Positive,
    TaskSizes,
    Unit,
    Width,
    Work,
    dense_size,
    recurrent_size,
)
from baselines.specs.mappo import LOSSES, MAPPO
from baselines.specs.mappo_steps import StepsMAPPO
from baselines.specs.qmix import UNITS

STAGE_1 = "baselines.ptde_mappo:stage_1"
STAGE_1_IN_STEPS = "baselines.ptde_mappo:stage_1_in_steps"


class Personal(Hyperparameters):
    """GIU and GIP for the actors of a MAPPO, which stands behind it; names as in `baselines.specs.ptde.Personal`."""

    z_width: Width
    z_head: Literal["additive", "mlp"]
    information: Literal["giu", "gip"]
    encoder_width: Width
    variance_floor: Positive
    z_distribution: Literal["gaussian"]
    z_execution: Literal["sample"]


def work_with_z(h: PersonalMAPPO | PersonalStepsMAPPO, whole: Work, task: TaskSizes, steps: int) -> Work:
    """MAPPO's work and the module's, of so many steps in a round."""
    module = Network(_information_size(h, task), 2 * steps, h.update_passes * steps)
    return Work((*whole.networks, module), whole.updates, whole.stored)


def size_with_z(h: PersonalMAPPO | PersonalStepsMAPPO, tasks: Sequence[TaskSizes]) -> int:
    """The actor and what makes z."""
    return sum(_head_size(h, task) + _information_size(h, task) for task in tasks)


def _head_size(h: PersonalMAPPO | PersonalStepsMAPPO, task: TaskSizes) -> int:
    width, both = h.hidden_width, h.hidden_width + h.z_width
    ends = dense_size(width, width) + dense_size(both, task.actions)
    last = dense_size(both, width, task.actions) if h.z_head == "mlp" else ends
    middle = recurrent_size(width, width, gates=3) if h.use_rnn else dense_size(*[width] * h.hidden_layers)
    return dense_size(h._inputs(task), width) + middle + last


def _information_size(h: PersonalMAPPO | PersonalStepsMAPPO, task: TaskSizes) -> int:
    width, state = h.encoder_width, task.state_entries
    heads = 2 * dense_size(width, h.z_width, h.z_width)
    if h.information == "giu":
        return dense_size(state, width) + heads
    return 2 * dense_size(h._inputs(task), width) + dense_size(width, state * width) + heads


class PersonalMAPPO(Personal, MAPPO):
    """Of whole episodes."""

    use_rnn: Literal[True]  # type: ignore[assignment]  # frozen, so narrower is sound

    def work(self, task: TaskSizes, episodes: int) -> Work:
        return work_with_z(self, super().work(task, episodes), task, self.update_episodes * task.steps)

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        return size_with_z(self, tasks)


class PersonalStepsMAPPO(Personal, StepsMAPPO):
    """In rollouts of steps. The actor is recurrent, or a perceptron on stacked frames."""

    def work(self, task: TaskSizes, episodes: int) -> Work:
        return work_with_z(self, super().work(task, episodes), task, self.round_steps)

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        return size_with_z(self, tasks)


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
