"""Schedules over steps, episodes or epochs done, and the epsilon-greedy choice that one of them controls.

Axes: S seed, E environment copy, N agent, A action.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from baselines.learner import Rollout, Task
from baselines.losses.masks import available_q


def linear(start: float, end: float, over: float, done: float) -> float:
    """Linear from start to end while `done` goes from 0 to `over`, then constant at end.

    Exact at both ends, rising or falling. Epsilon in EPyMARL and PyMARL2 (their `DecayThenFlatSchedule`, decay
    "linear") is `linear(epsilon_start, epsilon_end, epsilon_anneal_steps, steps_done)`. over = 0: end at once.
    """
    fraction = min(done / over, 1.0) if over > 0 else 1.0
    return (1 - fraction) * start + fraction * end


def epsilon_greedy(q: Tensor, avail_actions: Tensor, epsilon: float, noise: Tensor) -> Tensor:
    """With probability epsilon, for each agent alone, a uniform available action, else the best: [S, E, N], int64.

    q [S, E, N, A], avail_actions the same (bool). noise [S, E, N, 1 + A], uniform from [0, 1): the first entry decides
    whether to explore; then the available action with the largest of the other entries is taken.
    """
    scores = torch.where(noise[..., :1] < epsilon, noise[..., 1:], q)
    return available_q(scores, avail_actions).argmax(-1)


def unplayed(task: int) -> str:
    """The name of a task's count of `steps_unplayed`."""
    return f"unplayed_{task}"


def steps_unplayed(task: Task, rollout: Rollout) -> int:
    """Environment steps by which a round's episodes ended before their limit. They count only if each seed is alone."""
    return int((~rollout.mask).sum()) if task.alone and rollout.mask is not None else 0


def as_coefficients(values: Mapping[str, float], device: torch.device | str) -> dict[str, Tensor]:
    """Numbers that change from update to update, as tensors for an update: 0-d, float64, on the device.

    Results such as 1 - alpha are computed in float64 and cast last, like a Python number.
    """
    return {name: torch.tensor(value, dtype=torch.float64, device=device) for name, value in values.items()}
