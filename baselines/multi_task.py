"""QMIX and VDN on several tasks, with the networks of MKT-MARL (Mai et al. 2023, Fig. 4): one team, K tasks.

Axes: S seed, B batch of episodes, T time step, N agent, X state entry; K task.

What task k's update moves: E_k, F, EA_k and, under QMIX, SE_k and the mixer. The other tasks' layers rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from baselines import value_specs
from baselines.agents import embedded_state, initial_multi_task, initial_state_embeddings, task_layers
from baselines.layers import named, part
from baselines.learner import Task
from baselines.mixers import Chosen, Mixer
from baselines.nn import Parameters
from baselines.qmix import ValueDecomposition, input_size, mixer, state_size
from baselines.streams import Streams


class MultiTaskValueDecomposition(ValueDecomposition):
    """A `Learner` of K >= 1 tasks, each with its own replay, reward moments and epsilon.

    Raises ValueError where QMIX gets tasks with different numbers of agents: its mixer has one weight an agent.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        hyperparameters: value_specs.MultiTask,
        streams: Sequence[Streams],
        device: torch.device | str,
        *,
        dtype: torch.dtype = torch.float32,
    ):
        self._sizes = hyperparameters
        super().__init__(tasks, hyperparameters, streams, device, dtype=dtype)

    def _initial_agent(self) -> Parameters:
        h = self._sizes
        inputs = [input_size(task, h.obs_agent_id, h.obs_last_action) for task in self.tasks]
        actions = [task.action_size for task in self.tasks]
        widths = h.observation_embedding_width, h.hidden_layers, h.hidden_width
        return initial_multi_task(inputs, actions, *widths, self._streams, self._device, self._dtype)

    def _initial_embeddings(self) -> Parameters:
        width = self._sizes.state_embedding_width
        if width is None:
            return {}
        sizes = [state_size(task) for task in self.tasks]
        return named("state", initial_state_embeddings(sizes, width, self._streams, self._device, self._dtype))

    def _team_mixer(self) -> Mixer:
        agents = [task.agents for task in self.tasks]
        if self._sizes.mixer == "qmix" and len(set(agents)) > 1:
            raise ValueError(
                f"QMIX on several tasks needs the same number of agents in all of them, got {agents}; "
                'allowed: equal numbers, or VDN (mixer = "vdn"), which sums over any number'
            )
        return mixer(self._sizes, agents[0], self._sizes.state_embedding_width or 0)

    def _agent(self, network: Mapping[str, Tensor], task: int) -> Parameters:
        return task_layers(part(network, "agent"), task)

    def _q_tot(self, network: Mapping[str, Tensor], task: int, chosen: Chosen) -> Tensor:
        """Eq. 4: the mixer reads SE_k(s); VDN reads no state."""
        embeddings = part(network, "state")
        if embeddings:
            chosen = replace(chosen, state=embedded_state(embeddings, chosen.state, task))
        return super()._q_tot(network, task, chosen)
