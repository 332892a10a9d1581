"""Replay of single steps, for learners that update at every environment step; episodes may end anywhere.

Axes: S seed, T step, E environment copy, B batch, C transition that the ring holds, R = C + E row of the ring,
L last observation. The method's shapes come after these: obs [O] or [N, O], actions [A] or [N, A], rewards [] or [N],
where N is the agent, O the observation entry and A the action entry.

A row is one observation with its action and reward. The next observation is the next row (with E copies that step in
turn, the row E later), so each observation is stored once. An episode's last observation has no action; it is a row in
a separate ring. An int32 map says which row is the next observation of each transition. So the rows of a million
transitions need no extra room for episodes that may end, and the ring always holds exactly the newest C transitions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from baselines.streams import Streams

PART_BYTES = 16 * 2**20  # in a file of the replay log: writing takes three times its memory
PLACES = 16  # for last observations at first; doubled when all are in use


@dataclass(frozen=True)
class Shapes:
    """The shapes after [S, T] in a step: obs (O,) or (N, O), actions (A,) or (N, A), rewards () or (N,)."""

    obs: tuple[int, ...]
    actions: tuple[int, ...]
    rewards: tuple[int, ...] = ()


@dataclass(frozen=True)
class Steps:
    """T consecutive steps of one environment copy of every seed; whole episodes of several copies may be concatenated.

    For a replay of E copies: their first steps, then their second ones.

    obs, actions, rewards [S, T, ...] float. next_obs [S, T, ...] float: seen after the step, before a restart; if the
    episode goes on, it is the next step's obs. terminated, truncated [S, T] bool: the episode ended in a terminal
    state, or was cut short. Both end it; only the first ends its returns.
    """

    obs: Tensor
    actions: Tensor
    rewards: Tensor
    next_obs: Tensor
    terminated: Tensor
    truncated: Tensor


@dataclass(frozen=True)
class StepBatch:
    """Transitions of every seed: obs, next_obs, actions, rewards [S, B, ...], terminated [S, B] bool.

    A transition whose episode was truncated is not terminated: it bootstraps from next_obs, its last observation.
    """

    obs: Tensor
    actions: Tensor
    rewards: Tensor
    next_obs: Tensor
    terminated: Tensor


class StepReplay:
    """For each seed a ring of the newest `replay_size` transitions. Its entries, for checkpoints, are transitions.

    Storage is allocated in full but not written, so the system assigns its pages only as steps fill them.
    Raises ValueError if replay_size is less than 1.
    """

    def __init__(
        self,
        shapes: Shapes,
        replay_size: int,
        streams: Sequence[Streams],
        device: torch.device | str,
        dtype: torch.dtype = torch.float32,
        copies: int = 1,
    ):
        """copies: E; their steps are appended in turn."""
        if replay_size < 1:
            raise ValueError(f"replay_size: got {replay_size}; allowed: 1 transition or more")
        self._copies = copies
        self._generators = [stream["replay"] for stream in streams]
        self._capacity, self._ring, self._device = replay_size, replay_size + copies, torch.device(device)
        self._shapes = {"obs": shapes.obs, "actions": shapes.actions, "rewards": shapes.rewards, "terminated": ()}
        kinds = dict.fromkeys(self._shapes, dtype) | {"terminated": torch.bool}
        self._stored = {
            name: self._empty(self._ring, s, kinds[name]) for name, s in self._shapes.items()
        }  # [S, R, ...]
        self._next = self._empty(self._ring, (), torch.int32)  # [S, R]: a row, or R + a place among the last ones
        self._last = self._empty(PLACES, shapes.obs, dtype)  # [S, L, ...]
        self._free = [list(reversed(range(PLACES))) for _ in streams]  # places in self._last
        self._ends = [deque[tuple[int, int]]() for _ in streams]  # transitions that ended an episode, and their places
        self._entries = [0 for _ in streams]
        self._row_bytes = sum(prod(s) * kinds[name].itemsize for name, s in self._shapes.items()) + 1

    @property
    def entries(self) -> int:
        """Transitions stored so far, overwritten ones included, by the seed that has the fewest."""
        return min(self._entries)

    @property
    def first(self) -> int:
        """The oldest transition that is still there; 0 until the ring wraps."""
        return max(0, self.entries - self._capacity)

    @property
    def stored(self) -> int:
        """Transitions stored now, by the seed that has the fewest."""
        return self.entries - self.first

    @property
    def part_entries(self) -> int:
        """Transitions in a file of the log: as many as PART_BYTES hold."""
        return max(1, PART_BYTES // self._row_bytes)

    def append(self, steps: Steps) -> None:
        """Store T steps of every seed. Raises ValueError for other shapes, and if seeds are not equally far."""
        if len(set(self._entries)) > 1:
            raise ValueError(f"seeds have {self._entries} transitions; allowed: equally many, restore the others first")
        rows = {name: getattr(steps, name) for name in self._shapes}
        ended = (steps.terminated | steps.truncated).cpu()
        newest = slice(-self._copies, None)
        last = [torch.cat([own[e], own[newest][~e[newest]]]) for own, e in zip(steps.next_obs, ended, strict=True)]
        self._write(slice(None), rows, ended, last)

    def sample(self, batch_size: int) -> StepBatch:
        """Uniform over the stored transitions, with replacement; each seed draws once from its "replay" stream.

        Raises ValueError if nothing is stored.
        """
        if self.entries < 1:
            raise ValueError("a batch needs a transition stored, got none")
        drawn = []
        for entries, generator in zip(self._entries, self._generators, strict=True):
            stored = min(entries, self._capacity)
            drawn.append(torch.randint(stored, (batch_size,), generator=generator, device=self._device))
        return self.batch(torch.stack(drawn))

    def batch(self, index: Tensor) -> StepBatch:
        """Transitions by their place among the stored ones, counted from the oldest, 0: [S, B] int64."""
        row, lane, (seeds, batch_size) = self._rows_of(index), self._lanes(index), index.shape
        following = self._next.flatten().index_select(0, row).long()
        ended = following >= self._ring
        on, over = torch.where(ended, 0, following), torch.where(ended, following - self._ring, 0)
        batch = {name: x.flatten(0, 1).index_select(0, row) for name, x in self._stored.items()}
        next_obs = self._stored["obs"].flatten(0, 1).index_select(0, on + lane * self._ring)
        last = self._last.flatten(0, 1).index_select(0, over + lane * self._last.shape[1])
        batch["next_obs"] = torch.where(ended.view(-1, *[1] * (last.dim() - 1)), last, next_obs)
        return StepBatch(**{name: x.unflatten(0, (seeds, batch_size)) for name, x in batch.items()})

    def seen_and_done(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Only the observations and actions [S, B, ...] of `batch`."""
        row = self._rows_of(index)
        obs, actions = (self._stored[n].flatten(0, 1).index_select(0, row) for n in ("obs", "actions"))
        return obs.unflatten(0, index.shape), actions.unflatten(0, index.shape)

    def kept(self, name: str, lane: int) -> Tensor:
        """One value, such as "rewards", of all stored transitions: [stored, ...], in any order."""
        own, entries = self._stored[name][lane], self._entries[lane]
        if entries <= self._capacity:
            return own[:entries]
        free = (entries + torch.arange(self._copies)) % self._ring  # rows of the newest observations
        there = torch.ones(self._ring, dtype=torch.bool).index_fill_(0, free, False)
        return own[there.to(self._device)]

    def rows(self, lane: int, start: int, stop: int) -> dict[str, Tensor]:
        """A seed's transitions start .. stop-1 in the order stored: copies without [S], and what came after them.

        "ended" [stop - start] bool: an episode ends there. "last": the observations after those that end, in order,
        then those after the newest transition of each copy, if it does not end.
        Raises ValueError if some of them are overwritten or not yet stored.
        """
        entries = self._entries[lane]
        if not max(0, entries - self._capacity) <= start < stop <= entries:
            raise ValueError(
                f"transitions {start} to {stop} of seed lane {lane} are not all stored: "
                f"{entries} were appended and the last {self._capacity} are kept"
            )
        row = torch.arange(start, stop, device=self._device) % self._ring
        following = self._next[lane].index_select(0, row).long()
        ended = following >= self._ring
        last = self._last[lane].index_select(0, following[ended] - self._ring)
        newest = slice(-self._copies, None)
        open_ = self._stored["obs"][lane].index_select(0, following[newest][~ended[newest]])
        found = {name: x[lane].index_select(0, row) for name, x in self._stored.items()}
        return found | {"ended": ended, "last": torch.cat([last, open_])}

    def restore(self, lane: int, start: int, rows: Mapping[str, Tensor]) -> None:
        """Append to one seed's log what `rows` gave for the transitions from `start` on.

        Earlier ones count as appended and overwritten. Raises ValueError for other shapes, and if `start` is not the
        next transition, except for the first part of an empty log.
        """
        if self._entries[lane] not in (0, start):
            got = f"seed lane {lane}: got transitions from {start} on"
            raise ValueError(f"{got}; allowed: from {self._entries[lane]} on")
        self._entries[lane] = start
        own = {name: rows[name].unsqueeze(0) for name in self._shapes}
        self._write(slice(lane, lane + 1), own, rows["ended"].unsqueeze(0).cpu(), [rows["last"]])

    def _write(self, lanes: slice, rows: Mapping[str, Tensor], ended: Tensor, last: Sequence[Tensor]) -> None:
        """Store rows [S, T, ...] of lanes that are equally far. ended [S, T] bool, on the CPU. last: as in `rows`."""
        self._check(rows, ended, last)
        at, count, done = self._entries[lanes][0], ended.shape[1], 0
        while done < count:
            row = (at + done) % self._ring
            some = min(count - done, self._ring - row)
            for name, x in rows.items():
                self._stored[name][lanes, row : row + some] = x[:, done : done + some]
            following = torch.arange(row, row + some, dtype=torch.int32, device=self._device) + self._copies
            self._next[lanes, row : row + some] = following % self._ring
            done += some
        for lane, own_ended, own_last in zip(range(len(self._entries))[lanes], ended, last, strict=True):
            self._entries[lane] = at + count
            self._end(lane, at, own_ended, own_last)

    def _end(self, lane: int, at: int, ended: Tensor, last: Tensor) -> None:
        """Store the observations after steps from `at` on that end an episode, and after each copy's newest step."""
        entries, ends, free = self._entries[lane], self._ends[lane], self._free[lane]
        first = max(0, entries - self._capacity)
        while ends and ends[0][0] < first:
            free.append(ends.popleft()[1])
        open_ = (~ended[-self._copies :]).nonzero().flatten().tolist()
        for place, own in zip(open_, last[len(last) - len(open_) :], strict=True):
            newest = entries - min(self._copies, len(ended)) + place
            self._stored["obs"][lane, (newest + self._copies) % self._ring] = own
        times = [at + step for step in ended.nonzero().flatten().tolist()]
        kept = [k for k, time in enumerate(times) if time >= first]
        if not kept:
            return
        while len(free) < len(kept):
            self._grow()
        places = [free.pop() for _ in kept]
        ends.extend((times[k], place) for k, place in zip(kept, places, strict=True))
        at_place, row = self._index(places), self._index([times[k] % self._ring for k in kept])
        self._last[lane, at_place] = last[kept[0] : kept[-1] + 1].to(self._last)
        self._next[lane, row] = (at_place + self._ring).int()

    def _grow(self) -> None:
        """Double the places for last observations of every seed; used ones stay where they are."""
        before = self._last.shape[1]
        larger = self._empty(2 * before, self._shapes["obs"], self._last.dtype)
        larger[:, :before] = self._last
        self._last = larger
        for free in self._free:
            free[:0] = reversed(range(before, 2 * before))  # the lowest are taken first

    def _check(self, rows: Mapping[str, Tensor], ended: Tensor, last: Sequence[Tensor]) -> None:
        for name, x in rows.items():
            if x.shape != (allowed := (*ended.shape, *self._shapes[name])) or not ended.numel():
                raise ValueError(f"{name}: got shape {tuple(x.shape)}; allowed: {allowed}, with a step at least")
        for own_ended, own_last in zip(ended, last, strict=True):
            allowed = (int(own_ended.sum()) + int((~own_ended[-self._copies :]).sum()), *self._shapes["obs"])
            if own_last.shape != allowed:
                raise ValueError(f"last observations: got shape {tuple(own_last.shape)}; allowed: {allowed}")

    def _rows_of(self, index: Tensor) -> Tensor:
        """Rows [S B] in the concatenated rings of all lanes, from places [S, B] among stored transitions."""
        oldest = [entries - min(entries, self._capacity) for entries in self._entries]
        lanes = zip(index, oldest, strict=True)
        return torch.cat([(own + first) % self._ring + lane * self._ring for lane, (own, first) in enumerate(lanes)])

    def _lanes(self, index: Tensor) -> Tensor:
        """The lane of each of [S, B], flat."""
        return torch.arange(len(index), device=self._device).repeat_interleave(index.shape[1])

    def _index(self, places: Sequence[int]) -> Tensor:
        return torch.tensor(places, device=self._device)

    def _empty(self, rows: int, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """[S, rows, ...]; usable in training, whatever mode it is made in."""
        with torch.inference_mode(False):
            return torch.empty((len(self._generators), rows, *shape), dtype=dtype, device=self._device)
