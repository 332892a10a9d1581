"""Hyperparameters of distillation with value matching. Torch-free."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from baselines.specs.base import Algorithm, FirstPhase, Fraction, Network, Positive, TaskSizes, Work
from baselines.specs.maddpg_epsilon_greedy import LOSSES, BatchSize, EpsilonGreedyMADDPG

Iterations = Annotated[int, Field(ge=1, le=10**6)]
LATER = frozenset({"copied", "keep_learning", "clear_replay", "epsilon_restart"})


class DVMMADDPG(EpsilonGreedyMADDPG):
    """Wadhwania et al. 2019, on MADDPG. Whatever is copied, both are learned: so all that differ in it share them."""

    distillation_iterations: Iterations  # of distilling the policy; in each, one step for each agent
    matching_iterations: Iterations  # of matching the critic
    distillation_loss: Literal["kl_agent_to_distilled"]
    temperature: Positive  # of the softmax of both policies
    matching_loss: Literal["mse"]
    matched: Literal["q"]  # what of the critic
    permutations: Literal["all", "random"]  # orders of agents that it is matched in: every one, or one drawn a batch
    distilled_start: Literal["fresh"]
    distillation_batch_size: BatchSize
    distillation_lr: Positive  # Adam's step size, of policy and critic
    distillation_grad_clip: Positive  # largest norm of all gradients of a network
    copied: Literal["none", "policy", "critic", "both"]  # what every agent becomes a copy of
    copying: Literal["hard"]
    copy_targets: Literal[True]  # targets become copies, too
    keep_learning: bool  # else the team stays as it is
    clear_replay: Literal[True]  # the second phase begins with an empty replay
    epsilon_restart: Fraction  # epsilon at the first episode of the second phase; it falls as in the first

    def first_phase(self, whole: int, stated: int | None = None) -> FirstPhase | None:
        return None if stated is None else FirstPhase(stated, LATER)

    def turn_work(self, task: TaskSizes) -> Work:
        """One network of each kind that learns from all agents, and the agents' own on the same batch."""
        actor, critic = self._weights(task)
        batch, orders = self.distillation_batch_size, math.factorial(task.agents) if self.permutations == "all" else 1
        learned = task.agents * batch
        networks = Network(actor, learned, learned), Network(critic, learned, learned * orders)
        return Work(networks, max(self.distillation_iterations, self.matching_iterations), 0.0)


ALGORITHMS = {
    "dvm_maddpg": Algorithm(
        learner="baselines.dvm:DVM",
        version=1,
        hyperparameters=DVMMADDPG,
        teacher=False,
        losses=(*LOSSES, "distillation", "matching"),
        in_order=True,
    ),
}
