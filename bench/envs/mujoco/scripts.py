"""Scripts without learning for MuJoCo tasks: random actions, and no actions.

Axes: S seed, E environment copy (one), N agent (one), A action entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from bench.envs.mujoco.params import MujocoParams
from bench.envs.protocols import Environment
from bench.envs.registry import make
from bench.envs.scores import episode_scores

Script = Callable[[torch.Generator, int], Tensor]  # a seed's generator, A -> an action [A] in [-1, 1]

SCRIPTS: Mapping[str, Script] = {
    "random": lambda generator, actions: 2 * torch.rand(actions, generator=generator) - 1,
    "still": lambda generator, actions: torch.zeros(actions),
}


def measure(
    params: MujocoParams, script: Script, seeds: Sequence[int], episodes: int, episode_limit: int, metric: str
) -> Tensor:
    """A metric's mean over episodes, one number per seed, [S] float64. Raises BackendMissing.

    Seed s starts its episodes, one after another, from `torch.Generator().manual_seed(s)`; actions use seed 2 s + 1.
    """
    environment = make("mujoco", params)
    means = []
    for seed in seeds:
        starts, acts = (torch.Generator().manual_seed(s) for s in (seed, 2 * seed + 1))
        scores = [_score(environment, params, script, starts, acts, episode_limit, metric) for _ in range(episodes)]
        means.append(torch.cat(scores).mean())
    environment.close()
    return torch.stack(means)


def _score(
    environment: Environment,
    params: MujocoParams,
    script: Script,
    starts: torch.Generator,
    acts: torch.Generator,
    episode_limit: int,
    metric: str,
) -> Tensor:
    """The score of one episode, [1]."""
    environment.reset([starts], 1)
    rewards, over = [], False
    while not over and len(rewards) < episode_limit:
        given = environment.step(script(acts, environment.action_size).view(1, 1, 1, -1))
        rewards.append(given.rewards)
        over = bool(given.terminated | given.truncated)
    return episode_scores(metric, params, torch.stack(rewards, 2)).flatten()
