"""StarCraft without the game: the adapter against a stand-in for smac, the errors about missing parts, sizes.

The stand-in behaves like smac: tests/starcraft/test_package.py compares the adapter with the real package.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import numpy as np
import pytest
from typer.testing import CliRunner

import bench.envs.registry
from bench.cli import app
from bench.envs import BackendMissing, checked, described, lacking, make, unfit
from bench.envs.one import EnvironmentFailed
from bench.envs.restarting import Restarting
from bench.envs.starcraft import install, installation
from bench.envs.starcraft.one import StarcraftOne
from bench.envs.starcraft.params import MAPS, StarcraftParams
from bench.evidence.measures import Evidence
from bench.plan import Cell, Note, Selection, make_plan
from bench.plan.assets import missing_backends
from bench.suite.loading import load
from bench.verdict.about import games_of
from bench.verdict.codes import forbids

PARAMS = StarcraftParams(name="3m")
STOP = [1, 1, 1]


class Smac:
    """Stands in for `StarCraft2Env`: an episode is won after `length` steps, or reaches smac's limit of them."""

    made: ClassVar[list[Smac]] = []
    n_agents = 3

    def __init__(self, length: int = 2, ends: str = "won", **sizes: int):
        self.length, self.ends, self.resets, self.closed = length, ends, 0, False
        info = {"n_agents": 3, "obs_shape": 30, "n_actions": 9, "state_shape": 48, "episode_limit": 60}
        self.info = info | sizes
        Smac.made.append(self)

    def get_env_info(self) -> dict[str, int]:
        return self.info

    def reset(self) -> None:
        self.steps, self.resets = 0, self.resets + 1

    def step(self, actions: list[int]) -> tuple[float, bool, dict[str, Any]]:
        assert all(isinstance(own, int) for own in actions)
        self.steps += 1
        over = self.steps == self.length
        if over and self.ends == "crash":
            return 0, True, {}
        told = {"battle_won": over and self.ends == "won"}
        return 2.5, over, told | ({"episode_limit": True} if over and self.ends == "limit" else {})

    def get_obs(self) -> list[np.ndarray]:
        return [np.full(30, self.steps + i, np.float32) for i in range(3)]

    def get_state(self) -> np.ndarray:
        return np.full(48, 10 + self.steps, np.float32)

    def get_avail_actions(self) -> list[list[int]]:
        return [[0, 1, 1, 1, 1, 1, 0, 0, 0]] * 3

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Smac.made = []
    monkeypatch.setenv("SC2PATH", str(tmp_path / "game"))


def one(**chosen: Any) -> StarcraftOne:
    return StarcraftOne(PARAMS, lambda: Smac(**chosen))


@pytest.mark.parametrize(
    ("ends", "terminated", "truncated", "won"),
    [("won", True, False, 1.0), ("lost", True, False, 0.0), ("limit", False, True, 0.0)],
)
def test_how_an_episode_ends(ends: str, terminated: bool, truncated: bool, won: float) -> None:
    game = one(ends=ends)
    assert [own[0] for own in game.reset(5)] == [0, 1, 2]
    first, last = game.step(STOP), game.step(STOP)
    assert (first.terminated, first.truncated, first.rewards) == (False, False, [2.5] * 3)
    assert (last.terminated, last.truncated, last.outcome["win_rate"]) == (terminated, truncated, won)
    assert game.global_state().tolist() == [12.0] * 48
    assert game.avail_actions()[0].tolist() == [False, *[True] * 5, False, False, False]


def test_a_crash_is_no_loss() -> None:
    """smac starts its game again and ends the episode, without information on the battle."""
    game = one(ends="crash")
    game.reset(0)
    game.step(STOP)
    with pytest.raises(EnvironmentFailed, match="the game broke off"):
        game.step(STOP)


def test_an_episode_that_is_cut_short_leaves_no_second_game() -> None:
    game = one(length=5)
    game.reset(0)
    game.step(STOP)
    game.reset(1)  # none has ended yet: smac would start a game beside the first
    assert [own.closed for own in Smac.made] == [True, False]
    for _ in range(5):
        game.step(STOP)
    game.reset(2)
    game.step(STOP)
    game.reset(3)  # smac ends the episode that is open by itself
    assert (len(Smac.made), Smac.made[-1].resets) == (2, 3)


def test_a_map_of_other_sizes_is_refused() -> None:
    with pytest.raises(EnvironmentFailed, match=r"map 3m of smac: observation entries: got 42; declared: 30$"):
        one(obs_shape=42)


