"""KnowRU on MADDPG (Gao et al. 2021): the actor's loss. Everything else is maddpg.py's.

Axes: S seed, N agent, B batch, O observation entry, A action entry. Logits are [S, N, A, B], losses [S, N].

Departs from the paper: Algorithm 1 minimises +Q, we minimise -Q (its own eq. 1 ascends), and its critic has no
bootstrap, ours is MADDPG's. L_Q is MADDPG's whole actor loss, the small penalty on logits included.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from baselines import specs
from baselines.distill import LOSSES, paired
from baselines.learner import Task
from baselines.maddpg import MADDPG
from baselines.nn import actor_logits, entry_slots
from baselines.streams import Streams

SMALLEST_LOSS = 1e-8  # a smaller L_Q or L_reuse counts as this when their ratio is taken; ours


def annealed_alpha(start: float, end: float, annealing_episodes: float, episodes_done: int) -> float:
    """Sec. 3.3: alpha falls linearly from start to end over `annealing_episodes` episodes and stays there.

    A start at or below the end stays as it is, as Algorithm 1's `if alpha > 0.02` has it.
    """
    fallen = min(episodes_done / annealing_episodes, 1.0)
    return start + min(end - start, 0.0) * fallen


def magnitude_scale(loss_q: Tensor, loss_reuse: Tensor) -> Tensor:
    """The power of ten that brings L_reuse to L_Q's order of magnitude (end of Sec. 3.3), [S, N]; a constant.

    The paper gives no rule. Ours: 10^round(log10(|L_Q| / L_reuse)), for each seed and agent, at each update.
    """
    ratio = loss_q.detach().abs().clamp(min=SMALLEST_LOSS) / loss_reuse.detach().clamp(min=SMALLEST_LOSS)
    return 10 ** ratio.log10().round()


def combined_loss(loss_reuse: Tensor, loss_q: Tensor, alpha: float) -> Tensor:
    """Eq. 10, [S, N]."""
    return alpha * loss_reuse + (1 - alpha) * loss_q


class KnowRU(MADDPG):
    """A `Learner`. Student i learns from policy i mod N_teacher (Sec. 3.3 allows repeated pairings; order ours).

    Reports besides MADDPG's losses "reuse" (L_reuse, unscaled) and "alpha". Raises ValueError without a teacher.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        hyperparameters: specs.KnowRU,
        streams: Sequence[Streams],
        device: torch.device | str,
        *,
        lanes_per_call: int | None = None,
        dtype: torch.dtype = torch.float32,
    ):
        super().__init__(tasks, hyperparameters, streams, device, lanes_per_call=lanes_per_call, dtype=dtype)
        task = self.task
        if task.teacher is None:
            raise ValueError("KnowRU needs a teacher: task.teacher is None")
        self._settings, self._view = hyperparameters, task.teacher.view
        self._teacher = paired(task.teacher.weights, task.agents, like=self._actor["weight_0"])
        self._teacher_slots = entry_slots(task.teacher.layout, device)

    def _actor_objective(
        self, loss: Tensor, obs: Tensor, logits: Tensor, lanes: slice, episodes_done: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Eq. 10 with `loss` as L_Q."""
        h = self._settings
        reuse = LOSSES[h.reuse_loss](self._teacher_logits(obs, lanes), logits)
        scale = magnitude_scale(loss, reuse) if h.reuse_scale == "order_of_magnitude" else 1.0
        alpha = annealed_alpha(h.alpha_start, h.alpha_end, h.anneal_fraction * self.task.episodes, episodes_done)
        terms = {"reuse": reuse, "alpha": torch.full_like(reuse, alpha)}
        return combined_loss(scale * reuse, loss, alpha), terms

    @torch.no_grad()
    def _teacher_logits(self, obs: Tensor, lanes: slice) -> Tensor:
        """Of observations [S, B, N, O], as the teacher views them."""
        teacher = {name: weight[lanes] for name, weight in self._teacher.items()}
        return actor_logits(teacher, self._view(obs).permute(0, 2, 3, 1), self._teacher_slots)
