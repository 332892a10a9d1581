"""Football without the game: the adapter against a stand-in for gfootball, by literal numbers; sizes; missing parts.

The stand-in behaves like gfootball: tests/football/test_package.py compares the adapter with the real engine.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch

import bench.envs.registry
from bench.envs import BackendMissing, checked, make
from bench.envs.football import installation
from bench.envs.football.one import Checkpoints, FootballOne
from bench.envs.football.params import SCENES, FootballParams
from bench.envs.football.scenes import Controlled
from bench.envs.one import EnvironmentFailed
from bench.envs.restarting import Restarting

RUN_PASS = "academy_run_pass_and_shoot_with_keeper"
IDLE, SHOT = 0, 12


class Gfootball:
    """Stands in for FootballEnv with 2 of 3 players under control, on a scripted match.

    players: each agent's player, step by step. script: for each step the score, who has the ball, whether it
    is over.
    """

    def __init__(self, players: list[list[int]], script: list[dict[str, Any]], config: dict[str, Any]):
        self.players, self.script, self.config = players, script, config
        self.closed, self.seeds, self.actions = False, [], []

    def reset(self) -> list[dict[str, Any]]:
        self.seeds.append((self.config["game_engine_random_seed"], self.config["reverse_team_processing"]))
        self.t = 0
        return self.seen()

    def step(self, actions: list[int]) -> tuple[list[dict[str, Any]], np.ndarray, bool, dict[str, Any]]:
        assert all(type(own) is int for own in actions)
        self.actions.append(actions)
        self.t += 1
        now = self.script[self.t]
        if now.get("crash"):
            raise EnvironmentFailed("its process was killed by signal 11 (SIGSEGV): no message")
        before = self.script[self.t - 1].get("score", [0, 0])
        score = now.get("score", [0, 0])
        scored = (score[0] - score[1]) - (before[0] - before[1])
        return self.seen(), np.full(2, scored, np.float32), now.get("over", False), {"score_reward": scored}

    def seen(self) -> list[dict[str, Any]]:
        now = self.script[self.t]
        shared = {
            "left_team": np.array([[-1.0, 0.0], [0.7, 0.0], [0.7, -0.3]]),
            "left_team_direction": np.array([[0.0, 0.0], [0.01, 0.02], [0.03, -0.01]]),
            "left_team_tired_factor": np.array([0.0, 0.1, 0.2]),
            "left_team_roles": np.array([0, 1, 1]),
            "right_team": np.array([[1.0, 0.0], [0.75, -0.1]]),
            "right_team_direction": np.array([[0.0, 0.0], [-0.02, 0.0]]),
            "right_team_tired_factor": np.array([0.0, 0.3]),
            "right_team_roles": np.array([0, 1]),
            "ball": np.array(now.get("ball", [0.7, -0.28, 0.1])),
            "ball_direction": np.array([0.001, 0.002, 0.003]),
            "ball_rotation": np.array([0.004, 0.005, 0.006]),
            "ball_owned_team": now.get("team", -1),
            "ball_owned_player": now.get("player", -1),
            "score": now.get("score", [0, 0]),
            "steps_left": now.get("left", 400 - self.t),
        }
        return [shared | {"active": player} for player in self.players[min(self.t, len(self.players) - 1)]]

    def close(self) -> None:
        self.closed = True

    def avail_actions(self) -> None: ...


def one(*script: dict[str, Any], players: list[list[int]] | None = None, **chosen: Any) -> FootballOne:
    config: dict[str, Any] = {}
    game = Gfootball(players or [[2, 1]], [{}, *script], config)
    return FootballOne(FootballParams(name=RUN_PASS, **chosen), game, config)


def test_what_an_agent_sees_is_table_8() -> None:
    """Agents are in the order of their players' numbers, although the game gives the second agent player 1."""
    first, second = one().reset(4)
    expected = [
        *(0.7, 0.0, 0.01, 0.02),  # oneself: place, velocity
        *(-1.7, 0.0, -0.01, -0.02),  # the goalkeeper, from there
        *(0.0, 0.0, 0.0, 0.0),  # oneself
        *(0.0, -0.3, 0.02, -0.03),
        *(0.3, 0.0, -0.01, -0.02),  # theirs
        *(0.05, -0.1, -0.03, -0.02),
        *(0.7, -0.28, 0.1),  # the ball
        *(0.0, 1.0, 0.0),  # nobody's
    ]
    np.testing.assert_allclose(first, expected, atol=1e-12)
    np.testing.assert_allclose(second[:4], [0.7, -0.3, 0.03, -0.01], atol=1e-12)


