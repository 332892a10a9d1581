"""Shared by the tests of scenarios with a goal: their parameters, states and actions."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.envs import checked
from bench.envs.particle.environment import ParticleEnvironment, ParticleParams
from bench.envs.particle.params import Dynamics
from bench.envs.particle.physics import State

Floats = NDArray[np.float64]
SPEAKER_LISTENER, PUSH, ADVERSARY = "simple_speaker_listener", "simple_push", "simple_adversary"
NAMES = [SPEAKER_LISTENER, PUSH, ADVERSARY]
OWN: dict[str, dict[str, Any]] = {
    SPEAKER_LISTENER: {"agents": 2},
    PUSH: {"agents": 2, "controlled": "both"},
    ADVERSARY: {"agents": 2, "adversaries": 1, "landmarks": 2, "controlled": "all"},
}
GOOD: dict[str, Any] = {
    "controlled": "good",
    "opponent": "greedy_script",
}  # simple_adversary's good agents alone
COPIES = [(1, True), (5, False), (32, True)]  # of an environment; whether actions are soft, which is another matter
BODIES = {SPEAKER_LISTENER: 2, PUSH: 2, ADVERSARY: 3}
LANDMARKS = {SPEAKER_LISTENER: 3, PUSH: 2, ADVERSARY: 2}


def params_of(name: str, dynamics: Dynamics = "openai", **more: Any) -> ParticleParams:
    found = checked("particle", {"name": name, "dynamics": dynamics, "reward": "individual", **OWN[name], **more})
    assert isinstance(found, ParticleParams)
    return found


def environment(name: str, dynamics: Dynamics = "openai", **more: Any) -> ParticleEnvironment:
    return ParticleEnvironment(params_of(name, dynamics, **more))


def generators(seeds: list[int]) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def state_of(name: str, positions: Floats, velocities: Floats, landmarks: Floats, goal: int) -> State:
    """One episode, before any message."""
    tensors = (torch.from_numpy(np.asarray(x, dtype=float))[None, None] for x in (positions, velocities, landmarks))
    silence = torch.zeros(1, 1, 3, dtype=torch.float64) if name == SPEAKER_LISTENER else None
    return State(*tensors, goal=torch.tensor([[goal]]), messages=silence)


def drawn_actions(rng: np.random.Generator, sizes: tuple[int, ...], shape: tuple[int, ...], soft: bool) -> Floats:
    """[*shape, N, 5]: one-hot over each agent's actions, or anything in [0, 1] on them."""
    actions = np.zeros((*shape, len(sizes), 5))
    for i, size in enumerate(sizes):
        chosen = rng.random((*shape, size)) if soft else np.eye(size)[rng.integers(size, size=shape)]
        actions[..., i, :size] = chosen
    return actions


def one_hot(*actions: int) -> torch.Tensor:
    return torch.nn.functional.one_hot(torch.tensor(actions), 5).double()[None, None]
