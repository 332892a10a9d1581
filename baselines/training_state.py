"""The state that a learner needs to go on, as tensors with dotted names that lead with [S], for all learners.

A learner's `state` and `load_state` are `saved` and `restored` of its parts. All tensors are copies.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import fields
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from baselines.kernels.layers import named, part
from baselines.kernels.optim import same_in_all

Moments = TypeVar("Moments")


class Optimiser(Protocol):
    def state(self) -> dict[str, Tensor]: ...

    def load_state(self, state: Mapping[str, Tensor]) -> None: ...


def saved(networks: Mapping[str, Mapping[str, Tensor]], optimisers: Mapping[str, Optimiser]) -> dict[str, Tensor]:
    """The state of networks and of optimisers; copies."""
    state = {f"{name}.{key}": p.clone() for name, network in networks.items() for key, p in network.items()}
    for name, optimiser in optimisers.items():
        state |= named(name, optimiser.state())
    return state


def restored(
    state: Mapping[str, Tensor],
    networks: Mapping[str, Mapping[str, Tensor]],
    optimisers: Mapping[str, Optimiser],
) -> None:
    """Restore networks and optimisers from `saved`. Raises ValueError: see the optimisers."""
    for name, network in networks.items():
        for key, p in network.items():
            p.copy_(state[f"{name}.{key}"])
    for name, optimiser in optimisers.items():
        optimiser.load_state(part(state, name))


def saved_moments(name: str, moments: Sequence[Any]) -> dict[str, Tensor]:
    """The state of running moments, a frozen dataclass of tensors for each task."""
    found: dict[str, Tensor] = {}
    for k, own in enumerate(moments):
        found |= {f"{name}_{k}.{field.name}": getattr(own, field.name).clone() for field in fields(own)}
    return found


def restored_moments(state: Mapping[str, Tensor], name: str, moments: Sequence[Moments]) -> list[Moments]:
    """New moments of the same types, one for each task."""
    return [type(own)(**part(state, f"{name}_{k}")) for k, own in enumerate(moments)]


def saved_counts(counts: Mapping[str, int], seeds: int) -> dict[str, Tensor]:
    """The state of counts that all seeds share, [S] each."""
    return {f"count.{name}": torch.full((seeds,), count, dtype=torch.int64) for name, count in counts.items()}


def restore_counts(state: Mapping[str, Tensor], counts: MutableMapping[str, int]) -> None:
    """Restore counts. Raises ValueError if seeds have counted differently."""
    for name in counts:
        counts[name] = same_in_all(state[f"count.{name}"], name)
