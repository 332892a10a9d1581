"""Scripts without learning on SMAX's maps: random moves, standing still, and running for the closest enemy.

Axes: E environment copy, N agent, O observation entry, A action.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from bench.envs.protocols import Environment
from bench.envs.registry import make
from bench.envs.scores import episode_scores
from bench.envs.smax.params import MOVES, OWN_FEATURES, UNIT_FEATURES, SmaxParams

NORTH, EAST, SOUTH, WEST, STOP = range(MOVES)
Script = Callable[[torch.Generator, Tensor, Tensor], Tensor]  # obs [E, N, O], avail [E, N, A] -> numbers [E, N]


def random_moves(generator: torch.Generator, obs: Tensor, avail: Tensor) -> Tensor:
    """Uniform over an agent's available actions."""
    return torch.rand(avail.shape, generator=generator).masked_fill(~avail, -1).argmax(-1)


def still(generator: torch.Generator, obs: Tensor, avail: Tensor) -> Tensor:
    return torch.full(avail.shape[:-1], STOP)


def closest(generator: torch.Generator, obs: Tensor, avail: Tensor) -> Tensor:
    """Shoot at the closest enemy in range; else go to the closest one in sight; else go east, where enemies start."""
    enemies = avail.shape[-1] - MOVES
    units = obs[..., :-OWN_FEATURES].unflatten(-1, (-1, UNIT_FEATURES))[..., -enemies:, :]
    away = units[..., 1:3].norm(dim=-1).masked_fill(units[..., 0] <= 0, torch.inf)  # health 0: not in sight
    x, y = (
        units[..., 1:3]
        .gather(-2, away.argmin(-1)[..., None, None].expand(*away.shape[:-1], 1, 2))
        .squeeze(-2)
        .unbind(-1)
    )
    along_x = torch.where(x >= 0, EAST, WEST)
    to = torch.where(x.abs() >= y.abs(), along_x, torch.where(y >= 0, NORTH, SOUTH))
    move = torch.where(away.isinf().all(-1), EAST, to)
    target = away.masked_fill(~avail[..., MOVES:], torch.inf)
    chosen = torch.where(target.isinf().all(-1), move, MOVES + target.argmin(-1))
    return torch.where(avail[..., NORTH], chosen, STOP)  # the dead stand still


SCRIPTS: Mapping[str, Script] = {"random": random_moves, "no_information": still, "good": closest}


@torch.no_grad()
def measure(
    params: SmaxParams, script: Script, seeds: Sequence[int], episodes: int, episode_limit: int, metric: str
) -> Tensor:
    """A metric's mean over episodes, which are played in parallel: one number per seed, [S] float64.

    Seed s starts its episodes from `torch.Generator().manual_seed(s)`; its actions use seed 2 s + 1. Raises
    BackendMissing.
    """
    environment = make("smax", params)
    try:
        scores = [_score(environment, params, script, s, episodes, episode_limit, metric) for s in seeds]
    finally:
        environment.close()
    return torch.stack(scores)


def _score(
    environment: Environment,
    params: SmaxParams,
    script: Script,
    seed: int,
    episodes: int,
    episode_limit: int,
    metric: str,
) -> Tensor:
    starts, acts = (torch.Generator().manual_seed(s) for s in (seed, 2 * seed + 1))
    obs = environment.reset([starts], episodes)
    over, rewards, masks, won = torch.zeros(1, episodes, dtype=torch.bool), [], [], torch.zeros(1, episodes)
    while not bool(over.all()) and len(rewards) < episode_limit:
        numbers = script(acts, obs[0], environment.avail_actions()[0])
        given = environment.step(one_hot(numbers, environment.action_size)[None])
        masks.append(~over)
        rewards.append(given.rewards)
        won = torch.where(over, won, given.outcome["win_rate"].float())
        over, obs = over | given.terminated, given.obs
    stacked, mask = torch.stack(rewards, 2), torch.stack(masks, 2)
    return episode_scores(metric, params, stacked, mask, {"win_rate": won}).mean()
