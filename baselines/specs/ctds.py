"""CTDS's hyperparameters. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from baselines.specs.base import Algorithm, Network, TaskSizes, layered_size, layered_weights
from baselines.specs.qmix import UNITS, ValueDecomposition


class CTDS(ValueDecomposition):
    """Zhao et al. 2022: teacher and student have the same settings."""

    role: Literal["teacher", "student"]  # which of the two is evaluated; both learn
    distill_loss: Literal["squared error"]  # on all Q-values, summed over agents and actions

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        """The size of the one that `role` names."""
        return sum(
            layered_size(self._read(t), t.actions, self.hidden_width, self.hidden_layers, self.use_rnn) for t in tasks
        )

    def _read(self, task: TaskSizes) -> int:
        """Entries that it reads."""
        local = self._inputs(task.agents, task.observation, task.actions)
        return local + (task.state_entries if self.role == "teacher" else 0)

    def _networks(self, task: TaskSizes) -> tuple[Network, ...]:
        steps = self.batch_size * (task.steps + 1) * task.agents
        inputs = self._inputs(task.agents, task.observation, task.actions) + task.state_entries
        teacher = layered_weights(inputs, task.actions, self.hidden_width, self.hidden_layers, self.use_rnn)
        return *super()._networks(task), Network(teacher, steps, steps)


ALGORITHMS = {
    "ctds": Algorithm(
        learner="baselines.ctds:CTDS",
        version=1,
        hyperparameters=CTDS,
        teacher=False,
        losses=("td", "distill"),
        units=UNITS,
    ),
}
