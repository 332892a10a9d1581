"""Observation layouts across team sizes, on literal cases."""

from __future__ import annotations

import pytest
import torch

from bench.envs import Params, checked, make
from bench.envs.particle.layouts import adversary_slots, nearest_view, observation_slots, slots, width
from bench.envs.particle.params import SimpleAdversaryParams


def test_slots_of_two_agents_in_the_layout_of_three():
    """Three agents: landmarks at 4-9, others at 10-13, messages at 14-17; two fill the front of each kind."""
    assert observation_slots(2, 3) == (0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 14, 15)


def test_slots_of_one_agent_in_the_layout_of_two():
    assert observation_slots(1, 2) == (0, 1, 2, 3, 4, 5)


@pytest.mark.parametrize("agents", [1, 2, 4, 8])
def test_a_team_fills_its_own_layout(agents: int):
    assert observation_slots(agents, agents) == tuple(range(6 * agents))


@pytest.mark.parametrize(("agents", "layout_agents"), [(4, 6), (4, 8), (6, 8), (1, 8)])
def test_slots_are_distinct_and_fit(agents: int, layout_agents: int):
    places = observation_slots(agents, layout_agents)
    assert len(set(places)) == len(places) == 6 * agents
    assert max(places) < 6 * layout_agents


def test_a_layout_for_fewer_agents_is_refused():
    with pytest.raises(ValueError, match="layout_agents: got 3 for 4 agents; allowed: at least 4"):
        observation_slots(4, 3)


def spread(agents: int) -> Params:
    return checked("particle", {"name": "simple_spread", "agents": agents, "dynamics": "openai"})


def test_knowrus_layout_has_26_entries_and_no_communication():
    """Own velocity and position, 6 landmarks from 4 on, 5 others from 16 on; read from its published teachers."""
    assert width(spread(6), 6, False) == width(spread(4), 6, False) == 26
    assert slots(spread(6), 6, False) == tuple(range(26))
    assert slots(spread(4), 6, False) == (*range(12), *range(16, 22))
    assert slots(spread(4), 6, True) == (*range(12), *range(16, 22), *range(26, 32))


def adversaries(agents: int, adversaries: int, landmarks: int) -> SimpleAdversaryParams:
    sides = {"controlled": "all", "scored": "adversaries", "reward": "individual", "dynamics": "openai"}
    sizes = {"agents": agents, "adversaries": adversaries, "landmarks": landmarks}
    return SimpleAdversaryParams.model_validate({"name": "simple_adversary", **sizes, **sides})


def test_knowrus_task_iv_in_the_layout_of_task_v():
    """2 against 1 read as 3 against 2 would. An adversary's 14 entries: 3 landmarks to 6, the other adversary to 8,
    3 good agents; 2 of padding. A good agent's 16: goal to 2, landmarks to 8, adversaries to 12, 2 others.
    """
    assert width(adversaries(2, 1, 2), 5) == width(adversaries(3, 2, 3), 5) == 16
    adversary, *good = slots(adversaries(2, 1, 2), 5)
    assert adversary == (*range(4), *range(8, 12), 14, 15)
    assert good == [(*range(6), 8, 9, 12, 13)] * 2
    assert slots(adversaries(3, 2, 3), 5) == tuple(range(16))
    assert slots(adversaries(3, 2, 3), 7)[1] == (*range(6), *range(8, 10), *range(12, 18), 20, 21)


def test_a_team_fills_its_own_adversary_layout():
    for own in (adversaries(2, 1, 2), adversaries(3, 2, 3), adversaries(4, 3, 4)):
        assert adversary_slots(own, own.adversaries + own.agents) == (tuple(range(own.obs_size)),) * len(own.obs_sizes)


def test_an_adversary_layout_with_fewer_of_a_kind_is_refused():
    message = "layout_agents: got 4 for 2 adversaries, 3 good agents and 3 landmarks; allowed: a team with as many"
    with pytest.raises(ValueError, match=message):
        slots(adversaries(3, 2, 3), 4)


def test_what_stands_before_the_communication_is_what_others_do_not_say():
    """The omitted entries come last, and are zero whatever any agent does."""
    environment = make("particle", spread(3))
    obs = environment.reset([torch.Generator().manual_seed(0)], 4)
    read = len(slots(spread(3), 3, False))
    assert read == 14
    assert obs[..., :read].abs().amin(dim=(0, 1, 2))[2:].min() > 0
    acted = environment.step(torch.rand(1, 4, 3, 5, generator=torch.Generator().manual_seed(1)))
    assert not obs[..., read:].any()
    assert not acted.obs[..., read:].any()


def row(landmarks: list[float], others: list[float]) -> list[float]:
    """Velocity 1, 2, position 3, 4; objects on the x axis; messages of 9, which a teacher must never see."""
    relative = [number for x in landmarks + others for number in (x, 0.0)]
    return [1.0, 2.0, 3.0, 4.0, *relative, *[9.0] * (2 * len(others))]


def seen(landmarks: list[float], others: list[float]) -> list[float]:
    relative = [number for x in landmarks + others for number in (x, 0.0)]
    return [1.0, 2.0, 3.0, 4.0, *relative, *[0.0] * (2 * len(others))]


def test_nearest_objects_in_index_order():
    obs = torch.tensor(
        [
            row([0.9, -0.2, 0.1], [-0.5, 0.4]),
            row([-0.3, 0.8, 0.2], [0.1, 0.6]),
            row([0.5, -0.5, 0.5], [0.7, -0.7]),  # all equally near: the lower index wins
        ]
    )
    expected = torch.tensor([seen([-0.2, 0.1], [0.4]), seen([-0.3, 0.2], [0.1]), seen([0.5, -0.5], [0.7])])
    assert torch.equal(nearest_view(obs, agents=3, teacher_agents=2), expected)
    batched = nearest_view(obs.expand(5, 7, 3, 18), agents=3, teacher_agents=2)
    assert torch.equal(batched, expected.expand(5, 7, 3, 12))


def test_a_lone_teacher_sees_one_landmark_and_nobody():
    obs = torch.tensor([row([0.9, -0.2], [0.1]), row([0.3, 0.4], [0.1])])
    assert torch.equal(nearest_view(obs, 2, 1), torch.tensor([seen([-0.2], []), seen([0.3], [])]))


def test_both_coordinates_count():
    obs = torch.zeros(2, 12)
    obs[:, 4:8] = torch.tensor([0.1, 0.9, 0.5, 0.5])
    assert nearest_view(obs, 2, 1)[0].tolist() == [0.0, 0.0, 0.0, 0.0, 0.5, 0.5]


@pytest.mark.parametrize("teacher_agents", [0, 3, 4])
def test_a_teacher_needs_a_smaller_team(teacher_agents: int):
    with pytest.raises(ValueError, match=f"teacher_agents: got {teacher_agents} for 3 agents; allowed: 1 to 2"):
        nearest_view(torch.zeros(3, 18), 3, teacher_agents)


def test_observations_of_another_team_are_refused():
    with pytest.raises(ValueError, match=r"obs: got shape \(4, 24\); allowed: \[..., 3, 18\]"):
        nearest_view(torch.zeros(4, 24), 3, 2)
