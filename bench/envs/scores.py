"""Scores of episodes in a scenario's metric.

Axes: S seed, E environment copy, T step, N agent of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from torch import Tensor

from bench.envs.params import Params


def team_rewards(params: Params, rewards: Tensor) -> Tensor:
    """The sum of the scored agents' own rewards, [..., N] -> [...]. If each agent gets that sum, it counts once."""
    return rewards[..., 0] if params.common_reward else rewards[..., list(params.scored_agents)].sum(-1)


def episode_scores(
    metric: str,
    params: Params,
    rewards: Tensor,
    mask: Tensor | None = None,
    outcome: Mapping[str, Tensor] = MappingProxyType({}),
) -> Tensor:
    """Scores of whole episodes, rewards [S, E, T, N] -> [S, E] float64.

    "step_reward": mean over steps and scored agents. "return_sum": sum over both, undiscounted. "return": that sum per
    scored agent. The name of an outcome of the scenario: its last value in each episode. mask [S, E, T]: the steps that
    were played; None: all.
    Raises ValueError for another metric.
    """
    if metric in params.outcomes:
        return outcome[metric].double()
    rewards = rewards.double()
    if mask is not None:
        rewards = rewards.masked_fill(~mask.unsqueeze(-1), 0)
    if metric == "step_reward" and mask is not None:
        played = mask.sum(-1).clamp(min=1) * len(params.scored_agents)
        return rewards[..., list(params.scored_agents)].flatten(2).contiguous().sum(-1) / played
    if metric == "step_reward":
        return rewards[..., list(params.scored_agents)].flatten(2).contiguous().mean(-1)
    if metric in ("return", "return_sum"):
        total = team_rewards(params, rewards).contiguous().sum(-1)
        return total if metric == "return_sum" else total / len(params.scored_agents)
    allowed = ", ".join(("step_reward", "return", "return_sum", *params.outcomes))
    raise ValueError(f"metric: got {metric!r}; allowed: {allowed}")
