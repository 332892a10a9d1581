"""Metrics that a scenario can be scored by: those of papers, and those of families. Higher is always better."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from bench.envs import FAMILIES

METRICS = {
    "step_reward": "an episode's reward averaged over its steps and agents",
    "return": "an episode's undiscounted return, averaged over agents",
    "return_sum": "an episode's undiscounted return, summed over agents",
    "win_rate": "share of episodes won",
    "goal_balance": "goal of the last step: 1 scored, -1 conceded, 0 none",
    "ndcg": "normalised discounted cumulative gain of the ranking",
}
BOUNDED = ("win_rate", "ndcg")  # metrics between 0 and 1


def metric_names() -> list[str]:
    """The names of all metrics. `bench.envs.metrics_of` has those of one scenario."""
    return [*dict.fromkeys((*METRICS, *(m for family in FAMILIES.values() for m in family.metrics)))]


def _known(metric: str) -> str:
    if metric not in (names := metric_names()):
        allowed = ", ".join(map(repr, names[:-1])) + f" or {names[-1]!r}"
        raise PydanticCustomError("literal_error", "Input should be {expected}", {"expected": allowed})
    return metric


def _enumerated(schema: dict[str, Any]) -> None:
    schema["enum"] = metric_names()


Metric = Annotated[str, AfterValidator(_known), Field(json_schema_extra=_enumerated)]
