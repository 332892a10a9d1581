"""CSRL's hyperparameters, as PTDE's authors run it. Torch-free."""

from __future__ import annotations

from typing import Literal

from baselines.specs.base import Algorithm, TaskSizes, dense_size
from baselines.specs.ptde import Informed
from baselines.specs.qmix import LOSSES, UNITS


class CSRL(Informed):
    """Chen et al. 2022."""

    commander_interval: Literal[1]  # steps between two instructions

    def _information_size(self, task: TaskSizes) -> int:
        inputs, width = self._inputs(task.agents, task.observation, task.actions), self.z_width
        return 2 * dense_size(inputs, width) + dense_size(width, task.state_entries * width)


ALGORITHMS = {
    "csrl": Algorithm(
        learner="baselines.csrl:csrl", version=1, hyperparameters=CSRL, teacher=False, losses=LOSSES, units=UNITS
    ),
}
