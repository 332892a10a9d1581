"""Hyperparameters of distillation with value matching. Torch-free."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from baselines.specs.base import (
    Algorithm,
    BatchOfFours,
    FirstPhase,
    Fraction,
    Hyperparameters,
    Network,
    Positive,
    TaskSizes,
    Work,
)
from baselines.specs.maddpg_epsilon_greedy import LOSSES, EpsilonGreedyMADDPG
from baselines.specs.masac import LOSSES as MASAC_LOSSES
from baselines.specs.masac import MASAC

Iterations = Annotated[int, Field(ge=1, le=10**6)]
LATER = frozenset({"copied", "keep_learning", "clear_replay", "epsilon_restart"})


class DVM(Hyperparameters, ABC):
    """Wadhwania et al. 2019, on either learner. All is distilled; methods that differ in `copied` share it."""

    distillation_iterations: Iterations  # of distilling the policy; in each, one step for each agent
    matching_iterations: Iterations  # of matching the critics
    distillation_loss: Literal["kl_agent_to_distilled"]
    matching_loss: Literal["mse"]
    permutations: Literal["all", "random"]  # orders of agents for matching: every one, or one drawn per batch
    distilled_start: Literal["fresh"]
    distillation_batch_size: BatchOfFours  # transitions
    distillation_lr: Positive  # Adam's step size, of policy and critics
    distillation_grad_clip: Positive  # largest norm of all gradients of a network
    copied: Literal["none", "policy", "critic", "both"]  # the distilled networks that every agent gets
    copying: Literal["hard"]
    copy_targets: Literal[True]  # targets become copies, too
    keep_learning: bool  # else the team stays as it is
    clear_replay: Literal[True]  # the second phase begins with an empty replay

    def first_phase(self, whole: int, stated: int | None = None) -> FirstPhase | None:
        return None if stated is None else FirstPhase(stated, LATER)

    def turn_work(self, task: TaskSizes) -> Work:
        """One network of each kind that learns from all agents, plus the agents' own networks on the same batch."""
        orders = math.factorial(task.agents) if self.permutations == "all" else 1
        learned = task.agents * self.distillation_batch_size
        policy, *critics = self._distilled(task)
        networks = Network(policy, learned, learned), *(Network(c, learned, learned * orders) for c in critics)
        return Work(networks, max(self.distillation_iterations, self.matching_iterations), 0.0)

    @abstractmethod
    def _distilled(self, task: TaskSizes) -> Sequence[int]:
        """Multiply-adds of the policy and of each critic for one sample."""


class DVMMADDPG(DVM, EpsilonGreedyMADDPG):
    temperature: Positive  # of the softmax of both policies
    matched: Literal["q"]  # what of the critic
    epsilon_restart: Fraction  # epsilon at the first episode of the second phase; then it falls as in the first

    def _distilled(self, task: TaskSizes) -> Sequence[int]:
        return self._weights(task)


class DVMMASAC(DVM, MASAC):
    matched: Literal["q_and_v"]  # what of the critic

    def _distilled(self, task: TaskSizes) -> Sequence[int]:
        policy, q, v = self._weights(task)
        return policy, self.q_networks * q, v


ALGORITHMS = {
    "dvm_maddpg": Algorithm(
        learner="baselines.dvm:DVM",
        version=1,
        hyperparameters=DVMMADDPG,
        teacher=False,
        losses=(*LOSSES, "distillation", "matching"),
        in_order=True,
    ),
    "dvm_masac": Algorithm(
        learner="baselines.dvm:dvm_masac",
        version=1,
        hyperparameters=DVMMASAC,
        teacher=False,
        losses=(*MASAC_LOSSES, "distillation", "matching", "matching_value"),
        in_order=True,
    ),
}
