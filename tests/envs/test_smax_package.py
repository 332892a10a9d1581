"""SMAX against jaxmarl itself, where it is installed: sizes of all maps, a battle step by step, wins.

A second interpreter may have it: BENCH_SMAX_PYTHON. JAX takes minutes to compile programs that are not yet on disk.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from bench.envs import checked, lacking, python_of
from bench.envs.smax import environment as smax
from bench.envs.smax.params import MAPS, SmaxParams, teams
from bench.envs.smax.scripts import closest

pytestmark = pytest.mark.skipif(bool(lacking("smax")), reason=f"jaxmarl is not installed: {lacking('smax')}")

SIZES = """
import json, sys
import jax.numpy as jnp
from jaxmarl.environments.smax import HeuristicEnemySMAX, Scenario
found = {}
for name, (ours, theirs) in json.loads(sys.argv[1]).items():
    units = jnp.array(ours + theirs, dtype=jnp.uint8)
    game = HeuristicEnemySMAX(scenario=Scenario(units, len(ours), len(theirs), False, False))
    found[name] = [game.obs_size, game.num_ally_actions, game.state_size]
print(json.dumps(found))
"""
BUILT_IN = """
import json
from jaxmarl.environments.smax.smax_env import MAP_NAME_TO_SCENARIO as known
print(json.dumps({n: [s.unit_types.tolist(), s.num_allies] for n, s in known.items()}))
"""
# Its own loop, written against the package's documented calls: a key, reset, step_env.
LOOP = """
import json, sys
import jax, jax.numpy as jnp
from jaxmarl.environments.smax import HeuristicEnemySMAX, map_name_to_scenario
seed, steps = json.loads(sys.argv[1])
game = HeuristicEnemySMAX(scenario=map_name_to_scenario("3m"), see_enemy_actions=False, max_steps=10**6)
key, start = jax.random.split(jax.random.PRNGKey(seed))
obs, state = game.reset(start)
told = []
for t in range(steps):
    key, now = jax.random.split(key)
    numbers = [t % 2, 1, 4]
    avail = game.get_avail_actions(state)
    chosen = {a: jnp.array(n if avail[a][n] else 4) for a, n in zip(game.agents, numbers)}
    obs, state, rewards, dones, _ = game.step_env(now, state, chosen)
    told.append([[obs[a].tolist() for a in game.agents], obs["world_state"].tolist(), float(rewards["ally_0"])])
print(json.dumps(told))
"""


def in_its_python(code: str, *arguments: object) -> object:
    command = [python_of("smax") or sys.executable, "-c", code, *map(json.dumps, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def server() -> Iterator[smax.Server]:
    """One process for all tests here."""
    kept = smax.Server.joined()
    yield kept
    kept.leave()


def test_the_sizes_are_the_package_s() -> None:
    known = {name: [list(side) for side in teams(name)] for name in MAPS}
    sizes = in_its_python(SIZES, known)
    assert isinstance(sizes, dict)
    for name in MAPS:
        params = checked("smax", {"name": name})
        allies = len(params.obs_sizes)
        own = [params.obs_size, params.action_size, params.state_size - allies * params.action_size]
        assert own == sizes[name], name


def test_the_units_are_the_package_s_where_it_has_the_map() -> None:
    known = in_its_python(BUILT_IN)
    assert isinstance(known, dict)
    shared = [name for name in MAPS if name in known]
    assert len(shared) == 10
    for name in shared:
        ours, theirs = teams(name)
        assert known[name] == [[*ours, *theirs], len(ours)], name


def test_a_battle_is_the_package_s_step_by_step(server: smax.Server) -> None:
    environment = smax.SmaxEnvironment(SmaxParams(name="3m"), smax.Battlefield("3m"), "cpu")
    obs = environment.reset([torch.Generator().manual_seed(3)], 1)
    seed = int(torch.randint(2**31 - 1, (), generator=torch.Generator().manual_seed(3)))
    told = in_its_python(LOOP, [seed, 30])
    assert isinstance(told, list)
    for t, (theirs, world, reward) in enumerate(told):
        wanted = torch.tensor([t % 2, 1, 4])
        there = environment.avail_actions()[0, 0][torch.arange(3), wanted]
        chosen = torch.where(there, wanted, 4)
        given = environment.step(one_hot(chosen, 8)[None, None])
        obs = given.obs
        np.testing.assert_allclose(obs[0, 0].numpy(), np.array(theirs), atol=2e-5)
        state = environment.global_state()[0, 0]
        np.testing.assert_allclose(state[:72].numpy(), np.array(world), atol=2e-4)
        assert torch.equal(state[72:].view(3, 8), one_hot(chosen, 8).float())
        assert given.rewards[0, 0].tolist() == pytest.approx([reward] * 3, abs=1e-6)
    environment.close()


def test_wins_are_wins_and_only_they_give_the_whole_reward(server: smax.Server) -> None:
    """A win pays 1 for the enemies' health and 1 for the battle; nothing else pays 2."""
    environment = smax.SmaxEnvironment(SmaxParams(name="3m"), smax.Battlefield("3m"), "cpu")
    obs = environment.reset([torch.Generator().manual_seed(7)], 64)
    total, over, won = torch.zeros(64), torch.zeros(64, dtype=torch.bool), torch.zeros(64, dtype=torch.bool)
    for _ in range(100):
        numbers = closest(torch.Generator(), obs[0], environment.avail_actions()[0])
        given = environment.step(one_hot(numbers, 8)[None])
        total += given.rewards[0, :, 0].float().masked_fill(over, 0)
        won |= given.outcome["win_rate"][0].bool() & given.terminated[0] & ~over
        over, obs = over | given.terminated[0], given.obs
    assert over.float().mean() > 0.9
    assert 5 < int(won.sum()) < 60
    assert torch.equal(won, total > 1.999)
    environment.close()
