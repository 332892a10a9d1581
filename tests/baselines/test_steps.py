"""Axes: S seed, T step, B batch, N agent, O observation entry, A action entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from baselines.replay.steps import PLACES, Shapes, StepBatch, StepReplay, Steps
from baselines.streams import Streams

TEAM = Shapes(obs=(2, 3), actions=(2, 1), rewards=(2,))
ALONE = Shapes(obs=(1,), actions=(1,))
GOES, TERMINAL, CUT = range(3)  # how a step ends


def replay(size: int, seeds: Sequence[int] = (0,), shapes: Shapes = ALONE) -> StepReplay:
    return StepReplay(shapes, size, [Streams(seed) for seed in seeds], "cpu")


def played(first: int, ends: Sequence[int], shapes: Shapes = ALONE, lanes: Sequence[int] = (0,)) -> Steps:
    """Steps from number `first` on. Each number tells lane and step: obs 1000 lane + step, actions and rewards a part
    more; the observation after an episode's last step is the negative of what the next one's would be.
    """
    step = torch.arange(first, first + len(ends)) + 1000.0 * torch.tensor(lanes).unsqueeze(1)  # [S, T]
    kind = torch.tensor(ends).expand_as(step)

    def spread(values: Tensor, shape: tuple[int, ...]) -> Tensor:
        return values.view(*values.shape, *[1] * len(shape)).expand(*values.shape, *shape)

    following = torch.where(kind == GOES, step + 1, -(step + 1))
    return Steps(
        obs=spread(step, shapes.obs),
        actions=spread(step + 0.25, shapes.actions),
        rewards=spread(step + 0.5, shapes.rewards),
        next_obs=spread(following, shapes.obs),
        terminated=kind == TERMINAL,
        truncated=kind == CUT,
    )


def known(log: StepReplay, draws: int = 400) -> dict[float, tuple[float, float, float, bool]]:
    """The content of a replay of one lane, by observation: action, reward, next observation, terminated."""
    batch = log.sample(draws)
    columns = (
        batch.obs[0, :, 0],
        batch.actions[0, :, 0],
        batch.rewards[0],
        batch.next_obs[0, :, 0],
        batch.terminated[0],
    )
    return {o: (a, r, n, t) for o, a, r, n, t in zip(*(column.tolist() for column in columns), strict=True)}


def test_an_episode_ends_inside() -> None:
    """Five steps: the second is terminal, the fourth cut short, the fifth goes on."""
    log = replay(10)
    log.append(played(0, [GOES, TERMINAL, GOES, CUT, GOES]))
    assert known(log) == {
        0.0: (0.25, 0.5, 1.0, False),
        1.0: (1.25, 1.5, -2.0, True),
        2.0: (2.25, 2.5, 3.0, False),
        3.0: (3.25, 3.5, -4.0, False),  # bootstraps from its own last observation, not from the next episode's first
        4.0: (4.25, 4.5, 5.0, False),  # the newest: what follows it is known, though nothing was done there yet
    }
    assert (log.entries, log.first) == (5, 0)


def test_the_ring_overwrites_the_oldest() -> None:
    log = replay(3)
    log.append(played(0, [TERMINAL, CUT]))
    log.append(played(2, [GOES, GOES]))
    assert (log.entries, log.first) == (4, 1)
    assert {obs: following for obs, (_, _, following, _) in known(log).items()} == {1.0: -2.0, 2.0: 3.0, 3.0: 4.0}
    log.append(played(4, [CUT]))
    assert {obs: following for obs, (_, _, following, _) in known(log).items()} == {2.0: 3.0, 3.0: 4.0, 4.0: -5.0}
    log.append(played(5, [GOES, TERMINAL, GOES, GOES, CUT, GOES, GOES]))  # more than it holds
    assert {obs: following for obs, (_, _, following, _) in known(log).items()} == {9.0: -10.0, 10.0: 11.0, 11.0: 12.0}
    assert (log.entries, log.first) == (12, 9)


def test_a_ring_of_one_step() -> None:
    log = replay(1)
    for step, end in enumerate([GOES, CUT, TERMINAL, GOES]):
        log.append(played(step, [end]))
        assert list(known(log, 3)) == [step]
    with pytest.raises(ValueError, match="replay_size: got 0"):
        replay(0)


def test_what_is_stored_once_takes_the_room_of_once() -> None:
    """Of 1,000 steps in episodes of 100: 1,001 rows, and no more places for last observations than the first few."""
    log = replay(1000, shapes=Shapes(obs=(376,), actions=(17,)))
    for start in range(0, 3000, 100):
        log.append(played(start, [GOES] * 99 + [CUT], Shapes(obs=(376,), actions=(17,))))
    held = sum(x.numel() * x.element_size() for x in (*log._stored.values(), log._next, log._last))
    assert held == 1001 * (4 * (376 + 17 + 1) + 1 + 4) + PLACES * 4 * 376


def test_places_for_last_observations_grow_and_are_used_again() -> None:
    log = replay(50, seeds=(0, 1))
    for step in range(0, 400, 5):
        log.append(played(step, [CUT, TERMINAL, CUT, CUT, TERMINAL], lanes=(0, 1)))
    assert log._last.shape[1] == 64  # 50 are in use
    batch = log.sample(300)
    assert torch.equal(batch.next_obs, -(batch.obs + 1))
    assert batch.obs[1].min() == 1350


def test_several_agents() -> None:
    log = replay(100, seeds=(0, 1), shapes=TEAM)
    log.append(played(0, [GOES, CUT, GOES], TEAM, lanes=(0, 1)))
    batch = log.sample(64)
    assert batch.obs.shape == batch.next_obs.shape == (2, 64, 2, 3)
    assert (batch.actions.shape, batch.rewards.shape) == ((2, 64, 2, 1), (2, 64, 2))
    step = batch.obs[..., :1, :1]
    assert (batch.obs == step).all()
    assert (batch.actions == step + 0.25).all()
    assert (batch.rewards == step[..., 0] + 0.5).all()
    assert torch.equal(batch.next_obs, torch.where(batch.obs % 1000 == 1, -(batch.obs + 1), batch.obs + 1))


def test_sampling_is_uniform_over_stored_transitions() -> None:
    """Chi-squared over 80 transitions: mean 79, sd 12.6. The ring has wrapped; every third step ends an episode."""
    log = replay(80)
    log.append(played(0, [GOES, GOES, CUT] * 67))
    values, counts = log.sample(80_000).obs[0, :, 0].unique(return_counts=True)
    assert values.tolist() == list(range(121, 201))
    assert ((counts - 1000).square() / 1000).sum() < 79 + 4 * 12.6


def test_each_seed_draws_once_from_its_own_stream() -> None:
    """The indices are those of one call on the seed's "replay" stream, counted from the oldest transition."""
    log = replay(80, seeds=(3, 4))
    log.append(played(0, [GOES] * 100, lanes=(0, 1)))
    obs = log.sample(32).obs[..., 0]
    for lane, seed in enumerate((3, 4)):
        drawn = torch.randint(80, (32,), generator=Streams(seed)["replay"])
        assert torch.equal(obs[lane], 1000.0 * lane + 20 + drawn)


