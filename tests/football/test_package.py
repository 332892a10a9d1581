"""The adapter against gfootball itself: sizes, places, seeds, whom agents control, rewards, processes.

`tox run -e football` runs it, with the Python environment that bench/envs/football/install.sh makes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import Any

import numpy as np
import pytest
import torch

from bench.envs import Environment, checked, make, python_of, versions
from bench.envs.football.params import ACTIONS, SCENES
from bench.envs.several import Several
from bench.run.playing import play

pytestmark = pytest.mark.skipif(
    "gfootball" not in versions("football"),
    reason="gfootball is not installed: bench doctor football says how; then: tox run -e football",
)
RUN_PASS, THREE_TWO = "academy_run_pass_and_shoot_with_keeper", "academy_3_vs_2_with_keeper"
RIGHT, SHOT, SHORT_PASS = 5, 12, 11  # of gfootball's default actions
# Its own checkpoint wrapper on matches of its own class, beside ours: what each pays, step by step.
CHECKPOINTS = """
import sys, json, random
import gymnasium.envs.registration
sys.modules.update({f"gym{n[9:]}": m for n, m in [*sys.modules.items()] if n.split(".")[0] == "gymnasium"})
from gfootball.env import config, football_env, wrappers
from bench.envs.football.one import Checkpoints
from bench.envs.football.scenes import level
own = config.Config({
    "level": level(sys.argv[1], "attackers"), "players": ["agent:left_players=3"], "game_engine_random_seed": 3})
game = football_env.FootballEnv(own)
theirs = object.__new__(wrappers.CheckpointRewardWrapper)
theirs.__dict__.update(env=game, _collected_checkpoints={}, _num_checkpoints=10, _checkpoint_reward=0.1)
draw, paid, goals = random.Random(0), [], 0
for match in range(12):
    own["game_engine_random_seed"] = match
    game.reset()
    theirs._collected_checkpoints, ours = {}, Checkpoints(3)
    over = False
    while not over:
        actions = [draw.choice([5, 5, 5, 12, 12, 11, 13])] * 3
        seen, reward, over, told = game.step(actions)
        goals += told["score_reward"] == 1
        mine = ours.rewards(seen, told["score_reward"])
        paid.append([[float(r) for r in theirs.reward(reward.copy())], [told["score_reward"] + m for m in mine]])
print(json.dumps([paid, goals]))
"""
# What the engine itself says of a scene, of its own and of ours.
SCENE = """
import sys, json
import gymnasium.envs.registration
sys.modules.update({f"gym{n[9:]}": m for n, m in [*sys.modules.items()] if n.split(".")[0] == "gymnasium"})
from gfootball.env import config, football_env
from bench.envs.football.scenes import level
told = []
for name, agents, seed in json.loads(sys.argv[1]):
    own = config.Config({
        "level": level(name, "attackers") if agents else name, "players": [f"agent:left_players={agents or 1}"],
        "game_engine_random_seed": seed})
    seen = football_env.FootballEnv(own).reset()
    teams = ("left_team", "right_team")
    told.append({key: [[round(float(x), 6) for x in row] for row in seen[0][key]] for key in teams}
        | {"active": [s["active"] for s in seen], "roles": [int(r) for r in seen[0]["left_team_roles"]]})
