"""Agents of different sizes in one batch: padding, available actions, state, starts, lanes, types and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.envs import state
from bench.envs.particle import layouts
from bench.envs.particle.environment import ParticleEnvironment
from bench.envs.particle.params import Dynamics
from bench.envs.particle.physics import State
from tests.envs.goals import (
    ADVERSARY,
    COPIES,
    GOOD,
    NAMES,
    PUSH,
    SPEAKER_LISTENER,
    drawn_actions,
    environment,
    generators,
    one_hot,
)

SEEDS = [0, 1, 2, 3, 4]
STEPS = 25
WIDE: dict[str, Any] = {"agents": 4, "adversaries": 3, "landmarks": 4}  # KnowRU's task VI
CASES: list[tuple[str, dict[str, Any]]] = [
    (SPEAKER_LISTENER, {}),
    (SPEAKER_LISTENER, {"reward": "team_sum"}),
    (PUSH, {}),
    (PUSH, {"reward": "team_sum"}),
    (ADVERSARY, WIDE),
    (ADVERSARY, {**GOOD, "reward": "team_sum"}),
    (ADVERSARY, {**GOOD, **WIDE}),
    (ADVERSARY, {**GOOD, "opponent": "random"}),
]
cases = pytest.mark.parametrize(("name", "more"), CASES)
both = pytest.mark.parametrize("dynamics", ["openai", "mpe2"])


def play(env: ParticleEnvironment, seeds: list[int], copies: int, soft: bool) -> tuple[Tensor, Tensor]:
    """Observations [S, T + 1, E, N, O] and rewards [S, T, E, N]; a seed's actions come from it alone."""
    drawn = [drawn_actions(np.random.default_rng(s), env.action_sizes, (STEPS, copies), soft) for s in seeds]
    all_obs, all_rewards = [env.reset(generators(seeds), copies)], []
    for actions in torch.from_numpy(np.stack(drawn, axis=1)):
        obs, rewards, *_ = env.step(actions)
        all_obs.append(obs)
        all_rewards.append(rewards)
    return torch.stack(all_obs, dim=1), torch.stack(all_rewards, dim=1)


@pytest.mark.parametrize(("copies", "soft"), COPIES)
@cases
@both
def test_a_seed_is_the_same_alone_and_in_company(
    dynamics: Dynamics, name: str, more: dict[str, Any], copies: int, soft: bool
):
    env = environment(name, dynamics, **more)
    obs, rewards = play(env, SEEDS, copies, soft)
    for lane, seed in enumerate(SEEDS):
        own_obs, own_rewards = play(environment(name, dynamics, **more), [seed], copies, soft)
        assert torch.equal(obs[lane], own_obs[0])
        assert torch.equal(rewards[lane], own_rewards[0])


@pytest.mark.parametrize(
    ("name", "more", "obs_sizes", "action_sizes"),
    [
        (SPEAKER_LISTENER, {}, (3, 11), (3, 5)),
        (PUSH, {}, (8, 19), (5, 5)),
        (ADVERSARY, {}, (8, 10, 10), (5, 5, 5)),
        (ADVERSARY, GOOD, (10, 10), (5, 5)),
        (ADVERSARY, WIDE, (20, 20, 20, 22, 22, 22, 22), (5,) * 7),
    ],
)
def test_sizes_padding_and_available_actions(
    name: str, more: dict[str, Any], obs_sizes: tuple[int, ...], action_sizes: tuple[int, ...]
):
    env = environment(name, **more)
    n, width = len(obs_sizes), max(obs_sizes)
    assert (env.agents, env.obs_size, env.action_size) == (n, width, 5)
    assert (env.obs_sizes, env.action_sizes) == (obs_sizes, action_sizes)
    obs, _ = play(env, [0, 1], 3, soft=False)
    assert obs.shape == (2, STEPS + 1, 3, n, width)
    for i, size in enumerate(obs_sizes):
        assert not obs[..., i, size:].any()
        assert obs[..., i, :size].flatten(0, 2).std(0).gt(0).sum() >= size - 7  # only push's colours stay the same
    available = env.avail_actions()
    assert (available.shape, available.dtype) == ((2, 3, n, 5), torch.bool)
    assert available.sum(-1).unique(dim=0).flatten().view(-1, n).unique(dim=0).tolist() == [list(action_sizes)]
    assert available[..., : min(action_sizes)].all()
    assert env.params.state_size == state(obs).shape[-1] == n * width


def test_the_global_state_is_all_padded_observations_in_a_row():
    env = environment(SPEAKER_LISTENER)
    obs = env.reset(generators([0]), 2)
    assert state(obs).shape == (1, 2, 22)
    assert state(obs)[0, 0].tolist() == obs[0, 0, 0].tolist() + obs[0, 0, 1].tolist()
    assert not state(obs)[0, 0, 3:11].any()


def test_an_unavailable_action_is_refused():
    env = environment(SPEAKER_LISTENER)
    env.reset(generators([0]), 1)
    env.step(one_hot(2, 4))
    with pytest.raises(ValueError, match=r"got unavailable ones; allowed: the first \(3, 5\) of each agent"):
        env.step(one_hot(3, 0))
    with pytest.raises(ValueError, match=r"got shape \(1, 1, 2, 3\); allowed: \(1, 1, 2, 5\)"):
        env.step(one_hot(0, 0)[..., :3])


