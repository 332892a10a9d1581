"""SMAX without JAX: sizes, and the environment against a stand-in for its process (the real one: test_smax_package)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn.functional import one_hot

from bench.envs import BackendMissing, checked, lacking, make
from bench.envs.one import Diverged
from bench.envs.pettingzoo_view import BattleParallelEnv
from bench.envs.smax import child
from bench.envs.smax import environment as smax
from bench.envs.smax.params import MAPS, SmaxParams, teams
from bench.envs.smax.scripts import EAST, NORTH, STOP, closest
from bench.run.playing import play

PARAMS = SmaxParams(name="3m")
N, O, A, X = 3, 75, 8, 96  # noqa: E741


class Battles:
    """Stands in for `battles.Battles`: battle b lasts 1 + seed % 3 steps, and is won where its seed is even."""

    def begin(self, seeds: NDArray[Any], which: NDArray[Any]) -> list[NDArray[Any]]:
        if not hasattr(self, "seeds") or len(self.seeds) != len(seeds):
            self.seeds = self.steps = np.zeros(len(seeds), np.int64)
        self.seeds, self.steps = np.where(which, seeds, self.seeds), np.where(which, 0, self.steps)
        return self.seen()

    def step(self, actions: NDArray[Any]) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        self.steps = self.steps + 1
        over = self.steps > self.seeds % 3
        return self.seen(), [actions.sum(-1).astype(np.float32), over, over & (self.seeds % 2 == 0)]

    def saved(self) -> list[NDArray[Any]]:
        return [self.seeds, self.steps]

    def restore(self, seeds: NDArray[Any], leaves: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        self.seeds, self.steps = leaves
        return self.seen()

    def seen(self) -> list[NDArray[Any]]:
        obs, state = np.zeros((len(self.seeds), N, O), np.float32), np.zeros((len(self.seeds), X), np.float32)
        obs[:, :, 0], obs[:, :, 1], state[:, 0] = self.seeds[:, None] % 7, self.steps[:, None], 10 + self.steps
        avail = np.ones((len(self.seeds), N, A), bool)
        avail[:, :, -1] = False
        avail[self.steps > self.seeds % 3 + 1, :, :STOP] = False  # a battle that is over goes on, and they die in it
        return [obs, state, avail]


class Server:
    """Stands in for the process: the same messages, answered here."""

    runs = True

    def __init__(self) -> None:
        self.battles = Battles()

    def new(self) -> int:
        return 0

    def ask(self, message: Any, content: bytes = b"") -> Any:
        return ({}, b"") if message["do"] in ("make", "close") else child.answer(self.battles, message, content)

    def leave(self) -> None:
        self.runs = False


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> smax.SmaxEnvironment:
    monkeypatch.setattr(smax.Server, "joined", Server)
    return smax.SmaxEnvironment(PARAMS, smax.Battlefield("3m"), "cpu")


def streams(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def stop(*shape: int) -> torch.Tensor:
    return one_hot(torch.full((*shape, N), STOP), A).float()


def test_sizes_follow_from_a_map_s_name() -> None:
    assert teams("3s_vs_5z") == ((2, 2, 2), (3,) * 5)
    assert teams("3s5z_vs_3s6z") == ((2,) * 3 + (3,) * 5, (2,) * 3 + (3,) * 6)
    assert teams("corridor") == ((3,) * 6, (4,) * 24)
    params = checked("smax", {"name": "5m_vs_6m"})
    assert (params.obs_size, params.action_size, params.state_size) == (140, 11, 187)
    assert (len(MAPS), len(params.obs_sizes), params.outcomes) == (24, 5, ("win_rate",))
    with pytest.raises(ValueError, match="got 'MMM2'; allowed: "):
        checked("smax", {"name": "MMM2"})


def test_without_jax_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_SMAX_PYTHON", "/nowhere/python")
    with pytest.raises(BackendMissing, match=r"needs jaxmarl, jax in /nowhere/python; try: pip install .*doctor smax"):
        make("smax", PARAMS)
    assert "BENCH_SMAX_PYTHON" in lacking("smax")


def test_what_is_played_reaches_learners(environment: smax.SmaxEnvironment) -> None:
    """State, rewards of all agents, ends and the outcome of each battle, the last observations before the end."""
    played = play(environment, streams(1, 2), 4, 5, lambda seen: stop(2, 4), ends_early=True)
    rollout = played.rollout
    assert rollout.state is not None
    assert rollout.mask is not None
    assert tuple(rollout.state.shape) == (2, 4, 6, X)
    drawn = [[int(torch.randint(2**31 - 1, (), generator=g)) for _ in range(4)] for g in streams(1, 2)]
    for lane in range(2):
        for copy, seed in enumerate(drawn[lane]):
            steps = 1 + seed % 3
            assert rollout.mask[lane, copy].tolist() == [t < steps for t in range(5)]
            assert rollout.state[lane, copy, :, 0].tolist() == [10 + min(t, steps) for t in range(6)]
            assert rollout.obs[lane, copy, -1, 0, :2].tolist() == [seed % 7, steps]
            assert rollout.rewards[lane, copy].tolist() == [[12.0 if t < steps else 0.0] * N for t in range(5)]
            assert played.outcome["win_rate"][lane, copy] == (seed % 2 == 0)
    alone = play(environment, streams(2), 4, 5, lambda seen: stop(1, 4), ends_early=True)
    assert torch.equal(alone.rollout.obs[0], rollout.obs[1])


def test_some_begin_again_and_all_go_on_after_a_stop(environment: smax.SmaxEnvironment) -> None:
    environment.reset(streams(5), 3)
    environment.step(stop(1, 3))
    again = environment.restart(torch.tensor([[False, True, False]]))
    assert again[0, :, 0, 1].tolist() == [1.0, 0.0, 1.0]
    kept = environment.state(0)
    after = environment.step(stop(1, 3)).obs
    other = smax.SmaxEnvironment(PARAMS, smax.Battlefield("3m"), "cpu")
    assert torch.equal(other.resume(streams(5), [kept]), again)
    assert torch.equal(other.step(stop(1, 3)).obs, after)


def test_an_action_that_is_not_there_is_refused(environment: smax.SmaxEnvironment) -> None:
    environment.reset(streams(5), 1)
    wrong = stop(1, 1)
    wrong[0, 0, 1] = one_hot(torch.tensor(A - 1), A)
    with pytest.raises(ValueError, match=r"agent 1: got .*; allowed: one-hot, one of \[0, 1, 2, 3, 4, 5, 6\]"):
        environment.step(wrong)
    with pytest.raises(ValueError, match=r"got shape \(1, 1, 2, 8\); allowed: \(1, 1, 3, 8\)"):
        environment.step(wrong[:, :, :2])
    with pytest.raises(Diverged, match="gave agent 0 an action whose entry 0 is nan"):
        environment.step(stop(1, 1) * torch.nan)


def test_in_a_battle_that_is_over_what_is_not_there_is_another_action(environment: smax.SmaxEnvironment) -> None:
    """Policies see the actions available at its end, and it goes on until all its companions are over."""
    play(environment, streams(1, 2), 4, 5, lambda seen: one_hot(torch.zeros(2, 4, N, dtype=torch.int64), A), True)
    environment.restart(torch.ones(2, 4, dtype=torch.bool))
    wrong = one_hot(torch.full((2, 4, N), A - 1), A).float()
    with pytest.raises(ValueError, match="agent 0: got"):
        environment.step(wrong)


def test_the_good_script_shoots_then_chases() -> None:
    avail = torch.ones(1, N, A, dtype=torch.bool)
    obs = torch.zeros(1, N, O)
    first = 2 * 13  # after two allies
    obs[0, 0, first : first + 3] = torch.tensor([1.0, 0.1, 0.9])  # an enemy in sight, to the north
    obs[0, 1, first + 13 : first + 16] = torch.tensor([1.0, 0.1, 0.2])
    obs[0, 1, first : first + 3] = torch.tensor([1.0, 0.5, 0.5])
    avail[0, 0, 5:] = avail[0, 2, 5:] = False
    assert closest(torch.Generator(), obs, avail).tolist() == [[NORTH, 6, EAST]]
    avail[0, 2, :4] = False  # dead
    assert closest(torch.Generator(), obs, avail)[0, 2] == STOP


@pytest.mark.filterwarnings("ignore:The old environment creation API:DeprecationWarning")
def test_its_pettingzoo_view(environment: smax.SmaxEnvironment) -> None:
    """PettingZoo's own checks; masks, state and outcome; unavailable actions are refused."""
    from pettingzoo.test import parallel_api_test  # warns as it is imported: only in here

    view = BattleParallelEnv(PARAMS, environment, 2)
    parallel_api_test(view, num_cycles=20)
    lengths = set()
    for seed in range(8):
        obs, _ = view.reset(seed=seed)
        drawn = int(torch.randint(2**31 - 1, (), generator=streams(seed)[0]))
        assert obs["agent_0"]["observation"][0] == drawn % 7
        assert obs["agent_2"]["action_mask"].tolist() == [1] * (A - 1) + [0]
        ended, cut, infos = {}, {}, {}
        while view.agents:
            _, rewards, ended, cut, infos = view.step(dict.fromkeys(view.agents, STOP))
            assert rewards == dict.fromkeys(view.possible_agents, 12.0)
        steps = int(view.state()[0]) - 10
        assert (ended["agent_0"], cut["agent_0"]) == (steps == 1 + drawn % 3, steps == 2)
        assert infos["agent_1"]["win_rate"] == (ended["agent_0"] and drawn % 2 == 0)
        lengths.add(steps)
    assert lengths == {1, 2}
    view.reset(seed=0)
    with pytest.raises(ValueError, match=r"allowed: an integer for each agent; for agent_1 one of \[0, 1, 2, 3"):
        view.step({"agent_0": STOP, "agent_1": A - 1, "agent_2": STOP})
