"""Other people's runs, and the declaration about them."""

from __future__ import annotations

from typing import Any

from bench.exchange.declaration import Declaration

DECLARED = """
source = "a friend"
environment = "MPE of 2017"
metric = "step_reward"
protocol = "greedy"
evaluation_episodes = 3
final_evaluation_episodes = 4
final = "final"
steps = "environment"
seeds = [0, 1, 2]
"""


def declared(**changes: Any) -> Declaration:
    own = {
        "source": "a friend",
        "environment": "MPE of 2017",
        "metric": "step_reward",
        "protocol": "greedy",
        "evaluation_episodes": 3,
        "final_evaluation_episodes": 4,
        "final": "final",
        "steps": "environment",
        "seeds": [0, 1, 2],
    }
    return Declaration.model_validate(own | changes)


def run(*means: float, final: float | None = 0.5) -> dict[str, Any]:
    """A run in marl-eval's form, evaluated every 10 steps."""
    steps = {f"step_{i}": {"step_count": 10 * i, "step_reward": [mean]} for i, mean in enumerate(means)}
    return steps | ({} if final is None else {"absolute_metrics": {"step_reward": [final]}})
