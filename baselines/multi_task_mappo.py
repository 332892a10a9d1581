"""MAPPO on several tasks (MAPPO-Multi of Mai et al. 2023, Sec. V-C): one actor and one critic, K tasks.

Axes: S seed; K task.

The paper says that it has observation mappings and buffers of each task, and no more. The actor is their eq. 1 and 2,
EA_k(F(E_k(obs))), with a softmax; the critic, ours, is V(SE_k(state)): an embedding of each task's state and agent
numbers, then layers and one head that all tasks share. ReLU between all layers.
What task k's update moves: E_k, F, EA_k, SE_k and V. The other tasks' layers rest; of the target critic all layers go a
step towards the online ones after each task's round, as EPyMARL's do at each update.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from baselines import specs
from baselines.agents import initial_multi_task, initial_state_embeddings, joined_layers, task_layers
from baselines.layers import initial_linear, named
from baselines.learner import Task
from baselines.mappo import MAPPO
from baselines.nn import Parameters
from baselines.qmix import input_size, state_size
from baselines.streams import Streams


class MultiTaskMAPPO(MAPPO):
    """A `Learner` of K >= 1 tasks, each with its own rounds and moments; teams may differ in size."""

    def __init__(
        self,
        tasks: Sequence[Task],
        hyperparameters: specs.MultiTaskMAPPO,
        streams: Sequence[Streams],
        device: torch.device | str,
        *,
        dtype: torch.dtype = torch.float32,
    ):
        self._sizes = hyperparameters
        super().__init__(tasks, hyperparameters, streams, device, dtype=dtype)

    def _initial_actor(self) -> Parameters:
        h = self._sizes
        inputs = [input_size(task, h.obs_agent_id, False) for task in self.tasks]
        actions = [task.action_size for task in self.tasks]
        widths = h.observation_embedding_width, h.hidden_layers, h.hidden_width
        return initial_multi_task(inputs, actions, *widths, self._streams, self._device, self._dtype)

    def _initial_critic(self) -> Parameters:
        h, drawn_from = self._sizes, (self._streams, self._device, self._dtype)
        inputs = [state_size(task) + task.agents for task in self.tasks]
        embeddings = initial_state_embeddings(inputs, h.state_embedding_width, *drawn_from)
        shared = [h.state_embedding_width, *[h.hidden_width] * h.hidden_layers, 1]
        return embeddings | named("V", initial_linear(shared, *drawn_from))

    def _task_actor(self, network: Mapping[str, Tensor], task: int) -> Mapping[str, Tensor]:
        return task_layers(network, task)

    def _task_critic(self, network: Mapping[str, Tensor], task: int) -> Mapping[str, Tensor]:
        return joined_layers(network, (f"SE_{task}", "V"))
