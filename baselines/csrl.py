"""CSRL (Chen et al. 2022) as PTDE's authors run it (chenyiqun/ptde-open 38903d8): GIP without its distribution.

Only the paper's abstract is public: a commander instructs each soldier every T steps. In PTDE's code the instruction is
the output of GIP's generated layer, z = ELU(s W(o) + b(o)), at every step, without noise or a head. Axes: see ptde.py.

| as released | here |
|---|---|
| CSRLCoachNet: weights generated for each agent, ELU | `Commander`, `ptde.personal` |
| the agents' network, its loss, the mixer: stage 1's | `ptde.informed` |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from baselines import specs
from baselines.kernels.nn import Parameters
from baselines.learner import Task
from baselines.networks.agents import input_size, state_size
from baselines.ptde import informed, initial_personal, personal
from baselines.qmix import ValueDecomposition
from baselines.streams import Streams


@dataclass(frozen=True)
class Commander:
    """z_i = ELU(s W(o_i) + b(o_i)), with width entries; an `Information` without noise."""

    inputs: int
    state_size: int
    width: int
    noise: int = 0

    def initial(self, streams: Sequence[Streams], device: torch.device | str, dtype: torch.dtype) -> Parameters:
        return initial_personal(self.inputs, self.state_size, self.width, streams, device, dtype)

    def z(self, parameters: Mapping[str, Tensor], inputs: Tensor, state: Tensor, noise: Tensor) -> Tensor:
        return personal(parameters, inputs, state)


def csrl(
    tasks: Sequence[Task],
    hyperparameters: specs.CSRL,
    streams: Sequence[Streams],
    device: torch.device | str,
    *,
    dtype: torch.dtype = torch.float32,
) -> ValueDecomposition:
    """The `Learner`. Raises ValueError for more than one task."""
    h, (task,) = hyperparameters, tasks
    inputs = input_size(task, h.obs_agent_id, h.obs_last_action)
    return informed(tasks, h, streams, device, Commander(inputs, state_size(task), h.z_width), dtype=dtype)
