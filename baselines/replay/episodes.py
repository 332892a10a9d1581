"""Replay of whole episodes, for learners that need an episode's steps in their order.

Axes: S seed, B batch of episodes, C episode that the ring holds, T time step, N agent, O observation entry, A action,
X state entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.learner import Rollout, Task
from baselines.replay.ragged import SEEN, RaggedRows, ReplayFull
from baselines.streams import Streams

PART_EPISODES = 256  # in a file of the replay log
PART_BYTES = 64 * 2**20  # the most in a file if episodes differ in length: writing takes three times its memory


@dataclass(frozen=True)
class EpisodeBatch:
    """Episodes of every seed.

    obs [S, B, T+1, N, O], state [S, B, T+1, X], actions [S, B, T, N] int64, avail_actions [S, B, T+1, N, A] bool,
    rewards [S, B, T], the team's, terminated [S, B, T] bool, mask [S, B, T] bool: the steps that were played, none
    after a terminal one.
    """

    obs: Tensor
    state: Tensor
    actions: Tensor
    avail_actions: Tensor
    rewards: Tensor
    terminated: Tensor
    mask: Tensor

    def trimmed(self) -> EpisodeBatch:
        """The batch cut to its longest episode. Only for seeds that train alone: it changes bits of sums over steps."""
        steps = int(self.mask.sum(-1).max())  # played steps come first
        after = {name: getattr(self, name)[:, :, : steps + 1] for name in ("obs", "state", "avail_actions")}
        during = {name: getattr(self, name)[:, :, :steps] for name in ("actions", "rewards", "terminated", "mask")}
        return EpisodeBatch(**after, **during)

    def longest_first(self) -> EpisodeBatch:
        """Of one seed: its episodes in the order of their lengths."""
        order = self.mask[0].sum(-1).argsort(descending=True, stable=True)
        return EpisodeBatch(**{own.name: getattr(self, own.name)[:, order] for own in fields(self)})


def ends(mask: Tensor) -> Tensor:
    """The last played step of each episode: bool [..., T] -> bool [..., T]."""
    return mask & ~torch.cat([mask[..., 1:], torch.zeros_like(mask[..., :1])], -1)


def team_rewards(rewards: Tensor, common_reward: bool) -> Tensor:
    """The team's reward [..., T] from the agents' [..., T, N]: their sum, or the common one that all got."""
    return rewards[..., 0] if common_reward else rewards.sum(-1)


def played(terminated: Tensor) -> Tensor:
    """The steps up to and including the first terminal one: bool [..., T] -> bool [..., T]."""
    return terminated.cumsum(-1) - terminated.long() == 0


def last_actions(actions: Tensor) -> Tensor:
    """Each agent's action one step before, -1 at the start: [S, B, T, N] -> [S, B, T+1, N], int64."""
    return torch.cat([torch.full_like(actions[:, :, :1], -1), actions], 2)


