"""Adam on stacked parameters, clipping and target updates, without any reduction over seeds or agents.

Axes: S seed, N agent, P parameter tensor. Every parameter and gradient leads with [S, N], a team's with [S].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor

ADAM_EPSILON = 1e-8  # TensorFlow 1's default, which openai/maddpg (3ceefa0) kept
CLIP_EPSILON = 1e-6  # torch.nn.utils.clip_grad_norm_
BETA1, BETA2 = 0.9, 0.999  # both libraries' defaults
MOMENTS = ("exp_avg", "exp_avg_sq")  # torch.optim.Adam's names
Clipping = Literal["tensor", "network"]  # what a gradient's norm covers


def clip_by_norm(gradient: Tensor, limit: float) -> Tensor:
    """Scale a gradient above the norm `limit` down to it, in place, for each seed and agent alone. [S, N, ...].

    openai/maddpg clips each variable's gradient in this way (tf.clip_by_norm).
    """
    gradient = gradient.contiguous()
    norm = torch.linalg.vector_norm(gradient.flatten(2), dim=-1)
    factor = limit / norm.clamp(min=limit)
    return gradient.mul_(factor.view(*norm.shape, *(1,) * (gradient.dim() - 2)))


def clip_by_network(gradients: Sequence[Tensor], limit: float) -> list[Tensor]:
    """Scale in place all gradients of a seed's agent by one factor, limit / (norm + 1e-6) but at most 1; contiguous.

    Each gradient is [S, N, ...]. The norm is over all of them together, for each seed and agent alone, like
    torch.nn.utils.clip_grad_norm_ on each network, which KnowRU's code (b0c9817) calls.
    """
    gradients = [gradient.contiguous() for gradient in gradients]
    norms = torch.stack([torch.linalg.vector_norm(g.flatten(2), dim=-1) for g in gradients], -1)  # [S, N, P]
    norm = torch.linalg.vector_norm(norms, dim=-1)
    factor = (limit / (norm + CLIP_EPSILON)).clamp(max=1)
    return [g.mul_(factor.view(*norm.shape, *(1,) * (g.dim() - 2))) for g in gradients]


def clip_by_global_norm(gradients: Sequence[Tensor], limit: float) -> Tensor:
    """Scale in place all of a seed's gradients by one factor, limit / (norm + 1e-6) but at most 1. The norms [S].

    Each gradient is contiguous and leads with [S]. The norm is over all of them together, for each seed alone, like
    torch.nn.utils.clip_grad_norm_, which EPyMARL and PyMARL2 call.
    """
    norms = torch.stack([torch.linalg.vector_norm(g.flatten(1), dim=-1) for g in gradients], -1)  # [S, P]
    norm = torch.linalg.vector_norm(norms, dim=-1)
    factor = (limit / (norm + CLIP_EPSILON)).clamp(max=1)
    for gradient in gradients:
        gradient.mul_(factor.view(-1, *(1,) * (gradient.dim() - 1)))
    return norm


class StepCount:
    """Adam's step count, and the corrections for moments that start at zero.

    It is a Python number on the CPU. Elsewhere it is a float64 tensor on the device, which a captured graph reads at
    each replay.
    """

    def __init__(self, lr: float, device: torch.device, as_tensor: bool | None = None):
        as_tensor = device.type != "cpu" if as_tensor is None else as_tensor
        self._lr = lr
        self._steps: float | Tensor = torch.zeros((), dtype=torch.float64, device=device) if as_tensor else 0.0

    @property
    def done(self) -> float:
        """The count, read from the device for checkpoints."""
        return float(self._steps)

    @done.setter
    def done(self, steps: float) -> None:
        if isinstance(self._steps, Tensor):
            self._steps.fill_(steps)
        else:
            self._steps = steps

    def advance(self) -> tuple[float | Tensor, float | Tensor]:
        """Count a step. Returns the divisor of the second moment's root, and the negative step size."""
        self._steps += 1
        root, first = (1 - BETA2**self._steps) ** 0.5, 1 - BETA1**self._steps
        return root, -self._lr / first


@torch.no_grad()
def adam_step(
    leaf: Tensor, gradient: Tensor, mean: Tensor, square: Tensor, root: float | Tensor, size: float | Tensor
) -> None:
    """Adam's step of one tensor and its moments, in place: torch's foreach Adam, operation by operation.

    root, size: from `StepCount.advance`.
    """
    mean.lerp_(gradient, 1 - BETA1)
    square.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
    divisor = square.sqrt().div_(root).add_(ADAM_EPSILON)
    if isinstance(size, Tensor):  # addcdiv_ would read it from the device
        leaf.add_(mean.div(divisor).mul_(size))
    else:
        leaf.addcdiv_(mean, divisor, value=size)


@torch.no_grad()
def soft_update(target: Mapping[str, Tensor], online: Mapping[str, Tensor], tau: float) -> None:
    """Target <- (1 - tau) target + tau online, in place."""
    for name, p in target.items():
        p.lerp_(online[name], tau)


