"""Speaker-listener, push and adversary: against mpe2, against a scalar reference of OpenAI's rules, and by literal
numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mpe2 import simple_adversary_v3, simple_push_v3, simple_speaker_listener_v4

from bench.envs.particle.environment import ParticleEnvironment
from bench.envs.particle.params import Dynamics
from tests.envs.goals import (
    ADVERSARY,
    BODIES,
    GOOD,
    LANDMARKS,
    NAMES,
    PUSH,
    SPEAKER_LISTENER,
    Floats,
    drawn_actions,
    environment,
    one_hot,
    state_of,
)
from tests.envs.openai_goals_reference import Adversary, Episode, Push, SpeakerListener, TwoAdversaries

STEPS = 25
TOLERANCE = 1e-9
CROWDED = 0.03  # agents in [-.03, .03]^2 are at most .085 apart: push's two are in contact
MODULES = {
    SPEAKER_LISTENER: simple_speaker_listener_v4,
    PUSH: simple_push_v3,
    ADVERSARY: simple_adversary_v3,
}
REFERENCES: dict[str, type[Episode]] = {SPEAKER_LISTENER: SpeakerListener, PUSH: Push, ADVERSARY: Adversary}
# An example is a start and 25 steps of every agent: 150 steps a case, each compared to 1e-9.
repeatable = settings(max_examples=6, deadline=None, derandomize=True, database=None)

Start = tuple[Floats, Floats, Floats, int]


@st.composite
def starts(draw: st.DrawFn, agents: int, landmarks: int, spread: float) -> Start:
    """Positions, velocities, landmarks, the goal. No two agents coincide: mpe2 has no answer there."""
    ticks = st.integers(-10_000, 10_000)
    positions = draw(hnp.arrays(np.int64, (agents, 2), elements=ticks, fill=st.nothing(), unique=True))
    velocities = draw(hnp.arrays(np.int64, (agents, 2), elements=ticks))
    fixed = draw(hnp.arrays(np.int64, (landmarks, 2), elements=ticks))
    return positions * spread / 10_000, velocities / 10_000, fixed / 10_000, draw(st.integers(0, landmarks - 1))


class Mpe2:
    """mpe2's own environment, started from a given state, read in float64."""

    def __init__(self, name: str, start: Start, soft: bool):
        positions, velocities, landmarks, goal = start
        self.raw = MODULES[name].raw_env(max_cycles=STEPS, continuous_actions=soft)
        self.raw.reset(seed=0)
        self.world, self.soft = self.raw.world, soft
        chosen = self.world.landmarks[goal]
        for i, agent in enumerate(self.world.agents):
            agent.state.p_vel = np.zeros(2) if not agent.movable else velocities[i].copy()
            agent.state.p_pos = positions[i].copy()
            if name == SPEAKER_LISTENER:
                agent.goal_b = chosen if i == 0 else None
            else:
                agent.goal_a = chosen
        if name == PUSH:
            self.world.agents[1].color = np.array([0.25, 0.75, 0.25] if goal == 0 else [0.25, 0.25, 0.75])
        for landmark, position in zip(self.world.landmarks, landmarks, strict=True):
            landmark.state.p_pos = position.copy()

    def step(self, actions: Floats) -> tuple[list[Floats], Floats]:
        for agent, action in zip(self.world.agents, actions, strict=True):
            own = action if agent.movable else action[:3]
            self.raw.step(own if self.soft else int(own.argmax()))
        obs = [self.raw.scenario.observation(agent, self.world) for agent in self.world.agents]
        return obs, np.array([self.raw.rewards[agent.name] for agent in self.world.agents])


def start_of(name: str, env: ParticleEnvironment, start: Start) -> None:
    """From that start, with the speaker, who cannot move, at rest."""
    positions, velocities, landmarks, goal = start
    if name == SPEAKER_LISTENER:
        velocities[0] = 0
    env.set_state(state_of(name, positions, velocities, landmarks, goal))


