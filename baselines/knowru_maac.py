"""KnowRU on MAAC (Gao et al. 2021, Sec. 4.4): the policies' loss. Critic, targets and replay are maac.py's.

Axes: S seed, N agent, B batch, O observation entry, A action entry. Logits are [S, N, A, B]; losses are [S, N].

| paper | here |
|---|---|
| eq. 9 | `knowru.mse` |
| Sec. 4.5's other losses | `knowru.kl`, `knowru.cross_entropy` |
| eq. 10, with MAAC's loss in the place of L_Q | `knowru.combined_loss` |
| Sec. 3.3, Algorithm 1: alpha | `knowru.annealed_alpha` |
| end of Sec. 3.3: the losses' orders of magnitude | `knowru.magnitude_scale` |
| Sec. 3.3: the observation at hand, read by teacher and student | `MAACReuse` |

With `reuse_at` = "policy" teacher and student read the current observation. Collector i learns from collector i mod 4
of task VII, banks from its only bank: `pairing.partners`. A teacher normalises its inputs by the student's batch. So
does the released code, where teachers stay in training mode.

The released code (KnowRU-MARL/KnowRU b0c9817, MAAC-distillation/algorithms/attention_sac.py:161-195) is `reuse_at` =
"target_policy_next" with `reuse_scale` = 0.01: it compares the *target* policy's logits on the *next* observations with
the teacher's. No optimiser has a target policy, so no gradient of L_reuse reaches the trained policy. Still, alpha
multiplies MAAC's loss by 1 - alpha. tests/baselines/test_knowru_maac.py shows both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from baselines import specs
from baselines.kernels.nn import ACTIVATIONS, actor_logits, entry_slots
from baselines.knowru import LOSSES, annealed_alpha, combined_loss, magnitude_scale
from baselines.learner import Task
from baselines.losses.pairing import paired
from baselines.maac import MAAC, PolicyBatch
from baselines.maddpg import only
from baselines.streams import Streams
from baselines.teachers import alike, teacher_of, teacher_pairs

RUNNING = ("mean", "variance")  # MAAC's running moments, which a teacher does not use here


class MAACReuse:
    """Eq. 10: the loss of KnowRU's policies on MAAC. Reports "reuse" (L_reuse, unscaled) and "alpha"."""

    def __init__(self, task: Task, hyperparameters: specs.KnowRUMAAC, like: Tensor):
        """like: students' device and dtype. Raises ValueError without a teacher that reads the same observations."""
        self._h, self._episodes = hyperparameters, task.episodes
        teacher = teacher_of(task, 0, "KnowRU")
        if "mean" not in teacher.weights:
            raise ValueError("KnowRU on MAAC: the teacher has no normalised inputs; allowed: one that MAAC trained")
        weights = {name: p for name, p in teacher.weights.items() if name not in RUNNING}
        self._weights = paired(weights, teacher_pairs(teacher, task.kinds or alike(task.agents)), like)
        self._slots = entry_slots(teacher.layout, like.device)

    def coefficients(self, episodes_done: float) -> dict[str, float]:
        h = self._h
        return {"alpha": annealed_alpha(h.alpha_start, h.alpha_end, h.anneal_fraction * self._episodes, episodes_done)}

    def __call__(
        self, loss: Tensor, batch: PolicyBatch, coefficients: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """`maac.PolicyObjective`, with `loss` in place of L_Q."""
        h = self._h
        at_hand = h.reuse_at == "policy"
        read, student = (batch.obs, batch.logits) if at_hand else (batch.next_obs, batch.target_logits)
        with torch.no_grad():
            taught = actor_logits(self._weights, read, self._slots, ACTIVATIONS[h.activation])
        reuse = LOSSES[h.reuse_loss](taught, student)
        if h.reuse_scale == "order_of_magnitude":
            scaled = magnitude_scale(loss, reuse) * reuse
        else:
            scaled = reuse if h.reuse_scale == "none" else h.reuse_scale * reuse
        alpha = coefficients["alpha"]
        terms = {"reuse": reuse, "alpha": alpha.to(reuse.dtype).expand_as(reuse).contiguous()}
        return combined_loss(scaled, loss, alpha), terms


def knowru_maac(
    tasks: Sequence[Task],
    hyperparameters: specs.KnowRUMAAC,
    streams: Sequence[Streams],
    device: torch.device | str,
    *,
    dtype: torch.dtype = torch.float32,
) -> MAAC:
    """The `Learner`. At alpha = 0 it is MAAC to the last bit. Raises ValueError without a teacher."""
    reuse = MAACReuse(only(tasks), hyperparameters, like=torch.empty(0, device=device, dtype=dtype))
    return MAAC(tasks, hyperparameters, streams, device, objective=reuse, dtype=dtype)
