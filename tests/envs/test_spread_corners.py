"""DVM's spread against a scalar reference; its phases, rewards and outcomes."""

from __future__ import annotations

import itertools
import math
from typing import Any, Literal

import numpy as np
import pytest
import torch

from bench.envs import checked
from bench.envs.particle.environment import ParticleEnvironment
from bench.envs.particle.params import SpreadCornersParams
from bench.envs.particle.physics import State
from bench.envs.particle.scripts import corners_no_information, good, measure, random_script
from bench.envs.particle.spread_corners import by_heading
from tests.envs.corners_reference import Corners

TOLERANCE = 1e-9
SIZES = {2: 13, 3: 18, 4: 24}


def params(
    agents: int, phase: Literal[1, 2] = 1, actions: str = "discrete", reward: str = "joint"
) -> SpreadCornersParams:
    table: dict[str, Any] = {"name": "spread_corners", "agents": agents, "phase": phase, "actions": actions}
    found = checked("particle", {**table, "observation": "lidar", "reward": reward, "dynamics": "openai"})
    assert isinstance(found, SpreadCornersParams)
    return found


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


@pytest.mark.parametrize("reward", ["joint", "individual"])
@pytest.mark.parametrize("actions", ["discrete", "continuous"])
@pytest.mark.parametrize("agents", [2, 3, 4])
def test_it_is_the_reference(agents: int, actions: str, reward: str) -> None:
    """25 steps from a start in the corners, and from one where all agents are in contact."""
    own, rng = params(agents, 2, actions, reward), np.random.default_rng(agents)
    environment = ParticleEnvironment(own)
    for crowded in (1.0, 0.1):
        environment.reset(generators(agents), 1)
        start = environment.world
        obs = environment.set_state(
            State(start.positions * crowded, start.velocities, start.landmarks, start.goal, clock=start.clock)
        )
        told = [x[0, 0].tolist() for x in (start.positions * crowded, start.velocities, start.landmarks)]
        reference = Corners(*told, joint=reward == "joint")
        assert obs.shape[-1] == SIZES[agents]
        np.testing.assert_allclose(obs[0, 0], [reference.observation(i) for i in range(agents)], atol=TOLERANCE, rtol=0)
        for _ in range(25):
            moves = rng.uniform(-1, 1, (agents, 2)) if own.continuous else np.eye(5)[rng.integers(5, size=agents)]
            given = environment.step(torch.from_numpy(moves)[None, None])
            seen, rewards = reference.step(moves.tolist())
            np.testing.assert_allclose(given.obs[0, 0], seen, atol=TOLERANCE, rtol=0)
            np.testing.assert_allclose(given.rewards[0, 0], rewards, atol=TOLERANCE, rtol=0)
            assert given.outcome["own_corner"].item() == (reference.nearest() == start.goal.item())  # pyright: ignore


# The corner of each agent by phase, as signs of x and y: Fig. 2, and the fork for 2 and 3 agents.
STARTS = {
    (2, 1): [(-1, -1), (1, 1)],
    (2, 2): [(1, 1), (-1, -1)],
    (3, 1): [(1, 1), (-1, -1), (1, -1)],
    (3, 2): [(-1, -1), (1, -1), (1, 1)],
    (4, 1): [(1, 1), (-1, 1), (-1, -1), (1, -1)],
}


@pytest.mark.parametrize(("agents", "phase"), list(STARTS))
def test_agents_start_in_their_corners(agents: int, phase: Literal[1, 2]) -> None:
    environment = ParticleEnvironment(params(agents, phase))
    environment.reset(generators(0, 1), 50)
    inner, world = 0.5 if agents == 2 else 0.33, environment.world
    expected = torch.tensor(STARTS[agents, phase]).double().expand_as(world.positions)
    targets = torch.tensor(STARTS[agents, 1]).double().expand_as(world.landmarks)
    for places, signs in ((world.positions, expected), (world.landmarks, targets)):
        assert torch.equal(places.sign(), signs)
        assert inner <= places.abs().min() < inner + 0.02
        assert 0.98 < places.abs().max() <= 1
    assert world.velocities.abs().max() == 0


def test_four_agents_start_in_every_order_in_the_second_phase() -> None:
    """24 orders, in 2,400 episodes each 100 times on average: fewer than 60 or more than 140 are 4 deviations off."""
    environment = ParticleEnvironment(params(4, 2))
    environment.reset(generators(3), 2400)
    signs = [[tuple(p) for p in episode] for episode in environment.world.positions[0].sign().int().tolist()]
    orders = [tuple(STARTS[4, 1].index((a, b)) for a, b in episode) for episode in signs]
    counts = [orders.count(order) for order in itertools.permutations(range(4))]
    assert sum(counts) == 2400
    assert all(60 < count < 140 for count in counts)
    assert environment.world.goal is not None
    assert environment.world.goal[0].tolist() == [order[0] for order in orders]


def test_a_seed_s_episodes_do_not_depend_on_companions_and_copies() -> None:
    environment = ParticleEnvironment(params(4, 2))
    several = environment.reset(generators(5, 6), 7)
    alone = environment.reset(generators(6), 3)
    assert torch.equal(several[1, :3], alone[0])


def test_headings_are_those_of_atan2() -> None:
    angles = [-math.pi, -2.0, -math.pi / 2, -0.5, 0.0, 0.5, math.pi / 2, 2.0, math.pi]
    points = [[3 * math.cos(a), 3 * math.sin(a)] for a in angles]
    points[0], points[-1] = [-3.0, -0.0], [-3.0, 0.0]
    points.insert(5, [0.0, 0.0])  # atan2(0, 0) is 0, too, and comes after (3, 0), as given
    given = torch.tensor(points, dtype=torch.float64)
    order = torch.randperm(len(points), generator=torch.Generator().manual_seed(0)).tolist()
    expected = sorted((points[i] for i in order), key=lambda p: math.atan2(p[1], p[0]))
    assert by_heading(given[order]).tolist() == expected


def test_a_team_that_swaps_places_sees_the_same() -> None:
    """Sec. III-B, the basis of value matching: agents 1 and 2 in each other's place have each other's observation."""
    environment = ParticleEnvironment(params(3))
    obs = environment.reset(generators(0), 4)
    start, order = environment.world, [1, 0, 2]
    swapped = State(
        start.positions[..., order, :], start.velocities[..., order, :], start.landmarks, start.goal, clock=start.clock
    )
    assert torch.equal(environment.set_state(swapped), obs[..., order, :])


@pytest.mark.parametrize("actions", ["discrete", "continuous"])
@pytest.mark.parametrize("agents", [2, 4])
def test_scripts_give_a_scale(agents: int, actions: str) -> None:
    def score(script: Any) -> torch.Tensor:
        return measure(params(agents, 2, actions), script, [0, 1], 100, 25, "step_reward")

    chance, blind, best = score(random_script(generators(7, 8))), score(corners_no_information), score(good)
    margin = (best - chance) / 10
    assert (blind > chance + margin).all()
    assert (best > blind + margin).all()
