"""MuJoCo tasks through `One` and the player of steps: against a stand-in with their interface, and the real ones.

Axes: S seed, E environment copy, T step, N agent, A action entry.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import gymnasium
import numpy as np
import pytest
import torch

from baselines.learner import Acting, Seen, Steps
from bench.envs import BackendMissing, checked, make
from bench.envs.anchors import measure_anchors
from bench.envs.mujoco.one import GymnasiumOne
from bench.envs.mujoco.params import SIZES, MujocoParams
from bench.envs.several import HIGHEST_SEED, Several
from bench.run.stepping import Stepping

WHY = (
    "mujoco is not installed (pip install 'marl-distill-bench[mujoco]'): nothing here was compared with the real tasks"
)
real = pytest.mark.skipif(find_spec("mujoco") is None, reason=WHY)


class Slope(gymnasium.Env[Any, Any]):
    """Like gymnasium's tasks: a place that the action moves; beyond 3 the episode ends. Bounds: [-1, 3]."""

    def __init__(self) -> None:
        self.action_space = gymnasium.spaces.Box(np.array([-1, -0.4], np.float32), np.array([3, 0.4], np.float32))
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (11,))
        self.taken: list[Any] = []

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._place = float(self.np_random.uniform(-1, 0))
        return np.full(11, self._place), {}

    def step(self, action: Any) -> Any:
        self.taken.append(action)
        self._place += float(action[0])
        return np.full(11, self._place), np.float64(-self._place), np.bool_(self._place > 3), False, {}


class TwoActions(MujocoParams):
    @property
    def action_sizes(self) -> tuple[int, ...]:
        return (2,)


def stand_in() -> tuple[Several, list[Slope]]:
    """An environment of slopes, and the slopes it has made."""
    made: list[Slope] = []

    def one() -> GymnasiumOne:
        made.append(Slope())
        return GymnasiumOne(made[-1])

    return Several(TwoActions(name="Hopper-v4"), one), made


def streams(seeds: Sequence[int]) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def drawn(seed: int, steps: int, actions: int) -> torch.Tensor:
    """Actions in [-1, 1], float32 as a policy's are: [T, A]."""
    return 2 * torch.rand(steps, actions, generator=torch.Generator().manual_seed(seed)) - 1


def follow(actions: torch.Tensor) -> Acting:
    """One copy of one seed takes these actions, step by step."""
    rows = iter(actions)
    return lambda seen: next(rows).view(1, 1, 1, -1)


def test_actions_are_scaled_to_the_bounds() -> None:
    environment, made = stand_in()
    environment.reset(streams((0,)), 1)
    for action in ([-1.0, -1.0], [0.0, 0.0], [1.0, 0.5]):
        environment.step(torch.tensor([[[action]]]))
    assert [own.tolist() for own in made[0].taken] == [[-1, -np.float32(0.4)], [1, 0], [3, np.float32(0.4) / 2]]
    with pytest.raises(ValueError, match=r"allowed: each in \[-1, 1\]"):
        environment.step(torch.tensor([[[[1.5, 0.0]]]]))


def test_what_was_seen_last_is_kept_and_only_terminal_states_end_what_counts() -> None:
    """Terminal beyond 3, cut short after four steps: by hand."""
    environment, _ = stand_in()
    generators = streams((0,))
    starts = [
        float(np.random.default_rng(seed).uniform(-1, 0))
        for seed in (int(torch.randint(HIGHEST_SEED, (), generator=g)) for g in streams((0,)) for _ in range(3))
    ]
    player = Stepping(environment, generators, 1, limit=4)
    steps, ended = player.play(7, follow(torch.tensor([[1.0, 0]] * 2 + [[-0.5, 0]] * 5)))
    place = steps.after[0, 0, :, 0, 0] - torch.tensor([starts[0]] * 2 + [starts[1]] * 4 + [starts[2]])
    assert place.numpy() == pytest.approx([3, 6, 0, 0, 0, 0, 0], abs=1e-6)
    assert steps.terminated[0, 0].tolist() == [starts[0] + 3 > 3, True, *[False] * 5]
    assert steps.truncated[0, 0].tolist() == [False] * 5 + [True, False]
    assert steps.obs[0, 0, :, 0, 0].tolist() == pytest.approx(
        [starts[0], starts[0] + 3, *[starts[1]] * 4, starts[2]], abs=1e-6
    )
    assert [len(own.rewards) for own in ended[0]] == [2, 4]


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_said_without_the_backend(name: str) -> None:
    params = checked("mujoco", {"name": name})
    assert params.continuous
    assert params.agent_names == ("agent_0",)
    assert params.ends_early is (name in ("Ant-v4", "Hopper-v4", "Humanoid-v4", "Walker2d-v4"))


