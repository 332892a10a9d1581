"""One step of a family's environment, to see whether it really works here."""

from __future__ import annotations

import torch

from bench.envs.assets import AssetMissing, Assets, BackendMissing
from bench.envs.one import EnvironmentFailed, said_of
from bench.envs.params import Params
from bench.envs.registry import make


def step_once(family: str, params: Params, assets: Assets) -> str:
    """Start an episode, take a step, end it. Why that failed, in one line; "" if it worked."""
    try:
        environment = make(family, params, "cpu", assets)
        try:
            environment.reset([torch.Generator().manual_seed(0)], 1)
            avail = environment.avail_actions()
            first = torch.zeros(avail.shape).scatter(-1, avail.float().argmax(-1, keepdim=True), 1.0)
            environment.step(torch.zeros_like(first) if params.continuous else first)
        finally:
            environment.close()
    except (EnvironmentFailed, BackendMissing, AssetMissing) as error:
        return str(error)
    except Exception as error:  # any error of a package means that it does not work
        return said_of(error)
    return ""
