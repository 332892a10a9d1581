"""Scripted policies, including those of simple spread. Their scores are anchors: they show what a reward is worth.

Axes: S seed, E environment copy, N agent (and as many landmarks), A action entry.

A script maps an environment to actions [S, E, N, A]: 5 pushes, or 2 numbers in [-1, 1] if the scenario is continuous.
It keeps no memory: its actions depend only on the state (and the random script's on its generators). Pushes of
`no_information` and `good` are soft: a vector like probabilities, which multiagent-particle-envs accepts. Its force is
the weighted mean of the five.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from bench.envs.particle.environment import ParticleEnvironment, ParticleParams
from bench.envs.particle.opponents import OpponentWeights
from bench.envs.particle.params import Dynamics
from bench.envs.particle.physics import DAMPING, DT, NO_GAP, SENSITIVITY, capped, soft_actions
from bench.envs.particle.spread_corners import CORNERS, INNER
from bench.envs.scores import episode_scores

Script = Callable[[ParticleEnvironment], Tensor]

PUSH = SENSITIVITY * DT * DT / DAMPING  # how far one full push carries an agent at rest until it stops: .2
BEHIND, PRESSING, ASIDE, ROUND = 0.2, 0.1, 0.12, 0.45  # lengths in push box's script, chosen by hand
GRID = 48  # points along a side of the grid for fitting the formation; 96 move it by .02 or less for N = 4, 6, 8
LLOYD_STEPS = 200  # more than enough to converge for 1 to 16 agents
GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))  # turns a spiral into an even start for Lloyd's algorithm


def random_script(generators: Sequence[torch.Generator]) -> Script:
    """Uniform actions, one-hot over an agent's own, or in [-1, 1]^2; seed s draws only from generators[s] (CPU).

    These must not be seeded like the generators that start episodes: then actions would depend on the starts.
    """

    def act(env: ParticleEnvironment) -> Tensor:
        copies, agents = env.world.positions.shape[1], env.agents
        if env.params.continuous:
            shape = (copies, agents, env.action_size)
            moves = torch.stack([torch.rand(shape, generator=g, dtype=torch.float64) for g in generators])
            return (2 * moves - 1).to(env.device)
        if min(env.action_sizes) == env.action_size:
            drawn = [torch.randint(env.action_size, (copies, agents), generator=g) for g in generators]
        else:
            drawn = [
                torch.stack([torch.randint(size, (copies,), generator=g) for size in env.action_sizes], dim=-1)
                for g in generators
            ]
        return torch.nn.functional.one_hot(torch.stack(drawn), env.action_size).to(env.device, torch.float64)

    return act


def no_information(env: ParticleEnvironment) -> Tensor:
    """Agent i walks to the i-th point of a fixed even formation and stops there, blind to landmarks and to others.

    The formation has a point near every place where a landmark may be. Alternatives were tried: smaller or larger
    formations, stopping on the way, walking to the nearest point. They were at best 1% better for some team size.
    """
    return walk(env, formation(env.agents).to(env.device).expand_as(env.world.positions))


def corners_no_information(env: ParticleEnvironment) -> Tensor:
    """Each agent of DVM's spread walks to the middle of the corner nearest to it, blind to targets and to others."""
    middle = (1 + INNER[env.agents]) / 2
    middles = middle * torch.tensor(CORNERS[env.agents], dtype=torch.float64, device=env.device)
    gaps = (env.world.positions.unsqueeze(-2) - middles).square()
    return walk(env, middles[(gaps[..., 0] + gaps[..., 1]).argmin(-1)])


def still(env: ParticleEnvironment) -> Tensor:
    """Nobody does anything: the only sensible policy in push box without knowing the target."""
    return walk(env, env.world.positions) * 0


def push_box_good(env: ParticleEnvironment) -> Tensor:
    """Both agents walk to the box's far side, around it, and push it to the target."""
    positions, landmarks = env.world.positions, env.world.landmarks
    box, target = landmarks[..., :1, :], landmarks[..., 1:, :]
    way = target - box
    way = way / way.square().sum(-1, keepdim=True).sqrt().clamp_min(NO_GAP)
    side = torch.stack([-way[..., 1], way[..., 0]], -1) * torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    behind = ((positions - box) * way).sum(-1, keepdim=True) < -BEHIND
    goal = torch.where(behind, box - way * PRESSING + side * ASIDE, box - way * ROUND + side * ROUND)
    return walk(env, goal)


