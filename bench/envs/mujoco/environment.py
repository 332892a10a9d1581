"""MuJoCo tasks as gymnasium has them, with the harness's time limit and no wrapper around them.

Compared with a loop around `gymnasium.make(name)` that scales its actions itself, every number is the same to the last
bit (tests/envs/test_mujoco.py). An episode ends in a terminal state alone; after how many steps it is cut short is the
scenario's business.

A task's state cannot be put back exactly: Ant's, Humanoid's and Reacher's rewards read where bodies were one step
before, which is no part of MuJoCo's integration state (Ant's first reward is off by 4e-4 even after mj_forward). An
episode repeats from its seed and actions, and `Several` resumes by them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import gymnasium
import mujoco
from gymnasium.envs.registration import load_env_creator

from bench.envs.assets import Assets
from bench.envs.mujoco.one import GymnasiumOne
from bench.envs.mujoco.params import MujocoParams
from bench.envs.several import Several
from bench.output.terminal import warn


def mujoco_environment(params: MujocoParams, device: str, assets: Assets) -> Several:
    """Its copies are stepped on the CPU, one after another."""
    mujoco.set_mju_user_warning(_noticed)  # type: ignore[attr-defined]
    chosen = params.model_dump(exclude={"name"})
    entry = gymnasium.spec(params.name).entry_point
    creator = load_env_creator(entry) if isinstance(entry, str) else entry
    return Several(params, lambda: GymnasiumOne(cast(Callable[..., gymnasium.Env[Any, Any]], creator)(**chosen)))


def _noticed(text: str) -> None:
    """MuJoCo's warnings, which it would write to a file of the current folder; not of old words in robots' files."""
    if "is deprecated" not in text:
        warn(f"MuJoCo: {text.strip()}")
