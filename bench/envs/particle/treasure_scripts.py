"""Scripted policies for treasure collection: the cost of doing nothing, and the score of a simple plan.

Axes: S seed, E environment copy, C collector, B bank, N = C + B agent, L treasure. As in scripts.py a script maps an
environment to actions and keeps no memory.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from bench.envs.particle.collect_treasure import ACCELERATION, AWAY
from bench.envs.particle.environment import ParticleEnvironment
from bench.envs.particle.physics import DAMPING, DT, capped, soft_actions

PUSH = ACCELERATION * DT * DT / DAMPING  # how far one full push carries an agent at rest until it stops: .09
COAST = DT * (1 - DAMPING) / DAMPING  # the way that an agent still coasts, per unit of its velocity


def treasure_still(env: ParticleEnvironment) -> Tensor:
    """Nobody does anything: agents that see nothing cannot do better without bumping into others."""
    return _to(env, env.world.positions - COAST * env.world.velocities)


def treasure_good(env: ParticleEnvironment) -> Tensor:
    """Empty collectors walk to treasures, carriers to their bank, each bank to the middle of its carriers.

    The assignment of treasures has the least sum of distances; a taken treasure counts as far away. A bank without a
    carrier walks to the middle of all collectors. Agents do not avoid each other, so this is good but not optimal.
    """
    world = env.world
    assert world.held is not None
    collectors = world.held.shape[-1]
    walking, banks = world.positions.split([collectors, env.agents - collectors], dim=-2)
    gaps = (walking.unsqueeze(-2) - world.landmarks.unsqueeze(-3)).square().sum(-1).sqrt()
    chosen = [_assigned(gap, held < 0) for gap, held in zip(gaps.flatten(0, 1), world.held.flatten(0, 1), strict=True)]
    treasure = torch.stack(chosen).view(*world.held.shape, 1).expand_as(walking)
    bank = world.held.clamp_min(0).unsqueeze(-1).expand_as(walking)
    empty = (world.held < 0).unsqueeze(-1)
    targets = torch.where(empty, world.landmarks.gather(-2, treasure), banks.gather(-2, bank))
    targets = torch.where(targets == AWAY, walking, targets)
    carries = (world.held.unsqueeze(-2) == torch.arange(banks.shape[-2]).unsqueeze(-1)).unsqueeze(-1)  # [S, E, B, C, 1]
    carriers = (walking.unsqueeze(-3) * carries).sum(-2) / carries.sum(-2).clamp_min(1)
    middles = torch.where(carries.any(-2), carriers, walking.mean(-2, keepdim=True))
    return _to(env, torch.cat([targets, middles], -2))


def _assigned(gaps: Tensor, empty: Tensor) -> Tensor:
    """The treasure of each collector in one episode: [C, L], [C] -> [C]; for carriers any value."""
    chosen = torch.zeros(len(gaps), dtype=torch.int64)
    rows, columns = linear_sum_assignment(gaps[empty].numpy())
    chosen[empty.nonzero()[:, 0][torch.from_numpy(np.asarray(rows))]] = torch.from_numpy(np.asarray(columns))
    return chosen


def _to(env: ParticleEnvironment, targets: Tensor) -> Tensor:
    """Actions that bring each agent to rest at its target [S, E, N, 2], with full force until it can coast there."""
    missing = (targets - env.world.positions - COAST * env.world.velocities) / PUSH
    return soft_actions(capped(missing), "openai")
