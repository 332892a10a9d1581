"""DVM's push box against a scalar reference, and its edge cases."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
import torch

from bench.envs import checked
from bench.envs.particle.environment import ParticleEnvironment
from bench.envs.particle.params import PushBoxParams
from bench.envs.particle.physics import State
from bench.envs.particle.scripts import measure, push_box_good, random_script, still
from tests.envs.push_box_reference import February, PushBox
from tests.envs.test_spread_corners import generators

TOLERANCE = 1e-9
Point = tuple[float, float]


def params(target: str = "left", actions: str = "discrete", **more: str) -> PushBoxParams:
    table: dict[str, Any] = {"name": "push_box", "agents": 2, "target": target, "actions": actions, **more}
    found = checked("particle", {**table, "reward": "joint", "dynamics": "openai"})
    assert isinstance(found, PushBoxParams)
    return found


def state(
    first: Point, second: Point, box: Point = (0, 0), moving: Point = (0, 0), target: Point = (-0.85, 0)
) -> State:
    def of(*points: Point) -> torch.Tensor:
        return torch.tensor(points, dtype=torch.float64)[None, None]

    velocities = of(moving, (0, 0), (0, 0))
    return State(of(first, second), velocities, of(box, target), torch.tensor([[0]]), clock=torch.zeros(1, 1).double())


def reference(own: State, kind: Any = PushBox) -> Any:
    positions, velocities, (box, target) = (x[0, 0].tolist() for x in (own.positions, own.velocities, own.landmarks))
    return kind(positions, velocities[1:], box, velocities[0], target)


# Where the two agents begin: apart; both pressing on the box from the right; in each other and in the box; one alone.
STARTS = {
    "apart": state((0.7, 0.7), (-0.8, 0.3)),
    "pressing": state((0.33, 0.12), (0.33, -0.12)),
    "heap": state((0.15, 0.02), (0.2, -0.05), moving=(0.3, -0.1)),
    "one": state((0.34, 0.0), (0.9, 0.9), moving=(0.2, 0.1)),
    "above": state((0.0001, 0.34), (-0.0001, -0.34)),
}


@pytest.mark.parametrize("fork", ["6419450", "5290ab9"])
@pytest.mark.parametrize("actions", ["discrete", "continuous"])
@pytest.mark.parametrize("start", STARTS)
def test_it_is_the_reference(start: str, actions: Literal["discrete", "continuous"], fork: str) -> None:
    """100 steps of random pushes, most of them to the left."""
    environment = ParticleEnvironment(params("left", actions, fork=fork))
    oracle = reference(STARTS[start], PushBox if fork == "6419450" else February)
    rng, obs = np.random.default_rng(1), environment.set_state(STARTS[start])
    np.testing.assert_allclose(obs[0, 0], [oracle.observation(i) for i in (0, 1)], atol=TOLERANCE, rtol=0)
    for _ in range(100):
        if actions == "continuous":
            moves = np.clip(rng.normal((-0.5, 0), 0.5, (2, 2)), -1, 1)
        else:
            moves = np.eye(5)[rng.choice(5, 2, p=(0.1, 0.1, 0.6, 0.1, 0.1))]
        given = environment.step(torch.from_numpy(moves)[None, None])
        seen, rewards = oracle.step(moves.tolist())
        np.testing.assert_allclose(given.obs[0, 0], seen, atol=TOLERANCE, rtol=0)
        np.testing.assert_allclose(given.rewards[0, 0], rewards, atol=TOLERANCE, rtol=0)


def pushed(own: State, *actions: int) -> State:
    environment = ParticleEnvironment(params())
    environment.set_state(own)
    environment.step(torch.nn.functional.one_hot(torch.tensor(actions), 5).double()[None, None])
    return environment.world


def test_the_box_moves_only_where_both_press_along_x() -> None:
    """Frozen it keeps its velocity. Two that press from above and below press along y alone."""
    assert pushed(STARTS["pressing"], 2, 2).landmarks[0, 0, 0, 0] < 0
    for frozen in ("one", "above", "apart"):
        after = pushed(STARTS[frozen], 2, 2)
        assert torch.equal(after.landmarks, STARTS[frozen].landmarks)
        assert torch.equal(after.velocities[0, 0, 0], STARTS[frozen].velocities[0, 0, 0])


def test_the_clip_halves_an_agents_own_force() -> None:
    """A full push of 5 accelerates by 2.5: .25 in a step of .1."""
    after = pushed(STARTS["apart"], 1, 4)
    assert torch.allclose(after.velocities[0, 0, 1:], torch.tensor([[0.25, 0.0], [0.0, -0.25]]).double(), atol=1e-12)


def test_targets_are_the_tasks_and_every_third_is_the_new_one() -> None:
    for target, places in {"left": [(-0.85, 0)], "right": [(0.85, 0)], "third": [(-0.6, -0.6)]}.items():
        environment = ParticleEnvironment(params(target))
        environment.reset(generators(0), 20)
        assert {tuple(p) for p in environment.world.landmarks[0, :, 1].tolist()} == {*places}
    environment = ParticleEnvironment(params("random"))
    environment.reset(generators(0), 3000)
    goals = environment.world.goal
    assert goals is not None
    assert all(900 < int((goals == k).sum()) < 1100 for k in range(3))
    assert environment.world.positions.abs().max() <= 1


def test_the_other_candidate_starts_where_it_says_and_pushes_without_a_clip() -> None:
    environment = ParticleEnvironment(params("random", fork="5290ab9"))
    obs = environment.reset(generators(0), 3)
    assert obs.shape[-1] == 10
    assert environment.world.positions[0].tolist() == [[[0.3, 0.3], [0.3, -0.3]]] * 3
    environment.set_state(STARTS["apart"])
    environment.step(torch.nn.functional.one_hot(torch.tensor([1, 4]), 5).double()[None, None])
    expected = torch.tensor([[0.2, 0.0], [0.0, -0.2]]).double()
    assert torch.allclose(environment.world.velocities[0, 0, 1:], expected, atol=1e-12)


@pytest.mark.parametrize("fork", ["6419450", "5290ab9"])
def test_scripts_give_a_scale(fork: str) -> None:
    def score(script: Any) -> torch.Tensor:
        return measure(params("random", fork=fork), script, [0, 1], 30, 100, "step_reward")

    nothing, best, chance = score(still), score(push_box_good), score(random_script(generators(5, 6)))
    assert ((nothing + 0.7217).abs() < 0.002).all()  # of .85^2, .85^2 and .72, about a third each
    assert (best > nothing + 0.3).all()
    assert (chance < best - 0.3).all()
