"""Matches of gfootball in parallel, each in a process of its own. A match that breaks off or hangs is started again.

Each has its own process, since the game keeps its engine between matches, uses a whole core while it steps, and ends
its process on errors.
"""

from __future__ import annotations

from bench.envs.apart import Apart
from bench.envs.assets import Assets
from bench.envs.elsewhere import EnvironmentLimits
from bench.envs.football.params import FootballParams
from bench.envs.registry import python_of
from bench.envs.restarting import Restarting
from bench.envs.several import Several

LIMITS = EnvironmentLimits(start_s=300.0, call_s=120.0, memory_bytes=4 * 2**30)  # assumed; it starts in seconds


def football_environment(params: FootballParams, device: str, assets: Assets) -> Several:
    """`registry.make` raises BackendMissing if gfootball is not installed."""
    python = python_of("football")

    def game() -> Apart:
        return Apart("bench.envs.football.one:one", params, LIMITS, python)

    return Several(params, lambda: Restarting(params, game, "football"))
