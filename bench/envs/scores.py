"""What an episode scores in a scenario's metric.

Axes: S seed, E environment copy, T step, N agent of ours.
"""

from __future__ import annotations

from torch import Tensor

from bench.envs.params import Params


def team_rewards(params: Params, rewards: Tensor) -> Tensor:
    """The sum of the scored agents' own rewards, [..., N] -> [...]. Where all are given that sum, it counts once."""
    return rewards[..., 0] if params.common_reward else rewards[..., list(params.scored_agents)].sum(-1)


def episode_scores(metric: str, params: Params, rewards: Tensor) -> Tensor:
    """Scores of whole episodes, [S, E, T, N] -> [S, E] float64.

    "step_reward": mean over steps and scored agents. "return_sum": sum over both, undiscounted. Raises ValueError for
    another metric.
    """
    rewards = rewards.double()
    if metric == "step_reward":
        return rewards[..., list(params.scored_agents)].flatten(2).contiguous().mean(-1)
    if metric == "return_sum":
        return team_rewards(params, rewards).contiguous().sum(-1)
    raise ValueError(f"metric: got {metric!r}; allowed: step_reward, return_sum")
