"""Opponents of simple adversary: chance, the script, trained weights, and the errors where these are missing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save
from torch import Tensor

from bench.envs import AssetMissing, Assets, BackendMissing, make
from bench.envs.particle.environment import ParticleEnvironment
from bench.envs.particle.opponents import OpponentWeights, load_opponent
from bench.envs.particle.params import Dynamics
from tests.envs.goals import ADVERSARY, GOOD, PUSH, environment, generators, one_hot, params_of, state_of

PRETRAINED: dict[str, Any] = {"controlled": "good", "opponent": "pretrained"}
STEPS = 25


def weights(inputs: int = 8, hidden: int = 16) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(0)
    shapes = {"weight_0": (hidden, inputs), "bias_0": (hidden,), "weight_1": (5, hidden), "bias_1": (5,)}
    return {name: torch.randn(shape, generator=g) for name, shape in shapes.items()}


def given(tensors: Mapping[str, Tensor], sha256: str = "0" * 64) -> OpponentWeights:
    return OpponentWeights(tensors, sha256)


def adversary_moves(env: ParticleEnvironment, seeds: list[int], copies: int) -> Tensor:
    """Where the adversaries are in every step while the good agents stand still: [S, T, E, K, 2]."""
    env.reset(generators(seeds), copies)
    still = torch.zeros(len(seeds), copies, env.agents, 5)
    found = []
    for _ in range(STEPS):
        env.step(still)
        found.append(env.world.positions[..., : -env.agents, :])
    return torch.stack(found, dim=1)


@pytest.mark.parametrize("dynamics", ["openai", "mpe2"])
def test_the_script_goes_to_the_landmark_that_a_good_agent_is_nearest_to(dynamics: Dynamics):
    """The first good agent is .1 from landmark 1, the other .5 from landmark 0."""
    env = environment(ADVERSARY, dynamics, **GOOD)
    positions = np.array([[0.0, 0], [1, 0.9], [-1, 0.5]])
    env.set_state(state_of(ADVERSARY, positions, np.zeros((3, 2)), np.array([[-1.0, 0], [1, 1]]), 0))
    for _ in range(60):
        env.step(one_hot(0, 0))
    assert (env.world.positions[0, 0, 0] - torch.tensor([1.0, 1.0])).abs().max() < 0.01


def test_the_random_opponent_is_uniform_and_each_seeds_own():
    env = environment(ADVERSARY, controlled="good", opponent="random")
    env.reset(generators([0, 1]), 4000)
    env.step(torch.zeros(2, 4000, 2, 5))
    speed = env.world.velocities[..., 0, :]
    shares = [(speed == torch.tensor(v)).all(-1).double().mean() for v in ([0.5, 0], [-0.5, 0], [0, 0.5], [0, -0.5])]
    assert max(abs(float(share) - 0.2) for share in shares) < 0.02  # 8,000 draws: 4.5 standard errors
    assert not torch.equal(speed[0], speed[1])
    alone = adversary_moves(env, [1], 7)
    assert torch.equal(adversary_moves(env, [0, 1], 7)[1], alone[0])
    assert not torch.equal(alone, adversary_moves(env, [2], 7))


@pytest.mark.parametrize("world", [{}, {"agents": 4, "adversaries": 3, "landmarks": 4}])
def test_trained_weights_act_as_a_plain_network(world: dict[str, Any]):
    params = params_of(ADVERSARY, **PRETRAINED, **world)
    tensors = weights(inputs=20 if world else 8)
    env = ParticleEnvironment(params, opponent=given(tensors))
    env.reset(generators([0, 1]), 5)
    adversaries = env.world.positions.shape[-2] - env.agents
    w0, b0, w1, b1 = (tensors[name].double().numpy() for name in ("weight_0", "bias_0", "weight_1", "bias_1"))
    before = env.seen[..., :adversaries, : w0.shape[1]].numpy()
    env.step(torch.zeros(2, 5, env.agents, 5))
    for place in np.ndindex(before.shape[:-1]):
        action = int((w1 @ np.maximum(w0 @ before[place] + b0, 0) + b1).argmax())
        expected = {0: (0.0, 0.0), 1: (0.5, 0.0), 2: (-0.5, 0.0), 3: (0.0, 0.5), 4: (0.0, -0.5)}[action]
        assert env.world.velocities[place].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("copies", [1, 3, 32])
def test_trained_weights_play_the_same_alone_and_in_company(copies: int):
    env = ParticleEnvironment(params_of(ADVERSARY, **PRETRAINED), opponent=given(weights()))
    together = adversary_moves(env, [0, 1, 2], copies)
    for lane, seed in enumerate([0, 1, 2]):
        assert torch.equal(together[lane], adversary_moves(env, [seed], copies)[0])


def test_weights_come_from_a_safetensors_file_that_its_hash_names(tmp_path: Path):
    content, assets = save(weights()), Assets(tmp_path)
    sha256 = hashlib.sha256(content).hexdigest()
    path = tmp_path / f"{sha256}.safetensors"
    path.write_bytes(content)
    params = params_of(ADVERSARY, **PRETRAINED, opponent_sha256=sha256)
    assert params.assets == {"opponent_sha256": path.name}
    assert load_opponent(assets, path.name).sha256 == sha256
    env = make("particle", params, assets=assets)
    assert env.reset(generators([0]), 1).shape == (1, 1, 2, 10)
    with pytest.raises(AssetMissing, match=f"got weights of SHA-256 {'0' * 64}; allowed: {sha256}"):
        ParticleEnvironment(params, opponent=given(weights()))
    path.write_bytes(save(weights(inputs=10)))
    with pytest.raises(AssetMissing, match=rf"got SHA-256 .*; allowed: {sha256}; put that file there"):
        make("particle", params, assets=assets)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    with pytest.raises(AssetMissing, match=r"absent\.safetensors: No such file"):
        load_opponent(Assets(tmp_path), "absent.safetensors")
    name = f"{hashlib.sha256(b'no weights').hexdigest()}.safetensors"
    (tmp_path / name).write_bytes(b"no weights")
    with pytest.raises(AssetMissing, match=f"{name}: not a safetensors file"):
        load_opponent(Assets(tmp_path), name)
    with pytest.raises(AssetMissing, match="got no folder of files; allowed: one with x"):
        load_opponent(Assets(), "x.safetensors")


def test_a_missing_opponent_is_said_with_what_to_do():
    with pytest.raises(AssetMissing, match=r"'opponent': got 'pretrained' without weights; .*\"greedy_script\""):
        make("particle", params_of(ADVERSARY, **PRETRAINED))
    named = params_of(ADVERSARY, **PRETRAINED, opponent_sha256="a" * 64)
    with pytest.raises(BackendMissing, match=f"allowed: one with {'a' * 64}.safetensors"):
        make("particle", named)


@pytest.mark.parametrize("name", [PUSH, ADVERSARY])
def test_weights_that_nobody_asked_for_are_refused(name: str):
    more = GOOD if name == ADVERSARY else {}
    with pytest.raises(ValueError, match="got weights"):
        ParticleEnvironment(params_of(name, **more), opponent=given(weights()))


def test_a_network_of_other_sizes_is_refused():
    wrong = weights(inputs=10)
    for tensors in (wrong, {"weight_0": wrong["weight_0"]}, weights() | {"weight_2": wrong["bias_1"]}, {}):
        with pytest.raises(ValueError, match=r"opponent's tensors: got .* an MLP of 8 inputs"):
            ParticleEnvironment(params_of(ADVERSARY, **PRETRAINED), opponent=given(tensors))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"controlled": "good"}, "opponent: required with controlled"),
        ({"controlled": "all", "opponent": "random"}, "opponent: required with controlled"),
        ({**GOOD, "opponent_sha256": "a" * 64}, "opponent_sha256: only with opponent"),
        ({**PRETRAINED, "opponent_sha256": "abc"}, "opponent_sha256\n.*(match pattern|64 characters)"),
        ({**GOOD, "opponent": "clever"}, "opponent\n.*'pretrained', 'random' or 'greedy_script'"),
        ({**GOOD, "scored": "adversaries"}, 'scored = "adversaries": only with'),
        ({"scored": "adversaries", "reward": "team_sum"}, 'scored = "adversaries": only with'),
    ],
)
def test_sides_that_cannot_be_meant(more: dict[str, Any], says: str):
    with pytest.raises(ValidationError, match=says):
        params_of(ADVERSARY, **more)
