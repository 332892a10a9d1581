"""PTDE on MAPPO (Chen et al. 2024, Sec. 4.4, Fig. 3(b)): GIU and GIP for its actors; no released code has it.

| paper | here |
|---|---|
| Fig. 3(b): the actor reads h_i and z_i | `team.InformedNetwork` as the actor of MAPPO, in either form |
| Sec. 3.1, 3.2: GIU, GIP | `ptde.module_of` |
| the loss: MAPPO's | `mappo.policy_loss`, `mappo.value_loss`; in steps `mappo_steps.value_loss` |

z is a sample. An update sees the same samples as play, so a round's first ratio of probabilities is 1. The policy then
also depends on z, and the gradient reaches the module through each sample. Axes: see ptde.py.

`stage_1` plays whole episodes, `stage_1_in_steps` rollouts of steps (`mappo_steps`). There an actor may be a perceptron
on stacked frames. Then h_i is its last hidden layer. o_i, from which GIP's weights are generated, is the actor's input:
the last frames. s is the state of the step alone. The paper states none of these.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from baselines import specs
from baselines.learner import Task
from baselines.mappo import MAPPO
from baselines.mappo_steps import StepsMAPPO, actor_inputs, critic_of
from baselines.networks.agents import input_size, state_size
from baselines.networks.team import InformedNetwork, SharedNetwork
from baselines.ptde import module_of
from baselines.streams import Streams


def stage_1(
    tasks: Sequence[Task],
    hyperparameters: specs.PersonalMAPPO,
    streams: Sequence[Streams],
    device: torch.device | str,
    *,
    dtype: torch.dtype = torch.float32,
) -> MAPPO:
    """The `Learner`: MAPPO on one task, whose actors read z."""
    h, (task,) = hyperparameters, tasks
    inputs = input_size(task, h.obs_agent_id, False)
    actor = InformedNetwork(inputs, h.hidden_width, task.action_size, h.z_width, h.z_head)
    critic = SharedNetwork(state_size(task) + task.agents, h.hidden_width, h.hidden_layers, 1, h.critic_use_rnn)
    information = module_of(task, h, inputs)
    return MAPPO(tasks, h, streams, device, actor=actor, critic=critic, information=information, dtype=dtype)


def stage_1_in_steps(
    tasks: Sequence[Task],
    hyperparameters: specs.PersonalStepsMAPPO,
    streams: Sequence[Streams],
    device: torch.device | str,
    *,
    dtype: torch.dtype = torch.float32,
) -> StepsMAPPO:
    """The `Learner`: MAPPO in rollouts of steps, whose actors read z. Raises ValueError for more than one task."""
    if len(tasks) != 1:
        raise ValueError(f"PTDE learns one task, got {len(tasks)}; allowed: 1")
    h, (task,) = hyperparameters, tasks
    inputs, width = actor_inputs(task, h), h.hidden_width
    actor = InformedNetwork(inputs, width, task.action_size, h.z_width, h.z_head, h.use_rnn, h.hidden_layers)
    information = module_of(task, h, inputs)
    return StepsMAPPO(
        task, h, streams, device, actor=actor, critic=critic_of(task, h), information=information, dtype=dtype
    )
