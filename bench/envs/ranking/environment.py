"""Ranking: S seeds x E copies, each with one query. An episode is one step, in which every agent scores its document.

Axes: S seed, E environment copy, N document (an agent each), F feature, A score.

On the CPU a seed's episodes are the same to the last bit, whichever seeds run with it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.envs import Assets, Step
from bench.envs.one import ACTION, EnvironmentFailed, check_finite
from bench.envs.ranking.ndcg import ndcg
from bench.envs.ranking.params import MSLRParams, PlantedParams, RankingParams
from bench.envs.ranking.planted import Judged, planted_set

ONE_STEP = "got a second step; allowed: one step in an episode of ranking; give the scenario episode_limit = 1"


class RankingEnvironment:
    """`bench.envs.Environment`. Each episode draws a query, and the order in which ties are broken."""

    def __init__(self, params: RankingParams, judged: Judged, device: torch.device | str = "cpu"):
        self.params, self.device = params, torch.device(device)
        self.agents, self.obs_size, self.action_size = params.documents, params.features, params.scores
        self.obs_sizes, self.action_sizes = params.obs_sizes, params.action_sizes
        first = params.training_queries
        part = slice(0, first) if params.split == "train" else slice(first, params.queries)
        self._features = torch.from_numpy(judged.features[part]).to(self.device)
        self._relevance = torch.from_numpy(judged.relevance[part]).to(self.device)
        self._generators: list[torch.Generator] = []

    def reset(self, generators: Sequence[torch.Generator], copies: int) -> Tensor:
        """See `Environment.reset`. Queries are drawn uniformly, with replacement."""
        if not generators or copies < 1:
            raise ValueError(f"reset: got {len(generators)} generators and {copies} copies; allowed: 1 or more of each")
        self._generators = list(generators)
        drawn = [self._drawn(generator, copies) for generator in generators]
        self._query, self._ties = (torch.stack(own) for own in zip(*drawn, strict=True))
        self._over = torch.zeros(self._query.shape, dtype=torch.bool)
        return self._seen()

    def restart(self, over: Tensor) -> Tensor:
        """See `Environment.restart`."""
        for lane, (generator, begins) in enumerate(zip(self._generators, over, strict=True)):
            if count := int(begins.sum()):
                self._query[lane, begins], self._ties[lane, begins] = self._drawn(generator, count)
        self._over = self._over & ~over
        return self._seen()

    def global_state(self) -> None:
        """None: the state is all observations concatenated, which are the features of all documents."""
        return

    def avail_actions(self) -> Tensor:
        """All scores, always: bool [S, E, N, A]."""
        return torch.ones((*self._query.shape, self.agents, self.action_size), dtype=torch.bool, device=self.device)

    def step(self, actions: Tensor) -> Step:
        """Take scores [S, E, N, A], one-hot. Every agent's reward is the list's NDCG, which is also the outcome "ndcg".

        Raises ValueError for another shape or actions that are not one-hot, Diverged if one is not finite, and
        EnvironmentFailed for a second step.
        """
        expected = (*self._query.shape, self.agents, self.action_size)
        if tuple(actions.shape) != expected:
            raise ValueError(f"actions: got shape {tuple(actions.shape)}; allowed: {expected} = [S, E, N, A]")
        if bool(((actions != 0) & (actions != 1)).any()) or bool((actions.sum(-1) != 1).any()):
            check_finite(actions.detach().cpu().double().numpy(), ACTION)
            raise ValueError("actions: got some that are not one-hot; allowed: one score for each document")
        if bool(self._over.any()):
            raise EnvironmentFailed(ONE_STEP, lane=int(self._over.nonzero()[0, 0]))
        scores = self._places(actions.argmax(-1))
        found = ndcg(scores, self._relevance[self._query.to(self.device)], self.params.ndcg_at)
        self._over = torch.ones_like(self._over)
        ended, never = (torch.full(found.shape, end, device=self.device) for end in (True, False))
        rewards = found.unsqueeze(-1).expand(*found.shape, self.agents)
        return Step(self._seen(), rewards, ended, never, {"ndcg": found})

    def state(self, lane: int) -> Mapping[str, NDArray[Any]]:
        """Each copy's query, the order of its ties, and whether it is over."""
        own = {"query": self._query, "ties": self._ties, "over": self._over}
        return {name: tensor[lane].numpy() for name, tensor in own.items()}

    def resume(self, generators: Sequence[torch.Generator], states: Sequence[Mapping[str, NDArray[Any]]]) -> Tensor:
        """See `Environment.resume`."""
        self._generators = list(generators)
        self._query, self._ties, self._over = (
            torch.from_numpy(np.stack([state[name] for state in states])) for name in ("query", "ties", "over")
        )
        return self._seen()

    def relevance(self) -> Tensor:
        """Grades of the current documents, [S, E, N], for scripts and tests; no agent sees them."""
        return self._relevance[self._query.to(self.device)]

    def close(self) -> None:
        """Nothing to end."""

    def _places(self, scores: Tensor) -> Tensor:
        """Scores without ties, [S, E, N]: equal ones are ordered by the drawn numbers."""
        return scores.double() + self._ties.to(self.device)

    def _seen(self) -> Tensor:
        """Observations [S, E, N, F] in float64, as in every environment."""
        return self._features[self._query.to(self.device)].double()

    def _drawn(self, generator: torch.Generator, copies: int) -> tuple[Tensor, Tensor]:
        """Queries [E], and numbers in [0, 1) that order ties [E, N]."""
        query = torch.randint(len(self._features), (copies,), generator=generator)
        return query, torch.rand((copies, self.agents), generator=generator, dtype=torch.float64)


def ranking_environment(params: RankingParams, device: torch.device | str, assets: Assets) -> RankingEnvironment:
    """Raises AssetMissing, ValueError."""
    match params:
        case PlantedParams():
            return RankingEnvironment(params, planted_set(params), device)
        case MSLRParams():
            from bench.envs.ranking.mslr import judged

            (name,) = params.assets.values()
            return RankingEnvironment(params, judged(io.BytesIO(assets.read(name)), params), device)
    raise ValueError(f"params: got {params!r}; allowed: those of mslr_web30k or planted")
