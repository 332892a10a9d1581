"""The replay of whole episodes returns what was stored, each episode drawn once, ring by ring.

Axes: S seed, E environment copy, B batch, T time step, N agent, O observation entry, A action, X state entry.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import one_hot

from baselines.learner import Rollout, Task
from baselines.replay import ragged
from baselines.replay.episodes import EpisodeBatch, WholeEpisodes, ends, played, team_rewards
from baselines.replay.ragged import ReplayFull
from baselines.streams import Streams
from tests.teams import toy_task

T, N, ENTRIES, A = 5, 2, 3, 4


def replay(size: int = 7, seeds: tuple[int, ...] = (0, 1), task: Task | None = None) -> WholeEpisodes:
    return WholeEpisodes(task or toy_task(), size, [Streams(s) for s in seeds], "cpu", torch.float32)


def numbered(first: int, episodes: int, seeds: int = 2, state: bool = False) -> Rollout:
    """Episodes whose first observation entry is their number, plus 1000 times the seed."""
    obs = torch.zeros(seeds, episodes, T + 1, N, ENTRIES)
    obs += 1000 * torch.arange(seeds).view(-1, 1, 1, 1, 1) + torch.arange(first, first + episodes).view(-1, 1, 1, 1)
    g = torch.Generator().manual_seed(first)
    return Rollout(
        obs=obs,
        actions=one_hot(torch.randint(A, (seeds, episodes, T, N), generator=g), A).float(),
        rewards=torch.rand(seeds, episodes, T, N, generator=g),
        terminated=torch.rand(seeds, episodes, T, generator=g) < 0.2,
        avail_actions=torch.rand(seeds, episodes, T + 1, N, A, generator=g) < 0.5,
        state=torch.rand(seeds, episodes, T + 1, 4, generator=g) if state else None,
    )


@pytest.mark.parametrize("state", [False, True])
def test_a_batch_holds_what_was_played(state):
    log, rollout = replay(), numbered(0, 6, state=state)
    log.append(rollout)
    batch = log.sample(6)
    for s in range(2):
        order = (batch.obs[s, :, 0, 0, 0] - 1000 * s).long()
        assert sorted(order.tolist()) == list(range(6))
        assert torch.equal(batch.obs[s], rollout.obs[s, order])
        assert torch.equal(one_hot(batch.actions[s], A).float(), rollout.actions[s, order])
        assert torch.equal(batch.rewards[s], rollout.rewards[s, order].sum(-1))
        assert torch.equal(batch.terminated[s], rollout.terminated[s, order])
        assert torch.equal(batch.avail_actions[s], rollout.avail_actions[s, order])
        given = rollout.obs.flatten(-2) if rollout.state is None else rollout.state
        assert torch.equal(batch.state[s], given[s, order])
    assert batch.actions.dtype == torch.int64


def test_the_mask_ends_with_the_first_terminal_step():
    ends = torch.tensor([[0, 0, 1, 0, 1], [0, 0, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 1]]).bool()
    assert played(ends).int().tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0], [1, 1, 1, 1, 1]]


def test_the_teams_reward_is_counted_once():
    rewards = torch.tensor([[1.0, 3.0], [2.0, 2.0]])
    assert team_rewards(rewards, False).tolist() == [4, 4]
    assert team_rewards(rewards, True).tolist() == [1, 2]


def test_no_episode_is_drawn_twice_and_every_one_is_as_likely():
    """500 batches of 3 out of 7, 1 draw in 7 each: 214 times, give or take 4 standard deviations of 11."""
    log = replay()
    log.append(numbered(0, 7))
    counts = torch.zeros(2, 7)
    for _ in range(500):
        drawn = log.sample(3).obs[:, :, 0, 0, 0].long() % 1000
        assert all(len(set(own)) == 3 for own in drawn.tolist())
        counts += one_hot(drawn, 7).sum(1)
    assert (counts - 1500 / 7).abs().max() < 45
    assert not torch.equal(counts[0], counts[1])


def test_a_seed_draws_the_same_alone():
    company, alone = replay(seeds=(4, 9)), replay(seeds=(9,))
    company.append(numbered(0, 7))
    alone.append(numbered(0, 7, seeds=1))
    for _ in range(5):
        assert torch.equal(company.sample(4).obs[1] - 1000, alone.sample(4).obs[0])


def test_the_ring_forgets_the_oldest():
    log = replay()
    for first in range(0, 12, 3):
        log.append(numbered(first, 3))
    assert (log.episodes, log.first) == (12, 5)
    assert sorted((log.sample(7).obs[0, :, 0, 0, 0]).tolist()) == list(range(5, 12))


def test_a_round_larger_than_the_ring_leaves_its_last_episodes():
    log = replay(size=4)
    log.append(numbered(0, 11))
    assert sorted(log.sample(4).obs[0, :, 0, 0, 0].tolist()) == [7, 8, 9, 10]


def test_a_ring_is_no_larger_than_the_budget():
    log = replay(size=100, task=toy_task(episodes=5))
    log.append(numbered(0, 8))
    assert (log.episodes, log.first) == (8, 3)


@pytest.mark.parametrize("state", [False, True])
def test_rows_go_back_where_they_came_from(state):
    """Two lanes, restored in parts and out of step, hold and draw what the first log does."""
    log = replay()
    log.append(numbered(0, 9, state=state))
    again = replay()
    for lane in (1, 0):
        for start, stop in ((2, 5), (5, 9)):
            again.restore(lane, start, log.rows(lane, start, stop))
    assert (again.episodes, again.first) == (9, 2)
    for more in (log, again):
        more.append(numbered(9, 3, state=state))
    assert torch.equal(again.sample(7).obs, log.sample(7).obs)
    for lane in range(2):
        rows, other = log.rows(lane, 5, 12), again.rows(lane, 5, 12)
        assert rows.keys() == other.keys()
        assert all(torch.equal(x, other[name]) for name, x in rows.items())
        assert ("state" in rows) == state


def test_a_lane_that_is_behind_is_counted():
    log = replay()
    rows = replay()
    rows.append(numbered(0, 4))
    log.restore(0, 0, rows.rows(0, 0, 4))
    assert log.episodes == 0
    log.restore(1, 0, rows.rows(1, 0, 2))
    assert log.episodes == 2
    log.append(numbered(4, 1))
    assert log.episodes == 3
    assert log.rows(0, 4, 5)["obs"][0, 0, 0, 0] == log.rows(1, 2, 3)["obs"][0, 0, 0, 0] - 1000 == 4


def test_what_is_not_there_is_an_error():
    log = replay()
    log.append(numbered(0, 9))
    with pytest.raises(
        ValueError, match="episodes 1 to 4 of seed lane 0 are not all stored: 9 were appended and the last 7"
    ):
        log.rows(0, 1, 4)
    with pytest.raises(ValueError, match="episodes 8 to 10"):
        log.rows(0, 8, 10)
    with pytest.raises(ValueError, match="got episodes from 11 on; allowed: from 9 on"):
        log.restore(0, 11, log.rows(0, 5, 6))
    with pytest.raises(ValueError, match="a batch of 8 episodes needs as many stored"):
        log.sample(8)


def test_a_round_played_in_inference_mode_can_be_trained_on():
    log = replay()
    with torch.inference_mode():
        log.append(numbered(0, 4))
    batch = log.sample(4)
    assert (torch.ones(1, requires_grad=True) * batch.obs).sum().requires_grad


def test_a_batch_is_cut_to_its_longest_episode():
    mask = torch.tensor([[[True, True, False, False], [True, False, False, False]]])
    steps = torch.arange(4.0).expand(1, 2, 4)
    places = torch.arange(5.0).view(1, 1, 5, 1, 1).expand(1, 2, 5, 3, 2)
    batch = EpisodeBatch(places, places[..., 0, :], steps.unsqueeze(-1).long(), places > 0, steps, mask, mask)
    cut = batch.trimmed()
    assert (cut.obs.shape, cut.state.shape, cut.actions.shape) == ((1, 2, 3, 3, 2), (1, 2, 3, 2), (1, 2, 2, 1))
    assert cut.mask.tolist() == [[[True, True], [True, False]]]
    assert torch.equal(cut.rewards, steps[..., :2])
    assert ends(mask).tolist() == [[[False, True, False, False], [True, False, False, False]]]
    assert ends(mask | True).tolist() == [[[False, False, False, True]] * 2]


def test_batches_of_a_seed_that_trains_alone_are_cut():
    rollout = numbered(0, 4, seeds=1)
    mask = (torch.arange(T) < 2).expand(1, 4, T)
    for alone, steps in ((True, 2), (False, T)):
        log = replay(seeds=(0,), task=replace(toy_task(), alone=alone))
        log.append(replace(rollout, mask=mask))
        assert log.sample(4).actions.shape[2] == steps


def lengths_of(rollout: Rollout, lengths: list[list[int]]) -> Rollout:
    """The same, with episodes that ended after so many steps [S][E], as `bench.run.playing.play` hands them over."""
    last = torch.tensor(lengths)
    steps = torch.arange(T).expand(*last.shape, T)
    mask, seen = steps < last.unsqueeze(-1), torch.arange(T + 1).expand(*last.shape, T + 1).minimum(last.unsqueeze(-1))

    def stays(x: torch.Tensor) -> torch.Tensor:
        place = seen.view(*seen.shape, *[1] * (x.dim() - 3)).expand(*seen.shape, *x.shape[3:])
        return x.gather(2, place)

    assert rollout.state is not None
    return Rollout(
        obs=stays(rollout.obs + 0.01 * torch.arange(T + 1).view(-1, 1, 1)),
        actions=rollout.actions * mask[..., None, None],
        rewards=rollout.rewards * mask[..., None],
        terminated=(steps == last.unsqueeze(-1) - 1) & (last < T).unsqueeze(-1),
        avail_actions=stays(rollout.avail_actions),
        state=stays(rollout.state),
        mask=mask,
    )


def padded(rollouts: list[Rollout]) -> EpisodeBatch:
    """All of them, as they were handed over."""
    one = {n: torch.cat([getattr(r, n) for r in rollouts], 1) for n in Rollout.__dataclass_fields__}
    actions, rewards = one.pop("actions").argmax(-1), one.pop("rewards").sum(-1)
    return EpisodeBatch(actions=actions, rewards=rewards, **one)


def same(one: EpisodeBatch, other: EpisodeBatch) -> bool:
    return all(torch.equal(getattr(one, n), getattr(other, n)) for n in EpisodeBatch.__dataclass_fields__)


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("block_bytes", [1, 2**25])
def test_episodes_that_end_early_are_stored_without_what_follows(monkeypatch, alone, block_bytes):
    """Rounds of many lengths, the ring wrapped: batches are what whole episodes would give, in one block or in many."""
    monkeypatch.setattr(ragged, "BLOCK_BYTES", block_bytes)
    log, seeds = replay(task=replace(toy_task(), alone=alone)), 2
    rounds, g = [], torch.Generator().manual_seed(5)
    for first in range(0, 12, 3):
        lengths = torch.randint(1, T + 1 if first else 3, (seeds, 3), generator=g).tolist()
        rounds.append(lengths_of(numbered(first, 3, state=True), lengths))
        log.append(rounds[-1])
    given = padded(rounds)
    ring = [7, 8, 9, 10, 11, 5, 6]
    assert same(log.whole(), EpisodeBatch(**{n: x[:, ring] for n, x in vars(given).items()}))
    again = replay(task=replace(toy_task(), alone=alone))
    for lane in (1, 0):
        for start, stop in ((5, 6), (6, 12)):
            again.restore(lane, start, log.rows(lane, start, stop))
    assert same(again.whole(), log.whole())
    assert len(log.rows(0, 5, 12)["rewards"]) == int(given.mask[0, 5:].sum())
    for _ in range(5):
        batch = log.sample(4)
        number = (batch.obs[:, :, 0, 0, 0] - 1000 * torch.arange(seeds).unsqueeze(-1)).round().long()
        drawn = EpisodeBatch(
            **{n: torch.stack([x[s, number[s]] for s in range(seeds)]) for n, x in vars(given).items()}
        )
        assert same(batch, drawn.trimmed() if alone else drawn)
        assert same(again.sample(4), batch)


def test_a_checkpoint_from_before_holds_whole_episodes():
    log = replay()
    rollout = lengths_of(numbered(0, 4, state=True), [[1, 2, 3, 5], [5, 4, 2, 1]])
    log.append(rollout)
    before = vars(padded([rollout]))
    for lane in range(2):
        fresh = replay()
        for own in range(2):
            fresh.restore(own, 0, {n: x[own] for n, x in before.items()})
        assert all(torch.equal(x, fresh.rows(lane, 0, 4)[n]) for n, x in log.rows(lane, 0, 4).items())


def test_short_episodes_take_the_room_of_their_steps(monkeypatch):
    """Rows of an overwritten episode are used again: 200 episodes of up to 4 rows, 7 at a time."""
    monkeypatch.setattr(ragged, "BLOCK_BYTES", 1)  # a block of T + 1 rows
    log = replay(seeds=(0,))
    for first in range(200):
        log.append(lengths_of(numbered(first, 1, seeds=1, state=True), [[1 + first % 3]]))
    assert log.bytes <= (7 * 4 // (T + 1) + 1) * (T + 1) * log._ragged[0].row_bytes


@pytest.mark.parametrize("early", [False, True])
def test_a_replay_that_would_take_too_much_is_an_error(monkeypatch, early):
    monkeypatch.setattr(ragged, "BLOCK_BYTES", 1)
    log = replay(size=100, seeds=(0,), task=replace(toy_task(episodes=100), replay_bytes=1000))
    rounds = [numbered(first, 1, seeds=1, state=True) for first in range(100)]
    with pytest.raises(ReplayFull, match=r"^replay: got .*; allowed: 0.00 GiB .* raise --replay-memory, or give"):
        any(log.append(lengths_of(own, [[2]]) if early else own) for own in rounds)
