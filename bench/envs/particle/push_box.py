"""DVM's push box (Wadhwania et al. 2019, Sec. V-A.2): two agents must push a heavy box to a target together.

Axes: S seed, E environment copy, N = 2 agent, B = 3 body (the box, then the agents), L = 2 landmark (box, target);
O = 11 or 10, A = 5 discrete or 2 continuous.

Source: SamirW/multiagent-particle-envs 6419450, `scenarios/complex_push.py` and `core.py`. Its `randint(0, 2)` never
draws the third target; here it is drawn, as the paper says. The other candidate is dkkim93/multiagent-particle-envs
5290ab9. It has only the task on the left, so its other targets are taken from the first candidate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

import torch
from torch import Tensor

from bench.envs.particle.params import PushBoxParams
from bench.envs.particle.physics import (
    CONTACT_FORCE,
    CONTACT_MARGIN,
    DT,
    NO_GAP,
    SENSITIVITY,
    State,
    action_force,
    ordered_sum,
)
from bench.envs.particle.view import View, Viewer

AGENTS = 2
AGENT_RADIUS, BOX_RADIUS = 0.10, 0.25
LEAST_CONTACT = 0.005  # force along x: the box moves in a step only if each agent's force is at least this large
CLOCK = 100.0  # agents see the time as a share of this many steps
TARGETS = ((-0.85, 0.0), (0.85, 0.0), (-0.60, -0.60))  # left, right, third


@dataclass(frozen=True)
class Rules:
    """The rules in which the two candidates differ. An agent's mass is 1.

    damping: share of the velocity lost in a step. force: of a full action. box_mass. pressed: factor on the force of
    the box on an agent; the agent's force on the box is divided by it. most_acceleration: limit along each axis; 2.5
    leaves half of an agent's own force of 5. starts: where the agents begin; None: anywhere in [-1, 1]^2. clock:
    whether agents see the time.
    """

    damping: float
    force: float
    box_mass: float
    pressed: float
    most_acceleration: float
    starts: tuple[tuple[float, float], ...] | None
    clock: bool


RULES = {
    "6419450": Rules(0.14, 5.0, 2.0, 2.0, 2.5, None, True),
    "5290ab9": Rules(0.25, 2.0, 5.0, 1.0, inf, ((0.3, 0.3), (0.3, -0.3)), False),
}
CHOICES = {"left": (0,), "right": (1,), "third": (2,), "random": (0, 1, 2)}


class PushBox:
    """The scenario's start, view, move, observation and reward, as functions of the state.

    The box's velocity comes first. Landmarks are the box and the target. goal: the target's index.
    """

    def __init__(self, params: PushBoxParams, device: torch.device | str):
        self._params, self._rules = params, RULES[params.fork]
        self.shapes = {
            "positions": (AGENTS, 2),
            "velocities": (1 + AGENTS, 2),
            "landmarks": (2, 2),
            "goal": (),
            "clock": (),
        }
        self.opponents = 0
        self.view = Viewer(AGENTS, 2, device)

    def start(self, generators: Sequence[torch.Generator], copies: int) -> State:
        """Agents uniform in [-1, 1]^2, or at the rules' starts; the box in the middle; one of the targets; on CPU."""
        drawn = torch.stack([torch.rand(copies, 2 * AGENTS + 1, generator=g, dtype=torch.float64) for g in generators])
        positions = 2 * drawn[..., : 2 * AGENTS].unflatten(-1, (AGENTS, 2)) - 1
        if self._rules.starts is not None:
            positions = torch.tensor(self._rules.starts, dtype=torch.float64).expand_as(positions).clone()
        choices = torch.tensor(CHOICES[self._params.target])
        goal = choices[(drawn[..., -1] * len(choices)).long()]
        targets = torch.tensor(TARGETS, dtype=torch.float64)[goal]
        landmarks = torch.stack([torch.zeros_like(targets), targets], -2)
        velocities = torch.zeros(*positions.shape[:2], 1 + AGENTS, 2, dtype=torch.float64)
        return State(positions, velocities, landmarks, goal, clock=torch.zeros_like(drawn[..., 0]))

    def moved(self, actions: Tensor, state: State, view: View) -> State:
        """One step of actions [S, E, N, A]. Agents move first. Then the box moves if each of them still presses on it.

        Otherwise the box stays in place and keeps its velocity.
        """
        (box, target), rules = state.landmarks.unbind(-2), self._rules
        control = SENSITIVITY * actions if self._params.continuous else action_force(actions, "openai")
        of_other = contact(view.relative[..., 2, :], 2 * AGENT_RADIUS)
        of_box = contact(view.relative[..., 0, :], AGENT_RADIUS + BOX_RADIUS)
        force = rules.force / SENSITIVITY * control + of_other + rules.pressed * of_box
        agents = moved(state.velocities[..., 1:, :], force, rules)
        positions = state.positions + agents * DT
        pressed = -ordered_sum(of_box, dim=-2) / rules.pressed
        pushed = moved(state.velocities[..., 0, :], pressed / rules.box_mass, rules)
        touch = contact(box.unsqueeze(-2) - positions, AGENT_RADIUS + BOX_RADIUS)[..., 0].abs() >= LEAST_CONTACT
        moves = touch.all(-1, keepdim=True)
        velocity = torch.where(moves, pushed, state.velocities[..., 0, :])
        place = torch.where(moves, box + pushed * DT, box)
        assert state.clock is not None
        return replace(
            state,
            positions=positions,
            velocities=torch.cat([velocity.unsqueeze(-2), agents], -2),
            landmarks=torch.stack([place, target], -2),
            clock=state.clock + 1,
        )

    def observe(self, state: State, view: View) -> Tensor:
        """[own velocity 2, own position 2, box 2, target 2, the other agent 2, time], [S, E, N, 11]; relative.

        Without the time under some rules. The time is one step ahead, as in the source.
        """
        assert state.clock is not None
        time = ((state.clock + 1) / CLOCK)[..., None, None].expand(*view.relative.shape[:3], 1)
        seen = [state.velocities[..., 1:, :], state.positions, view.relative.flatten(-2)]
        return torch.cat([*seen, *[time] * self._rules.clock], dim=-1)

    def rewards(self, state: State, view: View) -> Tensor:
        """[S, E, N]: minus the squared distance of box and target, the same for both."""
        x2, y2 = (state.landmarks[..., 0, :] - state.landmarks[..., 1, :]).square().unbind(-1)
        return -(x2 + y2).unsqueeze(-1).expand(-1, -1, AGENTS)


def contact(relative: Tensor, reach: float) -> Tensor:
    """Force [..., 2] on a body from another at `relative`: 100 p, away from it; p as in `physics.contact_force`.

    Two bodies at exactly the same point do not push: there is no direction between them.
    """
    x2, y2 = relative.square().unbind(-1)
    distance = (x2 + y2).sqrt()
    depth = (reach - distance) / CONTACT_MARGIN
    softplus = depth.clamp_min(0.0) + depth.abs().neg().exp().log1p()
    return relative * (softplus * (-CONTACT_FORCE * CONTACT_MARGIN) / distance.clamp_min(NO_GAP)).unsqueeze(-1)


def moved(velocities: Tensor, acceleration: Tensor, rules: Rules) -> Tensor:
    """Velocities [..., 2] one step later."""
    most = rules.most_acceleration
    return velocities * (1 - rules.damping) + acceleration.clamp(-most, most) * DT
