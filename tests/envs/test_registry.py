"""The registry of environment families: torch-free, strict, and with clear errors."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

import bench.envs.registry
from bench.envs import FAMILIES, BackendMissing, Family, checked, deviates, make
from bench.envs.particle.environment import ParticleEnvironment
from bench.envs.particle.params import SimpleSpreadParams
from bench.envs.registry import installation

SPREAD: dict[str, Any] = {"name": "simple_spread", "agents": 6, "dynamics": "openai"}


def test_checking_parameters_needs_no_torch():
    code = (
        "import sys; from bench.envs import checked; "
        f"assert checked('particle', {SPREAD!r}).obs_size == 36; assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_sizes_come_with_the_parameters():
    params = checked("particle", SPREAD)
    assert params == SimpleSpreadParams(name="simple_spread", agents=6, dynamics="openai")
    assert (params.obs_size, params.action_size) == (36, 5)


@pytest.mark.parametrize(
    ("params", "sizes", "state_size"),
    [
        ({"name": "simple_speaker_listener", "agents": 2}, ((3, 11), (3, 5), 11, 5), 22),
        ({"name": "simple_push", "agents": 2, "controlled": "both"}, ((8, 19), (5, 5), 19, 5), 38),
    ],
)
def test_agents_may_have_different_sizes(params: dict[str, Any], sizes: tuple[Any, ...], state_size: int):
    found = checked("particle", {**params, "reward": "team_sum", "dynamics": "openai"})
    assert (found.obs_sizes, found.action_sizes, found.obs_size, found.action_size) == sizes
    assert (found.state_size, found.scored_agents, found.common_reward) == (state_size, (0, 1), True)


def test_make_builds_the_environment():
    env = make("particle", SPREAD)
    assert isinstance(env, ParticleEnvironment)
    assert (env.agents, env.obs_size, env.action_size) == (6, 36, 5)
    assert make("particle", checked("particle", SPREAD)).agents == 6


@pytest.mark.parametrize("version", [family.version for family in bench.envs.registry.FAMILIES.values()])
def test_every_family_carries_a_version(version: int):
    assert version >= 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"agents": 0}, "agents\n.*greater than or equal to 1"),
        ({"agents": "6"}, "agents\n.*valid integer"),
        ({"agents": 6.0}, "agents\n.*valid integer"),
        ({"dynamics": "vmas"}, "dynamics\n.*'openai' or 'mpe2'"),
        ({"landmarks": 3}, "landmarks\n.*not permitted"),
        ({"name": "simple_spreads"}, "key 'name': got 'simple_spreads'; allowed: fullobs_collect_treasure, push_box, "),
        ({"name": None}, "key 'name': got None; allowed: fullobs_collect_treasure, .*, simple_spread"),
    ],
)
def test_bad_parameters_are_named(change: dict[str, Any], says: str):
    with pytest.raises(ValueError, match=says):
        checked("particle", SPREAD | change)


def test_a_missing_parameter_is_named():
    with pytest.raises(ValidationError, match=r"dynamics\n.*required"):
        checked("particle", {"name": "simple_spread", "agents": 6})


def test_an_unknown_family_is_named():
    with pytest.raises(ValueError, match="key 'family': got 'particles'; allowed: football, mujoco, particle"):
        checked("particles", SPREAD)


def test_parameters_cannot_change():
    params = SimpleSpreadParams(name="simple_spread", agents=6, dynamics="openai")
    with pytest.raises(ValidationError, match="frozen"):
        params.agents = 7


def _registered(monkeypatch: pytest.MonkeyPatch, module: str):
    entry = Family(
        module, "Environment", "pip install absent", 1, ("step_reward",), {"simple_spread": SimpleSpreadParams}
    )
    monkeypatch.setattr(bench.envs.registry, "FAMILIES", {"absent": entry})


def test_a_missing_backend_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    _registered(monkeypatch, "no_such_backend.environment")
    with pytest.raises(BackendMissing, match="'no_such_backend'; try: pip install absent"):
        make("absent", SPREAD)


def test_our_own_missing_module_is_not_taken_for_a_missing_backend(monkeypatch: pytest.MonkeyPatch):
    _registered(monkeypatch, "bench.envs.no_such_module")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        make("absent", SPREAD)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_record_of_any_family_can_be_judged(family):
    """Each module of an installation has all that is asked of one, or a record of its games stops every judgement."""
    game = installation(family)
    if game is not None:
        assert all(isinstance(own, tuple) for own in (game.missing(), game.remarks()))
        assert isinstance(game.described("3m"), dict)
    assert isinstance(deviates(family, {}), str)
