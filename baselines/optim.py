"""Adam on stacked parameters, clipping and target updates, with no reduction over seeds or agents.

Axes: S seed, N agent. Every parameter and gradient leads with [S, N].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

ADAM_EPSILON = 1e-8  # TensorFlow 1's default, which openai/maddpg (3ceefa0) kept
BETA1, BETA2 = 0.9, 0.999  # both libraries' defaults
MOMENTS = ("exp_avg", "exp_avg_sq")  # torch.optim.Adam's names


def clip_by_norm(gradient: Tensor, limit: float) -> Tensor:
    """Scale in place what exceeds the norm `limit`, for each seed and agent alone; contiguous, [S, N, ...].

    openai/maddpg clips each variable's gradient so (tf.clip_by_norm).
    """
    gradient = gradient.contiguous()
    norm = torch.linalg.vector_norm(gradient.flatten(2), dim=-1)
    factor = limit / norm.clamp(min=limit)
    return gradient.mul_(factor.view(*norm.shape, *(1,) * (gradient.dim() - 2)))


@torch.no_grad()
def soft_update(target: Mapping[str, Tensor], online: Mapping[str, Tensor], tau: float) -> None:
    """Target <- (1 - tau) target + tau online, in place."""
    for name, p in target.items():
        p.lerp_(online[name], tau)


class LaneAdam:
    """Adam for groups of seeds, on leaves that share the stacked parameters' memory.

    The operations of torch's foreach Adam in their order, so that the numbers are the same to the last bit, but for one
    step count a group: torch keeps a tensor for each parameter, and spent two thirds of a step's time on them. Not
    fused: the fused step's float32 result depends on a number's place in its tensor, hence on a seed's companions.
    torch adds epsilon after the bias correction, TensorFlow 1 before it.
    """

    def __init__(self, parameters: Mapping[str, Tensor], groups: Sequence[slice], lr: float, grad_clip: float):
        self.groups = groups
        self.leaves = [{name: p[lanes].requires_grad_() for name, p in parameters.items()} for lanes in groups]
        self._moments = {moment: {n: torch.zeros_like(p) for n, p in parameters.items()} for moment in MOMENTS}
        self._steps = [0 for _ in groups]
        self._lr, self._grad_clip = lr, grad_clip

    def step(self, group: int, loss: Tensor) -> None:
        """One clipped Adam step of a group of seeds down `loss` [S, N]; no network appears in another's entry."""
        leaves = list(self.leaves[group].values())
        gradients = [clip_by_norm(g, self._grad_clip) for g in torch.autograd.grad(loss.sum(), leaves)]
        self._steps[group] += 1
        self._descend(leaves, gradients, self.groups[group], self._steps[group])

    @torch.no_grad()
    def _descend(self, leaves: list[Tensor], gradients: list[Tensor], lanes: slice, step: int) -> None:
        mean_share, square_share = 1 - BETA1, 1 - BETA2
        size, root = -self._lr / (1 - BETA1**step), (1 - BETA2**step) ** 0.5
        means, squares = ([moment[lanes] for moment in self._moments[name].values()] for name in MOMENTS)
        for leaf, gradient, mean, square in zip(leaves, gradients, means, squares, strict=True):
            mean.lerp_(gradient, mean_share)
            square.mul_(BETA2).addcmul_(gradient, gradient, value=square_share)
            leaf.addcdiv_(mean, square.sqrt().div_(root).add_(ADAM_EPSILON), value=size)

    def state(self) -> dict[str, Tensor]:
        """Copies of Adam's moments by parameter name, and "step" [S], float; all lead with [S]."""
        lanes = [len(next(iter(leaves.values()))) for leaves in self.leaves]
        steps = [float(step) for step, count in zip(self._steps, lanes, strict=True) for _ in range(count)]
        moments = {f"{moment}.{n}": p.clone() for moment, named in self._moments.items() for n, p in named.items()}
        return moments | {"step": torch.tensor(steps)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take up `state`, whatever grouping of seeds it was made under.

        Raises ValueError where seeds that share a group have taken different numbers of steps.
        """
        for group, lanes in enumerate(self.groups):
            steps = state["step"][lanes].unique()
            if len(steps) != 1:
                raise ValueError(f"seeds in one group must have taken equally many Adam steps, got {steps.tolist()}")
            self._steps[group] = int(steps[0])
        for moment, named in self._moments.items():
            for name, p in named.items():
                p.copy_(state[f"{moment}.{name}"])
