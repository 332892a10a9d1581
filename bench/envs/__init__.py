"""Environments: families by name, the parameters that a suite file may choose, and how to build them. Torch-free."""

from bench.envs.assets import AssetMissing, Assets, BackendMissing
from bench.envs.params import Params
from bench.envs.protocols import Environment, Layouts, Step, state
from bench.envs.registry import (
    FAMILIES,
    Family,
    checked,
    described,
    deviates,
    installation,
    lacking,
    layouts_of,
    make,
    metrics_of,
    packages_of,
    python_of,
    unfit,
    versions,
)

__all__ = [
    "FAMILIES",
    "AssetMissing",
    "Assets",
    "BackendMissing",
    "Environment",
    "Family",
    "Layouts",
    "Params",
    "Step",
    "checked",
    "described",
    "deviates",
    "installation",
    "lacking",
    "layouts_of",
    "make",
    "metrics_of",
    "packages_of",
    "python_of",
    "state",
    "unfit",
    "versions",
]
