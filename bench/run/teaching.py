"""What a trained team makes of the actions of a team that learns from it, for a method in another process.

Axes: S = 1 seed, E episode, N agent, O observation entry, A action entry.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from baselines.agents import agent_inputs, mlp_q, recurrent_q
from baselines.distill import paired
from baselines.learner import Teacher
from baselines.nn import actor_logits, entry_slots
from bench.run.tasks import Place


class Teaching(Protocol):
    """Observations [E, N, O] of episodes at their step t -> what the teacher makes of each action, [E, N, A]."""

    def __call__(self, obs: Tensor, t: int) -> Tensor: ...


def teaching(teacher: Teacher, place: Place) -> Teaching:
    """The teacher of one seed, by how its network is built: a team's (with recurrence, perhaps) or each agent's own.

    A team network that reads last actions is shown the teacher's own choice.
    """
    if "use_rnn" in teacher.hyperparameters:
        return _Team(teacher, place.environment.action_size)
    return _Actors(teacher, place.environment.agents)


class _Actors:
    """Logits of an actor for each agent; student i reads that of teacher i mod N_teacher, as in KnowRU."""

    def __init__(self, teacher: Teacher, agents: int):
        self._view = teacher.view
        self._actors = paired(teacher.weights, agents, like=torch.empty(0))
        self._slots = entry_slots(teacher.layout, "cpu")

    @torch.inference_mode()
    def __call__(self, obs: Tensor, t: int) -> Tensor:
        viewed = self._view(obs.unsqueeze(0)).permute(0, 2, 3, 1)
        return actor_logits(self._actors, viewed, self._slots)[0].permute(2, 0, 1)


class _Team:
    """Q values of one network for the whole team, step by step from an episode's start."""

    def __init__(self, teacher: Teacher, actions: int):
        self._teacher, self._actions = teacher, actions
        self._use_rnn, self._agent_id, self._last_action = (
            bool(teacher.hyperparameters[name]) for name in ("use_rnn", "obs_agent_id", "obs_last_action")
        )
        self._hidden: Tensor | None = None
        self._last: Tensor | None = None

    @torch.inference_mode()
    def __call__(self, obs: Tensor, t: int) -> Tensor:
        if t == 0 or (self._last is not None and len(self._last) != len(obs)):
            self._hidden, self._last = None, torch.full(obs.shape[:2], -1)
        previous = self._last[None, :, None] if self._last_action and self._last is not None else None
        viewed = self._teacher.view(obs)[None, :, None]
        inputs = agent_inputs(viewed, previous, self._actions, self._agent_id)
        if self._use_rnn:
            q, self._hidden = recurrent_q(self._teacher.weights, inputs, self._hidden)
        else:
            q = mlp_q(self._teacher.weights, inputs)
        self._last = q[0, :, 0].argmax(-1)
        return q[0, :, 0]
