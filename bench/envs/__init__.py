"""Environment families by name: what a suite file may ask for, and how to build it. Torch-free.

Axes: S seed, E environment copy, N agent (of ours), O observation entry, A action entry.

A suite checker needs names, parameter ranges and versions, and no backend; so this file imports none, and `make`
imports a family's module only when an environment is wanted. A family's version enters every run's id: it is bumped
when any of its environments gives other numbers than before.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from bench.envs.params import (
    Dynamics,
    Params,
    SimpleAdversaryParams,
    SimplePushParams,
    SimpleSpreadParams,
    SpeakerListenerParams,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = [
    "FAMILIES",
    "BackendMissing",
    "Dynamics",
    "Environment",
    "Family",
    "OpponentMissing",
    "OpponentWeights",
    "Params",
    "SimpleAdversaryParams",
    "SimplePushParams",
    "SimpleSpreadParams",
    "SpeakerListenerParams",
    "checked",
    "make",
    "state",
]


class BackendMissing(Exception):
    """A family's package is not installed here; the message says how to get it."""


class OpponentMissing(BackendMissing):
    """A scenario's opponent needs trained weights that are not here, or others than those that were given."""


@dataclass(frozen=True)
class OpponentWeights:
    """A trained opponent. tensors: of a plain MLP, by name (bench/envs/particle/opponents.py). sha256: of its file."""

    tensors: Mapping[str, Tensor]
    sha256: str


class Environment(Protocol):
    """A batched environment: S seeds x E copies, stepped together. Time limits are the caller's business.

    N = agents, O = obs_size, A = action_size: common to all agents. obs_sizes, action_sizes: each agent's own, from the
    first entry on. An observation's entries beyond its own size read zero; actions beyond it are not available.
    """

    agents: int
    obs_size: int
    action_size: int
    obs_sizes: tuple[int, ...]
    action_sizes: tuple[int, ...]

    def layout_width(self, layout_agents: int) -> int:
        """Entries of an observation in the layout of a task with so many agents."""
        ...

    def observation_slots(self, layout_agents: int) -> tuple[int, ...]:
        """Where each of this task's O entries stands in that layout; ValueError where it is the smaller one."""
        ...

    def nearest_view(self, obs: Tensor, teacher_agents: int) -> Tensor:
        """What a team of fewer agents can read of obs [..., N, O]: [..., N, layout_width(teacher_agents)]."""
        ...

    def reset(self, generators: Sequence[torch.Generator], copies: int) -> Tensor:
        """Start E = copies episodes of each seed, seed s drawing from generators[s] alone; obs [S, E, N, O]."""
        ...

    def avail_actions(self) -> Tensor:
        """Which actions each agent has now, bool [S, E, N, A]."""
        ...

    def step(self, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Take actions [S, E, N, A]; give obs [S, E, N, O], rewards [S, E, N], terminated [S, E].

        An action is one-hot or soft over those that are available; ValueError where another is chosen.
        """
        ...


def state(obs: Tensor) -> Tensor:
    """The global state as EPyMARL has it: all agents' padded observations in a row, [..., N, O] -> [..., N * O]."""
    return obs.flatten(-2)


@dataclass(frozen=True)
class Family:
    """module, environment: where the environment's class is, `environment(params, device=...)`.

    install: the command that brings the backend. scenarios: the parameters of each scenario, by its name.
    metrics: what its episodes can be scored in (`scores`).
    """

    module: str
    environment: str
    install: str
    version: int
    metrics: tuple[str, ...]
    scenarios: Mapping[str, type[Params]]


FAMILIES: Mapping[str, Family] = {
    "particle": Family(
        module="bench.envs.particle.environment",
        environment="ParticleEnvironment",
        install="pip install torch",
        version=1,
        metrics=("step_reward", "return_sum"),
        scenarios={
            "simple_adversary": SimpleAdversaryParams,
            "simple_push": SimplePushParams,
            "simple_speaker_listener": SpeakerListenerParams,
            "simple_spread": SimpleSpreadParams,
        },
    ),
}


def checked(family: str, params: Mapping[str, Any]) -> Params:
    """The validated parameters of one scenario, e.g. {"name": "simple_spread", "agents": 6, "dynamics": "openai"}.

    Raises ValueError when the family or the scenario's name is unknown, and pydantic's ValidationError (a ValueError)
    when a parameter is missing, unknown, of another type or out of range.
    """
    scenarios = _family(family).scenarios
    name = params.get("name")
    if not isinstance(name, str) or name not in scenarios:
        raise ValueError(f"family {family!r}, key 'name': got {name!r}; allowed: {', '.join(sorted(scenarios))}")
    return scenarios[name].model_validate(dict(params))


def make(
    family: str,
    params: Params | Mapping[str, Any],
    device: torch.device | str = "cpu",
    opponent: OpponentWeights | None = None,
) -> Environment:
    """Build the batched environment of one scenario on a device. opponent: for one whose opponent is pretrained.

    Raises ValueError for bad parameters, BackendMissing when the family's package is not installed, and OpponentMissing
    where an opponent's weights are needed and not given, or given and not those that the scenario names.
    """
    entry = _family(family)
    params = params if isinstance(params, Params) else checked(family, params)
    try:
        module = importlib.import_module(entry.module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "bench":
            raise  # our own module is broken, not the user's installation
        raise BackendMissing(f"family {family!r} needs the package {error.name!r}; try: {entry.install}") from error
    if opponent is None:
        return getattr(module, entry.environment)(params, device=device)
    return getattr(module, entry.environment)(params, device=device, opponent=opponent)


def _family(family: str) -> Family:
    if family not in FAMILIES:
        raise ValueError(f"key 'family': got {family!r}; allowed: {', '.join(sorted(FAMILIES))}")
    return FAMILIES[family]
