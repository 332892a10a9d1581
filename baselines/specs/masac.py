"""Hyperparameters of multiagent soft actor-critic. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from baselines.specs.base import (
    Actions,
    Algorithm,
    Batch,
    BatchOfRegisters,
    Count,
    Fraction,
    Hyperparameters,
    Layers,
    Network,
    Positive,
    TaskSizes,
    Width,
    Work,
    dense_size,
    misfit,
)

LOSSES = ("critic", "value", "actor", "q", "entropy")


class MASAC(Hyperparameters):
    """Wadhwania et al. 2019, Sec. III-C; its authors' code: SamirW/pytorch-soft-actor-critic 6f2f7ee."""

    actions: ClassVar[tuple[Actions, ...]] = ("continuous",)
    ends_early: ClassVar[bool] = False  # its replay counts transitions by whole episodes

    hidden_layers: Layers  # hidden layers of policy, Q and V
    hidden_width: Width  # units of each
    initial_weights: Literal["xavier"]  # weights Xavier-uniform, biases zero
    optimizer: Literal["adam"]
    lr: Positive  # Adam's step size: policy, Q and V
    alpha: Positive  # the entropy's weight
    gamma: Fraction  # discount
    tau: Fraction  # target rate of V: target <- (1 - tau) target + tau online, after every update
    q_networks: Literal[1, 2]  # per agent; of two, the smaller value counts
    value_function: Literal[True]  # V beside Q, with the target network
    target_observations: Literal["next", "current"]  # V's inputs in Q's target; "current" is an error in the code
    others_actions: Literal["replay"]  # the others' actions when an agent's action is newly drawn
    batch_size: BatchOfRegisters  # transitions; one batch for each agent
    batches: Literal["own"]
    replay_size: Count  # transitions
    warmup_transitions: Annotated[int, Field(ge=0)]  # no update before this many are stored
    update_episodes: Batch  # episodes between two updates; they run as parallel copies
    random_episodes: Annotated[int, Field(ge=0)]  # the first episodes of a run, with uniform actions
    policy: Literal["gaussian"]  # squashed by tanh
    policy_penalty: Annotated[float, Field(ge=0)]  # weight of mean(mean^2) + mean(log_std^2) in the policy's loss
    log_std_min: float  # lower bound of the policy's log standard deviation
    log_std_max: float  # and its upper bound
    reward_standardisation: bool  # by mean and standard deviation of all stored rewards, for each agent
    time_limit_terminal: bool  # nothing counts after an episode's last step
    evaluation_action: Literal["deterministic"]  # evaluations take tanh of the mean

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.log_std_min >= self.log_std_max:
            allowed = f"below log_std_max = {self.log_std_max:g}"
            raise misfit(f"{self.log_std_min:g}", allowed, "correct one of them", "log_std_min")
        return self

    @property
    def round_episodes(self) -> int:
        return self.update_episodes

    def least(self, episode_limit: int) -> dict[str, tuple[float, float]]:
        """The replay must hold a round."""
        return {"replay_size": (self.replay_size, self.update_episodes * episode_limit)}

    def work(self, task: TaskSizes, episodes: int) -> Work:
        """Q's value at new actions and its gradient by them count as two forward passes."""
        transitions, row = episodes * task.steps, task.agents * (task.observation + task.actions + 1)
        policy, q, v = self._weights(task)
        own = task.agents * self.batch_size
        return Work(
            networks=(
                Network(policy, 0, own, task.agents),
                Network(q, 2 * self.q_networks * own, self.q_networks * own, self.q_networks * task.agents),
                Network(v, own, own, task.agents),
            ),
            updates=max(0.0, transitions - self.warmup_transitions) / (task.steps * self.update_episodes),
            stored=min(transitions, self.replay_size) * row * (1 + 1 / task.steps),
        )

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        """Each agent's own policy."""
        task, hidden = tasks[-1], [self.hidden_width] * self.hidden_layers
        return task.agents * dense_size(task.observation, *hidden, 2 * task.actions)

    def _weights(self, task: TaskSizes) -> tuple[int, int, int]:
        """Multiply-adds of a policy, a Q and a V for one sample."""
        hidden = (self.hidden_layers - 1) * self.hidden_width**2
        seen, done = task.agents * task.observation, task.agents * task.actions
        widths = task.observation + 2 * task.actions, seen + done + 1, seen + 1
        policy, q, v = (width * self.hidden_width + hidden for width in widths)
        return policy, q, v


ALGORITHMS = {
    "masac": Algorithm(
        learner="baselines.masac:MASAC",
        version=1,
        hyperparameters=MASAC,
        teacher=False,
        losses=LOSSES,
    ),
}
