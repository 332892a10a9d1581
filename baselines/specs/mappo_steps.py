"""The hyperparameters of MAPPO in rollouts of steps. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from baselines.specs.base import Algorithm, Count, Network, TaskSizes, Unit, Work, layered_size, misfit
from baselines.specs.mappo import LOSSES, MAPPO


class StepsMAPPO(MAPPO):
    """Yu et al. 2022 as their code plays SMAC: rollouts of a fixed number of steps that go on over episode ends.

    update_episodes: number of environments that stay open.
    """

    td_steps: None = None  # type: ignore[assignment]  # frozen, so narrower is sound
    rollout_steps: Count  # of each environment between two updates
    chunk_steps: Count | None = None  # a recurrent network learns from chunks of this many steps
    stacked_frames: Annotated[int, Field(ge=1, le=100)]  # observations, and states, that a network reads at once
    advantage_critic: Literal["target"]  # type: ignore[assignment]  # the critic as it was when the rollout was played
    tau: Annotated[float, Field(ge=1, le=1)]  # there is no slow target critic

    @model_validator(mode="after")
    def _chunks_fit(self) -> Self:
        recurrent = self.use_rnn or self.critic_use_rnn
        if recurrent and (self.chunk_steps is None or self.rollout_steps % self.chunk_steps):
            allowed = f"with a recurrent network a divisor of rollout_steps = {self.rollout_steps}"
            raise misfit(f"{self.chunk_steps}", allowed, "correct one of them", "chunk_steps")
        if not recurrent and self.chunk_steps is not None:
            raise misfit(f"{self.chunk_steps}", "none without a recurrent network", "leave it out", "chunk_steps")
        return self

    @property
    def round_steps(self) -> int:
        """Environment steps between two updates."""
        return self.update_episodes * self.rollout_steps

    @property
    def plays_steps(self) -> bool:
        return True

    def longest_round(self, unit: Unit, episode_limit: int) -> int:
        """No paper's budget is a whole number of rollouts: a run ends with the one that spends it."""
        return self.round_steps if unit == "steps" else 1

    def work(self, task: TaskSizes, episodes: int) -> Work:
        """A rollout is played, read once by each network, and learned from in every pass."""
        samples, k = self.round_steps * task.agents, self.stacked_frames
        actor = self._actor_weights(self._inputs(task), task.actions)
        critic = self._critic_weights(k * task.state_entries + task.agents)
        learned = self.update_passes * samples
        row = task.agents * ((k + 5) * task.observation + 2 * task.actions + 2)
        return Work(
            networks=(Network(actor, 2 * samples, learned), Network(critic, samples, learned)),
            updates=episodes * task.steps / self.round_steps,
            stored=self.round_steps * row,
        )

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        """The actor."""
        sizes = ((self._inputs(task), task.actions) for task in tasks)
        return sum(layered_size(*size, self.hidden_width, self.hidden_layers, self.use_rnn) for size in sizes)

    def _inputs(self, task: TaskSizes) -> int:
        return self.stacked_frames * task.observation + task.agents * self.obs_agent_id


ALGORITHMS = {
    "mappo_steps": Algorithm(
        learner="baselines.mappo_steps:mappo_steps",
        version=1,
        hyperparameters=StepsMAPPO,
        teacher=False,
        losses=LOSSES,
        units=("steps",),
    ),
}
