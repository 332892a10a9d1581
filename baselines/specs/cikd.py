"""CIKD's hyperparameters (Hong et al. 2019) and those of its copying variant. Torch-free."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from baselines.specs.base import Algorithm, Batch, BatchOfRegisters, Network, Positive, TaskSizes, Work, later, misfit
from baselines.specs.ensemble_sac import EnsembleSAC, minibatches
from baselines.specs.sac import LOSSES


class CIKD(EnsembleSAC):
    """SAC-CIKD (Algorithm 1): whenever members are compared, one of them teaches all others."""

    teacher: Literal["best_recent", "random"]  # the highest mean of recent returns; drawn uniformly from all members
    distilled: Literal["policy_and_critics", "policy", "critics"]  # Sec. 4.4; App. A
    policy_distance: Literal["kl_teacher_student"]  # eq. 1, of the Gaussians before tanh
    critic_distance: Literal["mse"]  # for each of both critics
    critic_inputs: Literal["replay"]  # the stored states and actions
    distill_epochs: Batch  # over the pool, in each distillation
    distill_pool: Literal["replay"]  # all of it
    distill_batch_size: BatchOfRegisters  # transitions
    distill_batches: Literal["consecutive"]  # blocks of the replay in a random order, not shuffled inside
    distill_optimizer: Literal["fresh_adam"]  # each network's own, for each distillation
    distill_lr: Positive  # its step size
    student_targets: Literal["one_soft_update", "copied"]  # what students' target critics do after a distillation
    replaces_optimizer: bool  # whether students go on with the distillation's Adam and its step size
    returns_after_distillation: Literal["kept"]  # students keep their own recent returns
    reset: Literal["policy_and_critics"] | None = later(None)  # what students forget before they are taught (Sec. 5.5)

    @model_validator(mode="after")
    def _distils_a_whole_batch(self) -> Self:
        if self.compare_first < self.distill_batch_size:
            allowed = f"at least distill_batch_size = {self.distill_batch_size}"
            raise misfit(str(self.compare_first), allowed, "correct one of them", "compare_first")
        return self

    def work(self, task: TaskSizes, episodes: int) -> Work:
        """The teacher's outputs are computed once per distillation; their cost is negligible beside the epochs."""
        own, students = super().work(task, episodes), self.ensemble_size - 1
        stored = [min(at, self.replay_size) for at in self.moments(0, episodes * task.steps)]
        batches = self.distill_epochs * sum(minibatches(n, self.distill_batch_size) for n in stored)
        share = students * batches * self.distill_batch_size / max(1.0, own.updates)
        policy, critics = own.networks
        taught = {"policy": [(policy, 1)], "critics": [(critics, 2)]}
        chosen = taught.get(self.distilled) or [*taught["policy"], *taught["critics"]]
        more = (Network(n.weights, 0, round(share * each), copies=each * students) for n, each in chosen)
        return Work((*own.networks, *more), own.updates, own.stored)


class Hardcopy(EnsembleSAC):
    """SAC-CIKD (hardcopy), Sec. 5.3: students become copies of the teacher."""

    teacher: Literal["best_recent"]
    copied: Literal["policy_and_critics"]
    copies_optimizer: Literal[True]  # also Adam's moments
    student_targets: Literal["kept"]  # target critics do not change
    returns_after_distillation: Literal["kept"]


def _algorithm(name: str, hyperparameters: type[EnsembleSAC], more: tuple[str, ...]) -> Algorithm:
    return Algorithm(
        learner=f"baselines.cikd:{name}",
        version=1,
        hyperparameters=hyperparameters,
        teacher=False,
        losses=(*LOSSES, *more),
        rare_losses=more,
        units=("steps",),
    )


ALGORITHMS = {
    "cikd": _algorithm("CIKD", CIKD, ("distill_policy", "distill_critic")),
    "cikd_hardcopy": _algorithm("Hardcopy", Hardcopy, ()),
}