def assert_same(env: ParticleEnvironment, actions: Floats, obs: list[Floats], rewards: Floats) -> None:
    """One step's numbers, agent by agent, and nothing but zeros where an observation is padded."""
    got, given, terminated, *_ = env.step(torch.from_numpy(actions)[None, None])
    for row, size, expected in zip(got[0, 0].numpy(), env.obs_sizes, obs, strict=True):
        assert len(expected) == size
        assert np.abs(row[:size] - expected).max() <= TOLERANCE
        assert not row[size:].any()
    assert np.abs(given[0, 0].numpy() - rewards).max() <= TOLERANCE
    assert not terminated.any()


@pytest.mark.parametrize("soft", [False, True], ids=["one-hot", "soft"])
@pytest.mark.parametrize("spread", [1.0, CROWDED], ids=["free", "contact"])
@pytest.mark.parametrize("name", NAMES)
def test_mpe2_dynamics_match_mpe2(name: str, spread: float, soft: bool):
    env = environment(name, "mpe2")

    @repeatable
    @given(start=starts(BODIES[name], LANDMARKS[name], spread), seed=st.integers(0, 2**32 - 1))
    def check(start: Start, seed: int):
        reference = Mpe2(name, start, soft)
        start_of(name, env, start)
        for actions in drawn_actions(np.random.default_rng(seed), env.action_sizes, (STEPS,), soft):
            assert_same(env, actions, *reference.step(actions))

    check()


@pytest.mark.parametrize("soft", [False, True], ids=["one-hot", "soft"])
@pytest.mark.parametrize("spread", [1.0, CROWDED], ids=["free", "contact"])
@pytest.mark.parametrize("name", [*NAMES, "two adversaries"])
def test_openai_dynamics_match_the_scalar_reference(name: str, spread: float, soft: bool):
    if name == "two adversaries":  # KnowRU's task V
        env = environment(ADVERSARY, agents=3, adversaries=2, landmarks=3)
        kind, bodies, landmarks = TwoAdversaries, 5, 3
        assert env.obs_sizes == (14, 14, 16, 16, 16)
    else:
        env, kind, bodies, landmarks = environment(name), REFERENCES[name], BODIES[name], LANDMARKS[name]

    @repeatable
    @given(start=starts(bodies, landmarks, spread), seed=st.integers(0, 2**32 - 1))
    def check(start: Start, seed: int):
        start_of(name, env, start)
        positions, velocities, fixed = (x.tolist() for x in start[:3])
        reference = kind(positions, velocities, fixed, start[3])
        for actions in drawn_actions(np.random.default_rng(seed), env.action_sizes, (STEPS,), soft):
            obs, rewards = reference.step(actions.tolist())
            assert_same(env, actions, [np.array(o) for o in obs], np.array(rewards))

    check()


def test_crowded_starts_of_push_are_in_contact():
    """Agents .02 apart, touching at .1: the overlap of .08 pushes with 8, so the speed is .8 after one step."""
    env = environment(PUSH)
    env.set_state(state_of(PUSH, np.array([[-0.01, 0.0], [0.01, 0.0]]), np.zeros((2, 2)), np.zeros((2, 2)), 0))
    env.step(one_hot(0, 0))
    assert env.world.velocities.flatten().tolist() == pytest.approx([-0.8, 0, 0.8, 0], abs=1e-9)


@pytest.mark.parametrize("name", [SPEAKER_LISTENER, ADVERSARY])
def test_nobody_collides_in_speaker_listener_and_adversary(name: str):
    env = environment(name)
    bodies = BODIES[name]
    positions = np.stack([np.linspace(-0.01, 0.01, bodies), np.zeros(bodies)], axis=1)
    env.set_state(state_of(name, positions, np.zeros((bodies, 2)), np.zeros((LANDMARKS[name], 2)), 0))
    env.step(one_hot(*[0] * bodies))
    assert env.world.velocities.abs().max() == 0


# ------------------------------------------------------- each known difference between openai and mpe2, once


@pytest.mark.parametrize(("dynamics", "x"), [("openai", [0.05, 0.0875]), ("mpe2", [0.0, -0.05])])
@pytest.mark.parametrize("name", NAMES)
def test_integration_order_and_action_signs(name: str, dynamics: Dynamics, x: list[float]):
    """Action 1 by the last agent, then nothing: openai pushes to +x and moves at once, mpe2 pushes to -x and moves a
    step later.
    """
    env, bodies = environment(name, dynamics), BODIES[name]
    apart = np.stack([np.zeros(bodies), np.linspace(bodies, 1, bodies)], axis=1)
    env.set_state(state_of(name, apart, np.zeros((bodies, 2)), np.zeros((LANDMARKS[name], 2)), 0))
    found = []
    for action in (1, 0):
        env.step(one_hot(*[0] * (bodies - 1), action))
        found.append(env.world.positions[0, 0, -1, 0].item())
    assert found == pytest.approx(x, abs=1e-15)


