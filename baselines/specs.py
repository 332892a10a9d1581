"""Every algorithm's name, version and hyperparameters. Torch-free: plans and suite checks read this in no time.

The values stand in the suite files, each with its source; here stand names, types and ranges alone.
A version is bumped when the algorithm's numbers change: it enters every run's id.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class Cost:
    """What one run takes: operations (two a multiply-add) and bytes held."""

    operations: float
    bytes: float


class Hyperparameters(BaseModel, ABC):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    @property
    @abstractmethod
    def round_episodes(self) -> int:
        """Episodes that are played together, under one policy; a budget is a whole number of rounds."""

    def least(self, episode_limit: int) -> dict[str, tuple[float, float]]:
        """Hyperparameters that the episode's length bounds: by name, the value and the least that it may be."""
        return {}

    @abstractmethod
    def cost(self, agents: int, obs_size: int, action_size: int, episode_limit: int, episodes: int) -> Cost:
        """Operations and bytes of one run of so many episodes."""


class MADDPG(Hyperparameters):
    """Lowe et al. 2017."""

    hidden_layers: Count  # hidden layers of actor and critic
    hidden_width: Count  # units of each
    lr: Positive  # Adam's step size, actor and critic
    gamma: Fraction  # discount
    tau: Fraction  # target rate: target <- (1 - tau) target + tau online, after every update
    batch_size: Annotated[
        int, Field(ge=4, multiple_of=4)
    ]  # transitions; by fours, for the sake of the last bit (nn.py)
    replay_size: Count  # transitions
    warmup_transitions: Annotated[int, Field(ge=0)]  # no update before so many transitions are stored
    update_episodes: Count  # episodes between two updates; they run as parallel copies
    grad_clip: Positive  # largest gradient norm, for each parameter tensor of each agent
    logit_penalty: Annotated[float, Field(ge=0)]  # weight of mean(logits^2) in the actor's loss
    temperature: Positive  # of the Gumbel-softmax sample
    layout_agents: Annotated[int, Field(ge=0)]  # the actor reads a layout padded to so many agents; 0: its own

    @property
    def round_episodes(self) -> int:
        return self.update_episodes

    def least(self, episode_limit: int) -> dict[str, tuple[float, float]]:
        """The replay must hold a round."""
        return {"replay_size": (self.replay_size, self.update_episodes * episode_limit)}

    def cost(self, agents: int, obs_size: int, action_size: int, episode_limit: int, episodes: int) -> Cost:
        """Matrix products of all updates (the rollout is small beside them); replay and parameters, float32."""
        hidden = (self.hidden_layers - 1) * self.hidden_width**2
        joint = agents * (obs_size + action_size) * self.hidden_width
        actor = (obs_size + action_size) * self.hidden_width + hidden
        critic_step = 2 * (joint + hidden) + joint + 2 * hidden  # target, online, gradient
        actor_step = joint + 2 * hidden + 4 * actor  # Q and its gradient; target, online, gradient
        update = 2 * agents * self.batch_size * (critic_step + actor_step)
        transitions = episodes * episode_limit
        updates = max(0.0, transitions - self.warmup_transitions) / (episode_limit * self.update_episodes)
        row = agents * (obs_size + action_size + 1)
        return Cost(
            operations=updates * update,
            bytes=4.0 * min(transitions, self.replay_size) * row * (1 + 1 / episode_limit)
            + 16.0 * agents * (joint + actor),
        )


class MADDPGInitialized(MADDPG):
    """MADDPG whose actors start as copies of a trained team's."""

    copied: Literal["actor"]  # networks copied from the teacher, with their targets


class KnowRU(MADDPG):
    """Gao et al. 2021."""

    alpha_start: Fraction  # weight of L_reuse at the first episode
    alpha_end: Fraction  # and at the end of the annealing; a start below it stays as it is
    anneal_fraction: Annotated[float, Field(gt=0, le=1)]  # share of the training budget over which alpha falls
    reuse_loss: Literal["mse", "ce", "kl"]
    reuse_scale: Literal["none", "order_of_magnitude"]
    teacher_view: Literal["same", "nearest"]  # the teacher reads the same padded observation, or its nearest objects


class Algorithm(BaseModel):
    """learner: "module:Class". teacher: whether a run needs a trained team to learn from. losses: what it reports.

    several_tasks: whether one run can learn more than one task.
    """

    model_config = ConfigDict(frozen=True)
    learner: str
    version: int
    hyperparameters: type[Hyperparameters]
    teacher: bool
    losses: tuple[str, ...]
    several_tasks: bool = False


MADDPG_LOSSES = ("critic", "actor", "q")
ALGORITHMS = {
    "maddpg": Algorithm(
        learner="baselines.maddpg:MADDPG",
        version=1,
        hyperparameters=MADDPG,
        teacher=False,
        losses=MADDPG_LOSSES,
    ),
    "maddpg_initialized": Algorithm(
        learner="baselines.maddpg:InitializedMADDPG",
        version=1,
        hyperparameters=MADDPGInitialized,
        teacher=True,
        losses=MADDPG_LOSSES,
    ),
    "knowru": Algorithm(
        learner="baselines.knowru:KnowRU",
        version=1,
        hyperparameters=KnowRU,
        teacher=True,
        losses=(*MADDPG_LOSSES, "reuse", "alpha"),
    ),
}
