"""MKT-MARL's hyperparameters. Torch-free."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from baselines.specs.base import Algorithm, Fraction, Network, Positive, TaskSizes, misfit
from baselines.specs.qmix_multi import MultiTask


class MKTMARL(MultiTask):
    """Mai et al. 2023."""

    distill_loss: Literal["kl"]
    distill_temperature: Positive  # eq. 3: divides the teacher's values
    # Eq. 3: its sum over steps and agents is divided by the number of agents' steps, of steps or of episodes, or not at
    # all, as printed (`baselines.mkt_marl.distillation_loss`). None: as loss_reduction says.
    distill_reduction: Literal["mean", "mean over steps", "mean over episodes", "sum"] | None = None
    lambda_start: Fraction  # eq. 6: weight of the TD loss in the first epoch
    lambda_end: Fraction  # and at the end of the annealing
    lambda_schedule: Literal["linear", "constant"]
    lambda_hold_share: Annotated[float, Field(ge=0, lt=1)]  # last share of the epochs, in which it stays at its end

    @model_validator(mode="after")
    def _is_constant_where_it_says_so(self) -> Self:
        if self.lambda_schedule == "constant" and self.lambda_start != self.lambda_end:
            ends = f"lambda_start = {self.lambda_start} and lambda_end = {self.lambda_end}"
            raise misfit(
                f'{ends} with lambda_schedule = "constant"', 'the same, or the schedule "linear"', "correct one of them"
            )
        return self

    def _networks(self, task: TaskSizes) -> tuple[Network, ...]:
        """The teacher's network also reads every batch."""
        team, *mixer = super()._networks(task)
        return team, *mixer, Network(team.weights, team.forward)


ALGORITHMS = {
    "mkt_marl": Algorithm(
        learner="baselines.mkt_marl:mkt_marl",
        version=1,
        hyperparameters=MKTMARL,
        teacher=True,
        losses=("td", "kl", "lambda"),
        several_tasks=True,
    ),
}
