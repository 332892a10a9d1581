"""The scale of a scenario: the scores of scripted policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from bench.envs import Assets, checked
from bench.envs.assets import NO_ASSETS
from bench.envs.mujoco import scripts as mujoco_scripts
from bench.envs.mujoco.params import MujocoParams
from bench.envs.particle import goal_scripts, scripts, treasure_scripts
from bench.envs.particle.environment import ParticleParams
from bench.envs.particle.opponents import load_opponent
from bench.envs.particle.params import SimpleAdversaryParams
from bench.envs.particle.scripts import Script, measure, random_script
from bench.envs.ranking import scripts as ranking_scripts
from bench.envs.ranking.environment import ranking_environment
from bench.envs.ranking.params import PlantedParams
from bench.envs.smax import scripts as smax
from bench.envs.smax.params import SmaxParams

FIRST_SEED = 1_000_000  # far from the seeds of runs, which count from 0
NO_INFORMATION: Mapping[str, Script] = {
    "fullobs_collect_treasure": treasure_scripts.treasure_still,
    "push_box": scripts.still,
    "simple_adversary": goal_scripts.adversary_no_information,
    "simple_push": goal_scripts.push_no_information,
    "simple_speaker_listener": goal_scripts.speaker_listener_no_information,
    "simple_spread": scripts.no_information,
    "spread_corners": scripts.corners_no_information,
}
GOOD: Mapping[str, Script] = {
    "fullobs_collect_treasure": treasure_scripts.treasure_good,
    "push_box": scripts.push_box_good,
    "simple_adversary": goal_scripts.adversary_good,
    "simple_push": goal_scripts.push_good,
    "simple_speaker_listener": goal_scripts.speaker_listener_good,
    "simple_spread": scripts.good,
    "spread_corners": scripts.good,
}


class NoScale(ValueError):
    """No script can give this scenario a scale."""


def measure_anchors(
    family: str,
    params: Mapping[str, Any],
    episode_limit: int,
    metric: str,
    seeds: int,
    episodes: int,
    opponent: str | None = None,
    assets: Assets = NO_ASSETS,
) -> dict[str, dict[str, float]]:
    """Mean and standard deviation over seeds of each script's score in a metric, by script. One torch thread.

    opponent: replaces a pretrained opponent by "random" or "greedy_script". assets: where trained opponents are.
    Raises AssetMissing without either, or without the file. Raises BackendMissing. Raises NoScale if both sides of a
    contest learn and not only the adversaries are scored: the good agents' reward depends on the adversaries, while
    an adversary's reward is its own distance to the goal.
    """
    torch.set_num_threads(1)
    chosen = range(FIRST_SEED, FIRST_SEED + seeds)
    scenario = checked(family, params)
    if isinstance(scenario, MujocoParams):
        policies = mujoco_scripts.SCRIPTS.items()
        limits = episodes, episode_limit, metric
        return _spread({n: mujoco_scripts.measure(scenario, script, chosen, *limits) for n, script in policies})
    if isinstance(scenario, SmaxParams):
        limits = episodes, episode_limit, metric
        return _spread({n: smax.measure(scenario, own, chosen, *limits) for n, own in smax.SCRIPTS.items()})
    if isinstance(scenario, PlantedParams):
        lists = ranking_environment(scenario, "cpu", assets)
        scripts_ = ranking_scripts.SCRIPTS.items()
        return _spread({n: ranking_scripts.measure(lists, script, chosen, episodes) for n, script in scripts_})
    if opponent and isinstance(scenario, SimpleAdversaryParams) and scenario.opponent == "pretrained":
        others = {name: value for name, value in params.items() if name != "opponent_sha256"}
        scenario = checked(family, {**others, "opponent": opponent})
    if not isinstance(scenario, ParticleParams):
        raise NoScale(f"no scripts for {scenario!r}; these scenarios have scripts: {', '.join(GOOD)}")
    no_information, good = NO_INFORMATION[scenario.name], GOOD[scenario.name]
    if isinstance(scenario, SimpleAdversaryParams) and scenario.controlled == "all":
        if scenario.scored != "adversaries":
            raise NoScale("both sides learn, and the good agents' score depends on the adversaries' script")
        no_information, good = goal_scripts.contest_no_information, goal_scripts.contest_told
    weights = [load_opponent(assets, name) for name in scenario.assets.values()]
    policies = {
        "random": random_script([torch.Generator().manual_seed(2 * seed + 1) for seed in chosen]),
        "no_information": no_information,
        "good": good,
    }
    scores = {
        name: measure(scenario, script, chosen, episodes, episode_limit, metric, *weights)
        for name, script in policies.items()
    }
    return _spread(scores)


def _spread(scores: Mapping[str, Tensor]) -> dict[str, dict[str, float]]:
    """Mean and standard deviation of scores [S], by name."""
    return {name: {"mean": float(s.mean()), "sd": float(s.std())} for name, s in scores.items()}