def same_in_all(counts: Tensor, counted: str) -> int:
    """The number that all seeds share in counts [S]. Raises ValueError if they differ."""
    found = counts.unique()
    if len(found) != 1:
        raise ValueError(f"{counted}: got {found.tolist()}; allowed: the same number for all seeds of a group")
    return int(found[0])


class LaneAdam:
    """Adam for groups of seeds, on leaves that share the stacked parameters' memory.

    The operations and their order are those of torch's foreach Adam, so the numbers are the same to the last bit. The
    only difference is one step count per group: torch keeps a tensor for each parameter, and spent two thirds of a
    step's time on them. It is not fused, since the fused step's float32 result depends on a number's place in its
    tensor, and so on the other seeds. torch adds epsilon after the bias correction, TensorFlow 1 before it.
    """

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        groups: Sequence[slice],
        lr: float,
        grad_clip: float | None,
        steps_as_tensors: bool | None = None,
        clipping: Clipping = "tensor",
    ):
        """clipping: "tensor" uses `clip_by_norm`, "network" `clip_by_network`; without a grad_clip neither is used."""
        self.groups = groups
        self.leaves = [{name: p[lanes].requires_grad_() for name, p in parameters.items()} for lanes in groups]
        self._moments = {moment: {n: torch.zeros_like(p) for n, p in parameters.items()} for moment in MOMENTS}
        device = next(iter(parameters.values())).device
        self._steps = [StepCount(lr, device, steps_as_tensors) for _ in groups]
        self._grad_clip, self._clipping = grad_clip, clipping

    def step(self, group: int, loss: Tensor) -> None:
        """One clipped Adam step of a group of seeds down `loss` [S, N]. Each entry depends only on its own network."""
        leaves = list(self.leaves[group].values())
        gradients = self._clipped(torch.autograd.grad(loss.sum(), leaves))
        corrections = self._steps[group].advance()
        means, squares = ([p[self.groups[group]] for p in self._moments[name].values()] for name in MOMENTS)
        for tensors in zip(leaves, gradients, means, squares, strict=True):
            adam_step(*tensors, *corrections)

    def _clipped(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        if self._grad_clip is None:
            return [gradient.contiguous() for gradient in gradients]
        if self._clipping == "network":
            return clip_by_network(gradients, self._grad_clip)
        return [clip_by_norm(gradient, self._grad_clip) for gradient in gradients]

    def state(self) -> dict[str, Tensor]:
        """Copies of Adam's moments by parameter name, and "step" [S], float; all lead with [S]."""
        lanes = [len(next(iter(leaves.values()))) for leaves in self.leaves]
        steps = [step.done for step, count in zip(self._steps, lanes, strict=True) for _ in range(count)]
        moments = {f"{moment}.{n}": p.clone() for moment, named in self._moments.items() for n, p in named.items()}
        return moments | {"step": torch.tensor(steps)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore `state`, made under any grouping of seeds.

        Raises ValueError if seeds that share a group have taken different numbers of steps.
        """
        for group, lanes in enumerate(self.groups):
            self._steps[group].done = same_in_all(state["step"][lanes], "Adam steps")
        for moment, named in self._moments.items():
            for name, p in named.items():
                p.copy_(state[f"{moment}.{name}"])


def by_call(parameters: Mapping[str, Tensor], networks: int) -> list[dict[str, Tensor]]:
    """Parameters [S, M K, ...] of K networks per lane -> views [C K, ...], one per call: a lane on a CPU, else all."""
    first = next(iter(parameters.values()))
    if first.device.type != "cpu":
        return [{name: p.view(-1, *p.shape[2:]) for name, p in parameters.items()}]
    places = [(s, m) for s in range(len(first)) for m in range(0, first.shape[1], networks)]
    return [{name: p[s, m : m + networks] for name, p in parameters.items()} for s, m in places]


class FusedAdam:
    """torch's fused Adam on S x M lanes of K networks, by the calls of `by_call`.

    It makes one pass over memory; `LaneAdam` makes eight. Its float32 result depends on a number's place in its tensor.
    Each lane has its own tensors, so its numbers do not depend on other lanes.
    """

    def __init__(self, parameters: Mapping[str, Tensor], networks: int, lr: float, apart: bool = False):
        """parameters: as for `LaneAdam`. apart: whether lanes have their own step counts and step sizes."""
        self._networks, self._apart = networks, apart
        self._moments = {moment: {n: torch.zeros_like(p) for n, p in parameters.items()} for moment in MOMENTS}
        tensors = [by_call(x, networks) for x in (parameters, *self._moments.values())]
        first = next(iter(parameters.values()))
        self._shape = len(first), first.shape[1] // networks
        self._calls = [[list(named.values()) for named in call] for call in zip(*tensors, strict=True)]
        counts = self._shape[0] * self._shape[1] if apart else 1
        self._steps = [torch.zeros((), device=first.device) for _ in range(counts)]  # float32: exact to 2^24
        own = first.device.type != "cpu"  # tensors, which a captured graph reads at each replay
        self._lrs = [torch.tensor(lr, device=first.device) if own else lr for _ in range(counts)]

    @torch.no_grad()
    def step(self, call: int, gradients: Sequence[Tensor]) -> None:
        """One step of a call's lanes; calls come in order. gradients: in the parameters' order, contiguous."""
        if call == 0:
            for step in self._steps:
                step += 1
        tensors = [*self._calls[call][:1], gradients, *self._calls[call][1:]]
        if not self._apart:
            self._fused(0, tensors)
            return
        each = len(self._steps) // len(self._calls)
        for n in range(each):
            part = slice(n * self._networks, (n + 1) * self._networks)
            self._fused(call * each + n, [[p[part] for p in own] for own in tensors])

    def _fused(self, n: int, tensors: Sequence[Sequence[Tensor]]) -> None:
        """tensors: parameters, gradients, moments."""
        torch.ops.aten._fused_adam_(  # what torch.optim.Adam(fused=True) calls
            *map(list, tensors),
            max_exp_avg_sqs=[],
            state_steps=[self._steps[n]] * len(tensors[0]),
            lr=self._lrs[n],
            beta1=BETA1,
            beta2=BETA2,
            weight_decay=0.0,
            eps=ADAM_EPSILON,
            amsgrad=False,
            maximize=False,
        )

    def state(self) -> dict[str, Tensor]:
        """Copies of the moments, by parameter name, and "step" [S], float; apart: "step" and "lr" [S, M K], double."""
        moments = {f"{moment}.{n}": p.clone() for moment, named in self._moments.items() for n, p in named.items()}
        steps = [step.item() for step in self._steps]
        if not self._apart:
            return moments | {"step": torch.full(self._shape[:1], steps[0])}
        own = (torch.tensor([*map(float, x)], dtype=torch.float64).view(self._shape) for x in (steps, self._lrs))
        return moments | {n: x.repeat_interleave(self._networks, 1) for n, x in zip(("step", "lr"), own, strict=True)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore `state`. Raises ValueError if seeds that share a count have taken different numbers of steps."""
        if self._apart:
            steps, lrs = (state[name][:, :: self._networks].flatten().tolist() for name in ("step", "lr"))
            for n, lr in enumerate(lrs):
                self._lrs[n] = own.fill_(lr) if isinstance(own := self._lrs[n], Tensor) else lr
        else:
            steps = [same_in_all(state["step"], "Adam steps")]
        for step, taken in zip(self._steps, steps, strict=True):
            step.fill_(taken)
        for moment, named in self._moments.items():
            for name, p in named.items():
                p.copy_(state[f"{moment}.{name}"])


class TeamAdam:
    """Adam for S teams: all of a team's networks make one step under one gradient norm.

    Parameters that a loss does not reach (the other tasks' layers) do not change, nor do their moments, and each tensor
    counts its own steps, like torch.optim.Adam after zero_grad(set_to_none=True). Leaves share the stacked parameters'
    memory.
    """

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        lr: float,
        grad_clip: float | None,
        steps_as_tensors: bool | None = None,
        weight_decay: float = 0.0,
        shares: Mapping[str, float] = MappingProxyType({}),
    ):
        """shares: factors on gradients, before clipping. weight_decay: torch.optim.Adam's."""
        self.leaves = {name: p.detach().requires_grad_() for name, p in parameters.items()}
        self._moments = {moment: {n: torch.zeros_like(p) for n, p in parameters.items()} for moment in MOMENTS}
        self._steps = {name: StepCount(lr, p.device, steps_as_tensors) for name, p in parameters.items()}
        self._grad_clip, self._weight_decay, self._shares = grad_clip, weight_decay, shares

    def step(self, loss: Tensor) -> None:
        """One step down `loss` [S]. Each entry must depend only on its own team."""
        found = torch.autograd.grad(loss.sum(), list(self.leaves.values()), allow_unused=True)
        gradients = {n: g.contiguous() for n, g in zip(self.leaves, found, strict=True) if g is not None}
        for name, share in self._shares.items():
            gradients[name].mul_(share)
        if self._grad_clip is not None:
            clip_by_global_norm(list(gradients.values()), self._grad_clip)
        if self._weight_decay:
            gradients = {n: g.add_(self.leaves[n].detach(), alpha=self._weight_decay) for n, g in gradients.items()}
        means, squares = (self._moments[moment] for moment in MOMENTS)
        for name, gradient in gradients.items():
            adam_step(self.leaves[name], gradient, means[name], squares[name], *self._steps[name].advance())

    def state(self) -> dict[str, Tensor]:
        """Copies of the moments and "step.*" [S], float, by parameter name; all lead with [S]."""
        moments = {f"{moment}.{n}": p.clone() for moment, named in self._moments.items() for n, p in named.items()}
        steps = {f"step.{n}": torch.full((len(p),), self._steps[n].done) for n, p in self.leaves.items()}
        return moments | steps

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore `state`. Raises ValueError if seeds have taken different numbers of steps."""
        for name, steps in self._steps.items():
            steps.done = same_in_all(state[f"step.{name}"], "Adam steps")
        for moment, named in self._moments.items():
            for name, p in named.items():
                p.copy_(state[f"{moment}.{name}"])
