"""Replay of whole episodes, for learners that need an episode's steps in their order.

Axes: S seed, B batch of episodes, C episode that the ring holds, T time step, N agent, O observation entry, A action,
X state entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from baselines.learner import Rollout, Task
from baselines.streams import Streams

PART_EPISODES = 256  # in a file of the replay log


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
        """Cut to its longest episode: for seeds that train alone, since it changes the bits of sums over steps."""
        steps = int(self.mask.sum(-1).max())  # steps are played from the first on
        after = {name: getattr(self, name)[:, :, : steps + 1] for name in ("obs", "state", "avail_actions")}
        during = {name: getattr(self, name)[:, :, :steps] for name in ("actions", "rewards", "terminated", "mask")}
        return EpisodeBatch(**after, **during)


def ends(mask: Tensor) -> Tensor:
    """The last step that was played of each episode: bool [..., T] of bool [..., T]."""
    return mask & ~torch.cat([mask[..., 1:], torch.zeros_like(mask[..., :1])], -1)


def team_rewards(rewards: Tensor, common_reward: bool) -> Tensor:
    """The team's reward [..., T] of the agents' [..., T, N]: their sum, or the one that all were given."""
    return rewards[..., 0] if common_reward else rewards.sum(-1)


def played(terminated: Tensor) -> Tensor:
    """The steps before and at the first terminal one: bool [..., T] of bool [..., T]."""
    return terminated.cumsum(-1) - terminated.long() == 0


def last_actions(actions: Tensor) -> Tensor:
    """What each agent did one step before, -1 at the start: [S, B, T, N] -> [S, B, T+1, N], int64."""
    return torch.cat([torch.full_like(actions[:, :, :1], -1), actions], 2)


class WholeEpisodes:
    """For each seed a ring of `replay_size` episodes, no more than the task's budget.

    Observations, states and rewards are stored in `dtype`, actions as int16. Storage is allocated whole and left
    unwritten, so that the system hands out its pages only as episodes fill them.
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
        self._stored: dict[str, Tensor] = {}  # by name [S, C, ...]; a state only where it is not the observations
        self._episodes = [0 for _ in streams]

    @property
    def episodes(self) -> int:
        """Episodes stored so far, overwritten ones included, by the seed that has the fewest."""
        return min(self._episodes)

    @property
    def entries(self) -> int:
        """What the log counts by: episodes."""
        return self.episodes

    @property
    def first(self) -> int:
        """The oldest episode that is still there; 0 until the ring wraps."""
        return max(0, self.episodes - self._capacity)

    @property
    def part_entries(self) -> int:
        """Episodes in a file of the log."""
        return PART_EPISODES

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
        """Uniform over the stored episodes, none twice, as EPyMARL (cbc38c0); each seed draws from its "replay" stream.

        Raises ValueError where fewer are stored.
        """
        if min(self.episodes, self._capacity) < batch_size:
            raise ValueError(f"a batch of {batch_size} episodes needs as many stored, got {self.episodes}")
        drawn = []
        for lane, (episodes, generator) in enumerate(zip(self._episodes, self._generators, strict=True)):
            stored = min(episodes, self._capacity)
            place = torch.randperm(stored, generator=generator, device=self._device)[:batch_size]
            drawn.append(place + lane * self._capacity)
        found = self._batch(torch.cat(drawn), (len(drawn), batch_size))
        return found.trimmed() if self._task.alone else found

    def whole(self) -> EpisodeBatch:
        """All episodes that are stored, equally many of each seed, in the order of the ring; as long as the limit."""
        stored = min(self.episodes, self._capacity)
        index = [torch.arange(stored, device=self._device) + i * self._capacity for i in range(len(self._episodes))]
        return self._batch(torch.cat(index), (len(index), stored))

    def _batch(self, index: Tensor, shape: tuple[int, int]) -> EpisodeBatch:
        """The episodes at these places, of all seeds one after another."""
        batch = {n: x.flatten(0, 1).index_select(0, index).unflatten(0, shape) for n, x in self._stored.items()}
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

        Raises ValueError where some of them are not there, overwritten or not yet stored.
        """
        episodes = self._episodes[lane]
        if not max(0, episodes - self._capacity) <= start <= stop <= episodes:
            raise ValueError(
                f"episodes {start} to {stop} of seed lane {lane} are not all stored: "
                f"{episodes} were appended and the last {self._capacity} are kept"
            )
        place = torch.arange(start, stop, device=self._device) % self._capacity
        return {name: x[lane].index_select(0, place) for name, x in self._stored.items()}

    def restore(self, lane: int, start: int, rows: Mapping[str, Tensor]) -> None:
        """Append to one seed's log what `rows` gave of the episodes from `start` on.

        Earlier ones count as appended and overwritten. Raises ValueError where `start` is not the next episode, but
        for the first part of an empty log.
        """
        if self._episodes[lane] not in (0, start):
            raise ValueError(f"seed lane {lane}: got episodes from {start} on; allowed: from {self._episodes[lane]} on")
        self._episodes[lane] = start
        self._write(slice(lane, lane + 1), {name: x.unsqueeze(0) for name, x in rows.items()})

    def _write(self, lanes: slice, rows: Mapping[str, Tensor]) -> None:
        """Store rows [S, E, ...] of lanes that are equally far, as many at once as fit before the ring's end."""
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

    def _empty(self, name: str, rows: Tensor) -> Tensor:
        kinds = {"actions": torch.int16, "avail_actions": torch.bool, "terminated": torch.bool, "mask": torch.bool}
        shape = (len(self._episodes), self._capacity, *rows.shape[2:])
        # a run in inference mode hands over rounds; what is stored must still be read in training
        with torch.inference_mode(False):
            return torch.empty(shape, dtype=kinds.get(name, self._dtype), device=self._device)
