"""KnowRU on MADDPG (Gao et al. 2021): the actors' loss. Critics, targets, replay and L_Q are maddpg.py's.

Axes: S seed, N agent, B batch, O observation entry, A action entry. Logits are [S, N, A, B], samples as columns (see
kernels/nn.py); losses are [S, N], a mean over the batch. The teacher is a constant: no gradient reaches it. Softmax
temperature 1: Sec. 3.3 does not soften.

| paper | here |
|---|---|
| eq. 9: L_reuse, the mean squared error | `mse` |
| Sec. 4.5: L_reuse by KL (eq. 7-8, T = 1) | `kl` |
| Sec. 4.5: L_reuse by cross entropy (its formula is ours) | `cross_entropy` |
| Sec. 3.3: which policy a student learns from | `Reuse` |
| end of Sec. 3.3: the losses' orders of magnitude | `magnitude_scale` |
| Sec. 3.3, Algorithm 1: alpha | `annealed_alpha` |
| eq. 10: L = alpha L_reuse + (1 - alpha) L_Q | `combined_loss` |
| eq. 2 and 3: the critic; L_Q | `maddpg.td_targets`, `maddpg.actor_loss` |
| Sec. 4.2: MADDPG with initialization | `maddpg.maddpg_initialized` |
| Sec. 4.3: adversaries alone reuse knowledge | `knowru_adversaries` |

suites/knowru.toml has every value with its source, and reads T_alpha (eq. 11 and 12) off curves. Eq. 4 and 5 are
MAAC's.

Departs from the paper: Algorithm 1 minimises +Q, we minimise -Q (its own eq. 1 ascends). Its Q is of stored actions,
through which no gradient reaches an actor; ours is of the actor's own actions, as in MADDPG. Its critic has an absolute
error and no bootstrap (its eq. 2 has one); ours is MADDPG's. It updates after each episode on several minibatches in
order (`for j = 1 to N by step k`); ours updates every four episodes on one minibatch, as in Sec. 4.3. L_Q is MADDPG's
whole actor loss, including the small penalty on logits. Observations grow with the team, and the paper does not say how
a teacher of fewer agents reads them. Ours share one padded layout (`layout_agents`), or the teacher reads the nearest
objects (`teacher_view`).
The paper's code (KnowRU-MARL/KnowRU b0c9817) holds alpha at 0.5 and does not scale L_reuse (`alpha_end` 0.5,
`reuse_scale` "none"). The penalty on logits is in its L_Q, too. Its other settings concern MADDPG, see maddpg.py.
Sec. 3.3 pairs homogeneous policies: student i of a kind has the teacher's policy i mod N of that kind. KnowRU on MAAC
is in knowru_maac.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from baselines import specs
from baselines.learner import Task
from baselines.maddpg import MADDPG, only
from baselines.streams import Streams
from baselines.teachers import ActorTeachers, teacher_of

ADVERSARY = "adversary"  # a kind of agents, see `Task.kinds`
SMALLEST_LOSS = 1e-8  # a smaller L_Q or L_reuse counts as this when their ratio is taken; ours


def mse(teacher: Tensor, student: Tensor) -> Tensor:
    """Eq. 9: mean squared difference of the logits, over actions and batch."""
    return (student - teacher.detach()).square().mean((-2, -1))


def cross_entropy(teacher: Tensor, student: Tensor) -> Tensor:
    """-sum_a p_teacher log p_student: Sec. 4.5 names the loss, the formula is ours."""
    return -(teacher.detach().softmax(-2) * student.log_softmax(-2)).sum(-2).mean(-1)


def kl(teacher: Tensor, student: Tensor) -> Tensor:
    """Eq. 7-8 at T = 1: KL(student || teacher) = sum_a p_student (log p_student - log p_teacher)."""
    log_student = student.log_softmax(-2)
    return (log_student.exp() * (log_student - teacher.detach().log_softmax(-2))).sum(-2).mean(-1)


LOSSES: dict[Literal["mse", "ce", "kl"], Callable[[Tensor, Tensor], Tensor]] = {
    "mse": mse,
    "ce": cross_entropy,
    "kl": kl,
}


def annealed_alpha(start: float, end: float, annealing_episodes: float, episodes_done: float) -> float:
    """Sec. 3.3: alpha falls linearly from start to end over `annealing_episodes` episodes and stays there.

    The paper does not state its step beta; the span is ours. episodes_done includes the round just played, so alpha is
    one round ahead of Algorithm 1, which lowers it after the update.

    A start at or below the end stays constant, as in Algorithm 1's `if alpha > 0.02`.
    """
    fallen = min(episodes_done / annealing_episodes, 1.0)
    return start + min(end - start, 0.0) * fallen


def magnitude_scale(loss_q: Tensor, loss_reuse: Tensor) -> Tensor:
    """The power of ten that brings L_reuse to L_Q's order of magnitude (end of Sec. 3.3), [S, N]; a constant.

    The paper gives no rule. Ours: 10^round(log10(|L_Q| / L_reuse)), for each seed and agent, at each update.
    """
    ratio = loss_q.detach().abs().clamp(min=SMALLEST_LOSS) / loss_reuse.detach().clamp(min=SMALLEST_LOSS)
    return 10 ** ratio.log10().round()


def combined_loss(loss_reuse: Tensor, loss_q: Tensor, alpha: float | Tensor) -> Tensor:
    """Eq. 10, [S, N]. alpha: a number or a 0-d tensor."""
    return alpha * loss_reuse + (1 - alpha) * loss_q


class Reuse:
    """Eq. 10: the loss of KnowRU's actors. Reports "reuse" (L_reuse, unscaled) and "alpha", only of the students.

    Student i learns from policy i mod N_teacher of its kind (Sec. 3.3 allows repeated pairings; order ours).
    """

    def __init__(self, task: Task, hyperparameters: specs.KnowRU, like: Tensor, students: str | None = None):
        """like: the device and dtype of the students. students: the kind of agents that reuse; None: all agents do.

        Raises ValueError without a teacher that can read the same observations, and without students.
        """
        self._h, self._episodes = hyperparameters, task.episodes
        teacher = teacher_of(task, 0, "KnowRU")
        self._students = None if students is None else of_kind(task, students).to(like.device)
        if (reads := teacher.layout.read) > (stored := task.layout.read):
            raise ValueError(
                f"the teacher reads {reads} entries of an observation, the student stores {stored}; allowed: a teacher "
                "that was trained with the student's layout_communication"
            )
        self._teachers = ActorTeachers(teacher, task.agents, like, task.kinds, self._students)

    def coefficients(self, episodes_done: int) -> dict[str, float]:
        h = self._h
        return {"alpha": annealed_alpha(h.alpha_start, h.alpha_end, h.anneal_fraction * self._episodes, episodes_done)}

    def __call__(
        self, loss: Tensor, obs: Tensor, logits: Tensor, lanes: slice, coefficients: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """`maddpg.ActorObjective`, with `loss` as L_Q."""
        h, students = self._h, self._students
        own, logits = (x if students is None else x.index_select(1, students) for x in (loss, logits))
        reuse = LOSSES[h.reuse_loss](self._teachers.logits(obs, lanes), logits)
        scale = magnitude_scale(own, reuse) if h.reuse_scale == "order_of_magnitude" else 1.0
        alpha = coefficients["alpha"]
        terms = {"reuse": reuse, "alpha": alpha.to(reuse.dtype).expand_as(reuse).contiguous()}
        combined = combined_loss(scale * reuse, own, alpha)
        return combined if students is None else loss.index_copy(1, students, combined), terms


def of_kind(task: Task, kind: str) -> Tensor:
    """The task's agents of a kind, as an index [K]. Raises ValueError if there are none."""
    found = [i for i, own in enumerate(task.kinds) if own == kind]
    if not found:
        raise ValueError(f"students: got {kind!r}; allowed: a kind of this task's agents, {sorted({*task.kinds})}")
    return torch.tensor(found)


