"""Treasure collection against a scalar reference, and its edge cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bench.envs import checked
from bench.envs.anchors import measure_anchors
from bench.envs.particle import layouts
from bench.envs.particle.environment import ParticleEnvironment
from bench.envs.particle.params import CollectTreasureParams
from bench.envs.particle.pettingzoo_view import parallel_env
from bench.envs.particle.physics import State
from tests.envs.treasure_reference import FAR, Agent, Episode, Treasure

TOLERANCE = 1e-9
SIZES = {"VII": (4, 1, 4), "VIII": (6, 2, 6), "crowd": (9, 3, 8)}  # the last sees 7 of 11 others and of 8 treasures
Point = tuple[float, float]


def params(collectors: int, banks: int, treasures: int) -> CollectTreasureParams:
    sizes = {"collectors": collectors, "banks": banks, "treasures": treasures}
    found = checked("particle", {"name": "fullobs_collect_treasure", **sizes, "dynamics": "maac"})
    assert isinstance(found, CollectTreasureParams)
    return found


def born(generator: torch.Generator, count: int, banks: int) -> list[tuple[list[float], int]]:
    if not count:
        return []
    drawn = torch.rand(count, 3, generator=generator, dtype=torch.float64).tolist()
    return [([0.95 * (2 * x - 1), 0.95 * (2 * y - 1)], int(k * banks)) for x, y, k in drawn]


def reference(own: ParticleEnvironment, lane: int, generator: torch.Generator) -> Episode:
    """The first copy of a lane, in its current state."""
    world, p = own.world, own.params
    assert isinstance(p, CollectTreasureParams)
    assert world.types is not None
    assert world.held is not None
    banks = [None] * p.collectors + [*range(p.banks)]
    agents = [Agent(place, bank) for place, bank in zip(world.positions[lane, 0].tolist(), banks, strict=True)]
    for agent, held in zip(agents, world.held[lane, 0].tolist(), strict=False):
        agent.holds = held if held >= 0 else None
    kinds = zip(world.landmarks[lane, 0].tolist(), world.types[lane, 0].tolist(), strict=True)
    treasures = [Treasure(place, kind, place != FAR) for place, kind in kinds]
    return Episode(agents, treasures, lambda count: born(generator, count, p.banks))


def seen(obs: torch.Tensor, sizes: tuple[int, ...]) -> list[list[float]]:
    """Without padding, which reads zero."""
    for row, size in zip(obs, sizes, strict=True):
        assert not row[size:].any()
    return [row[:size].tolist() for row, size in zip(obs, sizes, strict=True)]


def assert_alike(ours: list[list[float]], theirs: list[list[float]]) -> None:
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize(("size", "together"), [("VII", 100), ("VIII", 10), ("crowd", 5)])
def test_it_is_the_reference(size: str, together: int) -> None:
    """100 steps of two seeds; all begin close together, to collide, pick up and bring all the time.

    together: after this many steps the reference is set to our positions, because contact multiplies rounding errors.
    """
    collectors, banks, treasures = SIZES[size]
    env, generators = ParticleEnvironment(params(*SIZES[size])), [torch.Generator().manual_seed(s) for s in (0, 1)]
    env.reset(generators, 1)
    state = env.world
    env.set_state(State(**{**vars(state), "positions": 0.5 * state.positions, "landmarks": 0.5 * state.landmarks}))
    twins = [torch.Generator().set_state(g.get_state()) for g in generators]
    oracles = [reference(env, lane, twin) for lane, twin in enumerate(twins)]
    rng, taken, brought = np.random.default_rng(3), 0, 0
    for step in range(100):
        actions = np.eye(5)[rng.integers(5, size=(2, 1, collectors + banks))]
        for lane, oracle in enumerate(oracles):  # mostly each walks to a treasure of its own, or to its bank
            for i, a in enumerate(oracle.collectors):
                goal = next((b for b in oracle.banks if b.bank == a.holds), oracle.treasures[i % treasures])
                x, y = [goal.place[k] - a.place[k] for k in (0, 1)]
                if rng.random() < 0.8:
                    best = (1 if x > 0 else 2) if abs(x) > abs(y) else (3 if y > 0 else 4)
                    actions[lane, 0, i] = np.eye(5)[best]
        places, velocities = env.world.positions, env.world.velocities
        given = env.step(torch.from_numpy(actions))
        for lane, oracle in enumerate(oracles):
            before = [a.holds for a in oracle.collectors]
            if step and step % together == 0:
                for a, place, velocity in zip(oracle.agents, places[lane, 0], velocities[lane, 0], strict=True):
                    a.place, a.velocity = place.tolist(), velocity.tolist()
            obs, rewards = oracle.step(actions[lane, 0].tolist())
            assert_alike(seen(given.obs[lane, 0], env.obs_sizes), obs)
            np.testing.assert_allclose(given.rewards[lane, 0], rewards, atol=TOLERANCE, rtol=0)
            after = [a.holds for a in oracle.collectors]
            taken += sum(a is None and b is not None for a, b in zip(before, after, strict=True))
            brought += sum(a is not None and b is None for a, b in zip(before, after, strict=True))
    assert taken > 10
    assert brought > 3
    assert max(oracle.fastest for oracle in oracles) > 1


def test_sizes_are_those_of_the_papers_tasks() -> None:
    """41 and 40 entries in task VII, 86 and 84 in task VIII; a collector's also include its load."""
    assert params(4, 1, 4).obs_sizes == (41,) * 4 + (40,)
    assert params(6, 2, 6).obs_sizes == (86,) * 6 + (84,) * 2
    assert params(6, 2, 6).kinds == ("collector",) * 6 + ("bank",) * 2


