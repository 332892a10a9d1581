"""Trained teams as teachers, for all methods. What students learn from them is in the methods' own files.

Axes: S seed, E episode, B batch, T time step, N agent (of the students), O observation entry, A action.

A teacher's weights lead with [S]: row s taught seed s. Its own hyperparameters describe its network: a team shares one
network (if `use_rnn` is among them), or each agent has an actor of its own. No gradient reaches a teacher.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from baselines.kernels.nn import ACTIVATIONS, Parameters, actor_logits, entry_slots
from baselines.learner import Task, Teacher
from baselines.losses.pairing import paired, partners
from baselines.networks.agents import agent_inputs, mlp_q, recurrent_q, team_q
from baselines.replay.episodes import EpisodeBatch, last_actions

# Observations [E, N, O] of episodes at their step t -> the teacher's value of each action, [E, N, A].
Teaching = Callable[[Tensor, int], Tensor]


def teacher_of(task: Task, number: int, learner: str) -> Teacher:
    """The task's teacher. Raises ValueError, which names the learner, without one."""
    if task.teacher is None:
        raise ValueError(f"{learner} needs one teacher per task: task {number} of this training set has none")
    return task.teacher


def teacher_pairs(teacher: Teacher, students: Sequence[str]) -> list[int]:
    """Each student's policy of a teacher, by the students' kinds: see `partners`."""
    policies = next(iter(teacher.weights.values())).shape[1]
    return partners(students, teacher.kinds or alike(policies))


def alike(agents: int) -> tuple[str, ...]:
    """Kinds of agents that are all of the same kind."""
    return ("agent",) * agents


class ActorTeachers:
    """One of the teacher's actors for each student, of its kind (see `partners`)."""

    def __init__(
        self,
        teacher: Teacher,
        agents: int,
        like: Tensor,
        kinds: Sequence[str] = (),
        students: Tensor | None = None,
    ):
        """agents: N, the whole team. kinds: of each agent; empty: all are alike. like: the students' device and dtype.
        students: the agents that are students, an index [K]; None: all, so K = N.
        """
        own, slots = [*(kinds or alike(agents))], entry_slots(teacher.layout, like.device)
        if students is not None:
            own = [own[i] for i in students.tolist()]
            slots = slots if slots is None or slots.dim() == 1 else slots[students]
        self.weights = paired(teacher.weights, teacher_pairs(teacher, own), like)
        self._view, self._slots, self._students = teacher.view, slots, students
        self._activation = ACTIVATIONS[teacher.hyperparameters.get("activation", "relu")]

    @torch.no_grad()
    def logits(self, obs: Tensor, lanes: slice = slice(None)) -> Tensor:
        """Logits [S, K, A, B] for observations [S, B, N, O] of some lanes, in the teachers' view."""
        weights, seen = {name: weight[lanes] for name, weight in self.weights.items()}, self._view(obs)
        seen = seen if self._students is None else seen.index_select(2, self._students)
        return actor_logits(weights, seen.permute(0, 2, 3, 1), self._slots, self._activation)


@dataclass(frozen=True)
class TeamTeacher:
    """A team's network for each seed, with the inputs that it was trained on."""

    weights: Parameters
    teacher: Teacher
    actions: int
    use_rnn: bool
    agent_id: bool
    last_action: bool

    @classmethod
    def of(cls, task: Task, number: int, device: torch.device | str, dtype: torch.dtype) -> TeamTeacher:
        """The task's teacher. Raises ValueError without one, or if sizes do not fit."""
        teacher = teacher_of(task, number, "distillation")
        own = cls._read(teacher, task.action_size, {n: w.to(device, dtype) for n, w in teacher.weights.items()})
        last = "out.weight_0" if own.use_rnn else f"weight_{len(own.weights) // 2 - 1}"
        viewed = teacher.view(torch.zeros(1, task.agents, task.obs_size, device=device)).shape[-1]
        wanted = (viewed + task.action_size * own.last_action + task.agents * own.agent_id, task.action_size)
        first = own.weights["in.weight_0" if own.use_rnn else "weight_0"]
        if (got := (first.shape[-1], own.weights[last].shape[-2])) != wanted:
            raise ValueError(
                f"task {number}: its teacher has {got[0]} inputs and {got[1]} actions, the task gives {wanted[0]} and "
                f"{wanted[1]}; allowed: a teacher that was trained on this task"
            )
        return own

    @classmethod
    def _read(cls, teacher: Teacher, actions: int, weights: Parameters) -> TeamTeacher:
        use_rnn, agent_id, last_action = (
            bool(teacher.hyperparameters[name]) for name in ("use_rnn", "obs_agent_id", "obs_last_action")
        )
        return cls(weights, teacher, actions, use_rnn, agent_id, last_action)

    @torch.no_grad()
    def q_values(self, batch: EpisodeBatch) -> Tensor:
        """The teacher's Q_i of the steps played, [S, B, T, N, A]."""
        previous = last_actions(batch.actions)[:, :, :-1] if self.last_action else None
        obs = self.teacher.view(batch.obs[:, :, :-1])
        return team_q(self.weights, agent_inputs(obs, previous, self.actions, self.agent_id), self.use_rnn)

    def steps(self) -> Teaching:
        """Q values of one seed, step by step from an episode's start. Its input includes its own last choice."""
        hidden: Tensor | None = None
        last: Tensor | None = None

        @torch.inference_mode()
        def teach(obs: Tensor, t: int) -> Tensor:
            nonlocal hidden, last
            if t == 0 or (last is not None and len(last) != len(obs)):
                hidden, last = None, torch.full(obs.shape[:2], -1)
            previous = last[None, :, None] if self.last_action and last is not None else None
            viewed = self.teacher.view(obs)[None, :, None]
            inputs = agent_inputs(viewed, previous, self.actions, self.agent_id)
            if self.use_rnn:
                q, hidden = recurrent_q(self.weights, inputs, hidden)
            else:
                q = mlp_q(self.weights, inputs)
            last = q[0, :, 0].argmax(-1)
            return q[0, :, 0]

        return teach


def teaching(teacher: Teacher, agents: int, actions: int, kinds: Sequence[str] = ()) -> Teaching:
    """The teacher of one seed (S = 1), step by step, for N agents with A actions each. kinds: each agent's kind."""
    if "use_rnn" in teacher.hyperparameters:
        return TeamTeacher._read(teacher, actions, dict(teacher.weights)).steps()
    actors = ActorTeachers(teacher, agents, torch.empty(0), kinds)
    return lambda obs, t: actors.logits(obs.unsqueeze(0))[0].permute(2, 0, 1)
