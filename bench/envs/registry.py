"""Environment families by name: the scenarios that a suite file may name, and how to build them. Torch-free.

Axes: S seed, E environment copy, N agent (of ours), O observation entry, A action entry.

A suite checker needs names, parameter ranges and versions, and no backend; so this file imports none, and `make`
imports a family's module only when an environment is wanted. A family's version enters every run's id: it is bumped
when any of its environments gives other numbers than before.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, cast

from bench.envs.assets import NO_ASSETS, Assets, BackendMissing
from bench.envs.football import installation as football
from bench.envs.football.params import SCENES, FootballParams
from bench.envs.mujoco.params import SIZES, AntParams, MujocoParams
from bench.envs.params import Params
from bench.envs.particle.params import (
    CollectTreasureParams,
    PushBoxParams,
    SimpleAdversaryParams,
    SimplePushParams,
    SimpleSpreadParams,
    SpeakerListenerParams,
    SpreadCornersParams,
)
from bench.envs.protocols import Environment, Installation, Layouts
from bench.envs.ranking.params import MSLRParams, PlantedParams
from bench.envs.smax.params import MAPS, SmaxParams
from bench.envs.starcraft.params import MAPS as STARCRAFT_MAPS
from bench.envs.starcraft.params import StarcraftParams

if TYPE_CHECKING:
    import torch

OF_REWARDS = ("step_reward", "return", "return_sum")  # metrics that every scenario can have


@dataclass(frozen=True)
class Family:
    """module, environment: the function `environment(params, device, assets)` that makes its environments.

    layouts: the module of its `Layouts`; in a family without it, only a task's own team reads its observations.

    install: the command that installs the backend. scenarios: the parameters of each scenario, by its name.
    metrics: the metrics of its episodes (`scores`): those of rewards, and those of outcomes that a scenario names.
    needs: requirements of packages; environments do not start with other versions.
    packages: its numbers depend on their versions; a run's record names these, and those of others if installed.
    python: the variable that names another interpreter with the packages; environments then run in it.
    installation: the module that knows what it needs besides packages (`Installation`).
    single: each episode is a separate environment, and all tasks need the same code of a learner.
    process_bytes: approximate memory of a process that all environments of a job share; 0 without one (parameters
    state the memory of a copy's own process).
    agent_step_s: approximate CPU seconds of one agent's step: policy, environment, storing.
    uncounted: the program whose own time and memory no cost includes, because nobody has measured them.
    """

    module: str
    environment: str
    install: str
    version: int
    metrics: tuple[str, ...]
    scenarios: Mapping[str, type[Params]]
    layouts: str = "bench.envs.layouts"
    packages: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    single: bool = False
    python: str = ""
    process_bytes: int = 0
    agent_step_s: float = 9e-6  # for the particle tasks, fitted with the model's other rates
    installation: str = ""
    uncounted: str = ""


FAMILIES: Mapping[str, Family] = {
    "particle": Family(
        module="bench.envs.particle.environment",
        environment="particle_environment",
        layouts="bench.envs.particle.layouts",
        install="pip install torch",
        version=1,
        metrics=("step_reward", "return", "return_sum", "own_corner"),
        scenarios={
            "fullobs_collect_treasure": CollectTreasureParams,
            "push_box": PushBoxParams,
            "simple_adversary": SimpleAdversaryParams,
            "simple_push": SimplePushParams,
            "simple_speaker_listener": SpeakerListenerParams,
            "simple_spread": SimpleSpreadParams,
            "spread_corners": SpreadCornersParams,
        },
    ),
    "mujoco": Family(
        module="bench.envs.mujoco.environment",
        environment="mujoco_environment",
        install="pip install 'gymnasium[mujoco]==1.4.0' mujoco==4.0.0",
        version=1,
        metrics=("step_reward", "return_sum"),
        scenarios={name: AntParams if name == "Ant-v4" else MujocoParams for name in SIZES},
        packages=("gymnasium", "mujoco"),
        single=True,
        agent_step_s=240e-6,  # HalfCheetah-v4 in evaluations, an Intel Xeon, 2026-12-01; Ant and Humanoid take longer
    ),
    "smax": Family(
        module="bench.envs.smax.environment",
        environment="smax_environment",
        install="pip install 'marl-distill-bench[smax]'; or, in a Python environment of its own that BENCH_SMAX_PYTHON "
        "names: python -m venv SMAX; SMAX/bin/pip install jaxmarl==0.2.0 jax==0.10.2 'pydantic>=2.12'",
        version=1,
        metrics=("step_reward", "return_sum", "win_rate"),
        scenarios=dict.fromkeys(MAPS, SmaxParams),
        packages=("jaxmarl", "jax"),
        python="BENCH_SMAX_PYTHON",
        process_bytes=600 * 2**20,  # measured: docs/performance.md
    ),
    "ranking": Family(
        module="bench.envs.ranking.environment",
        environment="ranking_environment",
        install="pip install torch",
        version=1,
        metrics=("ndcg", "step_reward", "return_sum"),
        scenarios={"mslr_web30k": MSLRParams, "planted": PlantedParams},
    ),
    "starcraft": Family(
        module="bench.envs.starcraft.environment",
        environment="starcraft_environment",
        install="in a Python environment of its own, which BENCH_STARCRAFT_PYTHON names: python -m venv STARCRAFT; "
        "STARCRAFT/bin/pip install protobuf==3.20.3 'numpy<2' pysc2==4.0.0 s2clientprotocol pygame absl-py "
        "'setuptools<70' wheel 'pydantic>=2.12'; STARCRAFT/bin/pip install --no-deps --no-build-isolation "
        "git+https://github.com/oxwhirl/smac@d6aab33f76abc3849c50463a8592a84f59a5ef84; or, in place of these, of a "
        "checkout of yours: python -m bench.envs.starcraft.install STARCRAFT CHECKOUT; "
        "export BENCH_STARCRAFT_PYTHON=$PWD/STARCRAFT/bin/python",
        version=1,
        metrics=("step_reward", "return_sum", "win_rate"),
        scenarios=dict.fromkeys(STARCRAFT_MAPS, StarcraftParams),
        packages=("SMAC", "PySC2", "protobuf"),
        needs=("protobuf<3.21",),  # with later ones s2clientprotocol cannot be imported
        others=("SMACv2",),
        python="BENCH_STARCRAFT_PYTHON",
        installation="bench.envs.starcraft.installation",
        uncounted="StarCraft II",
    ),
    "football": Family(
        module="bench.envs.football.environment",
        environment="football_environment",
        install=football.INSTALL,
        version=1,
        metrics=("step_reward", "return_sum", "win_rate", "goal_balance"),
        scenarios=dict.fromkeys(SCENES, FootballParams),
        packages=("gfootball",),
        python="BENCH_FOOTBALL_PYTHON",
        agent_step_s=2.8e-3,  # all five scenes, random actions, an Intel Xeon under load, 2026-12-01
        installation="bench.envs.football.installation",
    ),
}


def checked(family: str, params: Mapping[str, Any]) -> Params:
    """The validated parameters of one scenario, e.g. {"name": "simple_spread", "agents": 6, "dynamics": "openai"}.

    Raises ValueError if the family or the scenario's name is unknown, and pydantic's ValidationError (a ValueError) if
    a parameter is missing, unknown, of the wrong type or out of range.
    """
    scenarios = _family(family).scenarios
    name = params.get("name")
    if not isinstance(name, str) or name not in scenarios:
        raise ValueError(f"family {family!r}, key 'name': got {name!r}; allowed: {', '.join(sorted(scenarios))}")
    return scenarios[name].model_validate(dict(params))


def metrics_of(family: str, params: Params) -> tuple[str, ...]:
    """The metrics that one of a family's scenarios has."""
    return tuple(m for m in _family(family).metrics if m in (*OF_REWARDS, *params.outcomes))


def make(
    family: str,
    params: Params | Mapping[str, Any],
    device: torch.device | str = "cpu",
    assets: Assets = NO_ASSETS,
) -> Environment:
    """Build the batched environment of one scenario on a device. assets: where to find files that its parameters name.

    Raises ValueError for bad parameters, BackendMissing if the family's package is not installed, and AssetMissing if a
    file is missing.
    """
    entry = _family(family)
    params = params if isinstance(params, Params) else checked(family, params)
    missing = ", ".join(name for name in entry.packages if name not in versions(family))
    if entry.python and missing:
        where = f" in {python}" if (python := python_of(family)) else ""
        mend = f"try: {entry.install}; then: bench doctor {family}"
        raise BackendMissing(f"family {family!r} needs {missing}{where}; {mend}")
    if wrong := unfit(family):
        raise BackendMissing(
            f"family {family!r}: {', '.join(wrong)}; try: {entry.install}; then: bench doctor {family}"
        )
    try:
        module = importlib.import_module(entry.module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "bench":
            raise  # our own module is broken, not the user's installation
        raise BackendMissing(
            f"family {family!r} needs the package {error.name!r}; try: {entry.install}, then: bench doctor {family}"
        ) from error
    return getattr(module, entry.environment)(params, device, assets)


def lacking(family: str) -> str:
    """How to install what a family's environments lack; "" if they lack nothing."""
    entry = _family(family)
    if versions(family).keys() != {*entry.packages} or unfit(family):
        return entry.install
    game = installation(family)
    return "; ".join(game.remarks()) if game and game.missing() else ""


def packages_of(family: str) -> dict[str, str]:
    """Versions of the packages that a family's numbers depend on (all installed), and of its other packages."""
    return {**versions(family), **_installed(family, _family(family).others)}


def described(family: str, params: Params) -> Mapping[str, str]:
    """What decides the numbers of a scenario besides packages: a game's build, its map's hash."""
    game, name = installation(family), getattr(params, "name", "")
    return game.described(name) if game else {}


def deviates(family: str, told: Mapping[str, str]) -> str:
    """How a record's game differs from those that papers used; "" if it does not, or if there is no game.

    told: versions by name, from the record.
    """
    game = installation(family)
    return game.deviates(told) if game else ""


def installation(family: str) -> Installation | None:
    """The module on a family's game; None if the family needs only packages."""
    module = _family(family).installation
    return cast(Installation, importlib.import_module(module)) if module else None


def versions(family: str) -> Mapping[str, str]:
    """Versions of the installed packages of a family, in the interpreter of its environments."""
    return _installed(family, _family(family).packages)


def unfit(family: str) -> tuple[str, ...]:
    """Installed versions with which a family's environments do not start, and what they need."""
    from packaging.requirements import Requirement  # not there in a family's own Python environment

    there = versions(family)
    asked = [one for one in map(Requirement, _family(family).needs) if one.name in there]
    wrong = [one for one in asked if not one.specifier.contains(there[one.name].split()[0], prereleases=True)]
    return tuple(f"{one.name} {there[one.name]}, needed {one.specifier}" for one in wrong)


def _installed(family: str, packages: tuple[str, ...]) -> Mapping[str, str]:
    if not packages:
        return {}
    if python := python_of(family):
        return _versions_in(python, packages)
    found = {}
    for name in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def python_of(family: str) -> str:
    """The interpreter of a family's environments, if it is not this one; else ""."""
    variable = _family(family).python
    return os.environ.get(variable, "") if variable else ""


@functools.cache
def _versions_in(python: str, packages: tuple[str, ...]) -> Mapping[str, str]:
    """Versions of these packages in an interpreter; empty if it does not run."""
    asked = (
        "import json, sys\nfrom importlib import metadata\n"
        "from pathlib import Path\nimport subprocess\n"
        "def version(d):\n"
        "    at = json.loads(d.read_text('direct_url.json') or '{}')\n"
        "    commit = at.get('vcs_info', {}).get('commit_id', '')\n"
        "    folder = Path(at.get('url', '').removeprefix('file://'))\n"
        "    if not commit and at and (folder / '.git').exists():\n"
        "        asked = ['git', '-C', str(folder), 'rev-parse', 'HEAD']\n"
        "        commit = subprocess.run(asked, capture_output=True, text=True).stdout.strip()\n"
        "    return d.version + (f' ({commit})' if commit else '')\n"
        "there = {d.name: d for d in metadata.distributions()}\n"
        "print(json.dumps({name: version(there[name]) for name in sys.argv[1:] if name in there}))"
    )
    try:
        done = subprocess.run([python, "-P", "-c", asked, *packages], capture_output=True, timeout=60, check=True)
        return json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return {}


def layouts_of(family: str) -> Layouts:
    """How teams of other sizes read the observations of a family's tasks."""
    return cast(Layouts, importlib.import_module(_family(family).layouts))


def _family(family: str) -> Family:
    if family not in FAMILIES:
        raise ValueError(f"key 'family': got {family!r}; allowed: {', '.join(sorted(FAMILIES))}")
    return FAMILIES[family]