def test_the_listener_hears_in_the_same_step_and_nothing_at_first():
    env = environment(SPEAKER_LISTENER)
    assert not env.reset(generators([0]), 1)[..., 1, 8:].any()
    for symbol in (2, 0):
        obs, *_ = env.step(one_hot(symbol, 0))
        assert obs[0, 0, 1, 8:].tolist() == torch.nn.functional.one_hot(torch.tensor(symbol), 3).tolist()


def test_starts_are_uniform_at_rest_with_every_goal_alike():
    for name, landmarks in ((SPEAKER_LISTENER, 3), (PUSH, 2), (ADVERSARY, 2)):
        env = environment(name)
        env.reset(generators([0]), 6000)
        start = env.world
        assert start.goal is not None
        assert start.velocities.abs().max() == 0
        shares = torch.bincount(start.goal.flatten(), minlength=landmarks) / 6000
        assert (shares - 1 / landmarks).abs().max() < 0.03  # 4.6 standard errors
        for points in (start.positions, start.landmarks):
            assert -1 <= points.min() < -0.99
            assert 0.99 < points.max() <= 1
            assert points.mean().abs() < 0.02


@cases
def test_the_kth_start_does_not_depend_on_how_many_run_together_or_who_plays(name: str, more: dict[str, Any]):
    together = environment(name, **more).reset(generators([7]), 3)
    source, env = generators([7]), environment(name, **more)
    assert torch.equal(together, torch.cat([env.reset(source, 1) for _ in range(3)], dim=1))


@cases
def test_float32_actions_are_the_same_actions(name: str, more: dict[str, Any]):
    """Learners act in float32; the environment computes in float64."""
    double, single = environment(name, **more), environment(name, **more)
    double.reset(generators([0]), 4)
    single.reset(generators([0]), 4)
    rng = np.random.default_rng(1)
    for actions in torch.from_numpy(drawn_actions(rng, double.action_sizes, (STEPS, 1, 4), soft=False)):
        obs, rewards, terminated, *_ = double.step(actions)
        assert torch.equal(single.step(actions.float())[0], obs)
        assert (obs.dtype, rewards.dtype, terminated.dtype) == (torch.float64, torch.float64, torch.bool)
        assert rewards.shape == (1, 4, double.agents)


@pytest.mark.parametrize(("name", "more"), [case for case in CASES if case[1].get("opponent") != "random"])
def test_a_state_can_be_set_again_and_is_copied(name: str, more: dict[str, Any]):
    env = environment(name, **more)
    first = env.reset(generators([0]), 2)
    kept = env.world
    actions = torch.from_numpy(drawn_actions(np.random.default_rng(0), env.action_sizes, (1, 2), soft=True))
    after, *_ = env.step(actions)
    assert torch.equal(env.set_state(kept), first)
    kept.positions.zero_()
    again, *_ = env.step(actions)
    assert torch.equal(again, after)


@pytest.mark.parametrize("name", [PUSH, ADVERSARY])
def test_every_tensor_is_on_the_environments_device(name: str):
    """The meta device has shapes and no numbers, and refuses to meet a tensor of the CPU."""
    env = environment(name)
    meta = ParticleEnvironment(env.params, device="meta")
    obs = meta.reset(generators([0, 1]), 4)
    after, rewards, terminated, *_ = meta.step(torch.zeros(2, 4, env.agents, 5, device="meta"))
    assert {x.device.type for x in (obs, after, rewards, terminated, meta.avail_actions())} == {"meta"}


def test_a_state_of_another_scenario_is_refused():
    env = environment(SPEAKER_LISTENER)
    two, three = torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 3, 2)
    goal = torch.zeros(1, 1, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"state.goal: got shape None; allowed: \[S, E\]"):
        env.set_state(State(two, two, three))
    with pytest.raises(ValueError, match=r"state.messages: got shape None; allowed: \[S, E, 3\]"):
        env.set_state(State(two, two, three, goal))
    with pytest.raises(ValueError, match=r"state.messages: got shape \(1, 1, 3\); allowed: nothing"):
        environment(PUSH).set_state(State(two, two, two, goal, torch.zeros(1, 1, 3)))


@pytest.mark.parametrize("name", NAMES)
def test_only_a_listener_hears_what_could_be_left_out(name: str):
    env = environment(name)
    if name == SPEAKER_LISTENER:
        with pytest.raises(ValueError, match="layout_communication: got false; allowed: true for Speaker"):
            layouts.slots(env.params, env.agents, False)
    else:
        assert layouts.width(env.params, env.agents, False) == env.obs_size
        assert layouts.slots(env.params, env.agents, False) == tuple(range(env.obs_size))


@pytest.mark.parametrize(("name", "sides"), [(SPEAKER_LISTENER, {}), (PUSH, {}), (ADVERSARY, GOOD)])
def test_layouts_of_other_teams_are_for_simple_spread_and_both_sides_of_a_contest(name: str, sides: dict[str, Any]):
    env = environment(name, **sides)
    assert layouts.width(env.params, env.agents) == env.obs_size
    assert layouts.slots(env.params, env.agents) == tuple(range(env.obs_size))
    for ask in (layouts.width, layouts.slots):
        with pytest.raises(ValueError, match=f"layout: got 8 agents; allowed: {env.agents}, the task's own"):
            ask(env.params, 8)
