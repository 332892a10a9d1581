"""The adapter against the real smac and smacv2, which play against `game` in StarCraft II's place.

`tox run -e starcraft` runs it: it needs a Python environment with the packages, named by BENCH_STARCRAFT_PYTHON, which
tox builds from a checkout of oxwhirl/smac named by SMAC_SOURCE (and of oxwhirl/smacv2, by SMACV2_SOURCE).
"""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import bench.envs.starcraft.environment as starcraft
from bench.envs import Environment, checked, described, make, python_of, versions
from bench.envs.apart import Apart
from bench.envs.elsewhere import EnvironmentLimits
from bench.envs.one import EnvironmentFailed
from bench.envs.starcraft.params import MAPS
from bench.run.playing import play

pytestmark = pytest.mark.skipif(
    not versions("starcraft").keys() >= {"SMAC", "PySC2"},
    reason="smac is not installed: SMAC_SOURCE=CHECKOUT tox run -e starcraft",
)
GAME = Path(__file__).with_name("game.py")
MARINE, STALKER, ZEALOT = 48, 74, 73  # s2client's unit types
Play = Callable[..., Environment]


def team(*units: tuple[int, float, float], x: float) -> list[list[float]]:
    """[type, x, y, health, shield] of (type, health, shield)."""
    return [[kind, x, 10 + 2.0 * i, health, shield] for i, (kind, health, shield) in enumerate(units)]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    """Makes environments that play a scripted scene; the folder looks like the game's."""
    binary = tmp_path / "Versions" / "Base75689" / "SC2_x64"
    binary.parent.mkdir(parents=True)
    binary.write_text(f'#!/bin/sh\nexec {python_of("starcraft")} {GAME} "$@"\n')
    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "Maps" / "SMAC_Maps").mkdir(parents=True)
    monkeypatch.setenv("SC2PATH", str(tmp_path))
    made: list[Environment] = []

    def scene(name: str, ours: Any, theirs: Any, script: dict[str, Any], **params: Any) -> Environment:
        (tmp_path / "Maps" / "SMAC_Maps" / f"{name}.SC2Map").write_bytes(b"a map")
        told = {"size": [32, 32], "ours": team(*ours, x=10), "theirs": team(*theirs, x=14), "script": script}
        (tmp_path / "scene.json").write_text(json.dumps(told))
        monkeypatch.setenv("FAKE_GAME", str(tmp_path / "scene.json"))
        made.append(make("starcraft", checked("starcraft", {"name": name, **params})))
        return made[-1]

    yield scene
    for environment in made:
        environment.close()


def stopping(seen: Any) -> torch.Tensor:
    """Every unit stops, and the dead do nothing."""
    alive = seen.avail_actions[..., 1]
    return torch.nn.functional.one_hot(alive.long(), seen.avail_actions.shape[-1]).float()


def episode(environment: Environment, limit: int = 60) -> Any:
    return play(environment, [torch.Generator().manual_seed(0)], 1, limit, stopping, ends_early=True)


def told(played: Any) -> tuple[list[float], list[bool], int, float]:
    """Rewards of the steps played, terminal flags, how many were played, whether it was won."""
    steps = int(played.rollout.mask.sum())
    rewards = played.rollout.rewards[0, 0, :steps, 0].tolist()
    terminated = played.rollout.terminated[0, 0, :steps].tolist()
    return rewards, terminated, steps, float(played.outcome["win_rate"])


MARINES = [(MARINE, 45, 0)] * 3
KILL_THEM = [[2, i, 45] for i in range(3)]
KILL_US = [[1, i, 45] for i in range(3)]
# smac: (damage + 10 a death + 200 a win) / (health + 10 a unit + 200) * 20; of 3m 135 + 30 + 200
WHOLE = 3 * 45 + 3 * 10 + 200


@pytest.mark.parametrize("package", ["smac", "smacv2"])
def test_a_win_pays_20_in_all(installed: Play, package: str) -> None:
    script = {"1": [[2, 0, 15]], "2": [[2, 0, 30]], "3": [[2, 1, 45], [2, 2, 45]]}
    game = installed("3m", MARINES, MARINES, script, package=package)
    for _ in range(2):  # the second begins by kill_unit and the map's own trigger
        rewards, terminated, steps, won = told(episode(game))
        assert rewards == pytest.approx([15 / WHOLE * 20, 40 / WHOLE * 20, 310 / WHOLE * 20])
        assert sum(rewards) == pytest.approx(20)
        assert (terminated, steps, won) == ([False, False, True], 3, 1.0)


@pytest.mark.parametrize("package", ["smac", "smacv2"])
def test_a_loss_pays_the_damage_alone(installed: Play, package: str) -> None:
    game = installed("3m", MARINES, MARINES, {"1": [[2, 0, 45]], "2": KILL_US}, package=package)
    rewards, terminated, steps, won = told(episode(game))
    assert rewards == pytest.approx([55 / WHOLE * 20, 0])
    assert (terminated, steps, won) == ([False, True], 2, 0.0)


