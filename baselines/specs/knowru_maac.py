"""KnowRU's hyperparameters on MAAC. Torch-free."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from baselines.specs.base import Algorithm, Fraction, Positive, TaskSizes, Work
from baselines.specs.maac import LOSSES, MAAC


class KnowRUMAAC(MAAC):
    """Gao et al. 2021, Sec. 4.4."""

    alpha_start: Fraction  # as KnowRU's on MADDPG
    alpha_end: Fraction
    anneal_fraction: Annotated[float, Field(gt=0, le=1)]
    reuse_loss: Literal["mse", "ce", "kl"]
    reuse_scale: Literal["none", "order_of_magnitude"] | Positive  # a number: factor on L_reuse
    teacher_view: Literal["same"]  # the teacher reads the same padded observation
    reuse_at: Literal["policy", "target_policy_next"]  # the logits that L_reuse compares; the code has the second

    def work(self, task: TaskSizes, episodes: int) -> Work:
        """The teachers' policies also make a forward pass on every batch."""
        found = super().work(task, episodes)
        policies, *others = found.networks
        return replace(found, networks=(replace(policies, forward=2 * policies.forward), *others))


ALGORITHMS = {
    "knowru_maac": Algorithm(
        learner="baselines.knowru_maac:knowru_maac",
        version=1,
        hyperparameters=KnowRUMAAC,
        teacher=True,
        losses=(*LOSSES, "reuse", "alpha"),
    )
}
