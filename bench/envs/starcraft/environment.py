"""Games of StarCraft II in parallel, each in a process of its own. One that breaks off or hangs is started again."""

from __future__ import annotations

from bench.envs.apart import Apart
from bench.envs.assets import Assets, BackendMissing
from bench.envs.elsewhere import EnvironmentLimits
from bench.envs.registry import python_of
from bench.envs.restarting import Restarting
from bench.envs.several import Several
from bench.envs.starcraft.installation import missing_map
from bench.envs.starcraft.params import StarcraftParams

LIMITS = EnvironmentLimits(start_s=300.0, call_s=120.0, memory_bytes=16 * 2**30)  # assumed: a game starts in a minute


def starcraft_environment(params: StarcraftParams, device: str, assets: Assets) -> Several:
    """Raises BackendMissing if the game or this map's file is missing."""
    if problem := missing_map(params.name):
        raise BackendMissing(problem)
    python = python_of("starcraft")

    def game() -> Apart:
        return Apart("bench.envs.starcraft.one:one", params, LIMITS, python)

    return Several(params, lambda: Restarting(params, game, "StarCraft II"))