# ------------------------------------------------------------------------------ edge cases, on a still world


def world(
    collectors: list[Point],
    banks: list[Point],
    treasures: list[Point],
    types: list[int] | None = None,
    held: list[int] | None = None,
    clock: float = 0.0,
) -> ParticleEnvironment:
    """clock: steps played before; nothing is taken before the first step."""
    env = ParticleEnvironment(params(len(collectors), len(banks), len(treasures)))
    env.reset([torch.Generator().manual_seed(0)], 1)
    positions = torch.tensor([*collectors, *banks], dtype=torch.float64)[None, None]
    env.set_state(
        State(
            positions,
            torch.zeros_like(positions),
            torch.tensor(treasures, dtype=torch.float64)[None, None],
            clock=torch.full((1, 1), clock, dtype=torch.float64),
            types=torch.tensor(types or [0] * len(treasures))[None, None],
            held=torch.tensor(held or [-1] * len(collectors))[None, None],
        )
    )
    return env


def still(env: ParticleEnvironment, *moves: int) -> Any:
    chosen = torch.tensor([*moves, *[0] * (env.agents - len(moves))])
    return env.step(torch.nn.functional.one_hot(chosen, 5).double()[None, None])


def held(env: ParticleEnvironment) -> list[int]:
    assert env.world.held is not None
    return env.world.held[0, 0].tolist()


AFAR = (0.9, 0.9)


def test_two_collectors_on_one_treasure_score_twice_and_the_first_takes_it() -> None:
    """They are .11 apart, each less than .075 from it: no collision."""
    env = world([(-0.055, 0.0), (0.055, 0.0)], [AFAR], [(0.0, 0.0), (-0.9, -0.9)])
    first = still(env)
    assert first.rewards[0, 0, 2].item() == pytest.approx(10 - 0.1 * 2**0.5 * 0.9)
    assert held(env) == [-1, -1]
    second = still(env)
    assert held(env) == [0, -1]
    assert second.rewards[0, 0, 2].item() == pytest.approx(-0.1 * ((0.9 + 0.055) ** 2 + 0.81) ** 0.5, abs=1e-3)


def test_nothing_is_taken_before_the_first_move() -> None:
    assert held(world([(0.0, 0.0)], [AFAR], [(0.0, 0.0)])) == [-1]
    later = world([(0.0, 0.0)], [AFAR], [(0.0, 0.0)], clock=1.0)
    still(later)
    assert held(later) == [0]


def test_a_treasure_that_was_taken_is_seen_far_away_for_one_step_with_its_old_type() -> None:
    env = world([(0.0, 0.0)], [AFAR, (-0.9, 0.9)], [(0.0, 0.0), (0.5, 0.0)], types=[1, 0])
    still(env)
    away = still(env)
    own = seen(away.obs[0, 0], env.obs_sizes)[0]
    assert own[4:6] == [0.0, 1.0]
    assert own[-4:] == [-999.0, -999.0, 0.0, 1.0]  # the farther of the two treasures
    again = still(env)
    assert max(abs(x) for x in seen(again.obs[0, 0], env.obs_sizes)[0]) < 2
    assert (env.world.landmarks[0, 0, 0].abs() <= 0.95).all()


