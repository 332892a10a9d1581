"""No bit of a seed's numbers depends on its companions, and a resumed run ends like an uninterrupted one.

Axes: S seed, N agent.
"""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from baselines.knowru import knowru
from baselines.maddpg import MADDPG, evenly, maddpg_initialized

ROOT = Path(__file__).parent.parent.parent
METHODS = [MADDPG, maddpg_initialized, knowru]


def assert_same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    differing = [name for name, tensor in ours.items() if not torch.equal(tensor, theirs[name])]
    assert not differing, differing


@pytest.mark.parametrize(("method", "dtype"), [(m, torch.float32) for m in METHODS] + [(knowru, torch.float64)])
def test_a_seeds_numbers_do_not_depend_on_its_companions(start, method, dtype):
    """A ring of eight rounds wraps on the way. KnowRU's update is MADDPG's with an objective, in float64 too."""
    alone = start(method, seeds=(3,), dtype=dtype).play(11)
    assert sum(bool(losses) for losses in alone.losses) >= 9
    for seeds, lanes_per_call in (((0, 1, 2, 3, 4), 5), ((0, 1, 2, 3, 4), 1), ((4, 3, 7, 1, 9), 2), ((3, 8), None)):
        company = start(method, seeds=seeds, lanes_per_call=lanes_per_call, dtype=dtype).play(11)
        assert_same(company.lane(seeds.index(3)), alone.lane(0))


@pytest.mark.parametrize(("agents", "obs_size", "batch_size"), [(1, 5, 24), (3, 26, 1256), (7, 9, 36)])
def test_nor_with_batches_of_their_own(start, toy, released, agents, obs_size, batch_size):
    """With all settings of KnowRU's code; one agent's batch is the whole replay."""
    sizes = {"batch_size": batch_size, "replay_size": 2000, "hidden_width": 64, "warmup_transitions": 0}
    options = {"task": toy(agents, obs_size, obs_size + 2), "update_episodes": 252, **sizes, **released}
    alone = start(knowru, seeds=(3,), **options).play(2)
    assert sum(bool(losses) for losses in alone.losses) >= 2
    for lanes_per_call in (1, 3):
        company = start(knowru, seeds=(1, 2, 3), lanes_per_call=lanes_per_call, **options).play(2)
        assert_same(company.lane(2), alone.lane(0))


SIZES = [(1, 5, 24), (4, 24, 1024), (7, 9, 36), (8, 48, 128)]
EVERY = "BENCH_EVERY_LOSS"  # set in tests/slow: a loss has no product of its own, so two of them have one size here
OTHERS = SIZES if EVERY in os.environ else SIZES[2:3]
CASES = [(loss, *size) for loss, sizes in (("mse", SIZES), ("ce", OTHERS), ("kl", OTHERS)) for size in sizes]


@pytest.mark.parametrize(("loss", "agents", "obs_size", "batch_size"), CASES)
def test_nor_at_other_sizes(start, toy, loss, agents, obs_size, batch_size):
    """One agent makes stacks of one network; odd sizes leave vector registers half filled; 4 agents are the paper's."""
    task = toy(agents, obs_size, obs_size + 2)
    sizes = {"batch_size": batch_size, "replay_size": 2000, "hidden_width": 64, "reuse_loss": loss}
    alone = start(knowru, seeds=(3,), task=task, warmup_transitions=0, update_episodes=208, **sizes).play(2)
    assert sum(bool(losses) for losses in alone.losses) >= 2
    for lanes_per_call in (1, 3):
        company = start(
            knowru,
            seeds=(1, 2, 3),
            task=task,
            warmup_transitions=0,
            update_episodes=208,
            lanes_per_call=lanes_per_call,
            **sizes,
        ).play(2)
        assert_same(company.lane(2), alone.lane(0))


@pytest.mark.parametrize("method", METHODS)
def test_other_seeds_do_not_notice_when_one_seeds_rewards_change(start, method):
    """Bit for bit, with all seeds in one update: no gradient crosses from lane to lane."""
    runs = [start(method, lanes_per_call=5).play(4) for _ in range(2)]
    for run, bonus in zip(runs, (0.0, 3.0), strict=True):
        rollout = run.rollouts[-1]
        rollout.rewards[2] += bonus
        for _ in range(3):
            run.losses.append(run.learner.learn(0, rollout, 10))
    plain, changed = (run.learner.state() for run in runs)
    for name, tensor in plain.items():
        assert torch.equal(tensor[[0, 1, 3, 4]], changed[name][[0, 1, 3, 4]])
    assert not torch.equal(plain["actor.weight_0"][2], changed["actor.weight_0"][2])
    assert not torch.equal(plain["critic.weight_0"][2], changed["critic.weight_0"][2])


