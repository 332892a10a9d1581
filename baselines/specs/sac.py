"""SAC's hyperparameters. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from baselines.specs.base import (
    Actions,
    Algorithm,
    BatchOfRegisters,
    Count,
    Fraction,
    Hyperparameters,
    Layers,
    Network,
    Positive,
    TaskSizes,
    Unit,
    Width,
    Work,
    dense_size,
    misfit,
    step_rows,
)

LOSSES = ("critic", "actor", "temperature", "entropy", "alpha")


class SAC(Hyperparameters):
    """Haarnoja et al. 2018 (arXiv 1812.05905)."""

    actions: ClassVar[tuple[Actions, ...]] = ("continuous",)

    hidden_layers: Layers  # hidden layers of policy and critics
    hidden_width: Width  # units of each
    activation: Literal["relu"]  # between them
    initialization: Literal["glorot_uniform"]  # of weights; biases start at zero
    critics: Literal[2]  # the smaller value of the two counts
    lr: Positive  # Adam's step size: policy, critics and temperature
    gamma: Fraction  # discount
    tau: Fraction  # target rate: target <- (1 - tau) target + tau online, after every update
    batch_size: BatchOfRegisters  # transitions
    replay_size: Count  # transitions
    update_steps: Count  # environment steps between two updates
    warmup_transitions: Count  # no update before this many are stored; until then actions are uniformly random
    target_entropy: Literal["-action_size"]  # the temperature keeps the policy's entropy at this value
    temperature_start: Positive  # its initial value
    log_std_min: float  # lower bound of the policy's log standard deviation
    log_std_max: float  # and its upper bound
    action_range: Literal["[-1, 1]"]  # actions are scaled to the environment's bounds
    bootstrap_at_time_limit: Literal[True]  # only a terminal state ends what counts
    evaluation_actions: Literal["mean"]  # evaluations take tanh of the mean; training episodes sample

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.log_std_min >= self.log_std_max:
            allowed = f"below log_std_max = {self.log_std_max:g}"
            raise misfit(f"{self.log_std_min:g}", allowed, "correct one of them", "log_std_min")
        if self.warmup_transitions > self.replay_size:
            allowed = f"at most {self.replay_size}, the size of the replay"
            raise misfit(str(self.warmup_transitions), allowed, "correct one of them", "warmup_transitions")
        return self

    @property
    def round_episodes(self) -> int:
        return 1

    def round_of(self, unit: Unit) -> int:
        return self.update_steps if unit == "steps" else 1

    @property
    def plays_steps(self) -> bool:
        return True

    def work(self, task: TaskSizes, episodes: int) -> Work:
        """The policy also acts, at negligible cost. The actor's step needs no gradient of the critics' weights: the
        critics' value and their gradient by actions count as two forward samples.
        """
        steps = episodes * task.steps
        hidden = (self.hidden_layers - 1) * self.hidden_width**2
        policy = (task.observation + 2 * task.actions) * self.hidden_width + hidden
        critic = (task.observation + task.actions + 1) * self.hidden_width + hidden
        both = 2 * self.batch_size  # samples of the two critics
        return Work(
            networks=(Network(policy, self.batch_size, self.batch_size), Network(critic, 3 * both, both, copies=2)),
            updates=max(0, steps - self.warmup_transitions + 1) / self.update_steps,
            stored=step_rows(task, min(steps, self.replay_size)),
        )

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        hidden = [self.hidden_width] * self.hidden_layers
        return sum(dense_size(task.observation, *hidden, 2 * task.actions) for task in tasks)


ALGORITHMS = {
    "sac": Algorithm(
        learner="baselines.sac:SAC", version=2, hyperparameters=SAC, teacher=False, losses=LOSSES, units=("steps",)
    )
}