def test_a_pick_up_inside_the_bank_is_brought_at_once_without_the_bonus() -> None:
    """Collector and bank touch at .125; contact pushes at that distance, so only one step is looked at."""
    env = world([(0.1249, 0.0)], [(0.0, 0.0)], [(0.15, 0.0)], clock=1.0)
    after = still(env)
    assert held(env) == [-1]
    assert (env.world.landmarks[0, 0, 0] == -999).all()
    touch = env.world.positions[0, 0, 0, 0] - env.world.positions[0, 0, 1, 0]
    assert after.rewards[0, 0, 1].item() == pytest.approx(-0.1 * touch.item(), abs=1e-6)


def test_a_carrier_takes_nothing_more_and_brings_to_its_own_bank_alone() -> None:
    env = world([(0.0, 0.0)], [(0.13, 0.0), AFAR], [(0.0, 0.05)], types=[0], held=[1], clock=1.0)
    still(env)
    assert held(env) == [1]
    assert env.world.landmarks[0, 0, 0].tolist() == [0.0, 0.05]
    env = world([(0.0, 0.0)], [(0.124, 0.0), AFAR], [(0.9, -0.9)], held=[0], clock=1.0)
    still(env)
    assert held(env) == [-1]


def test_one_collector_takes_the_first_of_two_treasures() -> None:
    env = world([(0.0, 0.0)], [AFAR, (-0.9, 0.9)], [(0.05, 0.0), (0.0, 0.01)], types=[1, 0], clock=1.0)
    still(env)
    assert held(env) == [1]
    assert env.world.landmarks[0, 0, 1].tolist() == [0.0, 0.01]


def test_touching_is_strict() -> None:
    env = world([(0.0, 0.0)], [AFAR], [(0.05 + 0.025, 0.0)], clock=1.0)
    still(env)
    assert held(env) == [-1]


def test_births_go_in_index_order_and_a_taken_one_waits_a_step() -> None:
    """Two absent treasures appear in one step; one that was taken meanwhile is absent in the next."""
    env = world([(0.0, 0.0)], [AFAR], [(-999.0, -999.0), (0.0, 0.0), (-999.0, -999.0)], clock=1.0)
    twin = torch.Generator().manual_seed(0)
    ParticleEnvironment(params(1, 1, 3)).reset([twin], 1)
    still(env)
    (first, _), (second, _) = born(twin, 2, 1)
    assert env.world.landmarks[0, 0].tolist() == [first, [-999.0, -999.0], second]


def test_the_top_speed_binds_and_masses_decide_who_gives_way() -> None:
    """A bank is pushed 1 / 2.25^2 as fast as the collector it overlaps with is, before the bound."""
    env = world([(0.0, 0.0)], [(0.124, 0.0)], [AFAR])
    still(env)
    collector, bank = env.world.velocities[0, 0, :, 0].tolist()
    assert -collector / bank == pytest.approx(2.25**3)
    deep = world([(0.0, 0.0)], [(0.01, 0.0)], [AFAR])
    still(deep)
    assert deep.world.velocities[0, 0, 0].tolist() == pytest.approx([-1.0, 0.0])


def test_a_full_push_accelerates_by_more_than_a_fifth() -> None:
    env = world([(0.0, 0.0)], [(0.5, 0.5)], [AFAR])
    still(env, 1, 4)
    assert env.world.velocities[0, 0].tolist() == [pytest.approx([0.225, 0.0]), pytest.approx([0.0, -0.225])]


def test_collectors_that_touch_pay_and_banks_follow_who_carries_for_them() -> None:
    env = world([(0.0, 0.0), (0.099, 0.0)], [(0.6, 0.0), (-0.6, 0.0)], [AFAR], held=[-1, 1], clock=1.0)
    given = still(env)
    x = env.world.positions[0, 0, :, 0].tolist()
    apart = x[1] - x[0] < 0.1
    rewards = given.rewards[0, 0].tolist()
    near = ((0.9 - x[0]) ** 2 + 0.81) ** 0.5
    assert rewards[:2] == pytest.approx([-5 * apart - 0.1 * near, -5 * apart - 0.1 * (x[1] + 0.6)])
    assert rewards[2:] == pytest.approx([-0.1 * abs((x[0] + x[1]) / 2 - 0.6), -0.1 * (x[1] + 0.6)])


