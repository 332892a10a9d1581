"""The batched environment: independent lanes, starts, shapes, devices and errors."""

from __future__ import annotations

import functools
import operator

import pytest
import torch
from torch import Tensor

from bench.envs.particle.environment import ParticleEnvironment
from bench.envs.particle.params import Dynamics, SimpleSpreadParams
from bench.envs.particle.physics import State, ordered_sum
from tests.envs.goals import COPIES

SEEDS = [0, 1, 2, 3, 4]
STEPS = 25


def environment(agents: int, dynamics: Dynamics = "openai", device: str = "cpu") -> ParticleEnvironment:
    params = SimpleSpreadParams(name="simple_spread", agents=agents, dynamics=dynamics)
    return ParticleEnvironment(params, device=device)


def generators(seeds: list[int]) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def seed_actions(seed: int, copies: int, agents: int, soft: bool) -> Tensor:
    """[T, E, N, 5] from the seed alone."""
    g = torch.Generator().manual_seed(100 + seed)
    logits = torch.randn((STEPS, copies, agents, 5), generator=g, dtype=torch.float64)
    return logits.softmax(-1) if soft else torch.nn.functional.one_hot(logits.argmax(-1), 5).double()


def play(env: ParticleEnvironment, seeds: list[int], copies: int, soft: bool) -> tuple[Tensor, Tensor]:
    """Observations [S, T + 1, E, N, O] and rewards [S, T, E, N] of one episode of every copy."""
    actions = torch.stack([seed_actions(seed, copies, env.agents, soft) for seed in seeds], dim=1)
    all_obs, all_rewards = [env.reset(generators(seeds), copies)], []
    for step_actions in actions:
        obs, rewards, *_ = env.step(step_actions)
        all_obs.append(obs)
        all_rewards.append(rewards)
    return torch.stack(all_obs, dim=1), torch.stack(all_rewards, dim=1)


@pytest.mark.parametrize(("copies", "soft"), COPIES)
@pytest.mark.parametrize("agents", [1, 3, 4, 6, 8])
@pytest.mark.parametrize("dynamics", ["openai", "mpe2"])
def test_a_seed_is_the_same_alone_and_in_company(dynamics: Dynamics, agents: int, copies: int, soft: bool):
    obs, rewards = play(environment(agents, dynamics), SEEDS, copies, soft)
    for lane, seed in enumerate(SEEDS):
        own_obs, own_rewards = play(environment(agents, dynamics), [seed], copies, soft)
        assert torch.equal(obs[lane], own_obs[0])
        assert torch.equal(rewards[lane], own_rewards[0])


@pytest.mark.parametrize("dim", [-1, -2])
def test_sums_run_from_first_to_last(dim: int):
    """To the last bit, as a plain loop adds; torch's own sum does not keep this order."""
    for count in range(1, 16):
        shape = (7, count, 9) if dim == -2 else (7, 9, count)
        x = torch.randn(shape, generator=torch.Generator().manual_seed(count), dtype=torch.float64)
        assert torch.equal(ordered_sum(x, dim), functools.reduce(operator.add, x.unbind(dim)))
    assert torch.equal(ordered_sum(torch.zeros(3, 0, 0), dim), torch.zeros(3, 0))


def test_the_lanes_play_different_episodes():
    obs, _ = play(environment(3), [0, 1], 2, soft=False)
    assert not torch.equal(obs[0], obs[1])
    assert not torch.equal(obs[0, :, 0], obs[0, :, 1])


def test_starts_are_uniform_at_rest_and_landmarks_stay():
    env = environment(4)
    env.reset(generators([0]), 2000)
    start = env.world
    assert start.velocities.abs().max() == 0
    for points in (start.positions, start.landmarks):
        assert -1 <= points.min() < -0.99
        assert 0.99 < points.max() <= 1
        assert points.mean().abs() < 0.02  # 16,000 numbers of sd .577: 4.4 standard errors
    env.step(torch.zeros(1, 2000, 4, 5))
    assert torch.equal(env.world.landmarks, start.landmarks)


