"""Dec-HDRQN's hyperparameters. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from baselines.specs.base import (
    Algorithm,
    Batch,
    Count,
    Fraction,
    Hyperparameters,
    Network,
    Positive,
    TaskSizes,
    Width,
    Work,
    dense_size,
    episode_rows,
    multi_task_size,
    recurrent_size,
    updates_of,
)


class DecHDRQN(Hyperparameters):
    """Omidshafiei et al. 2017, as a baseline of Mai et al. 2023: distilled from teachers, without TD learning."""

    observation_embedding_width: Width  # units of E_k, the layer that reads task k's observations
    hidden_width: Width  # units of the layer between E_k and the LSTM
    recurrent_width: Width  # units of the LSTM
    parameter_sharing: Literal[True]  # one network for all agents
    obs_agent_id: Literal[True]
    obs_last_action: Literal[False]
    separate_observation_embedding: Literal[True]
    separate_action_mapping: Literal[True]
    separate_replay: Literal[True]
    task_order: Literal["one update a task, in turn"]
    action_selector: Literal["epsilon_greedy"]
    epsilon_start: Fraction
    epsilon_end: Fraction
    epsilon_anneal_steps: Annotated[int, Field(ge=0)]  # steps of the task
    epsilon_evaluation: Annotated[float, Field(ge=0, le=0)]
    optimizer: Literal["adam"]
    lr: Positive
    grad_clip: Positive  # largest norm of all gradients together
    batch_size: Batch  # traces, each from another episode
    replay_size: Count  # episodes of each task
    update_episodes: Batch  # episodes of each task between two updates on it; they run as parallel copies
    trace_steps: Count  # steps of a trace
    trace_start: Literal["any window that meets the episode"]
    trace_state: Literal["zeros"]  # the LSTM's state at a trace's start
    burn_in_steps: Literal[0]  # steps at a trace's start that the loss leaves out
    trace_source: Literal["student"]  # the player of the traces' episodes
    distill_loss: Literal["kl"]
    distill_temperature: Positive  # divides the teacher's Q-values
    loss_reduction: Literal["mean", "sum"]  # over the steps of all traces and over agents

    @property
    def round_episodes(self) -> int:
        return self.update_episodes

    @property
    def counts_steps(self) -> bool:
        """Epsilon falls with them."""
        return True

    def least(self, episode_limit: int) -> dict[str, tuple[float, float]]:
        """The replay must hold a batch."""
        return {"replay_size": (self.replay_size, self.batch_size)}

    def work(self, task: TaskSizes, episodes: int) -> Work:
        """The student learns from traces; its teacher reads the whole episodes of the traces."""
        body = (task.observation + task.agents + self.hidden_width) * self.observation_embedding_width
        recurrent = 4 * self.recurrent_width * (self.hidden_width + self.recurrent_width)
        weights = body + recurrent + self.recurrent_width * task.actions
        played, read = (n * task.steps * task.agents for n in (self.update_episodes, self.batch_size))
        learned = self.batch_size * self.trace_steps * task.agents
        return Work(
            networks=(Network(weights, played, learned), Network(weights, read)),
            updates=updates_of(episodes, self.batch_size, self.update_episodes),
            stored=episode_rows(task, min(episodes, self.replay_size)),
        )

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        """The middle layer and the LSTM once, plus E_k and the action head of every task."""
        body = dense_size(self.observation_embedding_width, self.hidden_width)
        body += recurrent_size(self.hidden_width, self.recurrent_width, gates=4)
        inputs = [task.observation + task.agents for task in tasks]
        return multi_task_size(inputs, body, tasks, self.observation_embedding_width, self.recurrent_width)


ALGORITHMS = {
    "dec_hdrqn": Algorithm(
        learner="baselines.dec_hdrqn:DecHDRQN",
        version=1,
        hyperparameters=DecHDRQN,
        teacher=True,
        losses=("kl",),
        several_tasks=True,
    ),
}