def test_as_released_velocities_are_absolute_and_ones_number_follows() -> None:
    first, _ = one(features="ptde_released").reset(4)
    np.testing.assert_allclose(first[4:8], [-1.7, 0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(first[12:16], [0, -0.3, 0.03, -0.01], atol=1e-12)
    assert first[-6:].tolist() == [0, 1, 0, 0, 1, 0]  # nobody's ball; player 1 of three
    assert len(first) == FootballParams(name=RUN_PASS, features="ptde_released").obs_size == 33


def test_the_state_is_table_8() -> None:
    game = one({"team": 1, "player": 1})
    game.reset(0)
    game.step([IDLE, IDLE])
    found = game.global_state()
    assert len(found) == FootballParams(name=RUN_PASS).state_size == 99
    np.testing.assert_allclose(found[:6], [-1, 0, 0.7, 0, 0.7, -0.3])
    np.testing.assert_allclose(found[6:15], [0, 0, 0.01, 0.02, 0.03, -0.01, 0, 0.1, 0.2])
    assert found[15:45].tolist() == [*np.eye(10)[0], *np.eye(10)[1], *np.eye(10)[1]]
    np.testing.assert_allclose(found[75:84], [0.7, -0.28, 0.1, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006])
    assert found[84:].tolist() == [0, 0, 1, *np.eye(12)[1]]
    game.reset(0)
    assert game.global_state()[84:].tolist() == [0, 1, 0, *np.eye(12)[11]]  # nobody has it


def test_an_action_goes_to_the_agents_own_player() -> None:
    game = one({}, {})
    game.reset(0)
    game.step([IDLE, SHOT])  # agent 0 is player 1, which the game gives its second controller
    assert game._game.actions == [[SHOT, IDLE]]


def test_every_match_has_its_own_seed() -> None:
    game = one()
    for seed in (7, 8, 7):
        game.reset(seed)
    assert game._game.seeds == [(7, True), (8, False), (7, True)]


@pytest.mark.parametrize(
    ("last", "ends", "told"),
    [
        ({"score": [1, 0], "over": True}, (True, False), (1.0, 1.0)),
        ({"score": [0, 1], "over": True}, (True, False), (0.0, -1.0)),
        ({"over": True}, (True, False), (0.0, 0.0)),  # out of play, or the other side has the ball
        ({"over": True, "left": 0}, (False, True), (0.0, 0.0)),
        ({}, (False, False), (0.0, 0.0)),
    ],
)
def test_how_a_match_ends(last: dict[str, Any], ends: tuple[bool, bool], told: tuple[float, float]) -> None:
    game = one(last)
    game.reset(0)
    given = game.step([IDLE, IDLE])
    assert (given.terminated, given.truncated) == ends
    assert (given.outcome["win_rate"], given.outcome["goal_balance"]) == told


def test_a_goal_pays_every_agent_and_what_rings_are_left() -> None:
    """Both agents' sum: 2 for the goal; .1 for each ring; a goal pays the remaining rings, so every goal is worth 4."""
    near = {"team": 0, "player": 1, "ball": [0.5, 0.0, 0.0]}  # .5 away: rings at .99, .90, .81, .72, .63, .55
    game = one(near, near, {"score": [1, 0], "over": True})
    game.reset(0)
    given = [game.step([IDLE, IDLE]).rewards for _ in range(3)]
    np.testing.assert_allclose(given, [[0.6] * 2, [0.0] * 2, [3.4] * 2], atol=1e-12)
    game.reset(1)
    assert game.step([IDLE, IDLE]).rewards[0] == pytest.approx(0.6)  # another match, all rings anew
    plain = one(near, {"score": [0, 1], "over": True}, rewards="scoring")
    plain.reset(0)
    assert [plain.step([IDLE, IDLE]).rewards[0] for _ in range(2)] == [0.0, -2.0]


def test_rings_pay_him_who_has_the_ball() -> None:
    paid = Checkpoints(2)
    seen = {"ball_owned_team": 0, "ball_owned_player": 2, "ball": [0.9, 0.0, 0.0]}
    assert paid.rewards([seen | {"active": 1}, seen | {"active": 2}], 0.0) == [0.0, pytest.approx(1.0)]
    theirs = seen | {"ball_owned_team": 1, "ball_owned_player": 1}
    assert paid.rewards([theirs | {"active": 1}, theirs | {"active": 2}], 0.0) == [0.0, 0.0]


def test_agents_that_swap_players_end_the_match_where_they_may_not() -> None:
    game = one({}, players=[[1, 2], [2, 1]])
    game.reset(0)
    with pytest.raises(EnvironmentFailed, match=r"players under control: got \[2, 1\]; declared: \[1, 2\], each all"):
        game.step([IDLE, IDLE])
    keeper = one(players=[[0, 1]])
    with pytest.raises(EnvironmentFailed, match=r"got \[0, 1\]; declared: \[1, 2\]"):
        keeper.reset(0)
    free = one({}, players=[[1, 2], [0, -1]], control="engine")
    free.reset(0)
    first, second = free.step([IDLE, IDLE]).obs
    assert (first[0], second[1]) == (-1.0, -0.3)  # the goalkeeper; -1, whom nobody is, reads as the last


def test_a_crashed_game_is_replaced_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    params = FootballParams(name=RUN_PASS)
    games = Restarting(params, lambda: one({"crash": True}), "football", most=1)  # type: ignore[arg-type,return-value]
    games.reset(0)
    broken = games.step([IDLE, IDLE])
    assert (broken.terminated, broken.truncated, broken.rewards) == (False, True, [0.0, 0.0])
    assert broken.outcome == {"win_rate": 0.0, "goal_balance": 0.0, "broken_off": 1.0}
    games.reset(1)
    with pytest.raises(EnvironmentFailed, match=r"2 games broke off, 1 are allowed: its process was killed by signal"):
        games.step([IDLE, IDLE])
    assert "football: a game broke off, 1 of at most 1: its process was killed" in capsys.readouterr().err


class Builder:
    """Stands in for gfootball's scenario builder."""

    def __init__(self) -> None:
        self.players: list[tuple[Any, ...]] = []

    def SetTeam(self, team: str) -> None:  # noqa: N802
        self.team = team

    def AddPlayer(self, *own: Any) -> None:  # noqa: N802
        self.players.append((self.team, *own))


def test_only_attackers_of_ours_can_be_controlled() -> None:
    told = Builder()
    chosen = Controlled(told, (1,))
    chosen.SetTeam("Team.e_Left")
    chosen.AddPlayer(-1.0, 0.0, "GK")
    chosen.AddPlayer(0.7, 0.0, "CB")
    chosen.SetTeam("Team.e_Right")
    chosen.AddPlayer(-1.0, 0.0, "GK")
    assert [(own[0], own[-1]) for own in told.players] == [
        ("Team.e_Left", False),
        ("Team.e_Left", True),
        ("Team.e_Right", True),
    ]


def test_sizes_follow_from_the_scene() -> None:
    sizes = {name: FootballParams(name=name) for name in SCENES}  # type: ignore[arg-type]
    assert {
        name: (len(own.obs_sizes), own.obs_size, own.action_size, own.state_size) for name, own in sizes.items()
    } == {
        "academy_3_vs_1_with_keeper": (3, 34, 19, 114),
        "academy_3_vs_2_with_keeper": (3, 38, 19, 129),
        "academy_run_pass_and_shoot_with_keeper": (2, 30, 19, 99),
        "academy_counterattack_easy": (4, 98, 19, 354),
        "academy_counterattack_hard": (4, 98, 19, 354),
    }
    with pytest.raises(ValueError, match="allowed: academy_3_vs_1_with_keeper, academy_3_vs_2"):
        checked("football", {"name": "11_vs_11_stochastic"})


def test_what_is_missing_is_said_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_FOOTBALL_PYTHON", "/nowhere/python")
    with pytest.raises(BackendMissing) as caught:
        make("football", {"name": RUN_PASS})
    said = str(caught.value)
    assert said.startswith("family 'football' needs gfootball in /nowhere/python; try: apt-get install ")
    assert "libboost-python-dev" in said
    assert "pip install --no-deps --no-build-isolation gfootball==2.10.2" in said
    assert said.endswith("then: bench doctor football")
    monkeypatch.setattr(installation, "_installed", lambda name: name != "cmake")
    monkeypatch.setattr(installation.shutil, "which", lambda name: name)
    assert installation.remarks() == ("Debian's packages that building it needs and that are not here: cmake",)


def test_a_python_without_the_engine_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is registered but cannot be imported: the first match says why, in one line."""
    monkeypatch.setenv("BENCH_FOOTBALL_PYTHON", sys.executable)
    monkeypatch.setattr(bench.envs.registry, "_versions_in", lambda python, packages: dict.fromkeys(packages, "1"))
    environment = make("football", {"name": RUN_PASS})
    with pytest.raises(EnvironmentFailed, match="ModuleNotFoundError: No module named 'gfootball'"):
        environment.reset([torch.Generator().manual_seed(0)], 1)
