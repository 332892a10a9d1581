"""Simple spread by OpenAI's rules (multiagent-particle-envs, 2017), one episode, in plain Python floats.

Written from the rules as an oracle, one agent and one pair at a time, sharing nothing with the batched code. Points
and velocities are [x, y] lists; an action is a vector of five numbers.
"""

from __future__ import annotations

import math

Vector = list[float]


def distance(a: Vector, b: Vector) -> float:
    return math.sqrt((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2)


def penetration(gap: float) -> float:
    """Soft overlap of two agents whose centres are `gap` apart; radii .15 + .15, softness .001."""
    z = (0.3 - gap) / 0.001
    return 0.001 * (z + math.log1p(math.exp(-z)) if z > 0 else math.log1p(math.exp(z)))


class Episode:
    """positions, velocities and landmarks of N agents; `step` returns (observations, rewards)."""

    def __init__(self, positions: list[Vector], velocities: list[Vector], landmarks: list[Vector]):
        self.positions = [list(p) for p in positions]
        self.velocities = [list(v) for v in velocities]
        self.landmarks = [list(p) for p in landmarks]

    def force(self, i: int, action: Vector) -> Vector:
        x, y = 5 * (action[1] - action[2]), 5 * (action[3] - action[4])
        for j, other in enumerate(self.positions):
            if j != i:
                gap = distance(self.positions[i], other)
                strength = 100 * penetration(gap)
                x += strength * (self.positions[i][0] - other[0]) / gap
                y += strength * (self.positions[i][1] - other[1]) / gap
        return [x, y]

    def step(self, actions: list[Vector]) -> tuple[list[Vector], list[float]]:
        forces = [self.force(i, action) for i, action in enumerate(actions)]
        for i, force in enumerate(forces):
            for axis in (0, 1):
                self.velocities[i][axis] = 0.75 * self.velocities[i][axis] + 0.1 * force[axis]
                self.positions[i][axis] += 0.1 * self.velocities[i][axis]
        agents = range(len(self.positions))
        return [self.observation(i) for i in agents], [sum(self.own_reward(i) for i in agents)] * len(agents)

    def own_reward(self, i: int) -> float:
        """Before the sum over the team. The agent is tested against itself too, and always collides with itself."""
        covered = sum(min(distance(agent, landmark) for agent in self.positions) for landmark in self.landmarks)
        return -covered - sum(distance(self.positions[i], other) < 0.3 for other in self.positions)

    def observation(self, i: int) -> Vector:
        own = self.positions[i]
        others = [p for j, p in enumerate(self.positions) if j != i]
        seen = [coordinate - own[axis] for p in self.landmarks + others for axis, coordinate in enumerate(p)]
        return self.velocities[i] + own + seen + [0.0, 0.0] * len(others)