@pytest.mark.parametrize(("method", "as_released"), [(m, False) for m in METHODS] + [(knowru, True)])
def test_a_resumed_run_ends_bit_for_bit_like_an_uninterrupted_one(start, toy, released, method, as_released):
    """As released, no network reads the last entry of an observation, and no replay stores it."""
    own = {"task": replace(toy(), obs_size=5), **released} if as_released else {}
    whole = start(method, replay_size=1000, **own).play(12)
    first = start(method, replay_size=1000, lanes_per_call=1, **own).play(7)
    second = start(method, replay_size=1000, lanes_per_call=2, **own)
    second.learner.load_state(first.learner.state())
    for lane, (stream, old) in enumerate(zip(second.streams, first.streams, strict=True)):
        stream.load_state(old.state())
        second.learner.replay.restore(lane, 0, first.learner.replay.rows(lane, 0, first.learner.replay.episodes))
    second.losses, second.rollouts = first.losses, first.rollouts
    second.play(5)
    for lane in range(5):
        assert_same(second.lane(lane), whole.lane(lane))


def test_seeds_can_be_regrouped(start):
    """States of two runs, rows concatenated, continue as each would alone."""
    left, right = (start(MADDPG, seeds=seeds, replay_size=1000).play(5) for seeds in ((0, 1), (2,)))
    joined = start(MADDPG, seeds=(0, 1, 2), replay_size=1000)
    states = [run.learner.state() for run in (left, right)]
    joined.learner.load_state({name: torch.cat([state[name] for state in states]) for name in states[0]})
    for lane, (run, source) in enumerate(((left, 0), (left, 1), (right, 0))):
        joined.streams[lane].load_state(run.streams[source].state())
        joined.learner.replay.restore(lane, 0, run.learner.replay.rows(source, 0, run.learner.replay.episodes))
    joined.rollouts = list(left.rollouts)
    joined.play(3)
    left.play(3)
    right.play(3)
    states = [run.learner.state() for run in (left, right)]
    assert_same(joined.learner.state(), {name: torch.cat([state[name] for state in states]) for name in states[0]})


def test_a_state_is_a_copy(start):
    run = start(MADDPG).play(3)
    state = run.learner.state()
    kept = {name: tensor.clone() for name, tensor in state.items()}
    policy = run.learner.policy()
    actor = {name: tensor.clone() for name, tensor in policy.items()}
    run.play(2)
    assert_same(state, kept)
    assert_same(policy, actor)


def test_default_lanes_go_by_the_batch(start):
    assert start(MADDPG, batch_size=508, replay_size=2000).learner.lanes_per_call == 5
    assert start(MADDPG, batch_size=512, replay_size=2000).learner.lanes_per_call == 2
    assert start(MADDPG, batch_size=512, replay_size=2000, lanes_per_call=3).learner.lanes_per_call == 3


def test_no_seed_is_left_over():
    assert evenly(5, 2) == [slice(0, 2), slice(2, 5)]
    assert evenly(4, 2) == [slice(0, 2), slice(2, 4)]
    assert evenly(1, 2) == [slice(0, 1)]
    assert evenly(5, 5) == [slice(0, 5)]
    assert evenly(3, 1) == [slice(0, 1), slice(1, 2), slice(2, 3)]


SETTINGS = ["MKL_CBWR=COMPATIBLE", "ONEDNN_MAX_CPU_ISA=SSE41"]


def test_nor_where_the_two_libraries_differ():
    """products.py chooses a library by shape; on a processor where their last bits differ, company must not choose.

    One loss and one such processor here, because a loss has no product of its own; tests/slow has every loss on both.
    """
    nor_at_other_sizes_with(SETTINGS[0], "mse")


def nor_at_other_sizes_with(setting, losses):
    name, _, value = setting.partition("=")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "--confcutdir",
        Path(__file__).parent,  # no command line, no suites
        __file__,
        "-k",
        f"test_nor_at_other_sizes and ({losses})",
    ]
    environment = os.environ | {name: value, EVERY: "", "OMP_NUM_THREADS": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert " passed" in done.stdout
