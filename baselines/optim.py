"""Adam on stacked parameters, clipping and target updates, with no reduction over seeds or agents.

Axes: S seed, N agent. Every parameter and gradient leads with [S, N].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

ADAM_EPSILON = 1e-8  # TensorFlow 1's default, which openai/maddpg (3ceefa0) kept
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
    """One torch Adam for each group of seeds, on leaves that share the stacked parameters' memory.

    foreach, not fused: the fused step's float32 result depends on a number's place in its tensor, hence on a seed's
    companions. torch adds epsilon after the bias correction, TensorFlow 1 before it.
    """

    def __init__(self, parameters: Mapping[str, Tensor], groups: Sequence[slice], lr: float, grad_clip: float):
        self.groups = groups
        self.leaves = [{name: p[lanes].requires_grad_() for name, p in parameters.items()} for lanes in groups]
        self._adams = [
            torch.optim.Adam(list(leaves.values()), lr=lr, eps=ADAM_EPSILON, foreach=True) for leaves in self.leaves
        ]
        self._grad_clip = grad_clip

    def step(self, group: int, loss: Tensor) -> None:
        """One clipped Adam step of a group of seeds down `loss` [S, N]; no network appears in another's entry."""
        leaves = list(self.leaves[group].values())
        for leaf, gradient in zip(leaves, torch.autograd.grad(loss.sum(), leaves), strict=True):
            leaf.grad = clip_by_norm(gradient, self._grad_clip)
        self._adams[group].step()
        self._adams[group].zero_grad()

    def state(self) -> dict[str, Tensor]:
        """Copies of Adam's moments by parameter name, and "step" [S], float; all lead with [S]."""
        steps = []
        moments = {f"{moment}.{name}": [] for moment in MOMENTS for name in self.leaves[0]}
        for adam, leaves in zip(self._adams, self.leaves, strict=True):
            kept = [adam.state[leaf] for leaf in leaves.values()]
            lanes = next(iter(leaves.values())).shape[0]
            steps += [float(kept[0]["step"]) if kept[0] else 0.0] * lanes
            for moment in MOMENTS:
                for (name, leaf), state in zip(leaves.items(), kept, strict=True):
                    moments[f"{moment}.{name}"].append(state[moment] if state else torch.zeros_like(leaf))
        return {name: torch.cat(parts).detach() for name, parts in moments.items()} | {"step": torch.tensor(steps)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take up `state`, whatever grouping of seeds it was made under.

        Raises ValueError where seeds that share a group have taken different numbers of steps.
        """
        for lanes, adam, leaves in zip(self.groups, self._adams, self.leaves, strict=True):
            steps = state["step"][lanes].unique()
            if len(steps) != 1:
                raise ValueError(f"seeds in one group must have taken equally many Adam steps, got {steps.tolist()}")
            for name, leaf in leaves.items():
                moments = {moment: state[f"{moment}.{name}"][lanes].to(leaf, copy=True) for moment in MOMENTS}
                adam.state[leaf] = {"step": steps[0].to("cpu", torch.float32, copy=True)} | moments
