"""MAPPO's hyperparameters. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from baselines.specs.base import (
    Algorithm,
    Batch,
    Count,
    Fraction,
    Hyperparameters,
    Layers,
    Network,
    Positive,
    TaskSizes,
    Width,
    Work,
    layered_size,
    layered_weights,
    misfit,
)

LOSSES = ("policy", "value", "entropy")


class MAPPO(Hyperparameters):
    """Yu et al. 2022. Either td_steps or gae_lambda is given; without huber_delta the value loss is squared."""

    use_rnn: bool  # the actor's second hidden layer is a GRU
    critic_use_rnn: bool  # the same for the critic
    hidden_layers: Layers  # of actor and critic
    hidden_width: Width  # units of each
    parameter_sharing: Literal[True]  # one actor and one critic for all agents
    obs_agent_id: bool  # the agent's number is an input of the actor
    obs_last_action: Literal[False]
    obs_individual_obs: Literal[False]
    critic_agent_id: Literal[True]  # the critic reads the state and the agent's number
    action_selector: Literal["sample"]  # training episodes sample the policy
    evaluation_action_selector: Literal["best"]  # evaluations take its most likely available action
    optimizer: Literal["adam"]
    lr: Positive  # Adam's step size, actor and critic
    gamma: Fraction  # discount
    td_steps: Count | None = None  # n-step returns
    gae_lambda: Fraction | None = None  # returns of generalised advantage estimation
    time_limit_terminal: bool  # an episode's last step counts as terminal when the time limit ends it
    standardise_rewards: bool  # by running moments of each task
    value_normalisation: bool  # the critic learns returns normalised by decaying moments of each task
    advantage_critic: Literal["online", "target"]  # the critic whose values are subtracted from returns for advantages
    standardise_advantages: bool  # over a round's steps and agents
    update_episodes: Batch  # episodes of a task between two of its updates; an update uses all of them at once
    update_passes: Count  # Adam steps on them
    clip: Positive  # largest change of the ratio of probabilities that is rewarded
    clip_values: bool  # the same limit for the critic's values, in its own units
    huber_delta: Positive | None = None  # above this error the value loss is linear
    entropy_weight: Annotated[float, Field(ge=0)]  # of the policy's entropy in the actor's loss
    grad_clip: Positive  # largest gradient norm, over all of the actor's parameters and over all of the critic's
    tau: Fraction  # target critic <- (1 - tau) target + tau online, after every update

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.td_steps is None) == (self.gae_lambda is None):
            got = f"td_steps = {self.td_steps} and gae_lambda = {self.gae_lambda}"
            raise misfit(got, "one of the two", "remove the other")
        if (self.use_rnn or self.critic_use_rnn) and self.hidden_layers != 2:
            got = f"{self.hidden_layers} with a recurrent network"
            raise misfit(got, "2 (a Linear and the GRU)", "correct one of them", "hidden_layers")
        return self

    @property
    def round_episodes(self) -> int:
        return self.update_episodes

    def work(self, task: TaskSizes, episodes: int) -> Work:
        """A round is played, read once by each network, and learned from in every pass. The state counts as all
        observations concatenated.
        """
        samples = self.update_episodes * task.steps * task.agents
        actor = self._actor_weights(task.observation + task.agents * self.obs_agent_id, task.actions)
        critic = self._critic_weights(task.agents * task.observation + task.agents)
        learned = self.update_passes * samples
        row = task.agents * (5 * task.observation + 2 * task.actions + 2)
        return Work(
            networks=(Network(actor, 2 * samples, learned), Network(critic, samples, learned)),
            updates=episodes / self.update_episodes,
            stored=self.update_episodes * (task.steps + 1) * row,
        )

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        """The actor."""
        sizes = ((self._inputs(task), task.actions) for task in tasks)
        return sum(layered_size(*size, self.hidden_width, self.hidden_layers, self.use_rnn) for size in sizes)

    def _inputs(self, task: TaskSizes) -> int:
        """Entries that the actor reads."""
        return task.observation + task.agents * self.obs_agent_id

    def _actor_weights(self, inputs: int, actions: int) -> int:
        """Multiply-adds of the actor for one sample."""
        return layered_weights(inputs, actions, self.hidden_width, self.hidden_layers, self.use_rnn)

    def _critic_weights(self, inputs: int) -> int:
        """Multiply-adds of the critic for one sample."""
        return layered_weights(inputs, 1, self.hidden_width, self.hidden_layers, self.critic_use_rnn)


ALGORITHMS = {
    "mappo": Algorithm(
        learner="baselines.mappo:mappo",
        version=1,
        hyperparameters=MAPPO,
        teacher=False,
        losses=LOSSES,
        units=("episodes", "steps"),
    ),
}
