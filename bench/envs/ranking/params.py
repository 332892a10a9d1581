"""The ranking tasks' parameters in a suite file, and the sizes that follow. Torch-free.

Axes: Q query, N document (an agent each), F feature.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from bench.envs.params import Params

MSLR_FEATURES = 136  # of MSLR-WEB30K
Documents = Annotated[int, Field(ge=2, le=100)]
Queries = Annotated[int, Field(ge=10, le=100_000)]


class RankingParams(Params, ABC):
    """Every agent scores its document. The list is sorted by score, ties at random. An episode is one step.

    scores: number of possible scores, 0 the lowest. ndcg_at: k, the places of the list that count. queries: number in
    the whole set; the first train_share of them are for training. split: which part the episodes draw their query from.
    """

    documents: Documents
    queries: Queries
    train_share: Annotated[float, Field(gt=0, lt=1)]
    split: Literal["train", "test"]
    scores: Annotated[int, Field(ge=2, le=100)]
    ndcg_at: Documents

    @model_validator(mode="after")
    def _has_both_parts(self) -> Self:
        if not 1 <= self.training_queries < self.queries:
            raise ValueError(f"train_share {self.train_share} of {self.queries} queries; allowed: some in each part")
        if self.ndcg_at > self.documents:
            raise ValueError(f"ndcg_at {self.ndcg_at}; allowed: at most the number of documents, {self.documents}")
        return self

    @property
    @abstractmethod
    def features(self) -> int:
        """F, the number of a document's features for its query."""

    @property
    def training_queries(self) -> int:
        return round(self.train_share * self.queries)

    @property
    def obs_sizes(self) -> tuple[int, ...]:
        return (self.features,) * self.documents

    @property
    def action_sizes(self) -> tuple[int, ...]:
        return (self.scores,) * self.documents

    @property
    def common_reward(self) -> bool:
        """True: all agents get the list's NDCG."""
        return True

    @property
    def outcomes(self) -> tuple[str, ...]:
        return ("ndcg",)


class MSLRParams(RankingParams):
    """MSLR-WEB30K (Qin & Liu 2013). data_sha256: that of the file that `bench asset add` makes from a user's copy;
    "unknown" until then. The data may not be passed on, so the project has never seen it.
    """

    name: Literal["mslr_web30k"]
    data_sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64}|unknown)$")]

    @property
    def features(self) -> int:
        return MSLR_FEATURES

    @property
    def assets(self) -> Mapping[str, str]:
        return {"data_sha256": f"{self.data_sha256}.npz"}


class PlantedParams(RankingParams):
    """The project's own data set with a planted ranker (`bench.envs.ranking.planted`). set_seed: selects the set."""

    name: Literal["planted"]
    planted_features: Annotated[int, Field(ge=2, le=16)]
    set_seed: Annotated[int, Field(ge=0, le=2**31)]

    @property
    def features(self) -> int:
        return self.planted_features
