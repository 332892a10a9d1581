"""DVM's push box by the rules of its author's fork, in plain Python floats; shares nothing with our code."""

from __future__ import annotations

import math

from tests.envs.openai_reference import Vector, distance


def push(a: Vector, b: Vector, reach: float) -> Vector:
    """Force on a from b before masses: 100 times the soft penetration, along the line between them."""
    gap = distance(a, b)
    z = (reach - gap) / 0.001
    strength = 100 * 0.001 * (z + math.log1p(math.exp(-z)) if z > 0 else math.log1p(math.exp(z)))
    return [strength * (a[0] - b[0]) / gap, strength * (a[1] - b[1]) / gap]


def clipped(x: float) -> float:
    return max(-2.5, min(2.5, x))


class February:
    """The other candidate (dkkim93's fork, 5290ab9), by its own sums: 2 agents, a box of mass 5, no clip, no clock."""

    def __init__(
        self, positions: list[Vector], velocities: list[Vector], box: Vector, box_velocity: Vector, target: Vector
    ):
        self.bodies = [[*p] for p in (*positions, box)]
        self.speeds = [[*v] for v in (*velocities, box_velocity)]
        self.target, self.sizes, self.masses = target, (0.1, 0.1, 0.25), (1.0, 1.0, 5.0)

    def step(self, actions: list[Vector]) -> tuple[list[Vector], list[float]]:
        forces = [[2 * (a[1] - a[2]), 2 * (a[3] - a[4])] if len(a) == 5 else [2 * a[0], 2 * a[1]] for a in actions]
        forces.append([0.0, 0.0])
        for a, b in ((0, 1), (0, 2), (1, 2)):
            met = push(self.bodies[a], self.bodies[b], self.sizes[a] + self.sizes[b])
            for axis in (0, 1):
                forces[a][axis] += met[axis]
                forces[b][axis] -= met[axis]
        for i in (0, 1, 2):
            pressing = [push(self.bodies[k], self.bodies[2], 0.35)[0] for k in (0, 1)]
            if i == 2 and min(map(abs, pressing)) < 0.005:
                continue
            for axis in (0, 1):
                self.speeds[i][axis] = 0.75 * self.speeds[i][axis] + forces[i][axis] / self.masses[i] * 0.1
                self.bodies[i][axis] += 0.1 * self.speeds[i][axis]
        reward = -sum((b - t) ** 2 for b, t in zip(self.bodies[2], self.target, strict=True))
        return [self.observation(i) for i in (0, 1)], [reward, reward]

    def observation(self, i: int) -> Vector:
        own = self.bodies[i]
        seen = [p[axis] - own[axis] for p in (self.bodies[2], self.target, self.bodies[1 - i]) for axis in (0, 1)]
        return self.speeds[i] + own + seen


class PushBox:
    """2 agents, the box, its velocity, the target; `step` gives observations and rewards."""

    def __init__(
        self, positions: list[Vector], velocities: list[Vector], box: Vector, box_velocity: Vector, target: Vector
    ):
        self.positions, self.velocities = [list(p) for p in positions], [list(v) for v in velocities]
        self.box, self.box_velocity, self.target = list(box), list(box_velocity), list(target)
        self.timestep = 1
        self.box_moved = False

    def step(self, actions: list[Vector]) -> tuple[list[Vector], list[float]]:
        forces, on_box = [], [0.0, 0.0]
        for i, action in enumerate(actions):
            x, y = action if len(action) == 2 else (action[1] - action[2], action[3] - action[4])
            other, box = push(self.positions[i], self.positions[1 - i], 0.2), push(self.positions[i], self.box, 0.35)
            forces.append([5 * x + other[0] + 2 * box[0], 5 * y + other[1] + 2 * box[1]])
            on_box = [on_box[0] - box[0] / 2, on_box[1] - box[1] / 2]
        for i, force in enumerate(forces):
            for axis in (0, 1):
                self.velocities[i][axis] = 0.86 * self.velocities[i][axis] + 0.1 * clipped(force[axis])
                self.positions[i][axis] += 0.1 * self.velocities[i][axis]
        self.box_moved = all(abs(push(p, self.box, 0.35)[0]) >= 0.005 for p in self.positions)
        if self.box_moved:
            for axis in (0, 1):
                self.box_velocity[axis] = 0.86 * self.box_velocity[axis] + 0.1 * clipped(on_box[axis] / 2)
                self.box[axis] += 0.1 * self.box_velocity[axis]
        self.timestep += 1
        reward = -sum((b - t) ** 2 for b, t in zip(self.box, self.target, strict=True))
        return [self.observation(i) for i in (0, 1)], [reward, reward]

    def observation(self, i: int) -> Vector:
        own = self.positions[i]
        seen = [p[axis] - own[axis] for p in (self.box, self.target, self.positions[1 - i]) for axis in (0, 1)]
        return self.velocities[i] + own + seen + [self.timestep / 100]
