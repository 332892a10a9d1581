"""Toy tasks for learners of teams: a seed's observations depend on that seed's streams alone.

Axes: S seed, E environment copy, T time step, N agent, O observation entry, A action.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from baselines import specs
from baselines.learner import Layout, Rollout, Seen, Task, Teacher
from baselines.mappo import MAPPO
from baselines.qmix import ExtraLoss, ValueDecomposition, qmix
from baselines.replay.episodes import EpisodeBatch, played
from baselines.specs import Hyperparameters
from baselines.streams import Streams

SETTINGS = {
    "use_rnn": False,
    "hidden_layers": 2,
    "hidden_width": 16,
    "parameter_sharing": True,
    "obs_agent_id": True,
    "obs_last_action": False,
    "obs_individual_obs": False,
    "agent_output": "q",
    "action_selector": "epsilon_greedy",
    "epsilon_start": 1.0,
    "epsilon_end": 0.05,
    "epsilon_anneal_steps": 100,
    "epsilon_evaluation": 0.0,
    "optimizer": "adam",
    "lr": 0.005,
    "gamma": 0.9,
    "double_q": True,
    "td_steps": 1,
    "time_limit_terminal": True,
    "loss_reduction": "mean",
    "grad_clip": 0.5,
    "standardise_rewards": True,
    "batch_size": 6,
    "replay_size": 20,
    "update_episodes": 2,
    "target_update_interval": 3,
    "target_update_unit": "updates",
}
MIXING = {"mixing_width": 8, "hypernetwork_layers": 2, "hypernetwork_width": 8}

STATE = {"separate_state_embedding": True, "state_embedding_width": 6}
MULTI = {
    "observation_embedding_width": 12,
    "separate_observation_embedding": True,
    "separate_action_mapping": True,
    "separate_replay": True,
    "task_order": "one update a task, in turn",
}

DISTILLING = {
    "distill_loss": "kl",
    "distill_temperature": 1.0,
    "lambda_start": 0.1,
    "lambda_end": 0.95,
    "lambda_schedule": "linear",
    "lambda_hold_share": 0.4,
}


PPO = {
    "use_rnn": False,
    "critic_use_rnn": False,
    "hidden_layers": 2,
    "hidden_width": 16,
    "parameter_sharing": True,
    "obs_agent_id": True,
    "obs_last_action": False,
    "obs_individual_obs": False,
    "critic_agent_id": True,
    "action_selector": "sample",
    "evaluation_action_selector": "best",
    "optimizer": "adam",
    "lr": 0.005,
    "gamma": 0.9,
    "td_steps": 2,
    "time_limit_terminal": False,
    "standardise_rewards": True,
    "value_normalisation": False,
    "advantage_critic": "online",
    "standardise_advantages": False,
    "update_episodes": 3,
    "update_passes": 3,
    "clip": 0.2,
    "clip_values": False,
    "entropy_weight": 0.01,
    "grad_clip": 0.5,
    "tau": 0.1,
}
MULTI_PPO = {
    "observation_embedding_width": 12,
    "state_embedding_width": 10,
    "separate_observation_embedding": True,
    "separate_action_mapping": True,
    "separate_state_embedding": True,
    "separate_value_head": False,
    "separate_replay": True,
    "task_order": "one update a task, in turn",
}


Team = ValueDecomposition | MAPPO
L = TypeVar("L", bound=Team)


def toy_task(
    agents: int = 2,
    obs: int = 3,
    actions: int = 4,
    limit: int = 5,
    *,
    episodes: int = 400,
    state_size: int = 0,
    common_reward: bool = False,
    teacher: Teacher | None = None,
) -> Task:
    layout = Layout(obs, tuple(range(obs)))
    return Task(agents, obs, actions, limit, episodes, layout, teacher, state_size, common_reward)


def single(mixer: str = "qmix", **changes: Any) -> specs.ValueDecomposition:
    """Hyperparameters of a single-task learner; a change to None leaves a name out."""
    kind = {"qmix": specs.QMIX, "vdn": specs.VDN}[mixer]
    values = SETTINGS | {"mixer": mixer} | (MIXING if mixer == "qmix" else {}) | changes
    return kind.model_validate({name: value for name, value in values.items() if value is not None})


def seen(obs: Tensor, avail_actions: Tensor, t: int = 0) -> Seen:
    """A policy's input at step t of episodes that all began together."""
    return Seen(obs, avail_actions, torch.full(obs.shape[:2], t == 0))


def toy_rollout(learner: Team, task: int, streams: Sequence[Streams], episodes_done: int) -> Rollout:
    """A round: observations drift with the actions, some actions are missing, some episodes end early.

    The reward is how well the agents' actions match the signs that they see; after an end everything is noise.
    """
    own, act = learner.tasks[task], learner.exploring(task, episodes_done)
    shape = (learner.copies, own.agents)
    draws = [_draws(own, shape, stream["environment"]) for stream in streams]
    start, avail, ends, noise = (torch.stack(drawn) for drawn in zip(*draws, strict=True))
    obs, actions = [start], []
    for t in range(own.episode_limit):
        actions.append(act(seen(obs[-1], avail[:, :, t], t)))
        push = torch.linspace(-1, 1, own.action_size).to(actions[-1].dtype)
        obs.append((0.7 * obs[-1] + (actions[-1] * push).sum(-1, keepdim=True)).float())
    rewards = [(a.argmax(-1) % 2 == (o[..., 0] > 0)).float() for a, o in zip(actions, obs[:-1], strict=True)]
    mask = played(ends)
    after = torch.cat([torch.ones_like(mask[..., :1]), mask & ~ends], -1)  # T+1 steps: has the episode gone on?
    state = None
    if own.state_size:
        state = torch.stack(obs, 2).sum((-2, -1)).unsqueeze(-1).expand(*after.shape, own.state_size).contiguous()
    return Rollout(
        obs=torch.where(after[..., None, None], torch.stack(obs, 2), noise),
        actions=torch.stack(actions, 2),
        rewards=torch.stack(rewards, 2) * mask.unsqueeze(-1),
        terminated=ends,
        avail_actions=avail,
        state=state,
    )


