"""MADDPG's hyperparameters, and those of the control group that starts from a trained team. Torch-free."""

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
    later,
)

LOSSES = ("critic", "actor", "q")


class MADDPG(Hyperparameters):
    """Lowe et al. 2017."""

    ends_early: ClassVar[bool] = False  # its replay counts transitions by whole episodes

    hidden_layers: Layers  # hidden layers of actor and critic
    hidden_width: Width  # units of each
    lr: Positive  # Adam's step size, actor and critic
    gamma: Fraction  # discount
    tau: Fraction  # target rate: target <- (1 - tau) target + tau online, after every update
    batch_size: BatchOfFours  # transitions
    replay_size: Count  # transitions
    warmup_transitions: Annotated[int, Field(ge=0)]  # no update before this many transitions are stored
    update_episodes: Batch  # episodes between two updates; they run as parallel copies
    grad_clip: Positive  # largest gradient norm, for each agent; `clipping` says of which gradients
    logit_penalty: Annotated[float, Field(ge=0)]  # weight of mean(logits^2) in the actor's loss
    temperature: Positive  # of the Gumbel-softmax sample
    layout_agents: Annotated[int, Field(ge=0, le=100)]  # agents in the actor's padded layout; 0: its own
    layout_communication: bool = later(True)  # false: no network reads the other agents' messages
    activation: Literal["relu", "leaky_relu"] = later("relu")  # between the layers of actor and critic; slope 0.01
    initial_weights: Literal["xavier", "xavier_leaky_relu"] = later("xavier")  # see baselines/kernels/nn.py
    batches: Literal["shared", "own"] = later("shared")  # an update's batch: one for all agents, or one drawn for each
    clipping: Literal["tensor", "network"] = later("tensor")  # grad_clip's norm: of each tensor, or a network's all

    @property
    def round_episodes(self) -> int:
        return self.update_episodes

    def least(self, episode_limit: int) -> dict[str, tuple[float, float]]:
        """The replay must hold a round."""
        return {"replay_size": (self.replay_size, self.update_episodes * episode_limit)}

    def work(self, task: TaskSizes, episodes: int) -> Work:
        actors, critics = self._networks(task)
        transitions = episodes * task.steps
        row = task.agents * (task.observation + task.actions + 1)
        return Work(
            networks=(actors, critics),
            updates=max(0.0, transitions - self.warmup_transitions) / (task.steps * self.update_episodes),
            stored=min(transitions, self.replay_size) * row * (1 + 1 / task.steps),
        )

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        """Each agent's own actor."""
        hidden = [self.hidden_width] * self.hidden_layers
        return sum(task.agents * dense_size(task.observation, *hidden, task.actions) for task in tasks)

    def _networks(self, task: TaskSizes) -> tuple[Network, Network]:
        """The agents' actors and critics. Targets make a forward pass; the critics make one more in the actors' step.

        If each agent has its own batch, every target actor makes a forward pass on all of them.
        """
        agents, width = task.agents, self.hidden_width
        hidden, batch = (self.hidden_layers - 1) * width**2, agents * self.batch_size
        actor = (task.observation + task.actions) * width + hidden
        critic = agents * (task.observation + task.actions) * width + hidden
        targets = batch * (agents if self.batches == "own" else 1)
        return Network(actor, targets, batch, agents), Network(critic, 2 * batch, batch, agents)


class MADDPGInitialized(MADDPG):
    """MADDPG whose actors start as copies of a trained team's."""

    copied: Literal["actor"]  # networks copied from the teacher, with their targets


ALGORITHMS = {
    "maddpg": Algorithm(
        learner="baselines.maddpg:MADDPG", version=1, hyperparameters=MADDPG, teacher=False, losses=LOSSES
    ),
    "maddpg_initialized": Algorithm(
        learner="baselines.maddpg:maddpg_initialized",
        version=1,
        hyperparameters=MADDPGInitialized,
        teacher=True,
        losses=LOSSES,
    ),
}
