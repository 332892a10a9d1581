"""Ensemble-SAC (Hong et al. 2019, Sec. 4.2-4.3): SAC agents that share their experience. Also additional updates.

Axes: S seed, M member, R recent episode, T step, B batch. Every parameter leads with [S, M].

| paper | here |
|---|---|
| Sec. 4.2: a shared buffer, members that start from parameters of their own | `sac.SAC` with M members |
| Algorithm 1, line 12: who plays an episode, drawn uniformly | `EnsembleSAC.exploring` |
| line 15: all members are updated, each on a batch of its own | `sac.SAC.learn` |
| line 16: returns of a member's last R episodes, those of the warm-up too | `EnsembleSAC.learn` |
| line 21: the member with the highest mean of them | `EnsembleSAC.elected` |
| Sec. 5.3: "extra", additional updates where SAC-CIKD distils | `SACExtra.learn` |

When members are compared follows the code (pfnet-research/piekd@ddd9cc5): `moments` in specs/ensemble_sac.py. Who is
elected: a member without a finished episode is not elected while another has one (the code's argmax would take it); of
equals the first is elected. Departs from the code: the return of an episode that ends exactly at the step of a
comparison counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from operator import add

import torch
from torch import Tensor

from baselines import specs
from baselines.kernels.nn import Parameters
from baselines.learner import Acting, Seen, Shared, Task
from baselines.learner import Steps as Played
from baselines.replay.steps import StepBatch
from baselines.sac import SAC
from baselines.specs.ensemble_sac import minibatches
from baselines.streams import Streams


def mean_recent(recent: Tensor, finished: Tensor) -> Tensor:
    """Means [S, M] of recent returns [S, M, R], which are 0 if not played yet; -inf for a member without any.

    finished [S, M]: episodes that a member has finished.
    """
    counts = finished.clamp(max=recent.shape[-1])
    return torch.where(counts > 0, reduce(add, recent.unbind(-1)) / counts, -torch.inf)


class EnsembleSAC(SAC):
    """A `Learner` and an `Ensemble`. Losses are means over members, as SAC's."""

    teaches = False

    def __init__(
        self,
        tasks: Sequence[Task],
        hyperparameters: specs.EnsembleSAC,
        streams: Sequence[Streams],
        device: torch.device | str,
        *,
        dtype: torch.dtype = torch.float32,
    ):
        self.members, self._compared = hyperparameters.ensemble_size, hyperparameters.moments
        super().__init__(tasks, hyperparameters, streams, device, members=self.members, dtype=dtype)
        seeds = len(streams)
        self._acting = torch.zeros(seeds, dtype=torch.int64)  # the member that plays the open episode
        self._return = torch.zeros(seeds, dtype=torch.float64)  # of the open episode so far
        self._recent = torch.zeros(seeds, self.members, hyperparameters.return_window, dtype=torch.float64)
        self._finished = torch.zeros(seeds, self.members, dtype=torch.int64)  # number of episodes
        self._played: list[Tensor] = []  # the member that played each step of the round

    def exploring(self, task: int, steps_done: int) -> Acting:
        """As SAC, with the policy of a member drawn at an episode's first step."""
        explore = super().exploring(task, steps_done)

        def act(seen: Seen) -> Tensor:
            self._acting = self._acting.clone()
            for lane in seen.first[:, 0].nonzero().flatten().tolist():
                generator = self._streams[lane]["exploration"]
                self._acting[lane] = int(torch.randint(self.members, (), generator=generator, device=self._device))
            self._played.append(self._acting)
            return explore(seen)

        return act

    def act(self, obs: Tensor, noise: Tensor, actor: Parameters | None = None) -> Tensor:
        return super().act(obs, noise, actor or self._policies(self._acting))

    def greedy(self, task: int) -> Acting:
        return self._greedy(self.elected())

    def member_greedy(self, task: int, member: int) -> Acting:
        return self._greedy(torch.full_like(self._acting, member))

    def elected(self) -> Tensor:
        return mean_recent(self._recent, self._finished).argmax(-1)

    def compares(self, steps_done: int) -> bool:
        return bool(self._compared(steps_done - self.steps, steps_done))

    def share(self) -> Shared:
        return Shared(self.elected())

    def learn(self, task: int, played: Played, steps_done: int) -> dict[str, Tensor]:
        losses = super().learn(task, played, steps_done)
        rewards = played.rewards[:, 0, :, 0].double().cpu()
        over = (played.terminated | played.truncated)[:, 0].cpu()
        for step, members in enumerate(self._played):
            self._return = self._return + rewards[:, step]
            for lane in over[:, step].nonzero().flatten().tolist():
                recent = self._recent[lane, members[lane]]
                recent.copy_(torch.cat([recent[1:], self._return[lane : lane + 1]]))
                self._finished[lane, members[lane]] += 1
                self._return[lane] = 0
        self._played.clear()
        return losses

    def state(self) -> dict[str, Tensor]:
        """SAC's, and "members." acting, return [S], recent [S, M, R], finished [S, M]."""
        return super().state() | {f"members.{name}": own.clone() for name, own in self._remembered().items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        super().load_state(state)
        for name, own in self._remembered().items():
            own.copy_(state[f"members.{name}"])

    def _remembered(self) -> dict[str, Tensor]:
        return {
            "acting": self._acting,
            "return": self._return,
            "recent": self._recent,
            "finished": self._finished,
        }

    def _greedy(self, member: Tensor) -> Acting:
        policies = self._policies(member)
        return lambda seen: self.act(seen.obs, torch.zeros_like(seen.obs[..., :1]), policies)

    def _policies(self, member: Tensor) -> Parameters:
        """The policy of one member of each seed: members [S] -> parameters [S, 1, ...]."""
        return taken(self._actor, member.unsqueeze(-1))


def taken(networks: Parameters, places: Tensor) -> Parameters:
    """Copies [S, X, ...] of some of each seed's networks, by their indices [S, X]."""
    return {name: p.detach()[lanes(places), places.to(p.device)] for name, p in networks.items()}


@torch.no_grad()
def put(networks: Parameters, places: Tensor, others: Mapping[str, Tensor]) -> None:
    """The inverse of `taken`, in place."""
    for name, p in networks.items():
        p[lanes(places), places.to(p.device)] = others[name]


def lanes(places: Tensor) -> Tensor:
    """The seed's index at each of [S, X]."""
    return torch.arange(len(places)).unsqueeze(-1).expand_as(places)


def drawn_orders(streams: Sequence[Streams], purpose: str, count: int, entries: int, device: torch.device) -> Tensor:
    """`count` random orders of `entries` entries for each seed, from its stream of a purpose: [S, count, entries]."""
    drawn = [torch.randperm(entries, generator=s[purpose], device=device) for s in streams for _ in range(count)]
    return torch.stack(drawn).unflatten(0, (len(streams), count))


class SACExtra(SAC):
    """SAC with additional updates at some moments, as many as SAC-CIKD makes to distil (Sec. 5.3).

    In the paper an additional update is a full one; "policy_and_temperature" leaves out the critics, as the code does.
    Departs from the code: an incomplete batch is left out, as in SAC-CIKD's distillation.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        hyperparameters: specs.SACExtra | specs.EnsembleSACExtra,
        streams: Sequence[Streams],
        device: torch.device | str,
        *,
        dtype: torch.dtype = torch.float32,
    ):
        self._extra = hyperparameters
        super().__init__(tasks, hyperparameters, streams, device, dtype=dtype)

    def learn(self, task: int, played: Played, steps_done: int) -> dict[str, Tensor]:
        losses = super().learn(task, played, steps_done)
        if self._extra.extra_moments(steps_done - self.steps, steps_done):
            for batch in self._shuffled():
                noise = self._noise(self._extra.extra_batch_size)
                if self._extra.extra_updates == "policy_and_critics":
                    self._captured(batch, noise, {})
                else:
                    self._actor_step(batch, noise[:, 1], self._alpha.value)
        return losses

    def _shuffled(self) -> Iterator[StepBatch]:
        """Batches of all stored transitions, for each member in its own order, epoch by epoch."""
        size, stored = self._extra.extra_batch_size, self.replay.stored
        for _ in range(self._extra.extra_epochs):
            orders = drawn_orders(self._streams, "replay", self._members, stored, self._device)
            for k in range(minibatches(stored, size)):
                yield self.replay.batch(orders[:, :, k * size : (k + 1) * size].flatten(1))


class EnsembleSACExtra(SACExtra, EnsembleSAC):
    """Ensemble-SAC whose members all make additional updates."""