def good(env: ParticleEnvironment) -> Tensor:
    """Each agent walks to its own landmark and stops there. The assignment has the least sum of squared distances.

    It is solved again in every step (Hungarian algorithm). Compared with plain distances, squares keep the longest way
    short and make paths cross less. Agents do not avoid each other, so this is good but not optimal.
    """
    positions, landmarks = env.world.positions, env.world.landmarks
    cost = (positions.unsqueeze(-2) - landmarks.unsqueeze(-3)).square().sum(-1).flatten(0, 1).cpu().numpy()
    chosen = torch.from_numpy(np.stack([linear_sum_assignment(episode)[1] for episode in cost])).to(env.device)
    return walk(env, landmarks.gather(-2, chosen.view(positions.shape[:-1]).unsqueeze(-1).expand_as(positions)))


def walk(env: ParticleEnvironment, targets: Tensor) -> Tensor:
    """Actions that bring each agent to rest at its target [S, E, N, 2], with full force until it can coast there."""
    positions, velocities = (x[..., -env.agents :, :] for x in (env.world.positions, env.world.velocities))
    dynamics: Dynamics = "mpe2" if env.params.dynamics == "mpe2" else "openai"
    if env.params.continuous:
        return missing_pushes(targets, positions, velocities, dynamics).clamp(-1, 1)
    return soft_actions(push_towards(targets, positions, velocities, dynamics), dynamics)


def push_towards(targets: Tensor, positions: Tensor, velocities: Tensor, dynamics: Dynamics) -> Tensor:
    """`missing_pushes` [..., 2] limited to |x| + |y| <= 1, which an action vector can express."""
    return capped(missing_pushes(targets, positions, velocities, dynamics))


def missing_pushes(targets: Tensor, positions: Tensor, velocities: Tensor, dynamics: Dynamics) -> Tensor:
    """The way from the point where the agent would come to rest by itself to the target, in full pushes."""
    coast = (
        DT * (1 - DAMPING) / DAMPING if dynamics == "openai" else DT / DAMPING
    )  # rest of the way per unit of velocity
    return (targets - positions - coast * velocities) / PUSH


@functools.cache
def formation(agents: int) -> Tensor:
    """N points spread evenly over [-1, 1]^2, [N, 2] float64: the centres of Lloyd's algorithm from a spiral start.

    They keep the mean squared distance from a uniform landmark to its nearest point small. On the CPU, deterministic.
    """
    side = (torch.arange(GRID, dtype=torch.float64) + 0.5) * 2 / GRID - 1
    square = torch.cartesian_prod(side, side)
    order = torch.arange(agents, dtype=torch.float64) + 0.5
    radius, angle = (order / agents).sqrt(), order * GOLDEN_ANGLE
    points = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=-1)
    for _ in range(LLOYD_STEPS):
        nearest = (square.unsqueeze(1) - points).square().sum(-1).argmin(dim=-1)
        points = torch.stack([square[nearest == i].mean(dim=0) for i in range(agents)])
    return points


def measure(
    params: ParticleParams,
    script: Script,
    seeds: Sequence[int],
    episodes: int,
    episode_limit: int,
    metric: str,
    opponent: OpponentWeights | None = None,
) -> Tensor:
    """A metric's mean over episodes, one number per seed, [S] float64.

    Seed s starts its episodes from `torch.Generator().manual_seed(s)`; all its episodes run as copies. Raises
    AssetMissing if the scenario's opponent is not given.
    """
    env = ParticleEnvironment(params, opponent=opponent)
    env.reset([torch.Generator().manual_seed(seed) for seed in seeds], episodes)
    rewards = torch.stack([env.step(script(env))[1] for _ in range(episode_limit)], dim=2)
    return episode_scores(metric, params, rewards).mean(dim=1)
