"""Matches of gfootball side by side, each in a process of its own; one that breaks off or hangs is started again.

A process, since the game keeps its engine between matches, takes a core while it steps, and ends its process where it
does not know what to do.
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
    """Raises BackendMissing through `registry.make` where gfootball is not installed."""
    python = python_of("football")

    def game() -> Apart:
        return Apart("bench.envs.football.one:one", params, LIMITS, python)

    return Several(params, lambda: Restarting(params, game, "football"))
