"""The hyperparameters of Ensemble-SAC, and of additional SAC updates (CIKD, Hong et al. 2019). Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from baselines.specs.base import Algorithm, Batch, BatchOfRegisters, Count, Network, TaskSizes, Width, Work, misfit
from baselines.specs.sac import LOSSES, SAC

Members = Annotated[int, Field(ge=2, le=100)]


def minibatches(transitions: int, batch_size: int) -> int:
    """Full batches in an epoch over this many stored transitions, counted as in the code.

    range(0, n - B, B) (pfnet-research/piekd@ddd9cc5:distill.py:29): the last batch is dropped even if it is full.
    """
    return max(0, transitions - 1) // batch_size


def moments(first: int, interval: int, before: int, done: int) -> range:
    """Steps from `before` (exclusive) to `done` after which members are compared, and may teach.

    They are first + 1, first + interval + 1, ...: the code counts transitions from 0, and its action after transition
    15,000 follows the 15,001st step. So 50,000 steps have 7 such moments from 15,001 on and 1,000,000 have 197; an
    evaluation at 20,000 comes before the moment at 20,001.
    """
    passed = max(0, -(-(before - first) // interval))
    return range(first + 1 + passed * interval, done + 1, interval)


class EnsembleSAC(SAC):
    """Several SAC agents that share their experience: SAC-CIKD without distillation (Sec. 4.2-4.3, 5.2)."""

    ensemble_size: Members  # K
    selection: Literal["uniform"]  # the member that plays is drawn for each episode
    shared_replay: Literal[True]  # one for all members
    updated_members: Literal["all"]  # after every step, not only the one that plays
    member_batches: Literal["own"]  # each member draws its own
    compare_interval: Count  # I: environment steps between two comparisons of the members' recent returns
    compare_first: Count  # the first comparison is one step after this many
    return_window: Width  # M: training episodes in a member's recent returns

    @model_validator(mode="after")
    def _compares_after_the_warm_up(self) -> Self:
        if self.compare_first < self.warmup_transitions:
            allowed = f"at least warmup_transitions = {self.warmup_transitions}"
            raise misfit(str(self.compare_first), allowed, "correct one of them", "compare_first")
        return self

    def work(self, task: TaskSizes, episodes: int) -> Work:
        """All members' networks; the replay is shared."""
        one, k = super().work(task, episodes), self.ensemble_size
        networks = (Network(n.weights, k * n.forward, k * n.learned, k * n.copies) for n in one.networks)
        return Work(tuple(networks), one.updates, one.stored)

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        return self.ensemble_size * super().policy_size(tasks)

    @property
    def members(self) -> int:
        return self.ensemble_size

    def moments(self, before: int, done: int) -> range:
        """The moments at which members are compared, from `before` (exclusive) to `done`."""
        return moments(self.compare_first, self.compare_interval, before, done)


class SACExtra(SAC):
    """Vanilla-SAC (extra), Sec. 5.3: as many additional updates as SAC-CIKD makes to distil."""

    extra_interval: Count  # environment steps between two rounds of additional updates
    extra_first: Count  # the first round is one step after this many
    extra_epochs: Batch  # over the pool, in each round
    extra_pool: Literal["replay"]  # all of it
    extra_batch_size: BatchOfRegisters  # transitions of an additional update
    extra_updates: Literal["policy_and_critics", "policy_and_temperature"]  # what learns: everything, or as in the code

    @model_validator(mode="after")
    def _updates_after_the_warm_up(self) -> Self:
        if self.extra_first < self.warmup_transitions:
            allowed = f"at least warmup_transitions = {self.warmup_transitions}"
            raise misfit(str(self.extra_first), allowed, "correct one of them", "extra_first")
        return self

    def work(self, task: TaskSizes, episodes: int) -> Work:
        own = super().work(task, episodes)
        stored = [min(at, self.replay_size) for at in self.extra_moments(0, episodes * task.steps)]
        more = self.extra_epochs * sum(minibatches(n, self.extra_batch_size) for n in stored)
        return replace(own, updates=own.updates + more * self.extra_batch_size / self.batch_size)

    def extra_moments(self, before: int, done: int) -> range:
        """The moments of additional updates, from `before` (exclusive) to `done`."""
        return moments(self.extra_first, self.extra_interval, before, done)


class EnsembleSACExtra(EnsembleSAC, SACExtra):
    """Ensemble-SAC (extra), Sec. 5.3: the same for every member."""

    extra_members: Literal["all"]


ALGORITHMS = {
    name: Algorithm(
        learner=f"baselines.ensemble_sac:{own.__name__}",
        version=1,
        hyperparameters=own,
        teacher=False,
        losses=LOSSES,
        units=("steps",),
    )
    for name, own in (
        ("ensemble_sac", EnsembleSAC),
        ("sac_extra", SACExtra),
        ("ensemble_sac_extra", EnsembleSACExtra),
    )
}