def _draws(task: Task, shape: tuple[int, int], generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Start [E, N, O], avail_actions [E, T+1, N, A], terminated [E, T] and noise [E, T+1, N, O] of one seed."""
    copies, agents = shape
    start = torch.randn(copies, agents, task.obs_size, generator=generator)
    avail = torch.rand(copies, task.episode_limit + 1, agents, task.action_size, generator=generator) < 0.7
    avail[..., 1] |= ~avail.any(-1)
    ends = torch.rand(copies, task.episode_limit, generator=generator) < 0.1
    return start, avail, ends, torch.randn(copies, task.episode_limit + 1, agents, task.obs_size, generator=generator)


@dataclass
class TeamRun(Generic[L]):
    """A learner, its seeds and its history."""

    learner: L
    streams: list[Streams]
    rounds: int = 0
    seen: list[dict[str, Tensor]] = field(default_factory=list)
    rollouts: list[list[Rollout]] = field(default_factory=list)

    def play(self, rounds: int) -> TeamRun[L]:
        """Rounds over all tasks."""
        for _ in range(rounds):
            done = self.rounds * self.learner.copies
            self.rollouts.append([])
            for task in range(len(self.learner.tasks)):
                rollout = toy_rollout(self.learner, task, self.streams, done)
                losses = self.learner.learn(task, rollout, done + self.learner.copies)
                self.seen.append(losses | {"actions": rollout.actions, "obs": rollout.obs})
                self.rollouts[-1].append(rollout)
            self.rounds += 1
        return self

    def lane(self, lane: int) -> dict[str, Tensor]:
        """The whole state of a seed, by name."""
        own = {name: tensor[lane] for name, tensor in self.learner.state().items()}
        return own | {f"{i}.{n}": x[lane] for i, seen in enumerate(self.seen) for n, x in seen.items()}


def started(
    kind: Callable[..., L],
    tasks: Sequence[Task],
    hyperparameters: Hyperparameters,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    dtype: torch.dtype = torch.float32,
) -> TeamRun[L]:
    streams = [Streams(seed) for seed in seeds]
    return TeamRun(kind(tasks, hyperparameters, streams, "cpu", dtype=dtype), streams)


class Watching:
    """An extra loss that calls a function instead, with the coefficients of the loss that it replaces."""

    def __init__(self, call: Callable[..., tuple[Tensor, dict[str, Tensor]]], original: ExtraLoss | None = None):
        self._call, self._original = call, original

    def coefficients(self, task: int, epochs_done: int) -> dict[str, float]:
        return self._original.coefficients(task, epochs_done) if self._original else {}

    def __call__(
        self, task: int, batch: EpisodeBatch, q: Tensor, loss_td: Tensor, coefficients: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        return self._call(task, batch, q, loss_td, coefficients)


def assert_same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    differing = [name for name, tensor in ours.items() if not torch.equal(tensor, theirs[name])]
    assert not differing, differing


def several(mixer: str = "qmix", **changes: Any) -> specs.MultiTask:
    """Hyperparameters of a multi-task learner; a change to None leaves a name out."""
    kind = {"qmix": specs.MultiTaskQMIX, "vdn": specs.MultiTaskVDN}[mixer]
    values = SETTINGS | MULTI | {"mixer": mixer} | (MIXING | STATE if mixer == "qmix" else {}) | changes
    return kind.model_validate({name: value for name, value in values.items() if value is not None})


def distilling(mixer: str = "qmix", **changes: Any) -> specs.MKTMARL:
    """Hyperparameters of MKT-MARL; a change to None leaves a name out."""
    values = SETTINGS | MULTI | DISTILLING | {"mixer": mixer} | (MIXING | STATE if mixer == "qmix" else {}) | changes
    return specs.MKTMARL.model_validate({name: value for name, value in values.items() if value is not None})


def ppo(**changes: Any) -> specs.MAPPO:
    """Hyperparameters of MAPPO; a change to None leaves a name out."""
    return specs.MAPPO.model_validate({name: x for name, x in (PPO | changes).items() if x is not None})


def several_ppo(**changes: Any) -> specs.MultiTaskMAPPO:
    """Hyperparameters of MAPPO on several tasks; a change to None leaves a name out."""
    values = PPO | MULTI_PPO | changes
    return specs.MultiTaskMAPPO.model_validate({name: x for name, x in values.items() if x is not None})


def taught(task: Task, seeds: Sequence[int], dtype: torch.dtype = torch.float32, **changes: Any) -> Task:
    """The task with untrained teachers: for seed s the network that seed 100 + s starts with."""
    h = single("vdn", **changes)
    teachers = started(qmix, [task], h, [100 + seed for seed in seeds], dtype).learner.policy()
    return replace(task, teacher=Teacher(teachers, task.layout, lambda obs: obs, h.model_dump()))
