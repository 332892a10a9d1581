"""MKT-MARL (Mai et al. 2023): what it adds to QMIX on several tasks. Its networks, eq. 1, 2 and 4, are agents.py's,
its TD loss, eq. 5, is qmix.py's.

Axes: S seed, B batch of episodes, T time step, N agent, A action. Losses are [S], one for each seed, of one task's
minibatch; Algorithm 1 takes a step of the whole network for each task in turn.

Departs from the paper: eq. 3 and 5 sum over the batch, eq. 3 over agents too. With gradients clipped at 10 a sum of
800 transitions is another method, so "mean" per transition (and agent) is the reading, and "sum" the declared other.
`distill_reduction` gives eq. 3 a reduction of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from baselines import schedules, value_specs
from baselines.agents import agent_inputs
from baselines.episodes import EpisodeBatch
from baselines.learner import Task, Teacher
from baselines.masks import Reduction, available_q, reduced
from baselines.multi_task import MultiTaskValueDecomposition
from baselines.nn import Parameters
from baselines.qmix import last_actions, team_q
from baselines.streams import Streams


def distillation_loss(
    teacher_q: Tensor,
    student_q: Tensor,
    avail_actions: Tensor,
    mask: Tensor,
    temperature: float,
    reduction: Reduction | Literal["mean over steps"] = "mean",
) -> Tensor:
    """Eq. 3: KL(softmax(Q^T / t) || softmax(Q^S)), [S]; t divides the teacher's values alone, as printed.

    teacher_q, student_q, avail_actions (bool): [S, B, T, N, A]; mask [S, B, T] bool, the steps that were played. The
    softmax leaves out unavailable and padded actions, of which the paper does not speak; an agent with one action left
    counts with 0. No gradient reaches the teacher. "mean over steps" sums over agents.
    """
    teacher, student, avail = (x.movedim(-1, 1) for x in (teacher_q.detach(), student_q, avail_actions))
    log_teacher = available_q(teacher / temperature, avail).log_softmax(1)
    log_student = available_q(student, avail).log_softmax(1)
    kl = (log_teacher.exp() * (log_teacher - log_student)).sum(1)  # [S, B, T, N]
    return reduced(kl.sum(-1), mask, "mean") if reduction == "mean over steps" else reduced(kl, mask, reduction)


def combined_loss(loss_kl: Tensor, loss_td: Tensor, annealing: float) -> Tensor:
    """Eq. 6: (1 - lambda) L_KL + lambda L_TD, [S]."""
    return (1 - annealing) * loss_kl + annealing * loss_td


def annealing_coefficient(start: float, end: float, epochs: int, hold_epochs: int, epochs_done: int) -> float:
    """Eq. 6's lambda in the epoch after `epochs_done` others: linear, then `end` for the last `hold_epochs` (Sec. V-D).

    The paper: .1 to .95 over the first 30,000 of 50,000 epochs. Its ablations (Table IV) are ends of this line: lambda
    0, .5 and 1 start where they end; "annealing reverse" runs from .95 to .1, since -1 * lambda as printed would climb
    the TD loss. Raises ValueError where the hold leaves no epoch to anneal in.
    """
    if hold_epochs >= epochs and start != end:
        raise ValueError(
            f"hold_epochs {hold_epochs} leaves nothing of {epochs} epochs to go from {start} to {end}; "
            f"allowed: fewer than {epochs}"
        )
    return schedules.linear(start, end, epochs - hold_epochs, epochs_done)


class MKTMARL(MultiTaskValueDecomposition):
    """A `Learner`: QMIX or VDN on several tasks that also learns from one teacher a task.

    Reports besides "td" also "kl", eq. 3, and "lambda". At lambda = 1 it is `MultiTaskValueDecomposition` to the last
    bit. Raises ValueError where a task has no teacher or one that does not fit it.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        hyperparameters: value_specs.MKTMARL,
        streams: Sequence[Streams],
        device: torch.device | str,
        *,
        dtype: torch.dtype = torch.float32,
    ):
        super().__init__(tasks, hyperparameters, streams, device, dtype=dtype)
        self._distillation = hyperparameters
        self._teachers = [TaskTeacher.of(task, k, device, dtype) for k, task in enumerate(tasks)]

    def _annealing(self, task: int, epochs_done: int) -> float:
        h = self._distillation
        epochs = self.tasks[task].episodes
        hold = int(h.lambda_hold_share * epochs)
        return annealing_coefficient(h.lambda_start, h.lambda_end, epochs, hold, epochs_done)

    def _objective(
        self, task: int, batch: EpisodeBatch, q: Tensor, loss_td: Tensor, episodes_done: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Eq. 6 in the epoch that this round belongs to; an epoch is one episode of each task."""
        h, avail = self._distillation, batch.avail_actions[:, :, :-1]
        teacher_q = self._teachers[task].q_values(batch)
        reduction = h.distill_reduction or h.loss_reduction
        loss_kl = distillation_loss(teacher_q, q[:, :, :-1], avail, batch.mask, h.distill_temperature, reduction)
        annealing = self._annealing(task, episodes_done - self.copies)
        terms = {"kl": loss_kl, "lambda": torch.full_like(loss_kl, annealing)}
        return combined_loss(loss_kl, loss_td, annealing), terms


@dataclass(frozen=True)
class TaskTeacher:
    """One task's teachers, a single-task team's network for each seed, with the inputs that it was trained on."""

    weights: Parameters
    teacher: Teacher
    actions: int
    use_rnn: bool
    agent_id: bool
    last_action: bool

    @classmethod
    def of(cls, task: Task, number: int, device: torch.device | str, dtype: torch.dtype) -> TaskTeacher:
        """The teacher that a task brings. Raises ValueError without one, or where sizes do not fit."""
        teacher = task.teacher
        if teacher is None:
            raise ValueError(f"distillation needs a teacher a task: task {number} of this training set has none")
        weights = {name: weight.to(device, dtype) for name, weight in teacher.weights.items()}
        use_rnn, agent_id, last_action = (
            bool(teacher.hyperparameters[name]) for name in ("use_rnn", "obs_agent_id", "obs_last_action")
        )
        first, last = ("in.weight_0", "out.weight_0") if use_rnn else ("weight_0", f"weight_{len(weights) // 2 - 1}")
        viewed = teacher.view(torch.zeros(1, task.agents, task.obs_size, device=device)).shape[-1]
        wanted = (viewed + task.action_size * last_action + task.agents * agent_id, task.action_size)
        got = (weights[first].shape[-1], weights[last].shape[-2])
        if got != wanted:
            raise ValueError(
                f"task {number}: its teacher has {got[0]} inputs and {got[1]} actions, the task gives {wanted[0]} and "
                f"{wanted[1]}; allowed: a teacher that was trained on this task"
            )
        return cls(weights, teacher, task.action_size, use_rnn, agent_id, last_action)

    @torch.no_grad()
    def q_values(self, batch: EpisodeBatch) -> Tensor:
        """The teacher's Q_i of the steps played, [S, B, T, N, A]."""
        previous = last_actions(batch.actions)[:, :, :-1] if self.last_action else None
        obs = self.teacher.view(batch.obs[:, :, :-1])
        return team_q(self.weights, agent_inputs(obs, previous, self.actions, self.agent_id), self.use_rnn)