def test_a_game_that_breaks_off_is_started_again(capsys: pytest.CaptureFixture[str]) -> None:
    ends = iter(["crash", "won", "crash", "crash"])
    games = Restarting(PARAMS, lambda: one(ends=next(ends)), "StarCraft II", most=2)  # type: ignore[arg-type]
    games.reset(0)
    games.step(STOP)
    broken = games.step(STOP)
    assert (broken.terminated, broken.truncated, broken.rewards) == (False, True, [0.0] * 3)
    assert broken.outcome == {"win_rate": 0.0, "broken_off": 1.0}
    assert [own[0] for own in broken.obs] == [1, 2, 3]  # what was seen last
    games.reset(1)
    games.step(STOP)
    assert games.step(STOP).outcome == {"win_rate": 1.0, "broken_off": 0.0}
    games.close()
    again = Restarting(PARAMS, lambda: one(ends=next(ends)), "StarCraft II", most=1)  # type: ignore[arg-type]
    again.reset(0)
    again.step(STOP)
    assert again.step(STOP).truncated
    again.reset(0)
    again.step(STOP)
    with pytest.raises(EnvironmentFailed, match="2 games broke off, 1 are allowed: the game broke off"):
        again.step(STOP)
    assert "a game broke off, 1 of at most 2" in capsys.readouterr().err


def test_sizes_are_smac_s() -> None:
    """As its own tables say: 3m 30, 48, 9; 3s5z 128, 216, 14; corridor 156, 282, 30; MMM2 176, 322, 18."""
    known = {"3m": (30, 48, 9), "3s5z": (128, 216, 14), "corridor": (156, 282, 30), "MMM2": (176, 322, 18)}
    for name, sizes in known.items():
        params = StarcraftParams(name=name)
        assert (params.obs_size, params.state_size, params.action_size) == sizes, name
    assert sum(not own.registered for own in MAPS.values()) == 14
    with pytest.raises(ValueError, match="required, since the number of this map's enemies is not stated"):
        checked("starcraft", {"name": "MMM2_8"})
    with pytest.raises(ValueError, match="not allowed, since this map has 3"):
        checked("starcraft", {"name": "3m", "enemies": 4})


def installed(folder: Path, build: int, *maps: str) -> None:
    (folder / "Versions" / f"Base{build}").mkdir(parents=True)
    (folder / "Maps" / "SMAC_Maps").mkdir(parents=True)
    for name in maps:
        (folder / "Maps" / "SMAC_Maps" / f"{name}.SC2Map").write_bytes(name.encode())


def test_what_is_missing_is_said_with_its_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BENCH_STARCRAFT_PYTHON", "/nowhere/python")
    with pytest.raises(BackendMissing, match=r"needs SMAC, PySC2, protobuf in /nowhere/python; try: .*protobuf"):
        make("starcraft", PARAMS)
    monkeypatch.setattr(bench.envs.registry, "_versions_in", lambda python, packages: dict.fromkeys(packages, "1"))
    with pytest.raises(BackendMissing, match=r"StarCraft II is not in .*game: .*export SC2PATH"):
        make("starcraft", PARAMS)
    assert "SC2PATH" in lacking("starcraft")
    installed(tmp_path / "game", 75689, *(name for name, own in MAPS.items() if own.registered and name != "3m"))
    with pytest.raises(BackendMissing, match=r"3m.SC2Map: No such file; unpack SMAC_Maps.zip"):
        make("starcraft", PARAMS)
    with pytest.raises(BackendMissing, match=r"2s6z.SC2Map: No such file, and no public pack has it: put your own"):
        make("starcraft", StarcraftParams(name="2s6z"))
    assert installation.missing() == ("1 of SMAC's maps (3m)",)


