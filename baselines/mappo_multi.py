"""MAPPO on several tasks (MAPPO-Multi of Mai et al. 2023, Sec. V-C): one actor and one critic, K tasks.

Axes: S seed; K task.

The paper only says that it has observation mappings and buffers for each task. The actor is their eq. 1 and 2
(`mkt_marl.MultiTaskNetwork`), EA_k(F(E_k(obs))), with a softmax. The critic is ours, V(SE_k(state)): an embedding of
each task's state and agent numbers, then layers and one head that all tasks share. ReLU between all layers.
Task k's update changes E_k, F, EA_k, SE_k and V, but not the other tasks' layers. All layers of the target critic move
one step towards the online ones after each task's round, as EPyMARL's do at each update.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from baselines import specs
from baselines.kernels.layers import initial_linear, joined, named
from baselines.kernels.nn import Parameters
from baselines.learner import Task
from baselines.mappo import MAPPO
from baselines.mkt_marl import MultiTaskNetwork, initial_mappings
from baselines.networks.agents import input_size, state_size
from baselines.streams import Streams


@dataclass(frozen=True)
class EmbeddedCritic:
    """V(SE_k(s)). inputs: entries of each task's state plus the agent's number. The embeddings are drawn first."""

    inputs: tuple[int, ...]
    embedding_width: int
    hidden_layers: int
    hidden_width: int

    def initial(self, streams: Sequence[Streams], device: torch.device | str, dtype: torch.dtype) -> Parameters:
        sizes = [(inputs, self.embedding_width) for inputs in self.inputs]
        embeddings = initial_mappings("SE", sizes, streams, device, dtype)
        shared = [self.embedding_width, *[self.hidden_width] * self.hidden_layers, 1]
        return embeddings | named("V", initial_linear(shared, streams, device, dtype))

    def of_task(self, parameters: Mapping[str, Tensor], task: int) -> Mapping[str, Tensor]:
        return joined(parameters, (f"SE_{task}", "V"))


def mappo_multi(
    tasks: Sequence[Task],
    hyperparameters: specs.MultiTaskMAPPO,
    streams: Sequence[Streams],
    device: torch.device | str,
    *,
    dtype: torch.dtype = torch.float32,
) -> MAPPO:
    """The `Learner` of K >= 1 tasks, each with its own rounds and moments; teams may differ in size."""
    h = hyperparameters
    actor = MultiTaskNetwork(
        inputs=tuple(input_size(task, h.obs_agent_id, False) for task in tasks),
        actions=tuple(task.action_size for task in tasks),
        embedding_width=h.observation_embedding_width,
        hidden_layers=h.hidden_layers,
        hidden_width=h.hidden_width,
    )
    critic = EmbeddedCritic(
        inputs=tuple(state_size(task) + task.agents for task in tasks),
        embedding_width=h.state_embedding_width,
        hidden_layers=h.hidden_layers,
        hidden_width=h.hidden_width,
    )
    return MAPPO(tasks, h, streams, device, actor=actor, critic=critic, dtype=dtype)
