"""Hyperparameters of MAPPO, on one task and on several. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from baselines.hyperparameters import (
    Cost,
    Count,
    Fraction,
    Hyperparameters,
    Positive,
    TaskSizes,
    dense_size,
    layered_size,
    layered_weights,
    misfit,
    multi_task_size,
)


class MAPPO(Hyperparameters):
    """Yu et al. 2022. Of td_steps and gae_lambda one is given; without huber_delta the value loss is squared."""

    use_rnn: bool  # the actor's second hidden layer is a GRU
    critic_use_rnn: bool  # and the critic's
    hidden_layers: Count  # of actor and critic
    hidden_width: Count  # units of each
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
    advantage_critic: Literal["online", "target"]  # whose values the returns are compared with to give advantages
    standardise_advantages: bool  # over a round's steps and agents
    update_episodes: Count  # episodes of a task between two updates of it, which learns from them all at once
    update_passes: Count  # Adam steps on them
    clip: Positive  # largest change of the ratio of probabilities that pays
    clip_values: bool  # and of the critic's values, in its own units
    huber_delta: Positive | None = None  # error from which on the value loss is linear
    entropy_weight: Annotated[float, Field(ge=0)]  # of the policy's entropy in the actor's loss
    grad_clip: Positive  # largest gradient norm, over all of the actor's parameters and over all of the critic's
    tau: Fraction  # target critic <- (1 - tau) target + tau online, after every update

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.td_steps is None) == (self.gae_lambda is None):
            got = f"td_steps = {self.td_steps} and gae_lambda = {self.gae_lambda}"
            raise misfit(got, "one of the two", "leave the other out")
        if (self.use_rnn or self.critic_use_rnn) and self.hidden_layers != 2:
            got = f"{self.hidden_layers} with a recurrent network"
            raise misfit(got, "2 (a Linear and the GRU)", "correct one of them", "hidden_layers")
        return self

    @property
    def round_episodes(self) -> int:
        return self.update_episodes

    def cost(self, agents: int, obs_size: int, action_size: int, episode_limit: int, episodes: int) -> Cost:
        """Of one task: matrix products of rollouts and updates; one round and the parameters, float32.

        The state is taken for all observations in a row.
        """
        actor = self._actor_weights(obs_size + agents * self.obs_agent_id, action_size)
        critic = self._critic_weights(agents * obs_size + agents)
        passes = 3 * self.update_passes  # online, and twice as much for its gradient
        sample = (2 + passes) * actor + (1 + passes) * critic  # acting, old policy; target
        row = agents * (5 * obs_size + 2 * action_size + 2)
        return Cost(
            operations=float(2 * episodes * episode_limit * agents * sample),
            bytes=float(4 * self.update_episodes * (episode_limit + 1) * row + 16 * (actor + critic)),
        )

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        """The actor."""
        sizes = ((self._inputs(task), task.actions) for task in tasks)
        return sum(layered_size(*size, self.hidden_width, self.hidden_layers, self.use_rnn) for size in sizes)

    def _inputs(self, task: TaskSizes) -> int:
        """Entries of what the actor reads."""
        return task.observation + task.agents * self.obs_agent_id

    def _actor_weights(self, inputs: int, actions: int) -> int:
        """Multiply-adds of the actor for one sample."""
        return layered_weights(inputs, actions, self.hidden_width, self.hidden_layers, self.use_rnn)

    def _critic_weights(self, inputs: int) -> int:
        """Multiply-adds of the critic for one sample."""
        return layered_weights(inputs, 1, self.hidden_width, self.hidden_layers, self.critic_use_rnn)


class MultiTaskMAPPO(MAPPO):
    """MAPPO on several tasks: actor EA_k(F(E_k(obs))) as eq. 1 and 2 of Mai et al. 2023, critic V(SE_k(state))."""

    use_rnn: Literal[False]  # type: ignore[assignment]  # frozen, so narrower is sound
    critic_use_rnn: Literal[False]  # type: ignore[assignment]
    observation_embedding_width: Count  # units of E_k
    state_embedding_width: Count  # units of SE_k
    separate_observation_embedding: Literal[True]
    separate_action_mapping: Literal[True]
    separate_state_embedding: Literal[True]
    separate_value_head: Literal[False]  # one for all tasks
    separate_replay: Literal[True]  # a task's update learns from its own round alone
    task_order: Literal["one update a task, in turn"]

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        """F once, E_k and EA_k of every task."""
        body = self.observation_embedding_width, *[self.hidden_width] * self.hidden_layers
        return multi_task_size([*map(self._inputs, tasks)], dense_size(*body), tasks, body[0], body[-1])

    def _actor_weights(self, inputs: int, actions: int) -> int:
        """E_k, F and EA_k."""
        own = inputs * self.observation_embedding_width
        return own + layered_weights(
            self.observation_embedding_width, actions, self.hidden_width, self.hidden_layers, use_rnn=False
        )

    def _critic_weights(self, inputs: int) -> int:
        """SE_k and V."""
        own = inputs * self.state_embedding_width
        return own + layered_weights(
            self.state_embedding_width, 1, self.hidden_width, self.hidden_layers, use_rnn=False
        )
