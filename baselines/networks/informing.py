"""The noise of z during episodes: a new sample in every step, in training and in evaluations.

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


def informing(information: Information | None, parameters: Mapping[str, Tensor], noise: Noise) -> Inform | None:
    """A function that gives z, step after step; None for a network that reads no z."""
    if information is None:
        return None

    def z(inputs: Tensor, state: Tensor) -> Tensor:
        drawn = noise(inputs.shape[1], inputs.shape[3], information.noise)
        return information.z(parameters, inputs, state, drawn.unsqueeze(2))

    return z


def drawn_noise(
    information: Information,
    task: Task,
    copies: int,
    streams: Sequence[Streams],
    like: Tensor,
    steps: int | None = None,
) -> Tensor:
    """The noise of one round, from each seed's "exploration" stream: [S, E, T, N, Z].

    like: the device and dtype. steps: T; None: a whole episode's.
    """
    shape = (copies, steps or task.episode_limit, task.agents, information.noise)
    drawn = [torch.randn(shape, generator=s["exploration"], dtype=like.dtype, device=like.device) for s in streams]
    return torch.stack(drawn)


def of_round(noise: Tensor) -> Noise:
    """The result of `drawn_noise`, step after step."""
    steps = iter(noise.unbind(2))
    return lambda copies, agents, size: next(steps)


def round_noise(
    information: Information | None, task: Task, copies: int, streams: Sequence[Streams], like: Tensor
) -> Noise:
    """`of_round` of `drawn_noise`; nothing is drawn without information."""
    if information is None:
        return lambda copies, agents, size: like.new_zeros(len(streams), copies, agents, size)
    return of_round(drawn_noise(information, task, copies, streams, like))


def evaluation_noise(streams: Sequence[Streams], like: Tensor) -> Noise:
    """The noise of an evaluation. Each seed has a generator of its own that restarts each time, so no stream moves."""
    generators = [generator(stream.seed, "z in evaluations", like.device) for stream in streams]

    def draw(copies: int, agents: int, size: int) -> Tensor:
        shape = (copies, agents, size)
        return torch.stack([torch.randn(shape, generator=g, dtype=like.dtype, device=like.device) for g in generators])

    return draw
