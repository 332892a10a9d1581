"""Hyperparameters of MADDPG as DVM uses it. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from baselines.specs.base import (
    Algorithm,
    Batch,
    BatchOfFours,
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
)

LOSSES = ("critic", "actor", "q")


class EpsilonGreedyMADDPG(Hyperparameters):
    """Lowe et al. 2017 with the settings of DVM's authors (SamirW/maddpg-pytorch e791f82, bf45000)."""

    ends_early: ClassVar[bool] = False  # its replay counts transitions by whole episodes

    hidden_layers: Layers  # hidden layers of actor and critic
    hidden_width: Width  # units of each
    initial_weights: Literal["linear"]  # torch.nn.Linear's: weights and biases uniform in +-1/sqrt(inputs)
    optimizer: Literal["adam"]
    lr: Positive  # Adam's step size, actor and critic
    gamma: Fraction  # discount
    tau: Fraction  # target rate: target <- (1 - tau) target + tau online, after every update
    batch_size: BatchOfFours  # transitions; one batch for each agent
    batches: Literal["own"]
    replay_size: Count  # transitions
    warmup_transitions: Annotated[int, Field(ge=0)]  # no update before this many are stored
    update_episodes: Batch  # episodes between two updates; they run as parallel copies
    grad_clip: Positive  # largest norm of all gradients of a network
    logit_penalty: Annotated[float, Field(ge=0)]  # weight of mean(logits^2) in the actor's loss
    reward_standardisation: bool  # by mean and standard deviation of all stored rewards, for each agent
    time_limit_terminal: bool  # nothing counts after an episode's last step
    target_actions: Literal["argmax"]  # the target policies' actions
    others_actions: Literal["argmax"]  # the others' actions in an agent's actor loss, by their own policies
    actor_sample: Literal["gumbel_softmax_hard"]  # an agent's own action in its actor loss: one-hot, a soft gradient
    exploration: Literal["epsilon_greedy"]
    epsilon_start: Fraction  # at the first episode
    epsilon_end: Fraction  # from `epsilon_episodes` on
    epsilon_episodes: Count  # it falls linearly over this many
    sampled_below: Fraction  # at this epsilon or less the policy is sampled instead
    evaluation_action: Literal["no_noise"]  # evaluations take the likeliest action

    @property
    def round_episodes(self) -> int:
        return self.update_episodes

    def least(self, episode_limit: int) -> dict[str, tuple[float, float]]:
        """The replay must hold a round."""
        return {"replay_size": (self.replay_size, self.update_episodes * episode_limit)}

    def work(self, task: TaskSizes, episodes: int) -> Work:
        """All actors, target and online, make a forward pass on every agent's batch; critics make two extra ones."""
        transitions, row = episodes * task.steps, task.agents * (task.observation + task.actions + 1)
        actor, critic = self._weights(task)
        own = task.agents * self.batch_size
        return Work(
            networks=(
                Network(actor, 2 * task.agents * own, own, task.agents),
                Network(critic, 2 * own, own, task.agents),
            ),
            updates=max(0.0, transitions - self.warmup_transitions) / (task.steps * self.update_episodes),
            stored=min(transitions, self.replay_size) * row * (1 + 1 / task.steps),
        )

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        """Each agent's own actor."""
        task, hidden = tasks[-1], [self.hidden_width] * self.hidden_layers
        return task.agents * dense_size(task.observation, *hidden, task.actions)

    def _weights(self, task: TaskSizes) -> tuple[int, int]:
        """Multiply-adds of an actor and a critic for one sample."""
        hidden = (self.hidden_layers - 1) * self.hidden_width**2
        both = task.observation + task.actions
        return both * self.hidden_width + hidden, (task.agents * both + 1) * self.hidden_width + hidden


ALGORITHMS = {
    "maddpg_epsilon_greedy": Algorithm(
        learner="baselines.maddpg_epsilon_greedy:EpsilonGreedyMADDPG",
        version=1,
        hyperparameters=EpsilonGreedyMADDPG,
        teacher=False,
        losses=LOSSES,
    ),
}
