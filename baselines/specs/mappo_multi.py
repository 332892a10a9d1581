"""The hyperparameters of MAPPO on several tasks. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from baselines.specs.base import Algorithm, TaskSizes, Width, dense_size, layered_weights, multi_task_size
from baselines.specs.mappo import LOSSES, MAPPO


class MultiTaskMAPPO(MAPPO):
    """MAPPO on several tasks: actor EA_k(F(E_k(obs))) as eq. 1 and 2 of Mai et al. 2023, critic V(SE_k(state))."""

    use_rnn: Literal[False]  # type: ignore[assignment]  # frozen, so narrower is sound
    critic_use_rnn: Literal[False]  # type: ignore[assignment]
    observation_embedding_width: Width  # units of E_k
    state_embedding_width: Width  # units of SE_k
    separate_observation_embedding: Literal[True]
    separate_action_mapping: Literal[True]
    separate_state_embedding: Literal[True]
    separate_value_head: Literal[False]  # one for all tasks
    separate_replay: Literal[True]  # a task's update learns from its own round alone
    task_order: Literal["one update a task, in turn"]

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        """F once, E_k and EA_k of every task."""
        body = self.observation_embedding_width, *[self.hidden_width] * self.hidden_layers
        return multi_task_size([*map(self._inputs, tasks)], dense_size(*body), tasks, body[0], body[-1])

    def _actor_weights(self, inputs: int, actions: int) -> int:
        """E_k, F and EA_k."""
        own = inputs * self.observation_embedding_width
        return own + layered_weights(
            self.observation_embedding_width, actions, self.hidden_width, self.hidden_layers, use_rnn=False
        )

    def _critic_weights(self, inputs: int) -> int:
        """SE_k and V."""
        own = inputs * self.state_embedding_width
        return own + layered_weights(
            self.state_embedding_width, 1, self.hidden_width, self.hidden_layers, use_rnn=False
        )


ALGORITHMS = {
    "mappo_multi": Algorithm(
        learner="baselines.mappo_multi:mappo_multi",
        version=1,
        hyperparameters=MultiTaskMAPPO,
        teacher=False,
        losses=LOSSES,
        several_tasks=True,
    ),
}
