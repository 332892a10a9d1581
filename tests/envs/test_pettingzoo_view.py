"""The PettingZoo view: PettingZoo's own checks, and the same numbers as the batched environment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bench.envs.particle.environment import ParticleEnvironment
from bench.envs.particle.params import Dynamics, SimpleSpreadParams
from bench.envs.particle.pettingzoo_view import ParticleParallelEnv, parallel_env
from tests.envs.goals import ADVERSARY, GOOD, PUSH, SPEAKER_LISTENER, params_of

TEAMS: list[tuple[str, dict[str, Any]]] = [(SPEAKER_LISTENER, {}), (PUSH, {}), (ADVERSARY, {}), (ADVERSARY, GOOD)]


def spread(agents: int = 3, dynamics: Dynamics = "openai") -> SimpleSpreadParams:
    return SimpleSpreadParams(name="simple_spread", agents=agents, dynamics=dynamics)


@pytest.mark.filterwarnings("ignore:The old environment creation API:DeprecationWarning")
@pytest.mark.parametrize("agents", [1, 3])
@pytest.mark.parametrize("dynamics", ["openai", "mpe2"])
def test_pettingzoos_own_checks(dynamics: Dynamics, agents: int):
    from pettingzoo.test import parallel_api_test, parallel_seed_test  # warns as it is imported: only in here

    parallel_api_test(parallel_env(spread(agents, dynamics), episode_limit=25), num_cycles=60)
    parallel_seed_test(lambda: parallel_env(spread(agents, dynamics), episode_limit=25), num_cycles=60)


@pytest.mark.parametrize("dynamics", ["openai", "mpe2"])
def test_same_numbers_as_the_batched_environment(dynamics: Dynamics):
    view, batched = parallel_env(spread(3, dynamics), episode_limit=25), ParticleEnvironment(spread(3, dynamics))
    obs, _ = view.reset(seed=5)
    expected = batched.reset([torch.Generator().manual_seed(5)], 1)
    for step in range(25):
        assert np.array_equal(np.stack(list(obs.values())), expected[0, 0].numpy().astype(np.float32))
        actions = [(step + i) % 5 for i in range(3)]
        obs, rewards, _, _, _ = view.step({f"agent_{i}": action for i, action in enumerate(actions)})
        vectors = torch.nn.functional.one_hot(torch.tensor(actions), 5).double()
        expected, expected_rewards, *_ = batched.step(vectors[None, None])
        assert list(rewards.values()) == expected_rewards[0, 0].tolist()


@pytest.mark.filterwarnings("ignore:The old environment creation API:DeprecationWarning")
@pytest.mark.parametrize(("name", "more"), TEAMS)
@pytest.mark.parametrize("dynamics", ["openai", "mpe2"])
def test_pettingzoos_own_checks_with_agents_of_different_sizes(dynamics: Dynamics, name: str, more: dict[str, Any]):
    from pettingzoo.test import parallel_api_test, parallel_seed_test

    params = params_of(name, dynamics, **more)
    parallel_api_test(parallel_env(params, episode_limit=25), num_cycles=60)
    parallel_seed_test(lambda: parallel_env(params, episode_limit=25), num_cycles=60)


@pytest.mark.parametrize(("name", "more"), TEAMS)
def test_each_agent_has_its_own_name_and_sizes_and_the_batched_numbers(name: str, more: dict[str, Any]):
    params = params_of(name, **more, reward="team_sum")
    view, batched = parallel_env(params, episode_limit=25), ParticleEnvironment(params)
    obs, _ = view.reset(seed=5)
    expected = batched.reset([torch.Generator().manual_seed(5)], 1)
    assert tuple(obs) == params.agent_names
    rng = np.random.default_rng(0)
    for _ in range(25):
        rows = expected[0, 0].numpy().astype(np.float32)
        for agent, size, row in zip(view.agents, params.obs_sizes, rows, strict=True):
            assert np.array_equal(obs[agent], row[:size])
            assert view.observation_space(agent).contains(obs[agent])
        assert np.array_equal(view.state(), rows.flatten())
        assert view.state_space.contains(view.state())
        chosen = [int(rng.integers(view.action_space(agent).n)) for agent in view.agents]
        vectors = torch.nn.functional.one_hot(torch.tensor(chosen), 5).double()
        obs, rewards, _, _, _ = view.step(dict(zip(view.agents, chosen, strict=True)))
        expected, expected_rewards, *_ = batched.step(vectors[None, None])
        assert list(rewards.values()) == expected_rewards[0, 0].tolist()


def test_names_are_those_of_mpe2():
    assert params_of(SPEAKER_LISTENER).agent_names == ("speaker_0", "listener_0")
    assert params_of(PUSH).agent_names == ("adversary_0", "agent_0")
    assert params_of(ADVERSARY).agent_names == ("adversary_0", "agent_0", "agent_1")
    assert params_of(ADVERSARY, **GOOD).agent_names == ("agent_0", "agent_1")


def test_a_speaker_has_three_actions():
    view = parallel_env(params_of(SPEAKER_LISTENER), episode_limit=25)
    view.reset(seed=0)
    with pytest.raises(ValueError, match=r"each of speaker_0 \(0 to 2\), listener_0 \(0 to 4\)"):
        view.step({"speaker_0": 3, "listener_0": 4})


def play(view: ParticleParallelEnv) -> list[bool]:
    """Whether agent_0 is truncated, step by step, until no agent is left."""
    truncated = []
    while view.agents:
        _, _, terminations, truncations, _ = view.step(dict.fromkeys(view.agents, 0))
        assert not any(terminations.values())
        assert len(set(truncations.values())) == 1
        truncated.append(truncations["agent_0"])
    return truncated


def test_episodes_are_cut_at_the_limit():
    view = parallel_env(spread(), episode_limit=4)
    view.reset(seed=0)
    assert play(view) == [False, False, False, True]
    with pytest.raises(ValueError, match="call reset first"):
        view.step({})


def test_spaces_and_names():
    view = parallel_env(spread(4), episode_limit=25)
    obs, infos = view.reset(seed=0)
    assert view.agents == view.possible_agents == ["agent_0", "agent_1", "agent_2", "agent_3"]
    assert (view.observation_space("agent_0").shape, view.action_space("agent_0").n) == ((24,), 5)
    assert all(view.observation_space(agent).contains(row) for agent, row in obs.items())
    assert infos == {agent: {} for agent in view.agents}


def test_a_seed_restarts_the_stream_and_no_seed_goes_on():
    view = parallel_env(spread(), episode_limit=25)
    first, second, again = view.reset(seed=1)[0], view.reset()[0], view.reset(seed=1)[0]
    assert np.array_equal(first["agent_0"], again["agent_0"])
    assert not np.array_equal(first["agent_0"], second["agent_0"])
    fresh = parallel_env(spread(), episode_limit=25)
    assert not np.array_equal(fresh.reset()[0]["agent_0"], parallel_env(spread(), 25).reset()[0]["agent_0"])


@pytest.mark.parametrize("actions", [{}, {"agent_0": 5}, {"agent_0": -1}, {"agent_0": 1.5}, {"agent_0": 1, "you": 1}])
def test_bad_actions_are_refused(actions: dict[str, int]):
    view = parallel_env(spread(1), episode_limit=25)
    view.reset(seed=0)
    with pytest.raises(ValueError, match=r"allowed: an integer for each of agent_0 \(0 to 4\)"):
        view.step(actions)


def test_an_episode_has_a_step():
    with pytest.raises(ValueError, match="episode_limit: got 0; allowed: at least 1"):
        parallel_env(spread(), episode_limit=0)
