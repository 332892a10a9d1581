"""Scores, and the scripts of the scenarios with a goal: their order and their behaviour."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bench.envs import FAMILIES, AssetMissing
from bench.envs.anchors import GOOD as GOOD_SCRIPTS
from bench.envs.anchors import NO_INFORMATION, NoScale, measure_anchors
from bench.envs.particle.goal_scripts import contest_told
from bench.envs.particle.params import Dynamics, SimpleSpreadParams
from bench.envs.particle.physics import State
from bench.envs.particle.scripts import measure, random_script
from bench.envs.scores import episode_scores, team_rewards
from tests.envs.goals import ADVERSARY, GOOD, NAMES, PUSH, SPEAKER_LISTENER, environment, generators, params_of

SEEDS = [0, 1]
TEAMS: dict[str, dict[str, Any]] = {name: GOOD if name == ADVERSARY else {} for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dynamics", ["openai", "mpe2"])
def test_good_beats_no_information_beats_random(dynamics: Dynamics, name: str):
    """Each gap is at least 10% of the whole distance, for every seed; a seed's own spread is about 1% of it."""
    params = params_of(name, dynamics, **TEAMS[name], reward="team_sum")
    scripts = (random_script(generators([1000, 1001])), NO_INFORMATION[name], GOOD_SCRIPTS[name])
    chance, blind, best = (measure(params, script, SEEDS, 400, 25, "return_sum") for script in scripts)
    margin = (best - chance) / 10
    assert (blind > chance + margin).all()
    assert (best > blind + margin).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dynamics", ["openai", "mpe2"])
def test_no_information_does_not_depend_on_the_goal(dynamics: Dynamics, name: str):
    env, script = environment(name, dynamics, **TEAMS[name]), NO_INFORMATION[name]
    env.reset(generators(SEEDS), 10)
    actions, now = script(env), env.world
    assert now.goal is not None
    env.set_state(State(now.positions, now.velocities, now.landmarks, 1 - now.goal.clamp(max=1), now.messages))
    assert torch.equal(script(env), actions)


@pytest.mark.parametrize("script", [NO_INFORMATION, GOOD_SCRIPTS], ids=["no information", "good"])
@pytest.mark.parametrize("name", NAMES)
def test_scripted_actions_are_probability_vectors_over_what_is_available(name: str, script: dict):
    env = environment(name, **TEAMS[name])
    env.reset(generators(SEEDS), 20)
    for _ in range(10):
        actions = script[name](env)
        assert actions.min() >= -1e-12
        assert (actions.sum(-1) - 1).abs().max() < 1e-12
        env.step(actions)  # refuses what is not available


@pytest.mark.parametrize("dynamics", ["openai", "mpe2"])
def test_the_good_listener_stops_on_the_goal_it_was_told(dynamics: Dynamics):
    env = environment(SPEAKER_LISTENER, dynamics)
    env.reset(generators(SEEDS), 20)
    for _ in range(60):
        env.step(GOOD_SCRIPTS[SPEAKER_LISTENER](env))
    rewards = env.step(GOOD_SCRIPTS[SPEAKER_LISTENER](env))[1]
    assert rewards.abs().max() < 1e-4


def test_the_good_pushers_leave_the_adversary_on_the_goal():
    """From a start where the agent is nearer to its goal, so the adversary guesses right from the first step."""
    env = environment(PUSH)
    places = [[[0.5, 0.5], [-0.9, 0.0]], [[-1.0, 0.0], [1.0, 0.0]]]
    agents, landmarks = (torch.tensor(x, dtype=torch.float64)[None, None] for x in places)
    env.set_state(State(agents, torch.zeros_like(agents), landmarks, torch.zeros(1, 1, dtype=torch.int64)))
    for _ in range(80):
        env.step(GOOD_SCRIPTS[PUSH](env))
    rewards = env.step(GOOD_SCRIPTS[PUSH](env))[1]
    assert rewards.sum().item() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(("agents", "landmarks"), [(2, 2), (2, 3), (3, 2), (4, 4)])
def test_good_agents_always_cover_the_goal(agents: int, landmarks: int):
    env = environment(ADVERSARY, agents=agents, landmarks=landmarks, adversaries=2, **GOOD)
    env.reset(generators(SEEDS), 10)
    for _ in range(60):
        env.step(GOOD_SCRIPTS[ADVERSARY](env))
    now = env.world
    assert now.goal is not None
    goal = now.landmarks.gather(-2, now.goal[..., None, None].expand(-1, -1, 1, 2))
    assert (now.positions[..., 2:, :] - goal).square().sum(-1).amin(-1).max() < 1e-4


