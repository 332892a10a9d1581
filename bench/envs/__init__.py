"""Environment families by name: what a suite file may ask for, and how to build it. Torch-free.

Axes: S seed, E environment copy, N agent, O observation entry, A action entry.

A suite checker needs names, parameter ranges and versions, and no backend; so this file imports none, and `make`
imports a family's module only when an environment is wanted. A family's version enters every run's id: it is bumped
when any of its environments gives other numbers than before.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Dynamics = Literal["openai", "mpe2"]


class BackendMissing(Exception):
    """A family's package is not installed here; the message says how to get it."""


class Params(BaseModel, ABC):
    """A scenario's parameters: its `name`, and what it lets one choose. Immutable and checked strictly."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @property
    @abstractmethod
    def obs_size(self) -> int:
        """O, the entries of one agent's observation."""

    @property
    @abstractmethod
    def action_size(self) -> int:
        """A, the entries of one agent's action."""


class SimpleSpreadParams(Params):
    """Cooperative navigation (Lowe et al. 2017): as many landmarks as agents; O = 6 agents, A = 5.

    dynamics: "openai" is the 2017 multiagent-particle-envs, "mpe2" its maintained descendant. They differ in
    integration order, action signs and reward.
    """

    name: Literal["simple_spread"]
    agents: Annotated[int, Field(ge=1)]
    dynamics: Dynamics

    @property
    def obs_size(self) -> int:
        return 6 * self.agents

    @property
    def action_size(self) -> int:
        return 5


class Environment(Protocol):
    """A batched environment: S seeds x E copies, stepped together. Time limits are the caller's business."""

    agents: int
    obs_size: int
    action_size: int

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

    def step(self, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Take actions [S, E, N, A]; give obs [S, E, N, O], rewards [S, E, N], terminated [S, E]."""
        ...


@dataclass(frozen=True)
class Family:
    """module, environment: where the environment's class is, `environment(params, device=...)`.

    install: the command that brings the backend. scenarios: the parameters of each scenario, by its name.
    """

    module: str
    environment: str
    install: str
    version: int
    scenarios: Mapping[str, type[Params]]


FAMILIES: Mapping[str, Family] = {
    "particle": Family(
        module="bench.envs.particle.environment",
        environment="ParticleEnvironment",
        install="pip install torch",
        version=1,
        scenarios={"simple_spread": SimpleSpreadParams},
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


def make(family: str, params: Params | Mapping[str, Any], device: torch.device | str = "cpu") -> Environment:
    """Build the batched environment of one scenario on a device.

    Raises ValueError for bad parameters and BackendMissing when the family's package is not installed.
    """
    entry = _family(family)
    params = params if isinstance(params, Params) else checked(family, params)
    try:
        module = importlib.import_module(entry.module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "bench":
            raise  # our own module is broken, not the user's installation
        raise BackendMissing(f"family {family!r} needs the package {error.name!r}; try: {entry.install}") from error
    return getattr(module, entry.environment)(params, device=device)


def _family(family: str) -> Family:
    if family not in FAMILIES:
        raise ValueError(f"key 'family': got {family!r}; allowed: {', '.join(sorted(FAMILIES))}")
    return FAMILIES[family]
