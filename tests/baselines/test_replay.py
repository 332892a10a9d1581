"""Axes: S seed, E episode, T time step, B batch, N agent, O observation entry, A action entry."""

import pytest
import torch

from baselines.learner import Layout, Rollout, Task
from baselines.replay.transitions import EpisodeReplay
from baselines.streams import Streams

TASK = Task(agents=2, obs_size=3, action_size=2, episode_limit=4, episodes=200, layout=Layout(3, (0, 1, 2)))
T, N, OBS, A = 4, 2, 3, 2


def replay(size: int, seeds: tuple[int, ...] = (0, 1)) -> EpisodeReplay:
    return EpisodeReplay(TASK, size, [Streams(seed) for seed in seeds], "cpu", torch.float32)


def numbered(first: int, episodes: int, seeds: int = 2) -> Rollout:
    """Every number tells its seed, episode and step: 10_000 seed + 10 episode + step, the same for all entries."""
    seed = 10_000.0 * torch.arange(seeds).view(-1, 1, 1)
    stamp = seed + 10.0 * (first + torch.arange(episodes)).view(-1, 1) + torch.arange(T + 1)
    steps = stamp[:, :, :-1]
    terminated = torch.zeros(seeds, episodes, T, dtype=torch.bool)
    terminated[:, 1::2, -1] = True
    return Rollout(
        stamp[..., None, None].expand(-1, -1, -1, N, OBS),
        steps[..., None, None].expand(-1, -1, -1, N, A) + 0.5,
        steps[..., None] + torch.tensor([0.25, 0.75]),
        terminated,
        torch.ones(seeds, episodes, T + 1, N, A, dtype=torch.bool),
    )


def test_a_transition_is_whole_and_its_next_observation_is_the_next_row():
    log = replay(10_000)
    log.append(numbered(0, 6))
    batch = log.sample(500, slice(0, 2))
    obs, actions = batch.joint.split([N * OBS, N * A], -1)
    stamp = obs[..., 0]
    step, episode = stamp % 10, stamp % 10_000 // 10
    assert (obs == stamp[..., None]).all()
    assert (actions == stamp[..., None] + 0.5).all()
    assert (batch.next_joint[..., : N * OBS] == stamp[..., None] + 1).all()
    assert (batch.rewards == stamp[:, None] + torch.tensor([[0.25], [0.75]])).all()
    assert torch.equal(batch.terminated[:, 0], (step == T - 1) & (episode % 2 == 1))
    assert step.max() == T - 1
    assert (stamp // 10_000 == torch.tensor([[0], [1]])).all()


def test_sampling_is_uniform_over_stored_transitions():
    """Chi-squared over 80 transitions: mean 79, sd 12.6; the ring has wrapped and keeps the last 20 of 30 episodes."""
    log = replay(80)
    log.append(numbered(0, 30))
    stamps = log.sample(80_000, slice(0, 1)).joint[0, :, 0]
    values, counts = stamps.unique(return_counts=True)
    assert values.tolist() == [10.0 * e + t for e in range(10, 30) for t in range(T)]
    assert ((counts - 1000).square() / 1000).sum() < 79 + 4 * 12.6


def test_a_seeds_samples_are_its_own():
    together, alone = replay(10_000), replay(10_000, seeds=(1,))
    rollout = numbered(0, 6)
    together.append(rollout)
    alone.append(
        Rollout(
            rollout.obs[1:], rollout.actions[1:], rollout.rewards[1:], rollout.terminated[1:], rollout.avail_actions[1:]
        )
    )
    both, one = together.sample(50, slice(0, 2)), alone.sample(50, slice(0, 1))
    assert torch.equal(both.joint[1], one.joint[0])
    assert torch.equal(both.rewards[1], one.rewards[0])


def test_rows_and_restore_round_trip():
    log = replay(10_000)
    rollout = numbered(0, 71)
    log.append(rollout)
    rows = log.rows(1, 2, 71)
    assert torch.equal(rows["obs"], rollout.obs[1, 2:])
    assert torch.equal(rows["actions"], rollout.actions[1, 2:])
    assert torch.equal(rows["rewards"], rollout.rewards[1, 2:])
    assert torch.equal(rows["terminated"], rollout.terminated[1, 2:])
    copy = replay(10_000)
    for lane in range(2):
        copy.restore(lane, 0, log.rows(lane, 0, 40))
        copy.restore(lane, 40, log.rows(lane, 40, log.episodes))
    assert copy.episodes == log.episodes
    assert copy.transitions == T * (71)
    assert torch.equal(copy.sample(64, slice(0, 2)).next_joint, log.sample(64, slice(0, 2)).next_joint)


@pytest.mark.parametrize(("start", "stop"), [(9, 12), (0, 1), (28, 31), (15, 14)])
def test_rows_that_are_not_stored_are_an_error(start, stop):
    log = replay(80)
    log.append(numbered(0, 30))
    assert len(log.rows(0, 10, 30)["obs"]) == 20
    with pytest.raises(ValueError, match="30 were appended and the last 20 are kept"):
        log.rows(0, start, stop)


def test_capacity_is_the_smaller_of_replay_and_budget():
    log = replay(10_000_000)
    log.append(numbered(0, 150))
    log.append(numbered(150, 60))
    with pytest.raises(ValueError, match="the last 200 are kept"):
        log.rows(0, 9, 210)


def test_a_replay_must_hold_an_episode():
    with pytest.raises(ValueError, match="replay_size 3 must hold an episode of 4"):
        replay(3)