def same(one: StepBatch, other: StepBatch, lane: int, other_lane: int) -> bool:
    return all(torch.equal(getattr(one, f.name)[lane], getattr(other, f.name)[other_lane]) for f in fields(StepBatch))


ENDS = st.lists(st.sampled_from([GOES, GOES, TERMINAL, CUT]), min_size=1, max_size=30)


@settings(max_examples=40, deadline=None)
@given(size=st.integers(1, 40), blocks=st.lists(ENDS, min_size=1, max_size=5))
def test_lanes_are_what_they_are_alone(size: int, blocks: list[list[int]]) -> None:
    """Bit by bit, though other seeds' episodes end elsewhere."""
    seeds = (5, 6, 7)
    together, alone = replay(size, seeds), [replay(size, (seed,)) for seed in seeds]
    at = 0
    for ends in blocks:
        rolled = [ends[lane % len(ends) :] + ends[: lane % len(ends)] for lane in range(3)]
        own = [played(at, kinds, lanes=(lane,)) for lane, kinds in enumerate(rolled)]
        stacked = Steps(**{f.name: torch.cat([getattr(one, f.name) for one in own]) for f in fields(Steps)})
        together.append(stacked)
        at += len(ends)
        batch = together.sample(9)
        for lane, one in enumerate(own):
            alone[lane].append(one)
            assert same(batch, alone[lane].sample(9), lane, 0)


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(1, 40),
    before=st.lists(ENDS, min_size=1, max_size=4),
    after=st.lists(ENDS, max_size=3),
    part=st.integers(1, 50),
    company=st.booleans(),
)
def test_a_restored_replay_goes_on_as_if_nothing_had_been(
    size: int, before: list[list[int]], after: list[list[int]], part: int, company: bool
) -> None:
    """Saved part by part like checkpoints, restored in parts, alone or in company; then the batches are the same."""
    whole, at, saved, files = replay(size, (0, 1)), 0, 0, []
    for ends in before:
        whole.append(played(at, ends, lanes=(0, 1)))
        at += len(ends)
        for start in range(max(saved, whole.first), at, part):
            stop = min(start + part, at)
            files.append((start, stop, [whole.rows(lane, start, stop) for lane in (0, 1)]))
        saved = at
    lanes = (0, 1) if company else (1,)
    again = replay(size, lanes)
    for k, lane in enumerate(lanes):
        for start, stop, rows in files:
            if stop > whole.first:
                again.restore(k, start, rows[lane])
    assert (again.entries, again.first) == (whole.entries, whole.first)
    assert same(again.sample(9), whole.sample(9), -1, 1)
    for ends in after:
        whole.append(played(at, ends, lanes=(0, 1)))
        again.append(played(at, ends, lanes=lanes))
        at += len(ends)
        assert same(again.sample(9), whole.sample(9), -1, 1)


