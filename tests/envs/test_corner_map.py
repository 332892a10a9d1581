"""The map of a critic over the first agent's places, for known critics."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.envs.particle.corner_map import STARTS, rising
from bench.envs.particle.environment import ParticleEnvironment
from tests.envs.test_spread_corners import generators, params

TARGETS = slice(4, 8)  # the two landmarks' entries, by heading


def seen_targets(obs: Tensor) -> Tensor:
    """[S, E, 2, 2] of the first agent."""
    return obs[:, :, 0, TARGETS].unflatten(-1, (2, 2))


def nearest(obs: Tensor) -> Tensor:
    return -seen_targets(obs).norm(dim=-1).amin(-1).unsqueeze(-1).expand(-1, -1, 2)


def lower_left(obs: Tensor) -> Tensor:
    """A value that leads to the target in the lower left corner, the first by the sum of its coordinates."""
    points = seen_targets(obs)
    order = points.sum(-1).argmin(-1)[..., None, None].expand(*points.shape[:2], 1, 2)
    return -points.gather(-2, order).squeeze(-2).norm(dim=-1, keepdim=True).expand(-1, -1, 2)


def test_it_tells_critics_apart() -> None:
    """One that leads to the lower left target is right in phase I everywhere; in phase II, where the own target is the
    upper right one, only at the back of the other.
    """
    right, wrong = (rising(ParticleEnvironment(params(2, p)), lower_left, generators(0, 1)) for p in (1, 2))
    assert right.shape == (2, STARTS)
    assert right.min() > 0.99
    assert wrong.mean() < 0.2
    assert wrong.max() < 0.4
    both = rising(ParticleEnvironment(params(2)), nearest, generators(0))
    assert 0.4 < both.mean() < 0.7
    flat = rising(ParticleEnvironment(params(2)), lambda obs: torch.zeros(*obs.shape[:3]), generators(0))
    assert flat.max() == 0


def test_the_others_stand_at_their_starts() -> None:
    seen: list[Tensor] = []

    def asked(obs: Tensor) -> Tensor:
        seen.append(obs)
        return torch.zeros(*obs.shape[:3])

    environment = ParticleEnvironment(params(2))
    rising(environment, asked, generators(3))
    start = environment.reset(generators(3), STARTS)
    assert len(seen) == 2
    here = seen[0].unflatten(1, (STARTS, -1))
    assert torch.equal(here[..., 1, 2:4], start[:, :, None, 1, 2:4].float().expand_as(here[..., 1, 2:4]))
    own = here[0, 0, :, 0, 2:4]
    assert own.unique(dim=0).shape == (100, 2)
    assert own.abs().max() < 1
    assert not here[..., :2].any()
