"""What a critic says of the places of DVM's first agent (Wadhwania et al. 2019, Sec. V-C, Fig. 8).

Axes: S seed, E start, N agent, G point of a grid over [-1, 1]^2, O observation entry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from bench.envs.particle.environment import ParticleEnvironment
from bench.envs.particle.physics import State

STARTS = 16  # that the share is a mean of
SIDE = 10  # points along a side of the grid, in the middle of squares of .2
NEAR = 0.1  # how far the value is looked at towards the target; points nearer to it than that are left out

Values = Callable[[Tensor], Tensor]  # observations [S, E, N, O] -> each agent's action value [S, E, N]


def rising(environment: ParticleEnvironment, values: Values, generators: Sequence[torch.Generator]) -> Tensor:
    """Share of the first agent's places at which its value rises towards the target of its start corner: [S, E].

    All others stand where an episode starts, everybody at rest. Leaves the environment in another state.
    """
    environment.reset(generators, STARTS)
    start = environment.world
    side = (torch.arange(SIDE, dtype=torch.float64, device=environment.device) + 0.5) * 2 / SIDE - 1
    grid = torch.cartesian_prod(side, side)  # [G, 2]
    assert start.goal is not None
    index = start.goal[..., None, None].expand(*start.goal.shape, 1, 2)
    way = start.landmarks.gather(-2, index) - grid  # [S, E, G, 2]
    x2, y2 = way.square().unbind(-1)
    distance = (x2 + y2).sqrt()
    step = way * (NEAR / distance.clamp_min(NEAR)).unsqueeze(-1)
    here, there = (_valued(environment, values, start, grid + move) for move in (torch.zeros_like(step), step))
    far = distance >= NEAR
    return ((there > here) & far).sum(-1).double() / far.sum(-1)


def _valued(environment: ParticleEnvironment, values: Values, start: State, places: Tensor) -> Tensor:
    """The first agent's values [S, E, G] at places [S, E, G, 2]."""

    def spread(x: Tensor) -> Tensor:
        return x.unsqueeze(2).expand(-1, -1, places.shape[2], *x.shape[2:]).flatten(1, 2).clone()

    positions = spread(start.positions)
    positions[..., 0, :] = places.flatten(1, 2)
    assert start.goal is not None
    assert start.clock is not None
    others = (spread(x) for x in (start.velocities, start.landmarks, start.goal))
    obs = environment.set_state(State(positions, *others, clock=spread(start.clock)))
    return values(obs.float())[..., 0].unflatten(1, places.shape[1:3])
