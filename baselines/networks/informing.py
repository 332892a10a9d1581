"""The noise of z while episodes are played: a sample in every step, in training and in evaluations alike.

Axes: S seed, E environment copy, T time step, N agent, I input entry, X state entry, Z entry of the noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from baselines.learner import Task
from baselines.networks.acting import Inform
from baselines.networks.team import Information
from baselines.streams import Streams, generator

Noise = Callable[[int, int, int], Tensor]  # E, N, Z -> noise [S, E, N, Z] of the next step


def informing(information: Information, parameters: Mapping[str, Tensor], noise: Noise) -> Inform:
    """What gives z, step after step."""

    def z(inputs: Tensor, state: Tensor) -> Tensor:
        drawn = noise(inputs.shape[1], inputs.shape[3], information.noise)
        return information.z(parameters, inputs, state, drawn.unsqueeze(2))

    return z


def round_noise(
    information: Information | None, task: Task, copies: int, streams: Sequence[Streams], like: Tensor
) -> Noise:
    """Of one round of whole episodes, drawn at once from each seed's "exploration" stream; nothing without information.

    like: the device and dtype.
    """
    if information is None:
        return nothing(like, len(streams))
    shape = (task.episode_limit, copies, task.agents, information.noise)
    drawn = [torch.randn(shape, generator=s["exploration"], dtype=like.dtype, device=like.device) for s in streams]
    steps = iter(torch.stack(drawn, 1).unbind(0))
    return lambda copies, agents, size: next(steps)


def evaluation_noise(streams: Sequence[Streams], like: Tensor) -> Noise:
    """Of an evaluation: each seed's from a generator of its own that begins anew each time, so that no stream moves."""
    generators = [generator(stream.seed, "z in evaluations", like.device) for stream in streams]

    def draw(copies: int, agents: int, size: int) -> Tensor:
        shape = (copies, agents, size)
        return torch.stack([torch.randn(shape, generator=g, dtype=like.dtype, device=like.device) for g in generators])

    return draw


def nothing(like: Tensor, seeds: int) -> Noise:
    """Zeros: z is its mean."""
    return lambda copies, agents, size: like.new_zeros(seeds, copies, agents, size)
