"""A critic and a policy over the places of DVM's first agent (Wadhwania et al. 2019, Sec. V-C, Fig. 8).

Axes: S seed, E start, N agent, G point of a grid over [-1, 1]^2, O observation entry, A action entry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.envs.particle.environment import ParticleEnvironment
from bench.envs.particle.physics import State

STARTS = 16  # starts that the share is averaged over
SIDE = 10  # points along a side of the grid, in the middle of squares of .2
NEAR = 0.1  # distance towards the target over which the value is compared; points nearer to it are left out
FINE, COPIES = 20, 4  # of a landscape: points along a side; starts that are drawn (the first is shown)

Values = Callable[[Tensor], Tensor]  # observations [S, E, N, O] -> each agent's action value [S, E, N]
Acts = Callable[[Tensor], Tensor]  # observations [S, E, N, O] -> actions [S, E, N, A]


@dataclass(frozen=True)
class Landscape:
    """One start of each seed, and the first agent's critic and policy over its places.

    starts, targets [S, N, 2]. goal [S]: the target of its start corner. places [G, 2], x before y. values [S, G].
    pushes [S, G, 2]: its policy's actions there, in [-1, 1] along each axis.
    """

    starts: Tensor
    targets: Tensor
    goal: Tensor
    places: Tensor
    values: Tensor
    pushes: Tensor


def rising(environment: ParticleEnvironment, values: Values, generators: Sequence[torch.Generator]) -> Tensor:
    """Share of the first agent's places at which its value rises towards the target of its start corner: [S, E].

    All others stand where an episode starts, and everybody is at rest. Changes the environment's state.
    """
    environment.reset(generators, STARTS)
    start = environment.world
    grid = squares(SIDE, environment.device)
    assert start.goal is not None
    index = start.goal[..., None, None].expand(*start.goal.shape, 1, 2)
    way = start.landmarks.gather(-2, index) - grid  # [S, E, G, 2]
    x2, y2 = way.square().unbind(-1)
    distance = (x2 + y2).sqrt()
    step = way * (NEAR / distance.clamp_min(NEAR)).unsqueeze(-1)
    here, there = (
        values(_seen(environment, start, grid + move))[..., 0].unflatten(1, step.shape[1:3])
        for move in (torch.zeros_like(step), step)
    )
    far = distance >= NEAR
    return ((there > here) & far).sum(-1).double() / far.sum(-1)


def landscape(
    environment: ParticleEnvironment, values: Values, acts: Acts, generators: Sequence[torch.Generator]
) -> Landscape:
    """The landscape of the first start that each generator draws, with the other agents there. Changes the state."""
    environment.reset(generators, COPIES)
    start, grid = environment.world, squares(FINE, environment.device)
    assert start.goal is not None
    obs = _seen(environment, start, grid.expand(*start.goal.shape, -1, -1))
    q, actions = (found[..., 0].unflatten(1, (COPIES, -1)) for found in (values(obs), acts(obs).movedim(2, -1)))
    actions = actions[:, 0]  # [S, G, A]
    if actions.shape[-1] == 5:  # nothing, then +x, -x, +y, -y
        actions = actions[..., 1::2] - actions[..., 2::2]
    return Landscape(start.positions[:, 0], start.landmarks[:, 0], start.goal[:, 0], grid, q[:, 0], actions)


def squares(side: int, device: torch.device | str) -> Tensor:
    """The middles of side x side squares that fill [-1, 1]^2: [G, 2]."""
    middles = (torch.arange(side, dtype=torch.float64, device=device) + 0.5) * 2 / side - 1
    return torch.cartesian_prod(middles, middles)


def _seen(environment: ParticleEnvironment, start: State, places: Tensor) -> Tensor:
    """All agents' observations with the first agent at places [S, E, G, 2]: [S, E G, N, O]."""

    def spread(x: Tensor) -> Tensor:
        return x.unsqueeze(2).expand(-1, -1, places.shape[2], *x.shape[2:]).flatten(1, 2).clone()

    positions = spread(start.positions)
    positions[..., 0, :] = places.flatten(1, 2)
    assert start.goal is not None
    assert start.clock is not None
    others = (spread(x) for x in (start.velocities, start.landmarks, start.goal))
    return environment.set_state(State(positions, *others, clock=spread(start.clock))).float()
