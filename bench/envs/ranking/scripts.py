"""Scripted rankers: the scale of a ranking task.

Axes: S seed, E environment copy, N document, A score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from bench.envs.ranking.environment import RankingEnvironment
from bench.envs.ranking.params import PlantedParams
from bench.envs.ranking.planted import planted_ranker, planted_set

Script = Callable[[RankingEnvironment, Tensor, Tensor], Tensor]  # environment, obs [S, E, N, F], noise [S, E, N, A]


def at_random(environment: RankingEnvironment, obs: Tensor, noise: Tensor) -> Tensor:
    """A uniform score for each document."""
    return _one_hot(noise.argmax(-1), environment)


def blind(environment: RankingEnvironment, obs: Tensor, noise: Tensor) -> Tensor:
    """The same score for all documents: the list has a random order."""
    return _one_hot(torch.zeros(obs.shape[:-1], dtype=torch.int64), environment)


def alone(environment: RankingEnvironment, obs: Tensor, noise: Tensor) -> Tensor:
    """The planted ranker on each document alone. Its score is the document's tenth among all queries' documents."""
    worth = _worth(environment, obs)
    edges = _worth(environment, torch.from_numpy(planted_set(_planted(environment)).features).double()).flatten()
    shares = torch.arange(1, environment.action_size, dtype=torch.float64) / environment.action_size
    return _one_hot(torch.bucketize(worth, edges.quantile(shares)), environment)


def good(environment: RankingEnvironment, obs: Tensor, noise: Tensor) -> Tensor:
    """The planted ranker on a query's documents together: the best gets the highest score, the next the next lower."""
    place = (-_worth(environment, obs)).argsort(dim=-1).argsort(dim=-1)
    return _one_hot((environment.action_size - 1 - place).clamp(min=0), environment)


SCRIPTS: Mapping[str, Script] = {"random": at_random, "no_information": blind, "good": good}


def measure(environment: RankingEnvironment, script: Script, seeds: Sequence[int], episodes: int) -> Tensor:
    """Mean NDCG [S] of a script, over `episodes` episodes of each seed."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    obs = environment.reset(generators, episodes)
    shape = (episodes, environment.agents, environment.action_size)
    noise = torch.stack([torch.rand(shape, generator=generator) for generator in generators])
    return environment.step(script(environment, obs, noise)).outcome["ndcg"].mean(-1)


def _worth(environment: RankingEnvironment, obs: Tensor) -> Tensor:
    return (obs.cpu().double() * torch.from_numpy(planted_ranker(_planted(environment)))).sum(-1)


def _planted(environment: RankingEnvironment) -> PlantedParams:
    if not isinstance(environment.params, PlantedParams):
        raise ValueError(f"scripts of a planted ranker: got {environment.params.name!r}; allowed: 'planted'")  # type: ignore[attr-defined]
    return environment.params


def _one_hot(scores: Tensor, environment: RankingEnvironment) -> Tensor:
    return one_hot(scores, environment.action_size).to(environment.device, torch.float64)
