"""Scripted policies: their order and their behaviour."""

from __future__ import annotations

import pytest
import torch

from bench.envs.particle.environment import ParticleEnvironment
from bench.envs.particle.params import Dynamics, SimpleSpreadParams
from bench.envs.particle.physics import State, action_force, soft_actions
from bench.envs.particle.scripts import (
    Script,
    formation,
    good,
    measure,
    no_information,
    random_script,
)

SEEDS = [0, 1]


def spread(agents: int, dynamics: Dynamics) -> SimpleSpreadParams:
    return SimpleSpreadParams(name="simple_spread", agents=agents, dynamics=dynamics)


def generators(first: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(first + seed) for seed in SEEDS]


def at_rest_after(script: Script, env: ParticleEnvironment, steps: int = 40) -> torch.Tensor:
    for _ in range(steps):
        env.step(script(env))
    assert env.world.velocities.abs().max() < 1e-3
    return env.world.positions


@pytest.mark.parametrize("agents", [4, 6, 8])
@pytest.mark.parametrize("dynamics", ["openai", "mpe2"])
def test_good_beats_no_information_beats_random(dynamics: Dynamics, agents: int):
    """Each gap is at least 10% of the whole distance, for every seed; a seed's own spread is about 1% of it."""
    params = spread(agents, dynamics)
    chance = measure(
        params, random_script(generators(1000)), SEEDS, episodes=100, episode_limit=25, metric="step_reward"
    )
    blind = measure(params, no_information, SEEDS, episodes=100, episode_limit=25, metric="step_reward")
    best = measure(params, good, SEEDS, episodes=100, episode_limit=25, metric="step_reward")
    margin = (best - chance) / 10
    assert (blind > chance + margin).all()
    assert (best > blind + margin).all()


@pytest.mark.parametrize("dynamics", ["openai", "mpe2"])
def test_good_stops_on_the_landmark(dynamics: Dynamics):
    env = ParticleEnvironment(spread(1, dynamics))
    env.reset(generators(0), 20)
    assert (at_rest_after(good, env) - env.world.landmarks).abs().max() < 1e-3


@pytest.mark.parametrize("dynamics", ["openai", "mpe2"])
def test_no_information_reads_its_own_state_alone(dynamics: Dynamics):
    env = ParticleEnvironment(spread(4, dynamics))
    env.reset(generators(0), 20)
    env.step(no_information(env))
    actions, state = no_information(env), env.world
    positions, velocities = state.positions.clone(), state.velocities.clone()
    positions[..., 1:, :] = velocities[..., 1:, :] = 0.5
    env.set_state(State(positions, velocities, state.landmarks.flip(-2)))
    assert torch.equal(no_information(env)[..., 0, :], actions[..., 0, :])


@pytest.mark.parametrize("dynamics", ["openai", "mpe2"])
def test_no_information_stops_in_formation(dynamics: Dynamics):
    """Agents start in their own corners, so no agent is in another's way."""
    env = ParticleEnvironment(spread(4, dynamics))
    env.set_state(State(1.9 * formation(4)[None, None], torch.zeros(1, 1, 4, 2), torch.zeros(1, 1, 4, 2)))
    assert (at_rest_after(no_information, env)[0, 0] - formation(4)).abs().max() < 1e-3


def test_four_agents_form_a_square():
    corners = sorted(formation(4).round(decimals=6).tolist())
    assert corners == [[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]]


@pytest.mark.parametrize("dynamics", ["openai", "mpe2"])
def test_soft_actions_push_as_asked(dynamics: Dynamics):
    push = torch.tensor([[0.25, -0.5], [-1.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    actions = soft_actions(push, dynamics)
    assert torch.equal(action_force(actions, dynamics), 5 * push)
    assert torch.equal(actions.sum(-1), torch.ones(3, dtype=torch.float64))
    assert actions.min() >= 0
    assert actions[2].tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("script", [no_information, good])
def test_scripted_actions_are_probability_vectors(script: Script):
    env = ParticleEnvironment(spread(4, "openai"))
    env.reset(generators(0), 20)
    actions = script(env)
    assert actions.min() >= -1e-12
    assert (actions.sum(-1) - 1).abs().max() < 1e-12


def test_random_actions_are_one_hot_uniform_and_each_seeds_own():
    env = ParticleEnvironment(spread(4, "openai"))
    env.reset(generators(0), 500)
    actions = random_script(generators(1000))(env)
    assert torch.equal(actions.sum(-1), torch.ones(2, 500, 4, dtype=torch.float64))
    assert set(actions.unique().tolist()) == {0.0, 1.0}
    assert (actions.mean(dim=(0, 1, 2)) - 0.2).abs().max() < 0.03  # 4,000 draws: 4.7 standard errors
    env.reset(generators(0)[1:], 500)
    assert torch.equal(random_script(generators(1000)[1:])(env)[0], actions[1])


def test_measure_averages_over_steps_copies_and_agents():
    """No agent moves or collides: a step's reward is -(distance to the landmark) - 1, the same in every step."""

    def still(env: ParticleEnvironment) -> torch.Tensor:
        return torch.zeros(*env.world.positions.shape[:-1], 5)

    env = ParticleEnvironment(spread(1, "openai"))
    env.reset(generators(0), 10)
    distance = torch.linalg.vector_norm(env.world.positions - env.world.landmarks, dim=-1)
    measured = measure(spread(1, "openai"), still, SEEDS, episodes=10, episode_limit=7, metric="step_reward")
    assert measured.tolist() == pytest.approx((-distance.mean(dim=(1, 2)) - 1).tolist(), abs=1e-12)
