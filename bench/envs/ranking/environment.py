"""Ranking: S seeds x E copies of a query each; an episode is one step, in which every agent scores its document.

Axes: S seed, E environment copy, N document (an agent each), F feature, A score.

On the CPU a seed's episodes are the same to the last bit whatever seeds run beside it.
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

ONE_STEP = "an episode of ranking is one step, got another; give the scenario episode_limit = 1"


class RankingEnvironment:
    """`bench.envs.Environment`. A query is drawn for each episode, and how ties will be broken."""

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
        """The features of all documents: it has none but all observations in a row."""
        return

    def avail_actions(self) -> Tensor:
        """All scores, always: bool [S, E, N, A]."""
        return torch.ones((*self._query.shape, self.agents, self.action_size), dtype=torch.bool, device=self.device)

    def step(self, actions: Tensor) -> Step:
        """Scores [S, E, N, A], one-hot -> every agent's reward is the list's NDCG, which is the outcome "ndcg" too.

        Raises ValueError for another shape or actions that are not one-hot, Diverged where one is not finite, and
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
        """Each copy's query, how its ties are broken, and whether it is over."""
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
        """Grades of the documents at hand, [S, E, N]: for scripts and tests, no agent sees them."""
        return self._relevance[self._query.to(self.device)]

    def close(self) -> None:
        """Nothing was started."""

    def _places(self, scores: Tensor) -> Tensor:
        """Scores without ties, [S, E, N]: what is equal is ordered by what was drawn."""
        return scores.double() + self._ties.to(self.device)

    def _seen(self) -> Tensor:
        """[S, E, N, F], float64 as of every environment."""
        return self._features[self._query.to(self.device)].double()

    def _drawn(self, generator: torch.Generator, copies: int) -> tuple[Tensor, Tensor]:
        """Queries [E] and numbers in [0, 1) that order what is equal [E, N]."""
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
