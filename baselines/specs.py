"""Every algorithm's name, version and hyperparameters. Torch-free: plans and suite checks read this in no time.

The values stand in the suite files, each with its source; here stand names, types and ranges alone.
A version is bumped when the algorithm's numbers change: it enters every run's id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from baselines.hyperparameters import (
    Cost,
    Count,
    Fraction,
    Hyperparameters,
    Positive,
    TaskSizes,
    dense_size,
    multi_task_size,
    recurrent_size,
)
from baselines.ppo_specs import MAPPO, MultiTaskMAPPO
from baselines.value_specs import MKTMARL, QMIX, VDN, MultiTaskQMIX, MultiTaskVDN


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

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        """Each agent's own actor."""
        hidden = [self.hidden_width] * self.hidden_layers
        return sum(task.agents * dense_size(task.observation, *hidden, task.actions) for task in tasks)


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


class DecHDRQN(Hyperparameters):
    """Omidshafiei et al. 2017, as a baseline of Mai et al. 2023: distilled from teachers, without TD learning."""

    observation_embedding_width: Count  # units of E_k, the layer that reads task k's observations
    hidden_width: Count  # units of the layer between E_k and the LSTM
    recurrent_width: Count  # units of the LSTM
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
    batch_size: Count  # traces, one of each of so many episodes
    replay_size: Count  # episodes of each task
    update_episodes: Count  # episodes of each task between two updates on it; they run as parallel copies
    trace_steps: Count  # steps of a trace
    trace_start: Literal["any window that meets the episode"]
    trace_state: Literal["zeros"]  # what the LSTM starts a trace with
    burn_in_steps: Literal[0]  # steps at a trace's start that the loss leaves out
    trace_source: Literal["student"]  # whose episodes the traces are from
    distill_loss: Literal["kl"]
    distill_temperature: Positive  # divides the teacher's Q-values
    loss_reduction: Literal["mean", "sum"]  # over the steps of all traces and over agents

    @property
    def round_episodes(self) -> int:
        return self.update_episodes

    def least(self, episode_limit: int) -> dict[str, tuple[float, float]]:
        """The replay must hold a batch."""
        return {"replay_size": (self.replay_size, self.batch_size)}

    def cost(self, agents: int, obs_size: int, action_size: int, episode_limit: int, episodes: int) -> Cost:
        """Matrix products of rollouts and updates, those of the teacher left out; replay and parameters, float32."""
        width, inputs = self.recurrent_width, obs_size + agents
        network = (inputs + self.hidden_width) * self.observation_embedding_width
        network += 4 * width * (self.hidden_width + width) + width * action_size
        rounds = episodes / self.update_episodes
        samples = episodes * episode_limit + 3 * rounds * self.batch_size * self.trace_steps
        held = min(episodes, self.replay_size) * (episode_limit + 1) * (agents * (4 * obs_size + action_size + 2) + 5)
        return Cost(operations=2 * agents * samples * network, bytes=float(held + 16 * network))

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        """The layer between and the LSTM once, E_k and the action head of every task."""
        body = dense_size(self.observation_embedding_width, self.hidden_width)
        body += recurrent_size(self.hidden_width, self.recurrent_width, gates=4)
        inputs = [task.observation + task.agents for task in tasks]
        return multi_task_size(inputs, body, tasks, self.observation_embedding_width, self.recurrent_width)


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
PPO_LOSSES = ("policy", "value", "entropy")
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
    "qmix": Algorithm(
        learner="baselines.qmix:ValueDecomposition",
        version=1,
        hyperparameters=QMIX,
        teacher=False,
        losses=("td",),
    ),
    "vdn": Algorithm(
        learner="baselines.qmix:ValueDecomposition",
        version=1,
        hyperparameters=VDN,
        teacher=False,
        losses=("td",),
    ),
    "qmix_multi": Algorithm(
        learner="baselines.multi_task:MultiTaskValueDecomposition",
        version=1,
        hyperparameters=MultiTaskQMIX,
        teacher=False,
        losses=("td",),
        several_tasks=True,
    ),
    "vdn_multi": Algorithm(
        learner="baselines.multi_task:MultiTaskValueDecomposition",
        version=1,
        hyperparameters=MultiTaskVDN,
        teacher=False,
        losses=("td",),
        several_tasks=True,
    ),
    "mkt_marl": Algorithm(
        learner="baselines.mkt_marl:MKTMARL",
        version=1,
        hyperparameters=MKTMARL,
        teacher=True,
        losses=("td", "kl", "lambda"),
        several_tasks=True,
    ),
    "mappo": Algorithm(
        learner="baselines.mappo:MAPPO",
        version=1,
        hyperparameters=MAPPO,
        teacher=False,
        losses=PPO_LOSSES,
    ),
    "mappo_multi": Algorithm(
        learner="baselines.multi_task_mappo:MultiTaskMAPPO",
        version=1,
        hyperparameters=MultiTaskMAPPO,
        teacher=False,
        losses=PPO_LOSSES,
        several_tasks=True,
    ),
    "dec_hdrqn": Algorithm(
        learner="baselines.dec_hdrqn:DecHDRQN",
        version=1,
        hyperparameters=DecHDRQN,
        teacher=True,
        losses=("kl",),
        several_tasks=True,
    ),
}