def test_a_protobuf_that_smac_cannot_use_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before anything is played, by `make`, by a plan and by the doctor; nothing else is amiss."""
    there = {"SMAC": "1.0.0", "PySC2": "4.0.0", "protobuf": "5.29.3"}
    monkeypatch.setenv("BENCH_STARCRAFT_PYTHON", "/some/python")
    monkeypatch.setattr(bench.envs.registry, "_versions_in", lambda python, packages: there)
    installed(tmp_path / "game", 75689, *(name for name, own in MAPS.items() if own.registered))
    with pytest.raises(BackendMissing, match=r"^family 'starcraft': protobuf 5.29.3, needed <3.21; try: .*==3.20.3"):
        make("starcraft", PARAMS)
    (problem,) = missing_backends(make_plan(load("ptde"), Selection(only=("smac/distillation",))).cells)
    assert problem.got == "family starcraft with protobuf 5.29.3, needed <3.21"
    told = CliRunner().invoke(app, ["doctor", "starcraft"])
    assert (told.exit_code, "other versions: protobuf 5.29.3, needed <3.21" in told.stdout) == (4, True)
    there["protobuf"] = "3.20.3"
    assert (unfit("starcraft"), lacking("starcraft")) == ((), "")


def test_the_doctor_names_an_interpreter_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_STARCRAFT_PYTHON", "/nowhere/python")
    told = CliRunner().invoke(app, ["doctor", "starcraft"])
    assert told.exit_code == 4
    assert "looked for in /nowhere/python, which BENCH_STARCRAFT_PYTHON names: no such program" in told.stdout


def test_a_plan_says_that_the_game_itself_is_not_counted(tmp_path: Path) -> None:
    asked = ["plan", "ptde", "--results", str(tmp_path), "--only"]
    battles, lists = (CliRunner().invoke(app, [*asked, name]).stdout for name in ("smac/distillation", "ltr/planted"))
    says = "StarCraft II's own CPU time and memory are in no sum: they have not been measured."
    assert (says in battles, says in lists) == (True, False)


def test_its_python_environment_is_made_of_checkouts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What pip is asked for; `tox run -e starcraft` does it. Of a checkout of git its last commit, which pip notes."""
    asked: list[list[str]] = []

    def ran(command: list[str], check: bool) -> SimpleNamespace:
        asked.append(command)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(install.venv, "create", lambda folder, with_pip: folder.mkdir())
    monkeypatch.setattr(install.subprocess, "run", ran)
    folder, smac, smacv2 = (tmp_path / name for name in ("made", "smac", "smacv2"))
    assert install.main([str(folder)]) == 2
    assert install.main([str(folder), str(smac)]) == 2
    assert f"CHECKOUT {smac}: it has no setup.py; name a folder of oxwhirl/smac" in capsys.readouterr().err
    for checkout in (smac, smacv2):
        checkout.mkdir()
        (checkout / "setup.py").touch()
    assert install.main([str(tmp_path), str(smac)]) == 2
    assert f"FOLDER {tmp_path}: it is there, and no Python environment" in capsys.readouterr().err
    (smac / ".git").mkdir()
    assert install.main([str(folder), str(smac), str(smacv2)]) == 0
    python = str(folder / "bin" / "python")
    assert all(command[:5] == [python, "-I", "-m", "pip", "install"] for command in asked)
    assert "protobuf==3.20.3" in asked[0]
    assert asked[1][5:] == ["--no-deps", "--no-build-isolation", f"git+{smac.as_uri()}"]
    assert asked[2][-1].endswith("/source")
    assert f"export BENCH_STARCRAFT_PYTHON={python}" in capsys.readouterr().out


def test_a_build_that_papers_used_is_told_from_others(tmp_path: Path) -> None:
    installed(tmp_path / "game", 69232, "3m")
    assert installation.remarks()[0] == "build 69232, 4.6.2"
    assert described("starcraft", PARAMS) == {
        "StarCraft II": "69232",
        "map 3m": "sha256 a2b0b6da523eefe057a6d6ee7daa9d15fbdf939610ca9ac2ae4ec62f0c16d474",
    }
    (tmp_path / "game" / "Versions" / "Base90000").mkdir()
    assert installation.remarks()[0] == "build 90000: not one that papers used (69232, 4.6.2, 75689, 4.10)"


def test_runs_in_a_build_that_papers_did_not_use_allow_no_verdict() -> None:
    """By their records; other runs' records name no game."""
    cells = make_plan(load("mkt_marl"), Selection(only=("teachers",))).cells
    battles, particles = (next(c for c in cells if c.scored[0].family == f) for f in ("starcraft", "particle"))

    def notes(cell: Cell, *builds: str) -> tuple[Note, ...]:
        records = {
            s: SimpleNamespace(provenance=SimpleNamespace(packages={"StarCraft II": b})) for s, b in enumerate(builds)
        }
        return games_of(cast(Evidence, SimpleNamespace(finished=lambda _: records)), [cell])

    assert notes(battles, "75689", "69232") == notes(particles, "90000") == ()
    (note,) = notes(battles, "75689", "90000", "90000")
    assert (note.id, note.says.partition(",")[0]) == ("game-build", "StarCraft II's build is 90000")
    assert forbids([note])
