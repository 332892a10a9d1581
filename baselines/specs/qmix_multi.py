"""The hyperparameters of QMIX and VDN on several tasks, with MKT-MARL's networks. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import model_validator

from baselines.specs.base import Algorithm, TaskSizes, Width, dense_size, misfit, multi_task_size
from baselines.specs.qmix import LOSSES, ValueDecomposition

LEARNER = "baselines.qmix_multi:qmix_multi"


class MultiTask(ValueDecomposition):
    """QMIX or VDN on several tasks with MKT-MARL's networks (Mai et al. 2023, eq. 1, 2 and 4)."""

    use_rnn: Literal[False]  # type: ignore[assignment]
    observation_embedding_width: Width  # units of E_k
    separate_observation_embedding: Literal[True]
    separate_action_mapping: Literal[True]
    separate_state_embedding: Literal[True] | None = None  # QMIX
    state_embedding_width: Width | None = None  # QMIX: units of SE_k
    separate_replay: Literal[True]
    task_order: Literal["one update a task, in turn"]

    @model_validator(mode="after")
    def _embeds_what_the_mixer_reads(self) -> Self:
        for name in ("separate_state_embedding", "state_embedding_width"):
            got = getattr(self, name)
            if (got is None) == (self.mixer == "qmix"):
                rule = ("none", "leave it out") if self.mixer == "vdn" else ("a value", "give it")
                raise misfit(f'{got} with mixer = "{self.mixer}"', *rule, key=name)
        return self

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        """F once, E_k and EA_k of every task."""
        inputs = [self._inputs(t.agents, t.observation, t.actions) for t in tasks]
        body = self.observation_embedding_width, *[self.hidden_width] * self.hidden_layers
        return multi_task_size(inputs, dense_size(*body), tasks, body[0], body[-1])

    def _agent_weights(self, task: TaskSizes) -> int:
        """E_k, F and EA_k."""
        inputs, width = self._inputs(task.agents, task.observation, task.actions), self.hidden_width
        body = self.observation_embedding_width * width + (self.hidden_layers - 1) * width**2
        return inputs * self.observation_embedding_width + body + width * task.actions

    def _mixing_weights(self, agents: int, state_size: int) -> int:
        """SE_k, and the hypernetworks that read it."""
        if self.state_embedding_width is None:
            return 0
        return state_size * self.state_embedding_width + super()._mixing_weights(agents, self.state_embedding_width)


class MultiTaskVDN(MultiTask):
    mixer: Literal["vdn"]  # type: ignore[assignment]


class MultiTaskQMIX(MultiTask):
    mixer: Literal["qmix"]  # type: ignore[assignment]


ALGORITHMS = {
    name: Algorithm(learner=LEARNER, version=1, hyperparameters=own, teacher=False, losses=LOSSES, several_tasks=True)
    for name, own in (("qmix_multi", MultiTaskQMIX), ("vdn_multi", MultiTaskVDN))
}