def test_a_draw_is_no_win(installed: Play) -> None:
    game = installed("3m", MARINES, MARINES, {"2": [*KILL_THEM, *KILL_US]})
    rewards, terminated, steps, won = told(episode(game))
    assert rewards == pytest.approx([0, 165 / WHOLE * 20])
    assert (terminated, steps, won) == ([False, True], 2, 0.0)


@pytest.mark.parametrize("package", ["smac", "smacv2"])
def test_the_limit_of_steps_ends_no_battle(installed: Play, package: str) -> None:
    """smac's 60 steps of 3m: truncated, so the value of the last observation still counts."""
    game = installed("3m", MARINES, MARINES, {}, package=package)
    game.reset([torch.Generator().manual_seed(0)], 1)
    for t in range(60):
        alive = game.avail_actions()[..., 1].long()
        given = game.step(torch.nn.functional.one_hot(alive, game.action_size).float())
        assert bool(given.truncated) == (t == 59)
        assert not given.terminated
    rewards, terminated, steps, won = told(episode(game))
    assert (set(rewards), any(terminated), steps, won) == ({0.0}, False, 60, 0.0)


def test_what_is_seen_is_the_package_s(installed: Play) -> None:
    """State and observations by hand: one of ours has lost a third, one of theirs is dead."""
    game = installed("3m", MARINES, MARINES, {"1": [[1, 0, 15], [2, 2, 45]]})
    played = episode(game).rollout
    state = played.state[0, 0, 1]
    assert state.shape == (48,)
    ours = state[:12].view(3, 4)  # health, cooldown, x, y relative to the middle
    assert ours[:, 0].tolist() == pytest.approx([30 / 45, 1, 1])
    assert ours[:, 2].tolist() == pytest.approx([(10 - 16) / 32] * 3)
    theirs = state[12:21].view(3, 3)
    assert theirs[:, 0].tolist() == pytest.approx([1, 1, 0])
    assert state[21:].view(3, 9).tolist() == [[0.0, 1, 0, 0, 0, 0, 0, 0, 0]] * 3
    assert played.obs[0, 0, 1, 0, -1] == pytest.approx(30 / 45)
    assert played.avail_actions[0, 0, 1, 0].tolist() == [False, *[True] * 7, False]  # alive; two left to shoot at


def test_a_game_that_crashes_or_hangs_is_started_again(
    installed: Play, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(starcraft, "LIMITS", EnvironmentLimits(call_s=20.0, memory_bytes=2**34))
    for trouble, says in ((["crash"], "the game broke off"), (["hang"], "it gave no answer within 20 s")):
        game = installed("3m", MARINES, MARINES, {"2": trouble})
        game.reset([torch.Generator().manual_seed(0)], 1)
        alive = torch.nn.functional.one_hot(game.avail_actions()[..., 1].long(), game.action_size).float()
        first, second = game.step(alive), game.step(alive)
        assert (bool(first.truncated), bool(second.truncated), bool(second.terminated)) == (False, True, False)
        assert second.outcome["broken_off"].tolist() == [[1.0]]
        assert torch.equal(first.obs, second.obs)
        game.reset([torch.Generator().manual_seed(0)], 1)
        assert not game.step(alive).truncated
        assert says in capsys.readouterr().err


def test_a_game_that_always_crashes_ends_the_run(installed: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starcraft.Restarting.__init__, "__defaults__", (1,))
    game = installed("3m", MARINES, MARINES, {"1": ["crash"]})
    assert float(episode(game).outcome["broken_off"]) == 1
    with pytest.raises(EnvironmentFailed, match="2 games broke off, 1 are allowed: the game broke off"):
        episode(game)


def test_a_map_that_no_registry_has(installed: Play) -> None:
    units = [(STALKER, 80, 80)] * 2 + [(ZEALOT, 100, 50)] * 6
    game = installed("2s6z", units, units, {"1": [[2, i, 160] for i in range(8)]})
    rewards, terminated, steps, won = told(episode(game, 150))
    assert (sum(rewards), terminated, steps, won) == (pytest.approx(20), [True], 1, 1.0)


def test_every_map_s_sizes_are_the_package_s(installed: Play) -> None:
    """Sizes need no game: `StarcraftOne` compares them when it is made."""
    for name in MAPS:
        more = {"enemies": 9} if MAPS[name].enemies is None else {}
        Apart("bench.envs.starcraft.one:one", checked("starcraft", {"name": name, **more}),
              python=python_of("starcraft")).close()  # fmt: skip


def test_a_record_names_the_build_and_the_map(installed: Play) -> None:
    installed("3m", MARINES, MARINES, {})
    found = described("starcraft", checked("starcraft", {"name": "3m"}))
    assert found["StarCraft II"] == "75689"
    assert found["map 3m"].startswith("sha256 ")
    assert versions("starcraft")["SMAC"].startswith("1.0.0")