def test_equally_near_are_seen_in_index_order() -> None:
    env = world([(0.0, 0.0), (0.3, 0.0)], [(0.0, 0.3), (0.0, -0.3)], [(0.4, 0.0), (-0.4, 0.0)], types=[0, 1])
    own = seen(env.seen[0, 0], env.obs_sizes)[0]
    others = [own[6 + 8 * k : 8 + 8 * k] for k in range(3)]
    assert others == [[0.3, 0.0], [0.0, 0.3], [0.0, -0.3]]
    assert own[-8:] == [0.4, 0.0, 1.0, 0.0, -0.4, 0.0, 0.0, 1.0]


# ------------------------------------------------------------------------------------ as an environment


def test_lanes_restarts_and_resuming() -> None:
    """A seed's steps are the same in company; an open world continues unchanged; a restart moves no other copy."""

    def played(env: ParticleEnvironment, lanes: int, steps: int, seed: int = 9) -> torch.Tensor:
        rng = torch.Generator().manual_seed(seed)
        moves = [torch.randint(5, (1, 3, 8), generator=rng).expand(lanes, -1, -1) for _ in range(steps)]
        return torch.stack([env.step(torch.nn.functional.one_hot(m, 5).double()).obs for m in moves])

    alone, company = ParticleEnvironment(params(6, 2, 6)), ParticleEnvironment(params(6, 2, 6))
    alone.reset([torch.Generator().manual_seed(4)], 3)
    generators = [torch.Generator().manual_seed(s) for s in (7, 4, 8)]
    company.reset(generators, 3)
    assert torch.equal(played(alone, 1, 60)[:, 0], played(company, 3, 60)[:, 1])
    again = ParticleEnvironment(params(6, 2, 6))
    streams = [torch.Generator().set_state(g.get_state()) for g in generators]
    obs = again.resume(streams, [company.state(lane) for lane in range(3)])
    assert torch.equal(obs, company.seen)
    assert torch.equal(played(again, 3, 20, 1), played(company, 3, 20, 1))
    before = company.world.positions.clone()
    company.restart(torch.tensor([[True, False, False]] + [[False] * 3] * 2))
    assert not torch.equal(company.world.positions[0, 0], before[0, 0])
    assert torch.equal(company.world.positions[:, 1:], before[:, 1:])
    clock = company.world.clock
    assert clock is not None
    assert clock.tolist() == [[0.0, 80.0, 80.0], [80.0] * 3, [80.0] * 3]


def test_scripts_give_a_scale() -> None:
    """One that walks to treasures and brings them is far above one that does nothing."""
    own = params(4, 1, 4).model_dump()
    found = measure_anchors("particle", own, 100, "return", 2, 3)
    assert found["good"]["mean"] > 100 > 0 > found["no_information"]["mean"]
    assert abs(found["random"]["mean"] - found["no_information"]["mean"]) < 10


def test_its_pettingzoo_view() -> None:
    env = parallel_env(params(4, 1, 4), 3)
    obs, _ = env.reset(seed=0)
    assert {name: len(own) for name, own in obs.items()} == {**{f"collector_{i}": 41 for i in range(4)}, "bank_0": 40}
    for _ in range(2):
        env.step(dict.fromkeys(env.agents, 1))
    obs, rewards, _, truncated, _ = env.step(dict.fromkeys(env.agents, 1))
    assert all(truncated.values())
    assert obs["bank_0"].shape == (40,)
    assert len(rewards) == 5


def test_task_vii_in_the_layout_of_task_viii() -> None:
    """Each block keeps its place, and the only bank is the first of two: others of 8 entries, treasures of 4."""
    seven, eight = params(4, 1, 4), params(6, 2, 6)
    assert layouts.width(seven, 8) == layouts.width(eight, 8) == 86
    assert layouts.slots(eight, 8) == tuple(range(86))
    collector, *_, bank = layouts.slots(seven, 8)
    others = [6 + 8 * k + e for k in range(4) for e in (0, 1, 2, 3, 4, 6)]
    treasures = [62 + 4 * k + e for k in range(4) for e in (0, 1, 2)]
    assert collector == (*range(5), *others, *treasures)
    assert bank == (*range(4), *(x - 2 for x in (*others, *treasures)), 85)
    with pytest.raises(ValueError, match="layout_agents: got 3 for 4 collectors, 1 banks and 4 treasures"):
        layouts.slots(seven, 3)
