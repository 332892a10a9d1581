"""QMIX-Multi and VDN-Multi (baselines of Mai et al. 2023, Sec. V-C): MKT-MARL without its teachers, one team, K tasks.

Axes: K task.

| paper | here |
|---|---|
| eq. 1 and 2: E_k, F, EA_k | `mkt_marl.MultiTaskNetwork` |
| eq. 4: SE_k, and the mixer that reads it | `mkt_marl.EmbeddedState`, `mkt_marl.team_mixer` |
| eq. 5, Algorithm 1 without lines 7, 9 and 11; line 12 goes down L_TD | `qmix.ValueDecomposition` |

What task k's update moves: E_k, F, EA_k and, under QMIX, SE_k and the mixer. The other tasks' layers rest.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from baselines import specs
from baselines.learner import Task
from baselines.mkt_marl import team_mixer, team_network
from baselines.qmix import ValueDecomposition
from baselines.streams import Streams


def qmix_multi(
    tasks: Sequence[Task],
    hyperparameters: specs.MultiTask,
    streams: Sequence[Streams],
    device: torch.device | str,
    *,
    dtype: torch.dtype = torch.float32,
) -> ValueDecomposition:
    """The `Learner` QMIX or VDN of K >= 1 tasks, each with its own replay, reward moments and epsilon."""
    network, mixer = team_network(tasks, hyperparameters), team_mixer(tasks, hyperparameters)
    return ValueDecomposition(tasks, hyperparameters, streams, device, network=network, mixer=mixer, dtype=dtype)
