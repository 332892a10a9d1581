"""The hyperparameters of PTDE's stage 1 on MAPPO. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from baselines.specs.base import Algorithm, Network, Positive, TaskSizes, Width, Work, dense_size, recurrent_size
from baselines.specs.mappo import LOSSES, MAPPO
from baselines.specs.qmix import UNITS

STAGE_1 = "baselines.ptde_mappo:stage_1"


class PersonalMAPPO(MAPPO):
    """GIU and GIP for MAPPO's actors; names as in `baselines.specs.ptde.Personal`."""

    use_rnn: Literal[True]  # type: ignore[assignment]  # frozen, so narrower is sound
    z_width: Width
    z_head: Literal["additive", "mlp"]
    information: Literal["giu", "gip"]
    encoder_width: Width
    variance_floor: Positive
    z_distribution: Literal["gaussian"]
    z_execution: Literal["sample"]

    def work(self, task: TaskSizes, episodes: int) -> Work:
        whole, steps = super().work(task, episodes), self.update_episodes * task.steps
        module = Network(self._information_size(task), 2 * steps, self.update_passes * steps)
        return Work((*whole.networks, module), whole.updates, whole.stored)

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        """The actor and what makes z."""
        return sum(self._head_size(task) + self._information_size(task) for task in tasks)

    def _head_size(self, task: TaskSizes) -> int:
        width, both = self.hidden_width, self.hidden_width + self.z_width
        ends = dense_size(width, width) + dense_size(both, task.actions)
        last = dense_size(both, width, task.actions) if self.z_head == "mlp" else ends
        return dense_size(self._inputs(task), width) + recurrent_size(width, width, gates=3) + last

    def _information_size(self, task: TaskSizes) -> int:
        width, state = self.encoder_width, task.agents * task.observation
        heads = 2 * dense_size(width, self.z_width, self.z_width)
        if self.information == "giu":
            return dense_size(state, width) + heads
        return 2 * dense_size(self._inputs(task), width) + dense_size(width, state * width) + heads


class MAPPOGIU(PersonalMAPPO):
    information: Literal["giu"]  # type: ignore[assignment]


class MAPPOGIP(PersonalMAPPO):
    information: Literal["gip"]  # type: ignore[assignment]


ALGORITHMS = {
    name: Algorithm(learner=STAGE_1, version=1, hyperparameters=model, teacher=False, losses=LOSSES, units=UNITS)
    for name, model in (("mappo_giu", MAPPOGIU), ("mappo_gip", MAPPOGIP))
}
