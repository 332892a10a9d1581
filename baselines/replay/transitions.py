"""Replay of whole episodes, sampled transition by transition.

Axes: S seed, E episode, T time step, B batch, N agent, O observation entry, A action entry; D = N*O + N*A.

A step is one packed row of D entries, the observations of all agents and then their actions: a joint critic's input. An
episode has T+1 rows (the last has no action), so the next observation is the next row and is stored once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from baselines.learner import Rollout, Task
from baselines.streams import Streams

PART_EPISODES = 256  # in a file of the replay log
SMALLEST_SPREAD = 1e-8  # for rewards that are all the same; ours


@dataclass(frozen=True)
class Batch:
    """Transitions of some seeds: joint [S, B, D], next_joint [S, B, D], rewards [S, N, B], terminated [S, 1, B] bool.

    The actions in next_joint are the next ones, zeros at an episode's end. A batch owns its memory.
    With a batch for each agent (`by_agent`): joint and next_joint [S, N, B, D], and agent i's rewards and ends in batch
    i, [S, N, B].
    """

    joint: Tensor
    next_joint: Tensor
    rewards: Tensor
    terminated: Tensor

    def by_agent(self) -> Batch:
        """Split this batch into N batches, each with B / N transitions, the first for agent 0. Joints are views."""
        agents = self.rewards.shape[1]
        joint, next_joint = (x.unflatten(1, (agents, -1)) for x in (self.joint, self.next_joint))
        own = self.rewards.unflatten(-1, (agents, -1)).diagonal(dim1=1, dim2=2).mT.contiguous()
        return Batch(joint, next_joint, own, self.terminated.squeeze(1).unflatten(-1, (agents, -1)))


class EpisodeReplay:
    """For each seed a ring of `replay_size // T` episodes, no more than the task's budget of episodes.

    replay_size: transitions. Raises ValueError if it does not hold one episode.
    """

    def __init__(
        self,
        task: Task,
        replay_size: int,
        streams: Sequence[Streams],
        device: torch.device | str,
        dtype: torch.dtype,
    ):
        if replay_size < task.episode_limit:
            raise ValueError(f"replay_size {replay_size} must hold an episode of {task.episode_limit} transitions")
        self._generators = [stream["replay"] for stream in streams]
        self._capacity = min(replay_size // task.episode_limit, task.episodes)
        self._lanes = [_Lane(task, self._capacity, device, dtype) for _ in streams]
        self._limit, self._agents, self._obs_entries = task.episode_limit, task.agents, task.agents * task.obs_size
        self._cleared = 0  # episodes appended before the last `clear`

    @property
    def episodes(self) -> int:
        """Episodes stored so far, overwritten ones included, by the seed that has the fewest."""
        return min(lane.episodes for lane in self._lanes)

    @property
    def entries(self) -> int:
        """The log's entries: episodes."""
        return self.episodes

    @property
    def first(self) -> int:
        """The oldest episode that is still there; 0 until the ring wraps."""
        return max(self._cleared, self.episodes - self._capacity)

    @property
    def transitions(self) -> int:
        """Transitions stored so far, overwritten ones included."""
        return self.episodes * self._limit

    @property
    def stored(self) -> int:
        """Transitions stored now."""
        return min(self.episodes - self._cleared, self._capacity) * self._limit

    @property
    def part_entries(self) -> int:
        """Episodes in a file of the log."""
        return PART_EPISODES

    def append(self, rollout: Rollout) -> None:
        """Store a round: E episodes of every seed. Raises ValueError if one has ended before the task's limit."""
        if rollout.mask is not None and not bool(rollout.mask.all()):
            raise ValueError("rollout: got episodes that end before the task's limit; allowed: whole episodes only")
        for lane, obs, actions, rewards, terminated in zip(
            self._lanes, rollout.obs, rollout.actions, rollout.rewards, rollout.terminated, strict=True
        ):
            lane.append(obs, actions, rewards, terminated)

    def sample(self, batch_size: int, lanes: slice) -> Batch:
        """Uniform over the stored transitions, with replacement; the indices come from each seed's "replay" stream."""
        chosen = self._lanes[lanes]
        entries = chosen[0].steps.shape[-1]
        joint = chosen[0].steps.new_empty(len(chosen), batch_size, entries)
        next_joint, rewards, terminated = torch.empty_like(joint), [], []
        for i, (lane, generator) in enumerate(zip(chosen, self._generators[lanes], strict=True)):
            stored = lane.kept * self._limit
            index = torch.randint(stored, (batch_size,), generator=generator, device=joint.device)
            row = index + index // self._limit  # an episode of T transitions has T + 1 rows
            steps = lane.steps.view(-1, entries)
            torch.index_select(steps, 0, row, out=joint[i])
            torch.index_select(steps, 0, row + 1, out=next_joint[i])
            rewards.append(lane.rewards.view(-1, self._agents).index_select(0, index))
            terminated.append(lane.terminated.view(-1).index_select(0, index))
        return Batch(joint, next_joint, torch.stack(rewards).mT.contiguous(), torch.stack(terminated).unsqueeze(1))

    def rows(self, lane: int, start: int, stop: int) -> dict[str, Tensor]:
        """A seed's episodes start .. stop-1 in the order stored: copies shaped as in `Rollout`, without [S].

        Raises ValueError if some of them are overwritten or not yet stored.
        """
        log = self._lanes[lane]
        if not log.episodes - log.kept <= start <= stop <= log.episodes:
            raise ValueError(
                f"episodes {start} to {stop} of seed lane {lane} are not all stored: "
                f"{log.episodes} were appended and the last {self._capacity} are kept"
            )
        place = (torch.arange(start, stop, device=log.steps.device) - log.cleared) % self._capacity
        steps, agents = log.steps[place], (self._agents, -1)
        return {
            "obs": steps[..., : self._obs_entries].unflatten(-1, agents).contiguous(),
            "actions": steps[:, :-1, self._obs_entries :].unflatten(-1, agents).contiguous(),
            "rewards": log.rewards[place],
            "terminated": log.terminated[place],
        }

    def restore(self, lane: int, start: int, rows: Mapping[str, Tensor]) -> None:
        """Append to one seed's log what `rows` gave for the episodes from `start` on.

        Earlier ones count as appended and overwritten. Raises ValueError if `start` is not the next episode, except for
        the first part of an empty log.
        """
        log = self._lanes[lane]
        if log.episodes not in (log.cleared, start):
            raise ValueError(f"seed lane {lane}: got episodes from {start} on; allowed: from {log.episodes} on")
        log.episodes = start
        log.append(rows["obs"], rows["actions"], rows["rewards"], rows["terminated"])

    def clear(self, episodes: int) -> None:
        """Drop everything after `episodes` were appended. A new replay counts these as appended and dropped."""
        self._cleared = episodes
        for lane in self._lanes:
            lane.cleared = lane.episodes = episodes

    def reward_moments(self, lanes: slice) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of all stored rewards, by agent: [S, N] each.

        In float64, over one agent's consecutive numbers, so no seed's result depends on other seeds.
        """
        found = []
        for lane in self._lanes[lanes]:
            own = [lane.rewards[: lane.kept, :, i].double().flatten() for i in range(self._agents)]
            means = [x.sum() / len(x) for x in own]
            spreads = [((x - m).square().sum() / len(x)).sqrt() for x, m in zip(own, means, strict=True)]
            found.append((torch.stack(means), torch.stack(spreads).clamp(min=SMALLEST_SPREAD)))
        means, spreads = (torch.stack(own).to(self._lanes[0].rewards.dtype) for own in zip(*found, strict=True))
        return means, spreads


class _Lane:
    """One seed's ring: steps [E, T+1, D], rewards [E, T, N], terminated [E, T].

    It is allocated in full but not written, so the system assigns its pages only as episodes fill them. A ring that
    grew by copies would leave holes as large as itself under the allocator settings of the local executor.
    """

    def __init__(self, task: Task, capacity: int, device: torch.device | str, dtype: torch.dtype):
        self.episodes = self.cleared = 0
        entries = task.agents * (task.obs_size + task.action_size)
        self.steps = torch.empty(capacity, task.episode_limit + 1, entries, dtype=dtype, device=device)
        self.rewards = torch.empty(capacity, task.episode_limit, task.agents, dtype=dtype, device=device)
        self.terminated = torch.empty(capacity, task.episode_limit, dtype=torch.bool, device=device)

    @property
    def kept(self) -> int:
        """Episodes stored now."""
        return min(self.episodes - self.cleared, len(self.steps))

    def append(self, obs: Tensor, actions: Tensor, rewards: Tensor, terminated: Tensor) -> None:
        """Store episodes, as many at once as fit before the ring's end."""
        split, done = obs.shape[-2] * obs.shape[-1], 0
        while done < len(obs):
            first = (self.episodes - self.cleared) % len(self.steps)
            count = min(len(obs) - done, len(self.steps) - first)
            place, part = slice(first, first + count), slice(done, done + count)
            self.steps[place, :, :split] = obs[part].flatten(2)
            self.steps[place, :-1, split:] = actions[part].flatten(2)
            self.steps[place, -1, split:] = 0
            self.rewards[place] = rewards[part]
            self.terminated[place] = terminated[part]
            self.episodes += count
            done += count