def test_only_ant_lets_one_choose() -> None:
    assert checked("mujoco", {"name": "Ant-v4", "use_contact_forces": True}).obs_size == 111
    with pytest.raises(ValueError, match=r"use_contact_forces\n.*not permitted"):
        checked("mujoco", {"name": "Hopper-v4", "use_contact_forces": True})
    with pytest.raises(ValueError, match="'Pusher-v4'; allowed: Ant-v4, HalfCheetah-v4"):
        checked("mujoco", {"name": "Pusher-v4"})


def test_without_mujoco_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mujoco", None)
    monkeypatch.delitem(sys.modules, "bench.envs.mujoco.environment", raising=False)
    with pytest.raises(BackendMissing, match=r"needs the package 'mujoco'; try: pip install 'gymnasium\[mujoco\]"):
        make("mujoco", {"name": "Hopper-v4"})


# ------------------------------------------------------------------------------------------- the real tasks


@pytest.fixture
def quiet() -> Iterator[None]:
    """gymnasium warns for each -v4 that there is a -v5."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*out of date", category=DeprecationWarning)
        yield


def by_hand(name: str, actions: np.ndarray, seeds: torch.Generator, limit: int) -> dict[str, list[Any]]:
    """A plain loop: gymnasium's own task with its own time limit, actions times the bound."""
    task = gymnasium.make(name, max_episode_steps=limit)
    bound = cast(Any, task.action_space).high
    found: dict[str, list[Any]] = {n: [] for n in ("obs", "rewards", "after", "terminated", "truncated")}
    obs, _ = task.reset(seed=int(torch.randint(HIGHEST_SEED, (), generator=seeds)))
    for action in actions:
        after, reward, terminated, truncated, _ = task.step(action.astype(np.float64) * bound.astype(np.float64))
        for n, own in zip(found, (obs, reward, after, terminated, truncated), strict=True):
            found[n].append(own)
        obs = after
        if terminated or truncated:
            obs, _ = task.reset(seed=int(torch.randint(HIGHEST_SEED, (), generator=seeds)))
    task.close()
    return found


@real
@pytest.mark.parametrize(("name", "terminal"), [("Hopper-v4", True), ("HalfCheetah-v4", False), ("Humanoid-v4", True)])
@pytest.mark.usefixtures("quiet")
def test_the_player_stores_what_a_loop_by_hand_sees(name: str, terminal: bool) -> None:
    """Bit for bit, in the numbers that are stored: observations float32, rewards float64."""
    steps, limit = 300, 20
    actions = drawn(3, steps, SIZES[name].action)
    player = Stepping(make("mujoco", {"name": name}), streams((8,)), 1, limit)
    act = follow(actions)
    parts = [player.play(n, act)[0] for n in (1, 99, 200)]  # rounds end inside episodes
    names = [n for n in Steps.__dataclass_fields__ if getattr(parts[0], n) is not None]  # no state, no avail_actions
    ours = {n: torch.cat([getattr(p, n) for p in parts], 2)[0, 0].numpy() for n in names}
    theirs = by_hand(name, actions.numpy(), streams((8,))[0], limit)
    for n in ("obs", "after"):
        assert np.array_equal(ours[n][:, 0], np.array(theirs[n], np.float32)), n
    assert ours["rewards"].dtype == np.float64
    assert np.array_equal(ours["rewards"][:, 0], np.array(theirs["rewards"]))
    for n in ("terminated", "truncated"):
        assert np.array_equal(ours[n], np.array(theirs[n])), n
    assert ours["terminated"].any() == terminal
    assert ours["truncated"].any()
    ended = ours["terminated"] | ours["truncated"]
    assert ended.sum() >= 4
    goes = ~ended[:-1]
    assert np.array_equal(ours["after"][:-1][goes], ours["obs"][1:][goes])
    assert (ours["after"][:-1][~goes] != ours["obs"][1:][~goes]).any(-1).all()


