"""What changes with the steps, episodes or epochs done, and the epsilon-greedy choice that one of them steers.

Axes: S seed, E environment copy, N agent, A action.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from baselines.learner import Rollout, Task
from baselines.losses.masks import available_q


def linear(start: float, end: float, over: float, done: float) -> float:
    """From start to end in a straight line while `done` goes from 0 to `over`, and end from then on.

    Exact at both ends, up or down. Epsilon in EPyMARL and PyMARL2 (their `DecayThenFlatSchedule`, decay "linear"):
    `linear(epsilon_start, epsilon_end, epsilon_anneal_steps, steps_done)`. over = 0: end at once.
    """
    fraction = min(done / over, 1.0) if over > 0 else 1.0
    return (1 - fraction) * start + fraction * end


def epsilon_greedy(q: Tensor, avail_actions: Tensor, epsilon: float, noise: Tensor) -> Tensor:
    """With probability epsilon, for each agent alone, a uniform available action, else the best: [S, E, N], int64.

    q [S, E, N, A], avail_actions the same (bool). noise [S, E, N, 1 + A], uniform from [0, 1): the first entry decides
    whether to explore, the available action with the largest of the others is then taken.
    """
    scores = torch.where(noise[..., :1] < epsilon, noise[..., 1:], q)
    return available_q(scores, avail_actions).argmax(-1)


def unplayed(task: int) -> str:
    """What the count of a task's `steps_unplayed` is called."""
    return f"unplayed_{task}"


def steps_unplayed(task: Task, rollout: Rollout) -> int:
    """Environment steps by which a round's episodes ended before their limit; they count where each seed is alone."""
    return int((~rollout.mask).sum()) if task.alone and rollout.mask is not None else 0


def as_coefficients(values: Mapping[str, float], device: torch.device | str) -> dict[str, Tensor]:
    """Numbers that change from update to update, as an update takes them: 0-d, float64, on the device.

    What is made of them there, 1 - alpha for one, is worked out in float64 and cast last, as a Python number is.
    """
    return {name: torch.tensor(value, dtype=torch.float64, device=device) for name, value in values.items()}