class WholeEpisodes:
    """For each seed a ring of `replay_size` episodes, no more than the task's budget.

    Observations, states and rewards are stored in `dtype`, actions as int16. If episodes are as long as the limit,
    storage is allocated in full but not written, so the system assigns its pages only as episodes fill them. If they
    may end earlier (rounds have a mask), only played steps are stored: `ragged.RaggedRows`. A batch is the same to the
    last bit in both cases. Raises ReplayFull if the task's `replay_bytes` are not enough.
    """

    def __init__(
        self,
        task: Task,
        replay_size: int,
        streams: Sequence[Streams],
        device: torch.device | str,
        dtype: torch.dtype,
    ):
        self._task, self._generators = task, [stream["replay"] for stream in streams]
        self._capacity = min(replay_size, task.episodes)
        self._device, self._dtype = device, dtype
        self._stored: dict[str, Tensor] = {}  # by name [S, C, ...]; a state only if it differs from the observations
        self._ragged: list[RaggedRows] = []  # for each seed, if episodes differ in length; else `_stored`
        self._episodes = [0 for _ in streams]

    @property
    def episodes(self) -> int:
        """Episodes stored so far, overwritten ones included, by the seed that has the fewest."""
        return min(self._episodes)

    @property
    def entries(self) -> int:
        """The log's entries: episodes."""
        return self.episodes

    @property
    def first(self) -> int:
        """The oldest episode that is still there; 0 until the ring wraps."""
        return max(0, self.episodes - self._capacity)

    @property
    def part_entries(self) -> int:
        """Episodes in a file of the log."""
        if not self._ragged:
            return PART_EPISODES
        return max(1, min(PART_EPISODES, PART_BYTES // (self._ragged[0].row_bytes * (self._task.episode_limit + 1))))

    @property
    def bytes(self) -> int:
        """Bytes of all seeds; for episodes as long as the limit the allocated ones, written or not."""
        return sum(x.nbytes for x in self._stored.values()) + sum(own.bytes for own in self._ragged)

    def append(self, rollout: Rollout) -> None:
        """Store a round: E episodes of every seed."""
        rows = {
            "obs": rollout.obs,
            "actions": rollout.actions.argmax(-1),
            "avail_actions": rollout.avail_actions,
            "rewards": team_rewards(rollout.rewards, self._task.common_reward),
            "terminated": rollout.terminated,
        }
        rows |= {name: x for name in ("state", "mask") if (x := getattr(rollout, name)) is not None}
        if len(set(self._episodes)) == 1:
            self._write(slice(None), rows)
        else:
            for lane in range(len(self._episodes)):
                self._write(slice(lane, lane + 1), {name: x[lane : lane + 1] for name, x in rows.items()})

    def sample(self, batch_size: int) -> EpisodeBatch:
        """Uniform over stored episodes, none twice, as EPyMARL (cbc38c0). Each seed draws from its "replay" stream.

        Raises ValueError if fewer are stored.
        """
        if min(self.episodes, self._capacity) < batch_size:
            raise ValueError(f"a batch of {batch_size} episodes needs as many stored, got {self.episodes}")
        drawn = []
        for episodes, generator in zip(self._episodes, self._generators, strict=True):
            stored = min(episodes, self._capacity)
            drawn.append(torch.randperm(stored, generator=generator, device=self._device)[:batch_size])
        if self._ragged:
            return self._ragged_batch([own.cpu().numpy() for own in drawn], cut=self._task.alone)
        index = torch.cat([own + lane * self._capacity for lane, own in enumerate(drawn)])
        found = self._batch(index, (len(drawn), batch_size))
        return found.trimmed() if self._task.alone else found

    def whole(self) -> EpisodeBatch:
        """All stored episodes, equally many for each seed, in the ring's order; as long as the limit."""
        stored = min(self.episodes, self._capacity)
        if self._ragged:
            return self._ragged_batch([np.arange(stored)] * len(self._episodes), cut=False)
        index = [torch.arange(stored, device=self._device) + i * self._capacity for i in range(len(self._episodes))]
        return self._batch(torch.cat(index), (len(index), stored))

    def _batch(self, index: Tensor, shape: tuple[int, int]) -> EpisodeBatch:
        """The episodes at these places, for all seeds one after another."""
        return self._as_batch(
            {n: x.flatten(0, 1).index_select(0, index).unflatten(0, shape) for n, x in self._stored.items()}
        )

    def _ragged_batch(self, places: Sequence[NDArray[np.int64]], cut: bool) -> EpisodeBatch:
        """The episodes at these places of each seed. cut: whether to cut to the longest of all, else to the limit."""
        lanes = list(zip(self._ragged, places, strict=True))
        longest = max(int(rows.lengths(own).max(initial=0)) for rows, own in lanes)
        found = [rows.episodes(own, longest if cut else self._task.episode_limit) for rows, own in lanes]
        return self._as_batch({name: torch.stack([own[name] for own in found]) for name in found[0]})

    @staticmethod
    def _as_batch(batch: Mapping[str, Tensor]) -> EpisodeBatch:
        """A batch from stored tensors, [S, B, ...] each."""
        return EpisodeBatch(
            obs=batch["obs"],
            state=batch["state"] if "state" in batch else batch["obs"].flatten(-2),
            actions=batch["actions"].long(),
            avail_actions=batch["avail_actions"],
            rewards=batch["rewards"],
            terminated=batch["terminated"],
            mask=batch["mask"] if "mask" in batch else played(batch["terminated"]),
        )

    def rows(self, lane: int, start: int, stop: int) -> dict[str, Tensor]:
        """A seed's episodes start .. stop-1 in the order stored, as they are stored: copies without [S].

        If episodes differ in length, the result of `RaggedRows.packed`.
        Raises ValueError if some of them are overwritten or not yet stored.
        """
        episodes = self._episodes[lane]
        if not max(0, episodes - self._capacity) <= start <= stop <= episodes:
            raise ValueError(
                f"episodes {start} to {stop} of seed lane {lane} are not all stored: "
                f"{episodes} were appended and the last {self._capacity} are kept"
            )
        if self._ragged:
            return self._ragged[lane].packed(np.arange(start, stop) % self._capacity)
        place = torch.arange(start, stop, device=self._device) % self._capacity
        return {name: x[lane].index_select(0, place) for name, x in self._stored.items()}

    def restore(self, lane: int, start: int, rows: Mapping[str, Tensor]) -> None:
        """Append to one seed's log what `rows` gave for the episodes from `start` on.

        Earlier ones count as appended and overwritten. Raises ValueError if `start` is not the next episode, except for
        the first part of an empty log.
        """
        if self._episodes[lane] not in (0, start):
            raise ValueError(f"seed lane {lane}: got episodes from {start} on; allowed: from {self._episodes[lane]} on")
        self._episodes[lane] = start
        if "lengths" in rows:
            self._unpack(lane, rows)
        else:  # whole episodes; older checkpoints store early-ending episodes in this way, with their mask
            self._write(slice(lane, lane + 1), {name: x.unsqueeze(0) for name, x in rows.items()})

    def _write(self, lanes: slice, rows: Mapping[str, Tensor]) -> None:
        """Store rows [S, E, ...] of lanes that are equally far, as many at once as fit before the ring's end."""
        if "mask" in rows:
            for lane, own in zip(range(len(self._episodes))[lanes], range(len(rows["mask"])), strict=True):
                lengths = rows["mask"][own].sum(-1).tolist()
                kept = {name: x[own] for name, x in rows.items() if name != "mask"}
                self._put(lane, lengths, [{n: x[e] for n, x in kept.items()} for e in range(len(lengths))])
            return
        if not self._stored:
            self._stored = {name: self._empty(name, x) for name, x in rows.items()}
        at = self._episodes[lanes][0]
        count, done = len(next(iter(rows.values()))[0]), 0
        while done < count:
            first = (at + done) % self._capacity
            some = min(count - done, self._capacity - first)
            for name, x in rows.items():
                self._stored[name][lanes, first : first + some] = x[:, done : done + some]
            done += some
        self._episodes[lanes] = [at + count] * len(self._episodes[lanes])

    def _unpack(self, lane: int, rows: Mapping[str, Tensor]) -> None:
        """Store the result of `RaggedRows.packed`."""
        lengths = rows["lengths"].tolist()
        ends, kept = np.cumsum(lengths), {name: x for name, x in rows.items() if name != "lengths"}
        episodes = []
        for e, (length, end) in enumerate(zip(lengths, ends.tolist(), strict=True)):
            seen, done = slice(end - length + e, end + e + 1), slice(end - length, end)
            episodes.append({name: x[seen if name in SEEN else done] for name, x in kept.items()})
        self._put(lane, lengths, episodes)

    def _put(self, lane: int, lengths: Sequence[int], episodes: Sequence[Mapping[str, Tensor]]) -> None:
        """Append episodes of these lengths to one seed's ring; longer ones are cut. Raises ReplayFull."""
        if not self._ragged and episodes:
            shapes = {name: tuple(x.shape[1:]) for name, x in episodes[0].items()}
            kinds = {name: self._kind(name) for name in shapes}
            size = self._capacity, self._task.episode_limit, shapes, kinds, self._device, self._task.replay_bytes
            self._ragged = [RaggedRows(*size) for _ in self._episodes]
        for length, own in zip(lengths, episodes, strict=True):
            self._ragged[lane].put(self._episodes[lane] % self._capacity, length, own)
            self._episodes[lane] += 1

    def _kind(self, name: str) -> torch.dtype:
        kinds = {"actions": torch.int16, "avail_actions": torch.bool, "terminated": torch.bool}
        return kinds.get(name, self._dtype)

    def _empty(self, name: str, rows: Tensor) -> Tensor:
        shape = (len(self._episodes), self._capacity, *rows.shape[2:])
        taken = self._kind(name).itemsize * prod(shape[1:])
        if self._task.replay_bytes and taken > self._task.replay_bytes:
            raise ReplayFull(
                f"replay: got {taken / 2**30:.2f} GiB of {name} for {self._capacity:,} episodes; allowed: "
                f"{self._task.replay_bytes / 2**30:.2f} GiB for a task of a seed; raise --replay-memory, or give the "
                "method a smaller replay_size"
            )
        # rounds may come from inference mode; stored tensors must be usable in training
        with torch.inference_mode(False):
            return torch.empty(shape, dtype=self._kind(name), device=self._device)
