"""The scale of a scenario: what scripted policies reach in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from bench.envs import checked
from bench.envs.particle.scripts import good, measure, no_information, random_script

FIRST_SEED = 1_000_000  # apart from the seeds of runs, which count from 0


def measure_anchors(
    family: str, params: Mapping[str, Any], episode_limit: int, seeds: int, episodes: int
) -> dict[str, dict[str, float]]:
    """Mean and standard deviation over seeds of each script's step reward, by script. One torch thread."""
    torch.set_num_threads(1)
    chosen = range(FIRST_SEED, FIRST_SEED + seeds)
    scripts = {
        "random": random_script([torch.Generator().manual_seed(2 * seed + 1) for seed in chosen]),
        "no_information": no_information,
        "good": good,
    }
    scenario = checked(family, params)
    scores = {name: measure(scenario, script, chosen, episodes, episode_limit) for name, script in scripts.items()}
    return {name: {"mean": float(s.mean()), "sd": float(s.std())} for name, s in scores.items()}
