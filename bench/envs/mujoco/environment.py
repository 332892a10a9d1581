"""gymnasium's MuJoCo tasks, with the harness's time limit and without wrappers.

Every number is the same to the last bit as in a loop around `gymnasium.make(name)` that scales actions itself
(tests/envs/test_mujoco.py). An episode ends only in a terminal state; the scenario decides after how many steps it is
cut short.

A task's state cannot be restored exactly: the rewards of Ant, Humanoid and Reacher depend on where bodies were one step
before, which is not part of MuJoCo's integration state (Ant's first reward is off by 4e-4 even after mj_forward). An
episode does repeat from its seed and actions, and `Several` resumes it in this way.
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
    """The environment. Its copies are stepped on the CPU, one after another."""
    mujoco.set_mju_user_warning(_noticed)  # type: ignore[attr-defined]
    chosen = params.model_dump(exclude={"name"})
    entry = gymnasium.spec(params.name).entry_point
    creator = load_env_creator(entry) if isinstance(entry, str) else entry
    return Several(params, lambda: GymnasiumOne(cast(Callable[..., gymnasium.Env[Any, Any]], creator)(**chosen)))


def _noticed(text: str) -> None:
    """Show MuJoCo's warnings, except those on deprecated words. MuJoCo would write them to the current folder."""
    if "is deprecated" not in text:
        warn(f"MuJoCo: {text.strip()}")
