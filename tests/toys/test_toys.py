"""Episodes that end early and differ in length, through the player of whole episodes and the scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import bench.envs.registry
from baselines.learner import Seen
from bench.envs import Environment, checked, make
from bench.envs.scores import episode_scores
from bench.run.playing import Played, play
from tests.toys.family import ToyParams, families

KINDS = ["toy_batch", "toy_one"]
LIMIT = 5  # goals go to 6, so that some episodes end by it alone


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.envs.registry, "FAMILIES", families())


def toy(family: str, **params: Any) -> tuple[Environment, ToyParams]:
    own = checked(family, {"name": "toy", **params})
    assert isinstance(own, ToyParams)
    return make(family, own), own


def streams(seeds: Sequence[int]) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def always(action: int, actions: int) -> Any:
    """A policy with one action for all agents."""
    return lambda seen: torch.eye(actions)[action].expand(*seen.obs.shape[:3], -1)


def varying(actions: int) -> Any:
    """A policy of the observation: the step's number, modulo the actions of the first agent."""

    def act(seen: Seen) -> Tensor:
        return torch.nn.functional.one_hot((seen.obs[..., 1] % 3).long(), actions).double()

    return act


def played(family: str, seeds: Sequence[int], copies: int = 4, agents: int = 2, **params: Any) -> tuple[Played, Tensor]:
    """The results of two agents, and the goals [S, E] of their episodes."""
    environment, own = toy(family, agents=agents, **params)
    found = play(environment, streams(seeds), copies, LIMIT, varying(own.action_size), ends_early=True)
    return found, found.rollout.obs[:, :, 0, 0, 0].long()


@pytest.mark.parametrize("family", KINDS)
def test_scores_are_those_of_the_steps_played(family: str) -> None:
    """By hand: action t at step t (modulo 3), times 1 and 2 for the agents, until min(goal, limit)."""
    params = checked(family, {"name": "toy", "agents": 2})
    found, goals = played(family, (0, 1, 2), copies=40)
    assert {*goals.flatten().tolist()} == {1, 2, 3, 4, 5, 6}
    rollout = found.rollout
    assert rollout.mask is not None
    returns, steps, won = (
        episode_scores(metric, params, rollout.rewards, rollout.mask, found.outcome)
        for metric in ("return_sum", "step_reward", "won")
    )
    for place in np.ndindex(*goals.shape):
        goal = int(goals[place])
        length = min(goal, LIMIT)
        total = sum(3 * (t % 3) for t in range(length))
        assert returns[place] == total
        assert steps[place] == pytest.approx(total / (2 * length), rel=1e-15)
        assert won[place] == (goal % 2 == 1 and goal <= LIMIT)
        assert rollout.mask[place].tolist() == [t < length for t in range(LIMIT)]
        ends = [t == goal - 1 and goal % 2 == 1 for t in range(LIMIT)]
        assert rollout.terminated[place].tolist() == ends
        assert rollout.obs[place][:, 0, 1].tolist() == [min(t, length) for t in range(LIMIT + 1)]
        assert not rollout.rewards[place][length:].any()
        assert not rollout.actions[place][length:].any()


def test_one_by_one_is_batched() -> None:
    """The same episodes, bit for bit."""
    ours, theirs = (played(family, (3, 1), copies=9)[0] for family in KINDS)
    for name in ("obs", "actions", "rewards", "terminated", "avail_actions", "mask"):
        assert torch.equal(getattr(ours.rollout, name).double(), getattr(theirs.rollout, name).double()), name
    assert torch.equal(ours.outcome["won"], theirs.outcome["won"])


@pytest.mark.parametrize("family", KINDS)
def test_a_seed_plays_the_same_alone_and_in_company(family: str) -> None:
    alone, _ = played(family, (4,))
    company, _ = played(family, (1, 4, 0))
    for name in ("obs", "actions", "rewards", "terminated", "mask"):
        assert torch.equal(getattr(company.rollout, name)[1], getattr(alone.rollout, name)[0]), name
    assert torch.equal(company.outcome["won"][1], alone.outcome["won"][0])


@pytest.mark.parametrize("family", KINDS)
def test_copies_start_again_one_by_one(family: str) -> None:
    """Finished copies get the next episodes of their seed; the others go on unchanged."""
    environment, _ = toy(family)
    environment.reset(streams((0, 1)), 3)
    environment.step(always(0, 3)(Seen(torch.zeros(2, 3, 1, 2), torch.ones(2, 3, 1, 3), torch.ones(2, 3))))
    over = torch.tensor([[True, False, True], [False, False, False]])
    obs = environment.restart(over)
    assert obs[..., 0, 1].tolist() == [[0, 1, 0], [1, 1, 1]]
    goals = [1 + int(torch.randint(2**31 - 1, (), generator=g)) % 6 for g in streams((0,)) for _ in range(5)]
    assert obs[0, :, 0, 0].tolist() == [goals[3], goals[1], goals[4]]


@pytest.mark.parametrize("family", KINDS)
def test_continuous_actions_are_taken_as_they_are(family: str) -> None:
    environment, params = toy(family, kind="continuous", agents=1)
    environment.reset(streams((0,)), 1)
    assert params.continuous
    given = environment.step(torch.tensor([[[[0.25, -1.0, 0.5]]]]))
    assert given.rewards.item() == -0.25


@pytest.mark.parametrize(
    ("kind", "action", "said"),
    [
        ("discrete", [0.0, 0.5, 0.5], "allowed: one-hot, one of"),
        ("discrete", [0.0, 0.0, 0.0], "allowed: one-hot, one of"),
        ("continuous", [0.0, 1.5, 0.0], r"allowed: each in \[-1, 1\]"),
    ],
)
def test_an_action_that_is_none_is_refused(kind: str, action: list[float], said: str) -> None:
    environment, _ = toy("toy_one", kind=kind)
    environment.reset(streams((0,)), 1)
    with pytest.raises(ValueError, match=f"actions: agent 0: got .*{said}"):
        environment.step(torch.tensor([[[action]]]))
    with pytest.raises(ValueError, match=r"got shape \(1, 1, 3\); allowed: \(1, 1, 1, 3\)"):
        environment.step(torch.tensor([[action]]))


def test_a_copy_that_is_over_rests() -> None:
    """Its environment is not stepped, because packages refuse that or start another episode."""
    environment, params = toy("toy_one", longest=1)
    environment.reset(streams((0,)), 1)
    act = torch.eye(params.action_size)[2].view(1, 1, 1, -1)
    assert environment.step(act).rewards.item() == 2
    given = environment.step(act)
    assert (given.rewards.item(), given.terminated.item(), given.obs[..., 1].item()) == (0, False, 1)
    environment.restart(torch.ones(1, 1, dtype=torch.bool))
    assert environment.step(act).rewards.item() == 2
