"""MKT-MARL (Mai et al. 2023): what it adds to QMIX on several tasks. Its networks, eq. 1, 2 and 4, are agents.py's.

Axes: S seed, B batch of episodes, T time step, N agent, A action. Losses are [S], one for each seed, of one task's
minibatch; Algorithm 1 takes a step of the whole network for each task in turn.

Departs from the paper: eq. 3 and 5 sum over the batch, eq. 3 over agents too. With gradients clipped at 10 a sum of
800 transitions is another method, so "mean" per transition (and agent) is the reading, and "sum" the declared other.
"""

from __future__ import annotations

from torch import Tensor

from baselines import schedules
from baselines.masks import Reduction, available_q, reduced


def distillation_loss(
    teacher_q: Tensor,
    student_q: Tensor,
    avail_actions: Tensor,
    mask: Tensor,
    temperature: float,
    reduction: Reduction = "mean",
) -> Tensor:
    """Eq. 3: KL(softmax(Q^T / t) || softmax(Q^S)), [S]; t divides the teacher's values alone, as printed.

    teacher_q, student_q, avail_actions (bool): [S, B, T, N, A]; mask [S, B, T] bool, the steps that were played. The
    softmax leaves out unavailable and padded actions, of which the paper does not speak; an agent with one action left
    counts with 0. No gradient reaches the teacher.
    """
    teacher, student, avail = (x.movedim(-1, 1) for x in (teacher_q.detach(), student_q, avail_actions))
    log_teacher = available_q(teacher / temperature, avail).log_softmax(1)
    log_student = available_q(student, avail).log_softmax(1)
    kl = (log_teacher.exp() * (log_teacher - log_student)).sum(1)  # [S, B, T, N]
    return reduced(kl, mask, reduction)


def td_loss(q_tot: Tensor, targets: Tensor, mask: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Eq. 5: (y^tot - Q_tot)^2, without a half, over the steps played: [S, B, T] x2, mask [S, B, T] bool -> [S]."""
    return reduced((targets.detach() - q_tot).square(), mask, reduction)


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
