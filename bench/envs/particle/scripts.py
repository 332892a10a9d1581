"""Scripted policies, those of simple spread among them: anchors that say what a reward is worth.

Axes: S seed, E environment copy, N agent (and as many landmarks), A action entry.

A script maps an environment to actions [S, E, N, A]: 5 pushes, or 2 numbers in [-1, 1] where the scenario is
continuous. It keeps no memory: what it does depends on the state alone (and, for the random one, on its generators).
Pushes of `no_information` and `good` are soft: a probability-like vector, as multiagent-particle-envs takes it, whose
force is the weighted mean of the five.
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

PUSH = SENSITIVITY * DT * DT / DAMPING  # how far one full push carries an agent at rest until it has stopped: .2
BEHIND, PRESSING, ASIDE, ROUND = 0.2, 0.1, 0.12, 0.45  # of push box's script, lengths; by hand
GRID = 48  # points along a side of the grid on which the formation is fitted; 96 move it by .02 or less for N = 4, 6, 8
LLOYD_STEPS = 200  # more than it takes to settle for 1 to 16 agents
GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))  # turns a spiral into an even start for Lloyd's algorithm


def random_script(generators: Sequence[torch.Generator]) -> Script:
    """Uniform actions, one-hot over those an agent has, or in [-1, 1]^2; seed s draws from generators[s] alone (CPU).

    Not the generators that start episodes: twins of those would tie the actions to the starts.
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

    The formation puts a point near every place where a landmark may be. Shrunken or widened formations, stopping on
    the way, and walking to the nearest point of the formation were tried: at best 1% better for some team size.
    """
    return walk(env, formation(env.agents).to(env.device).expand_as(env.world.positions))


def corners_no_information(env: ParticleEnvironment) -> Tensor:
    """Each agent of DVM's spread walks to the middle of the corner nearest to it, blind to targets and to others."""
    middle = (1 + INNER[env.agents]) / 2
    middles = middle * torch.tensor(CORNERS[env.agents], dtype=torch.float64, device=env.device)
    gaps = (env.world.positions.unsqueeze(-2) - middles).square()
    return walk(env, middles[(gaps[..., 0] + gaps[..., 1]).argmin(-1)])


def still(env: ParticleEnvironment) -> Tensor:
    """Nobody does anything: all that makes sense in push box for who does not know the target."""
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
    """Each agent walks to its own landmark and stops there; who goes where has the least sum of squared distances.

    Solved anew in every step (Hungarian algorithm). Squares keep the longest way short and let paths cross less than
    plain distances do. Agents do not dodge each other, so this is good and not optimal.
    """
    positions, landmarks = env.world.positions, env.world.landmarks
    cost = (positions.unsqueeze(-2) - landmarks.unsqueeze(-3)).square().sum(-1).flatten(0, 1).cpu().numpy()
    chosen = torch.from_numpy(np.stack([linear_sum_assignment(episode)[1] for episode in cost])).to(env.device)
    return walk(env, landmarks.gather(-2, chosen.view(positions.shape[:-1]).unsqueeze(-1).expand_as(positions)))


def walk(env: ParticleEnvironment, targets: Tensor) -> Tensor:
    """Actions that bring each agent to rest at its target [S, E, N, 2], at full force until it can coast there."""
    positions, velocities = (x[..., -env.agents :, :] for x in (env.world.positions, env.world.velocities))
    dynamics: Dynamics = "mpe2" if env.params.dynamics == "mpe2" else "openai"
    if env.params.continuous:
        return missing_pushes(targets, positions, velocities, dynamics).clamp(-1, 1)
    return soft_actions(push_towards(targets, positions, velocities, dynamics), dynamics)


def push_towards(targets: Tensor, positions: Tensor, velocities: Tensor, dynamics: Dynamics) -> Tensor:
    """`missing_pushes` [..., 2] held to |x| + |y| <= 1, so that an action vector can be made of them."""
    return capped(missing_pushes(targets, positions, velocities, dynamics))


def missing_pushes(targets: Tensor, positions: Tensor, velocities: Tensor, dynamics: Dynamics) -> Tensor:
    """What is missing between the target and the point where the agent would come to rest by itself, in full pushes."""
    coast = (
        DT * (1 - DAMPING) / DAMPING if dynamics == "openai" else DT / DAMPING
    )  # rest of the way per unit of velocity
    return (targets - positions - coast * velocities) / PUSH


@functools.cache
def formation(agents: int) -> Tensor:
    """N points spread evenly over [-1, 1]^2, [N, 2] float64: the centres of Lloyd's algorithm from a spiral start.

    They make the mean squared distance from a uniform landmark to its nearest point small. CPU, the same every time.
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
    """A metric's mean over episodes, one number a seed, [S] float64.

    Seed s starts its episodes from `torch.Generator().manual_seed(s)`; all its episodes run as copies. Raises
    AssetMissing where the scenario's opponent is not given.
    """
    env = ParticleEnvironment(params, opponent=opponent)
    env.reset([torch.Generator().manual_seed(seed) for seed in seeds], episodes)
    rewards = torch.stack([env.step(script(env))[1] for _ in range(episode_limit)], dim=2)
    return episode_scores(metric, params, rewards).mean(dim=1)