@dataclass
class Plain:
    """The same as a list of transitions."""

    size: int
    held: list[tuple[float, float, float, float, bool]] = field(default_factory=list)

    def append(self, first: int, ends: Sequence[int]) -> None:
        for step, end in enumerate(ends, first):
            following = step + 1.0 if end == GOES else -(step + 1.0)
            self.held.append((float(step), step + 0.25, step + 0.5, following, end == TERMINAL))
        self.held = self.held[-self.size :]


@settings(max_examples=100, deadline=None)
@given(size=st.integers(1, 40), blocks=st.lists(ENDS, min_size=1, max_size=8))
def test_it_is_what_a_plain_list_is(size: int, blocks: list[list[int]]) -> None:
    log, plain, stream, at = replay(size, (8,)), Plain(size), Streams(8)["replay"], 0
    for ends in blocks:
        log.append(played(at, ends))
        plain.append(at, ends)
        at += len(ends)
        batch = log.sample(12)
        expected = [plain.held[i] for i in torch.randint(len(plain.held), (12,), generator=stream).tolist()]
        got = zip(
            batch.obs[0, :, 0].tolist(),
            batch.actions[0, :, 0].tolist(),
            batch.rewards[0].tolist(),
            batch.next_obs[0, :, 0].tolist(),
            batch.terminated[0].tolist(),
            strict=True,
        )
        assert list(got) == expected


def test_rows_that_are_not_stored_are_an_error() -> None:
    log = replay(20)
    log.append(played(0, [GOES] * 30))
    assert len(log.rows(0, 10, 30)["obs"]) == 20
    for start, stop in ((9, 12), (28, 31), (15, 14), (12, 12)):
        with pytest.raises(ValueError, match="30 were appended and the last 20 are kept"):
            log.rows(0, start, stop)


def test_what_does_not_fit_is_an_error() -> None:
    log = replay(20, seeds=(0, 1))
    with pytest.raises(ValueError, match="a batch needs a transition stored"):
        log.sample(1)
    with pytest.raises(ValueError, match=r"obs: got shape \(2, 4, 2, 3\); allowed: \(2, 4, 1\)"):
        log.append(played(0, [GOES] * 4, TEAM, lanes=(0, 1)))
    log.append(played(0, [GOES, CUT, GOES], lanes=(0, 1)))
    rows, other = log.rows(0, 0, 3), replay(20, seeds=(0, 1))
    with pytest.raises(ValueError, match="last observations: got shape"):
        other.restore(0, 0, rows | {"last": rows["last"][:1]})
    with pytest.raises(ValueError, match="actions: got shape"):
        replay(20).restore(0, 0, rows | {"actions": rows["actions"][:1]})
    lone = replay(20, seeds=(0, 1))
    lone.restore(0, 0, rows)
    with pytest.raises(ValueError, match="got transitions from 5 on; allowed: from 3 on"):
        lone.restore(0, 5, rows)
    with pytest.raises(ValueError, match="equally many, restore the others first"):
        lone.append(played(3, [GOES], lanes=(0, 1)))


def test_a_file_of_the_log_holds_no_more_than_its_bytes() -> None:
    """Humanoid: 376 + 17 + 1 numbers of 4 bytes, and two flags, a transition."""
    shapes = Shapes(obs=(376,), actions=(17,))
    assert replay(10, shapes=shapes).part_entries == 16 * 2**20 // (4 * 394 + 2)
    assert replay(10, shapes=Shapes(obs=(2**23,), actions=(1,))).part_entries == 1


def test_copies_that_step_in_turn_have_their_own_next_observation():
    """Three copies, a ring of ten transitions that wraps: what follows is the same copy's, or the end's, exactly."""
    replay = StepReplay(Shapes((1,), (1,), (2,)), 10, [Streams(0)], "cpu", copies=3)
    other = StepReplay(Shapes((1,), (1,), (2,)), 10, [Streams(0)], "cpu", copies=3)
    kept, ends = [], {2: 0, 4: 2, 5: 1}  # at step t the episode of one copy ends
    for t in range(7):
        obs = torch.tensor([[100.0 * c + t] for c in range(3)])[None]
        over = torch.tensor([[ends.get(t) == c for c in range(3)]])
        after = torch.where(over.unsqueeze(-1), -obs - 1, obs + 1)
        rewards = torch.cat([obs, -obs], -1)
        replay.append(Steps(obs, obs, rewards, after, torch.zeros_like(over), over))
        kept += [(obs[0, c].item(), after[0, c].item()) for c in range(3)]
        there = kept[-10:]
        batch = replay.batch(torch.arange(len(there))[None])
        assert [*zip(batch.obs.flatten().tolist(), batch.next_obs.flatten().tolist(), strict=True)] == there
        assert sorted(replay.kept("rewards", 0)[:, 0].tolist()) == sorted(first for first, _ in there)
    for start in range(replay.first, replay.entries, 4):
        other.restore(0, start, replay.rows(0, start, min(start + 4, replay.entries)))
    whole = torch.arange(10)[None]
    assert torch.equal(other.batch(whole).next_obs, replay.batch(whole).next_obs)