def test_the_kth_episode_does_not_depend_on_how_many_run_together():
    env = environment(3)
    together = env.reset(generators([7]), 3)
    source = generators([7])
    one_by_one = torch.cat([env.reset(source, 1) for _ in range(3)], dim=1)
    assert torch.equal(together, one_by_one)


def test_shapes_and_types():
    env = environment(3)
    assert (env.agents, env.obs_size, env.action_size) == (3, 18, 5)
    assert env.reset(generators([0, 1]), 4).shape == (2, 4, 3, 18)
    obs, rewards, terminated, *_ = env.step(torch.zeros(2, 4, 3, 5, dtype=torch.float32))
    assert (obs.shape, obs.dtype) == ((2, 4, 3, 18), torch.float64)
    assert (rewards.shape, rewards.dtype) == ((2, 4, 3), torch.float64)
    assert (terminated.shape, terminated.dtype, terminated.any().item()) == ((2, 4), torch.bool, False)


def test_actions_of_a_policy_carry_no_gradient_into_the_state():
    env = environment(2)
    env.reset(generators([0]), 1)
    obs, rewards, *_ = env.step(torch.full((1, 1, 2, 5), 0.2, requires_grad=True))
    assert not obs.requires_grad
    assert not rewards.requires_grad


def test_a_state_can_be_set_again_and_is_copied():
    env = environment(3)
    first = env.reset(generators([0]), 2)
    kept = env.world
    actions = torch.rand((1, 2, 3, 5), generator=torch.Generator().manual_seed(0))
    after, *_ = env.step(actions)
    assert torch.equal(env.set_state(kept), first)
    kept.positions.zero_()
    again, *_ = env.step(actions)
    assert torch.equal(again, after)


def test_every_tensor_is_on_the_environments_device():
    """The meta device has shapes and no numbers, and refuses to meet a tensor of the CPU."""
    env = environment(3, device="meta")
    obs = env.reset(generators([0, 1]), 4)
    after, rewards, terminated, *_ = env.step(torch.zeros(2, 4, 3, 5, device="meta"))
    assert {x.device.type for x in (obs, after, rewards, terminated, env.world.positions)} == {"meta"}


def test_errors_say_what_is_allowed():
    env = environment(3)
    with pytest.raises(RuntimeError, match="call reset"):
        env.step(torch.zeros(1, 1, 3, 5))
    with pytest.raises(ValueError, match="0 generators and 2 copies; allowed: 1 or more"):
        env.reset([], 2)
    with pytest.raises(ValueError, match="1 generators and 0 copies"):
        env.reset(generators([0]), 0)
    env.reset(generators([0]), 2)
    with pytest.raises(ValueError, match=r"got shape \(1, 2, 4, 5\); allowed: \(1, 2, 3, 5\)"):
        env.step(torch.zeros(1, 2, 4, 5))
    with pytest.raises(ValueError, match=r"state.landmarks: got shape \(1, 1, 2, 2\); allowed: \[S, E, 3, 2\]"):
        env.set_state(State(torch.zeros(1, 1, 3, 2), torch.zeros(1, 1, 3, 2), torch.zeros(1, 1, 2, 2)))
    with pytest.raises(ValueError, match=r"state.positions: got shape \(3, 2\)"):
        env.set_state(State(torch.zeros(3, 2), torch.zeros(3, 2), torch.zeros(3, 2)))


def test_copies_start_again_with_the_seed_s_next_episodes():
    """Finished copies get the 4th and 5th episode of a seed that has started three; the others stay unchanged."""
    params = SimpleSpreadParams(name="simple_spread", agents=2, dynamics="openai")
    env, other = ParticleEnvironment(params), ParticleEnvironment(params)
    streams = [[torch.Generator().manual_seed(seed) for seed in (5, 6)] for _ in "ab"]
    env.reset(streams[0], copies=3)
    before = env.step(torch.full((2, 3, 2, 5), 0.2)).obs
    over = torch.tensor([[True, False, True], [False, False, False]])
    after = env.restart(over)
    fresh = other.reset(streams[1], copies=5)
    assert torch.equal(after[0, [0, 2]], fresh[0, 3:])
    assert torch.equal(after[~over], before[~over])