def test_random_actions_are_uniform_over_what_is_available():
    env = environment(SPEAKER_LISTENER)
    env.reset(generators(SEEDS), 3000)
    shares = random_script(generators([1000, 1001]))(env).mean(dim=(0, 1))
    expected = torch.tensor([[1 / 3, 1 / 3, 1 / 3, 0, 0], [0.2] * 5], dtype=torch.float64)
    assert (shares - expected).abs().max() < 0.03  # 6,000 draws: 4.9 standard errors


def test_return_sum_counts_a_common_reward_once():
    """Two steps of rewards 1 and 2 to two agents; as a common reward each agent gets 3."""
    own = torch.tensor([[1.0, 2.0], [1.0, 2.0]]).expand(1, 1, 2, 2)
    common = torch.full((1, 1, 2, 2), 3.0)
    single, team = params_of(PUSH), params_of(PUSH, reward="team_sum")
    assert team_rewards(single, own).tolist() == team_rewards(team, common).tolist() == [[[3.0, 3.0]]]
    assert episode_scores("return_sum", single, own).tolist() == [[6.0]]
    assert episode_scores("return_sum", team, common).tolist() == [[6.0]]
    assert episode_scores("step_reward", single, own).tolist() == [[1.5]]


@pytest.mark.parametrize("name", NAMES)
def test_return_sum_does_not_depend_on_how_rewards_are_given(name: str):
    single, team = (params_of(name, **TEAMS[name], reward=reward) for reward in ("individual", "team_sum"))
    script = GOOD_SCRIPTS[name]
    own, common = (measure(p, script, SEEDS, 20, 25, "return_sum") for p in (single, team))
    assert own.tolist() == pytest.approx(common.tolist(), abs=1e-9)


def test_only_the_adversaries_are_scored_where_they_alone_are():
    params = params_of(ADVERSARY, agents=3, adversaries=2, landmarks=3, scored="adversaries")
    rewards = torch.tensor([1.0, 3.0, 100.0, 100.0, 100.0]).expand(1, 1, 4, 5)
    assert episode_scores("step_reward", params, rewards).tolist() == [[2.0]]
    assert episode_scores("return_sum", params, rewards).tolist() == [[16.0]]
    good = params_of(ADVERSARY, agents=3, adversaries=2, landmarks=3, scored="good")
    assert episode_scores("step_reward", good, rewards).tolist() == [[100.0]]


def test_an_unknown_metric_is_named():
    spread = SimpleSpreadParams(name="simple_spread", agents=1, dynamics="openai")
    with pytest.raises(ValueError, match="metric: got 'win_rate'; allowed: step_reward, return, return_sum"):
        episode_scores("win_rate", spread, torch.zeros(1, 1, 1, 1))


def test_anchors_of_a_pretrained_opponent_need_a_stand_in():
    params = params_of(ADVERSARY, controlled="good", opponent="pretrained").model_dump(exclude_none=True)
    with pytest.raises(AssetMissing, match="got 'pretrained' without weights"):
        measure_anchors("particle", params, 2, "return_sum", 2, 2)
    weak, strong = (
        measure_anchors("particle", params, 25, "return_sum", 2, 200, o) for o in ("random", "greedy_script")
    )
    assert weak["good"]["mean"] > strong["good"]["mean"]


def test_a_contest_that_both_sides_learn_has_no_scale():
    with pytest.raises(NoScale, match="both sides learn"):
        measure_anchors("particle", params_of(ADVERSARY).model_dump(exclude_none=True), 2, "return_sum", 2, 2)


def test_adversaries_have_one_whoever_plays_beside_them():
    """An adversary that is told the goal ends there: at rest, its distance is 0."""
    params = params_of(ADVERSARY, agents=3, adversaries=2, landmarks=3, scored="adversaries")
    found = measure_anchors("particle", params.model_dump(exclude_none=True), 60, "step_reward", 2, 20)
    assert found["random"]["mean"] < found["no_information"]["mean"] < found["good"]["mean"] < 0
    env = environment(ADVERSARY, agents=3, adversaries=2, landmarks=3, scored="adversaries")
    env.reset(generators([0]), 4)
    for _ in range(80):
        env.step(contest_told(env))
    assert env.step(contest_told(env)).rewards[..., :2].abs().max() < 1e-6
    middle = env.world.landmarks.mean(-2, keepdim=True)
    assert (env.world.positions[..., 2:, :] - middle).abs().max() < 1e-3


def test_every_scenario_has_scripts():
    assert {*NO_INFORMATION} == {*GOOD_SCRIPTS} == {*FAMILIES["particle"].scenarios}