@real
@pytest.mark.parametrize("name", SIZES)
def test_every_task_runs_and_has_its_sizes(name: str) -> None:
    environment, sizes = make("mujoco", {"name": name}), SIZES[name]
    assert environment.reset(streams((1, 2)), 1).shape == (2, 1, 1, sizes.observation)
    given = environment.step(torch.zeros(2, 1, 1, sizes.action))
    assert bool(given.rewards.isfinite().all())
    environment.close()


@real
@pytest.mark.parametrize("name", ["Ant-v4", "Humanoid-v4", "HalfCheetah-v4"])
def test_an_open_episode_goes_on_as_it_was(name: str) -> None:
    """Obs, rewards and ends after a restore, in a task that has played other episodes since."""
    actions = drawn(5, 60, SIZES[name].action)
    generators = streams((4,))
    player = Stepping(make("mujoco", {"name": name}), generators, 1, limit=1000)
    act = follow(actions)
    player.play(17, act)
    kept, stream = player.state(0), generators[0].get_state()
    whole, _ = player.play(43, act)
    other = make("mujoco", {"name": name})
    other.reset(streams((9,)), 1)
    other.step(actions[0].view(1, 1, 1, -1))
    again = streams((0,))
    again[0].set_state(stream)
    resumed, _ = Stepping.resumed(other, again, [kept], 1000).play(43, follow(actions[17:]))
    for n in ("obs", "after", "rewards", "terminated", "first"):
        assert torch.equal(getattr(whole, n), getattr(resumed, n)), n


@real
def test_mujoco_leaves_no_file_and_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It would write warnings about a robot's old file to standard error, and into its current folder."""
    import mujoco

    monkeypatch.chdir(tmp_path)
    mujoco.set_mju_user_warning(None)  # type: ignore[attr-defined]
    environment = make("mujoco", {"name": "Hopper-v4"})
    environment.reset(streams((0,)), 1)
    assert capfd.readouterr() == ("", "")
    cast(Any, environment)._copies[0][0]._task.data.qvel[:] = 1e12
    environment.step(torch.zeros(1, 1, 1, 3))
    assert capfd.readouterr().err.startswith("MuJoCo: Nan, Inf or huge value in QVEL")
    assert list(tmp_path.iterdir()) == []


@real
def test_anchors_are_what_random_actions_and_none_reach() -> None:
    found = measure_anchors("mujoco", {"name": "Reacher-v4"}, 50, "return_sum", 3, 8)
    assert found.keys() == {"random", "still"}
    assert found["random"]["mean"] == pytest.approx(-43, abs=4)
    assert found["still"]["mean"] == pytest.approx(-11, abs=3)


def test_a_seen_is_all_a_policy_needs() -> None:
    """The player gives one agent's observation, with all actions available."""
    environment, _ = stand_in()
    told: list[Seen] = []

    def act(seen: Seen) -> torch.Tensor:
        told.append(seen)
        return torch.zeros(1, 1, 1, 2)

    Stepping(environment, streams((0,)), 1, 4).play(1, act)
    assert told[0].obs.shape == (1, 1, 1, 11)
    assert bool(told[0].avail_actions.all())