def knowru(
    tasks: Sequence[Task],
    hyperparameters: specs.KnowRU,
    streams: Sequence[Streams],
    device: torch.device | str,
    *,
    lanes_per_call: int | None = None,
    dtype: torch.dtype = torch.float32,
) -> MADDPG:
    """The `Learner`. At alpha = 0 it is MADDPG to the last bit. Raises ValueError without a teacher."""
    reuse = Reuse(only(tasks), hyperparameters, like=torch.empty(0, device=device, dtype=dtype))
    return MADDPG(tasks, hyperparameters, streams, device, objective=reuse, lanes_per_call=lanes_per_call, dtype=dtype)


def knowru_adversaries(
    tasks: Sequence[Task],
    hyperparameters: specs.KnowRUAdversaries,
    streams: Sequence[Streams],
    device: torch.device | str,
    *,
    lanes_per_call: int | None = None,
    dtype: torch.dtype = torch.float32,
) -> MADDPG:
    """The `Learner` of Sec. 4.3: KnowRU for adversaries; good agents have MADDPG's own loss (assumed).

    The authors' code lacks it. "actor" is the mean over all agents. Raises ValueError without a teacher or adversary.
    """
    like = torch.empty(0, device=device, dtype=dtype)
    reuse = Reuse(only(tasks), hyperparameters, like, students=ADVERSARY)
    return MADDPG(tasks, hyperparameters, streams, device, objective=reuse, lanes_per_call=lanes_per_call, dtype=dtype)