@pytest.mark.parametrize(("dynamics", "adversary"), [("openai", -4.0), ("mpe2", -2.0)])
def test_the_adversarys_reward_is_squared_in_openai(dynamics: Dynamics, adversary: float):
    """Adversary at 2 from the goal, good agents at 1 and 3: each good agent gets 2 - 1 in both."""
    env = environment(ADVERSARY, dynamics)
    positions = np.array([[2.0, 0], [0, 1], [3, 0]])
    env.set_state(state_of(ADVERSARY, positions, np.zeros((3, 2)), np.array([[9.0, 9], [0, 0]]), 1))
    _, rewards, *_ = env.step(one_hot(0, 0, 0))
    assert rewards.flatten().tolist() == pytest.approx([adversary, 1.0, 1.0])


@pytest.mark.parametrize(("dynamics", "each"), [("openai", -8.0), ("mpe2", -4.0)])
def test_speaker_and_listener_share_their_rewards_in_openai(dynamics: Dynamics, each: float):
    """The listener is 2 from the goal, -4 for each; openai gives each the sum over both."""
    env = environment(SPEAKER_LISTENER, dynamics)
    landmarks = np.array([[2.0, 0], [0, 1], [3, 0]])
    env.set_state(state_of(SPEAKER_LISTENER, np.array([[5.0, 5], [0, 0]]), np.zeros((2, 2)), landmarks, 0))
    _, rewards, *_ = env.step(one_hot(1, 0))
    assert rewards.flatten().tolist() == [each, each]


@pytest.mark.parametrize("dynamics", ["openai", "mpe2"])
def test_pushs_rewards_are_the_same_in_both(dynamics: Dynamics):
    """Adversary 1 from the goal, agent 3: -3 for the agent, 3 - 1 for the adversary."""
    env = environment(PUSH, dynamics)
    env.set_state(state_of(PUSH, np.array([[1.0, 0.0], [3.0, 0.0]]), np.zeros((2, 2)), np.array([[0.0, 0], [9, 9]]), 0))
    _, rewards, *_ = env.step(one_hot(0, 0))
    assert rewards.flatten().tolist() == pytest.approx([2.0, -3.0])


# ------------------------------------------------------------------------------------- rewards of a team


@pytest.mark.parametrize(("name", "more"), [(SPEAKER_LISTENER, {}), (PUSH, {}), (ADVERSARY, {}), (ADVERSARY, GOOD)])
@pytest.mark.parametrize("dynamics", ["openai", "mpe2"])
def test_team_sum_gives_each_agent_the_sum(dynamics: Dynamics, name: str, more: dict[str, Any]):
    single, team = environment(name, dynamics, **more), environment(name, dynamics, **more, reward="team_sum")
    single.reset([torch.Generator().manual_seed(0)], 4)
    team.reset([torch.Generator().manual_seed(0)], 4)
    actions = torch.from_numpy(drawn_actions(np.random.default_rng(0), single.action_sizes, (1, 4), soft=False))
    own, common = single.step(actions)[1], team.step(actions)[1]
    assert own.shape == common.shape
    assert torch.allclose(common, own.sum(-1, keepdim=True).expand_as(own), rtol=0, atol=1e-12)


def test_speaker_listener_is_fourfold_in_openai_as_table_ii_has_it():
    """-d^2 twice by OpenAI's sharing and twice by the sum over agents."""
    env = environment(SPEAKER_LISTENER, reward="team_sum")
    landmarks = np.array([[1.0, 0], [0, 1], [3, 0]])
    env.set_state(state_of(SPEAKER_LISTENER, np.zeros((2, 2)), np.zeros((2, 2)), landmarks, 0))
    assert env.step(one_hot(0, 0))[1].flatten().tolist() == [-4.0, -4.0]
