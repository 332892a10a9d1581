"""MAAC's hyperparameters. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from baselines.specs.base import (
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
    Unit,
    Width,
    Work,
    dense_size,
    misfit,
    step_rows,
)

LOSSES = ("critic", "actor", "q", "entropy", "attention")
Clip = Literal["none"] | Positive  # the largest gradient norm


class MAAC(Hyperparameters):
    """Iqbal and Sha 2019."""

    ends_early: ClassVar[bool] = False  # its updates come at steps of an episode, and nothing is terminal

    actor_hidden_layers: Layers  # hidden layers of a policy
    actor_hidden_width: Width  # units of each
    updates_per_episode: Annotated[int, Field(ge=1, le=1000)]  # per episode's length of steps, over all environments
    critic_hidden_width: Width  # units of encoders, attention and heads of the critic
    attention_heads: Annotated[int, Field(ge=1, le=64)]
    activation: Literal["leaky_relu"]  # between layers; slope 0.01
    input_normalisation: Literal["batch_norm"]  # of all networks' inputs, without scale and shift
    actor_lr: Positive  # Adam's step sizes
    critic_lr: Positive
    gamma: Fraction  # discount of the next value, not of its entropy
    tau: Fraction  # target rate: target <- (1 - tau) target + tau online, after every update
    reward_scale: Positive  # its inverse weighs the entropy
    reward_standardisation: bool  # for each agent, over the whole replay
    batch_size: BatchOfRegisters  # transitions
    replay_size: Count  # transitions
    rollout_threads: Batch  # environments played in parallel
    critic_weight_decay: Annotated[float, Field(ge=0)]  # Adam's, added to the gradient
    attention_penalty: Annotated[float, Field(ge=0)]  # weight of the attention logits' mean square, over all heads
    logit_penalty: Annotated[float, Field(ge=0)]  # weight of mean(logits^2) in a policy's loss
    critic_grad_clip_per_agent: Clip  # times N, for all of the critic's gradients together
    actor_grad_clip: Clip  # for all of a policy's gradients together
    shared_critic_gradient: Literal["divided_by_agents"]  # of parameters that all agents' losses reach
    layout_agents: Annotated[int, Field(ge=0, le=100)]  # agents in the policies' padded layout; 0: their own

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.critic_hidden_width % self.attention_heads:
            got, allowed = str(self.attention_heads), f"a divisor of critic_hidden_width = {self.critic_hidden_width}"
            raise misfit(got, allowed, "correct one of them", "attention_heads")
        if self.batch_size > self.replay_size:
            allowed = f"at most {self.replay_size}, the size of the replay"
            raise misfit(str(self.batch_size), allowed, "correct one of them", "batch_size")
        return self

    @property
    def round_episodes(self) -> int:
        """Environments that begin together. A round is one step of each."""
        return self.rollout_threads

    def round_of(self, unit: Unit) -> int:
        return self.rollout_threads

    @property
    def plays_steps(self) -> bool:
        return True

    def least(self, episode_limit: int) -> dict[str, tuple[float, float]]:
        """The ring must hold the newest step of every environment; updates are counted within an episode's steps."""
        return {"replay_size": (self.replay_size, 2 * self.rollout_threads)}

    def work(self, task: TaskSizes, episodes: int) -> Work:
        """A policy's networks, and an agent's part of the critic: two encoders, a head, and attention.

        The critic makes two forward passes without a gradient: its target's, and one in the policies' step.
        """
        agents, width, steps = task.agents, self.critic_hidden_width, episodes * task.steps
        hidden = (self.actor_hidden_layers - 1) * self.actor_hidden_width**2
        policy = (task.observation + task.actions) * self.actor_hidden_width + hidden
        critic = (2 * task.observation + 2 * task.actions + 2 * width) * width
        attention = 3 * width**2 + 2 * agents * width
        samples = agents * self.batch_size
        return Work(
            networks=(
                Network(policy, samples, samples, agents),
                Network(critic, 2 * samples, samples, agents),
                Network(attention, 2 * samples, samples),
            ),
            updates=self.updates_per_episode * max(0, steps - self.batch_size) / task.steps,
            stored=step_rows(task, min(steps, self.replay_size)),
        )

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        """Each agent's own policy, with the running mean and variance of its inputs."""
        hidden = [self.actor_hidden_width] * self.actor_hidden_layers
        return sum(t.agents * (dense_size(t.observation, *hidden, t.actions) + 2 * t.observation) for t in tasks)


ALGORITHMS = {
    "maac": Algorithm(learner="baselines.maac:MAAC", version=1, hyperparameters=MAAC, teacher=False, losses=LOSSES)
}
