"""How particles move: control and contact forces, and two ways to integrate them.

Axes: S seed, E environment copy, N agent (all that move, ours or not), L landmark, K other agent (N - 1), C symbol. The
last axis of a vector is x, y.
Units: the arena's own (agents start in [-1, 1]^2), steps of DT, mass 1; no walls and no top speed.

A seed's numbers must not depend on its place in the batch, to the last bit. So nothing here uses an operation whose
rounding depends on the place: no `sum` (its order follows shape and position; `ordered_sum` does not), and no
`softplus`, `logaddexp` or `hypot` (torch rounds the tail of a tensor by another routine than its body).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.envs.particle.params import Dynamics

# The constants of `World` and `MultiAgentEnv` in multiagent-particle-envs and of mpe2 1.1.1, which agree on all.
DT = 0.1
DAMPING = 0.25  # share of the velocity lost in a step
CONTACT_FORCE = 100.0  # force per unit of penetration
CONTACT_MARGIN = 1e-3  # how softly contact begins, a length
SENSITIVITY = 5.0  # force of a full action
NO_GAP = 1e-150  # replaces a zero distance in a denominator: near the root of the least positive float64


@dataclass(frozen=True)
class State:
    """The state of the world: positions and velocities [S, E, N, 2] of agents, landmarks [S, E, L, 2], all float64.

    goal: index of the goal landmark, int64 [S, E], in scenarios with a goal. messages: those of the last step, float64
    [S, E, C], in scenarios with a speaker. clock: steps played, float64 [S, E], if they matter. types [S, E, L], held
    [S, E, N], int64: types of treasures and of carried treasures, see collect_treasure.py.
    """

    positions: Tensor
    velocities: Tensor
    landmarks: Tensor
    goal: Tensor | None = None
    messages: Tensor | None = None
    clock: Tensor | None = None
    types: Tensor | None = None
    held: Tensor | None = None

    def on(self, device: torch.device, copy: bool = False) -> State:
        """The same state on a device, outside of any graph."""

        def moved(x: Tensor) -> Tensor:
            return x.detach().to(device, torch.float64, copy=copy)

        def moved_or_none(x: Tensor | None, whole: bool = False) -> Tensor | None:
            return None if x is None else x.detach().to(device, torch.int64 if whole else torch.float64, copy=copy)

        return State(
            moved(self.positions),
            moved(self.velocities),
            moved(self.landmarks),
            moved_or_none(self.goal, whole=True),
            moved_or_none(self.messages),
            moved_or_none(self.clock),
            moved_or_none(self.types, whole=True),
            moved_or_none(self.held, whole=True),
        )


def ordered_sum(x: Tensor, dim: int) -> Tensor:
    """Sum over `dim` from first to last (on the CPU): no row's rounding depends on the rows beside it."""
    if x.shape[dim] == 0:
        return x.sum(dim)
    return x.cumsum(dim).select(dim, -1)


def action_force(actions: Tensor, dynamics: Dynamics) -> Tensor:
    """Force of an action [..., 5] = (nothing, 1, 2, 3, 4), one-hot or soft: [..., 2].

    openai: 5 (a1 - a2, a3 - a4), which is how multiagent-particle-envs reads action vectors (its default input). mpe2
    has the opposite signs.
    """
    push = actions[..., 1::2] - actions[..., 2::2]
    return push * (SENSITIVITY if dynamics == "openai" else -SENSITIVITY)


def capped(push: Tensor) -> Tensor:
    """The same direction with |x| + |y| at most 1, which one action can produce. [..., 2]."""
    return push / ordered_sum(push.abs(), dim=-1).unsqueeze(-1).clamp_min(1.0)


def soft_actions(push: Tensor, dynamics: Dynamics) -> Tensor:
    """Action vectors [..., 5] whose force is SENSITIVITY * push, from push [..., 2] with |x| + |y| <= 1."""
    towards_first = push if dynamics == "openai" else -push  # actions 1 and 3 push to + in openai, to - in mpe2
    first, second = towards_first.clamp_min(0.0), (-towards_first).clamp_min(0.0)
    moves = torch.stack([first, second], dim=-1).flatten(-2)
    return torch.cat([1 - ordered_sum(moves, dim=-1).unsqueeze(-1), moves], dim=-1)


def contact_force(relative: Tensor, distance: Tensor, reach: float) -> Tensor:
    """Force on each agent from all others, 100 p along the line between them: [..., N, 2].

    relative [..., N, K, 2]: the others' positions minus one's own. distance [..., N, K]. reach: the distance at which
    two agents touch. Penetration p = margin * log(1 + exp((reach - distance) / margin)). Two agents at exactly the same
    point have no direction between them and do not push (both originals divide zero by zero there).
    """
    depth = (reach - distance).div_(CONTACT_MARGIN)
    softplus = depth.clamp_min(0.0).add_(depth.abs_().neg_().exp_().log1p_())
    away = softplus.mul_(-CONTACT_FORCE * CONTACT_MARGIN).div_(distance.clamp_min(NO_GAP))
    return ordered_sum(relative * away.unsqueeze(-1), dim=-2)


def integrate(positions: Tensor, velocities: Tensor, force: Tensor, dynamics: Dynamics) -> tuple[Tensor, Tensor]:
    """Positions and velocities [..., N, 2] one step later.

    Both orders set v' = (1 - damping) v + force dt. openai moves by the new velocity, x' = x + v' dt; mpe2 moves by
    the old one, x' = x + v dt.
    """
    moved = (velocities * (1 - DAMPING)).add_(force * DT)
    return positions + (moved if dynamics == "openai" else velocities) * DT, moved
