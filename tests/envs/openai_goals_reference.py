"""The scenarios with a goal by OpenAI's rules (multiagent-particle-envs, 2017), one episode, in plain Python floats.

Written from the rules as an oracle, one agent and one pair at a time, sharing nothing with the batched code. Points
and velocities are [x, y] lists; an action is a vector of numbers, as that code takes it.
"""

from __future__ import annotations

from math import exp, log1p

from tests.envs.openai_reference import Vector, distance

CONTACT, MARGIN = 100.0, 0.001


class Episode:
    """positions and velocities of all agents, landmarks, the goal's index; `step` returns (observations, rewards)."""

    reach = 0.0  # distance at which two agents touch; 0 where they do not collide

    def __init__(self, positions: list[Vector], velocities: list[Vector], landmarks: list[Vector], goal: int):
        self.positions = [list(p) for p in positions]
        self.velocities = [list(v) for v in velocities]
        self.landmarks, self.goal = landmarks, goal
        self.said = [0.0, 0.0, 0.0]

    def step(self, actions: list[Vector]) -> tuple[list[Vector], list[float]]:
        forces = [self.force(i, action) for i, action in enumerate(actions)]
        for i, force in enumerate(forces):
            for axis in (0, 1):
                if self.moves(i):
                    self.velocities[i][axis] = 0.75 * self.velocities[i][axis] + 0.1 * force[axis]
                    self.positions[i][axis] += 0.1 * self.velocities[i][axis]
        self.said = list(actions[0][:3])
        agents = range(len(self.positions))
        return [self.observation(i) for i in agents], [self.reward(i) for i in agents]

    def force(self, i: int, action: Vector) -> Vector:
        x, y = 5 * (action[1] - action[2]), 5 * (action[3] - action[4])
        for j, other in enumerate(self.positions):
            if j != i and self.reach:
                gap = distance(self.positions[i], other)
                strength = CONTACT * self.penetration(gap)
                x += strength * (self.positions[i][0] - other[0]) / gap
                y += strength * (self.positions[i][1] - other[1]) / gap
        return [x, y]

    def penetration(self, gap: float) -> float:
        z = (self.reach - gap) / MARGIN
        return MARGIN * (z + log1p(exp(-z)) if z > 0 else log1p(exp(z)))

    def moves(self, i: int) -> bool:
        return True

    def to(self, i: int, point: Vector) -> Vector:
        return [point[0] - self.positions[i][0], point[1] - self.positions[i][1]]

    def to_all(self, i: int) -> Vector:
        """Landmarks, then other agents."""
        others = [p for j, p in enumerate(self.positions) if j != i]
        return [x for point in [*self.landmarks, *others] for x in self.to(i, point)]

    def far(self, i: int) -> float:
        return distance(self.positions[i], self.landmarks[self.goal])

    def observation(self, i: int) -> Vector:
        raise NotImplementedError

    def reward(self, i: int) -> float:
        raise NotImplementedError


class SpeakerListener(Episode):
    def moves(self, i: int) -> bool:
        return i == 1

    def observation(self, i: int) -> Vector:
        if i == 0:
            return [0.65 if colour == self.goal else 0.15 for colour in range(3)]
        return [*self.velocities[1], *(x for landmark in self.landmarks for x in self.to(1, landmark)), *self.said]

    def reward(self, i: int) -> float:
        """Shared: each agent gets the sum of both agents' rewards, which are equal."""
        return 2 * -(self.far(1) ** 2)


class Push(Episode):
    reach = 0.1

    def observation(self, i: int) -> Vector:
        if i == 0:
            return self.velocities[0] + self.to_all(0)
        colour = [0.25, 0.25 + 0.5 * (self.goal == 0), 0.25 + 0.5 * (self.goal == 1)]
        landmarks, other = self.to_all(1)[:4], self.to_all(1)[4:]
        colours = [0.1, 0.9, 0.1, 0.1, 0.1, 0.9]
        return self.velocities[1] + self.to(1, self.landmarks[self.goal]) + colour + landmarks + colours + other

    def reward(self, i: int) -> float:
        return -self.far(1) if i == 1 else self.far(1) - self.far(0)


class Adversary(Episode):
    """One adversary first, then two good agents, unless `adversaries` says otherwise."""

    adversaries = 1

    def observation(self, i: int) -> Vector:
        return self.to_all(i) if i < self.adversaries else self.to(i, self.landmarks[self.goal]) + self.to_all(i)

    def reward(self, i: int) -> float:
        if i < self.adversaries:
            return -(self.far(i) ** 2)
        near = min(self.far(j) for j in range(self.adversaries, len(self.positions)))
        return sum(self.far(j) for j in range(self.adversaries)) - near


class TwoAdversaries(Adversary):
    adversaries = 2