print(json.dumps(told))
"""


def in_its_python(code: str, *arguments: str) -> Any:
    """The last output, as JSON, of a script in the interpreter that has gfootball."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    asked = [python_of("football"), "-c", code, *arguments]
    done = subprocess.run(
        asked, capture_output=True, text=True, timeout=300, check=False, env={**os.environ, "PYTHONPATH": root}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def at_random(seed: int) -> Any:
    stream = torch.Generator().manual_seed(seed)

    def act(seen: Any) -> torch.Tensor:
        numbers = torch.randint(ACTIONS, seen.avail_actions.shape[:-1], generator=stream)
        return torch.nn.functional.one_hot(numbers, ACTIONS).float()

    return act


def played(name: str, seed: int, acts: int = 0, environment: Environment | None = None, **params: Any) -> Any:
    """Two matches of a seed, side by side, up to 60 steps."""
    env = environment or make("football", {"name": name, **params})
    try:
        return play(env, [torch.Generator().manual_seed(seed)], 2, 60, at_random(acts), ends_early=True)
    finally:
        if environment is None:
            env.close()


@pytest.mark.parametrize("name", SCENES)
def test_every_scene_plays_with_the_sizes_that_are_declared(name: str) -> None:
    """`Several` and `Apart` check observations, states and outcomes against the parameters in every step."""
    found = played(name, 0)
    rewards = found.rollout.rewards[found.rollout.mask]
    assert rewards.shape[-1] == len(SCENES[name].attackers)
    assert bool((rewards == rewards[:, :1]).all())  # the team's, to each
    assert found.outcome["broken_off"].tolist() == [[0.0, 0.0]]


def test_agents_keep_their_players_and_none_is_the_goalkeeper() -> None:
    """The agent's own place, first in an observation, is that of the attacker with the agent's number in the state."""
    for name, scene in SCENES.items():
        rollout = played(name, 1).rollout
        mask = rollout.mask[0]
        places = rollout.state[0, :, :-1][mask][:, : 2 * scene.ours].unflatten(-1, (scene.ours, 2))
        own = rollout.obs[0, :, :-1][mask][..., :2]
        torch.testing.assert_close(own, places[:, list(scene.attackers)], rtol=0, atol=1e-6)


def test_scenes_are_gfootballs_but_for_the_one_that_it_has_not() -> None:
    names = [name for name in SCENES if name != THREE_TWO]
    asked = [[n, len(SCENES[n].attackers), 5] for n in names] + [[n, 0, 5] for n in names]
    told = in_its_python(SCENE, json.dumps(asked))
    for ours, theirs in zip(told[: len(names)], told[len(names) :], strict=True):
        assert (ours["left_team"], ours["right_team"]) == (theirs["left_team"], theirs["right_team"])
        assert ours["roles"] == theirs["roles"]
    three_one, three_two = in_its_python(SCENE, json.dumps([["academy_3_vs_1_with_keeper", 3, 5], [THREE_TWO, 3, 5]]))
    assert three_two["left_team"] == three_one["left_team"]
    assert three_two["right_team"][:2] == three_one["right_team"]
    assert sorted(three_two["active"]) == [1, 2, 3]
    np.testing.assert_allclose(three_two["right_team"][2], [0.75, -0.1], atol=0.03)  # turned round, as it sees our side


def test_a_seed_decides_a_match_whatever_was_played_before() -> None:
    """The same seeds and actions in new processes, and after another match; other seeds give other matches."""
    environment = make("football", {"name": RUN_PASS})
    try:
        first, other = played(RUN_PASS, 3, environment=environment), played(RUN_PASS, 4, environment=environment)
        again = played(RUN_PASS, 3, environment=environment)
    finally:
        environment.close()
    fresh = played(RUN_PASS, 3)
    for found in (again, fresh):
        assert torch.equal(found.rollout.obs, first.rollout.obs)
        assert torch.equal(found.rollout.rewards, first.rollout.rewards)
    assert not torch.equal(other.rollout.obs[:, :, 5], first.rollout.obs[:, :, 5])
    assert not torch.equal(first.rollout.obs[:, 0, 5], first.rollout.obs[:, 1, 5])  # each copy draws its own


def test_an_open_match_goes_on_in_other_processes() -> None:
    environment, other = make("football", {"name": RUN_PASS}), make("football", {"name": RUN_PASS})
    try:
        environment.reset([torch.Generator().manual_seed(5)], 1)
        idle = torch.nn.functional.one_hot(torch.zeros(1, 1, 2, dtype=torch.int64), ACTIONS).float()
        for _ in range(4):
            environment.step(idle)
        other.resume([torch.Generator()], [environment.state(0)])
        assert torch.equal(environment.step(idle).obs, other.step(idle).obs)
    finally:
        environment.close()
        other.close()


def test_rings_pay_what_gfootballs_wrapper_pays() -> None:
    paid, goals = in_its_python(CHECKPOINTS, "academy_3_vs_1_with_keeper")
    theirs, ours = np.array(paid).swapaxes(0, 1)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert theirs.sum() > 0
    assert goals >= 1


def test_a_crashed_game_is_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    environment = make("football", checked("football", {"name": RUN_PASS}))
    assert isinstance(environment, Several)
    idle = torch.nn.functional.one_hot(torch.zeros(1, 1, 2, dtype=torch.int64), ACTIONS).float()
    try:
        environment.reset([torch.Generator().manual_seed(0)], 1)
        environment.step(idle)
        game: Any = environment._copies[0][0]
        os.killpg(game._game._elsewhere.process.pid, signal.SIGKILL)
        broken = environment.step(idle)
        assert broken.outcome["broken_off"].tolist() == [[1.0]]
        assert broken.truncated.tolist() == [[True]]
        environment.restart(torch.ones(1, 1, dtype=torch.bool))
        assert environment.step(idle).outcome["broken_off"].tolist() == [[0.0]]
    finally:
        environment.close()
    assert "football: a game broke off, 1 of at most 10" in capsys.readouterr().err


def test_as_released_agents_see_their_own_number_which_may_change() -> None:
    found = played("academy_3_vs_1_with_keeper", 2, features="ptde_released", control="engine").rollout
    own = found.obs[0, :, :-1][found.mask[0]][..., -4:]
    assert bool((own.sum(-1) == 1).all())
    places = found.state[0, :, :-1][found.mask[0]][:, :8].unflatten(-1, (4, 2))
    at = (own.unsqueeze(-1) * places.unsqueeze(1)).sum(-2)
    torch.testing.assert_close(at, found.obs[0, :, :-1][found.mask[0]][..., :2], rtol=0, atol=1e-6)
