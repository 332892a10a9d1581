"""DVM's spread by the rules of its authors' fork, one episode, in plain Python floats; shares nothing with our code."""

from __future__ import annotations

import math

from tests.envs.openai_reference import Episode, Vector, distance


class Corners(Episode):
    """An `Episode` whose observations are sorted by heading. joint: the reward is the paper's, else the code's own."""

    def __init__(self, positions: list[Vector], velocities: list[Vector], landmarks: list[Vector], joint: bool):
        super().__init__(positions, velocities, landmarks)
        self.joint, self.counter = joint, 0

    def force(self, i: int, action: Vector) -> Vector:
        if len(action) == 2:  # u = action, times 5
            action = [0.0, action[0], 0.0, action[1], 0.0]
        return super().force(i, action)

    def step(self, actions: list[Vector]) -> tuple[list[Vector], list[float]]:
        obs, _ = super().step(actions)
        rewards = [self.own_reward(i) for i in range(len(self.positions))]
        self.counter += 1  # after the observations, as the source's post_step_callback does
        return obs, rewards

    def own_reward(self, i: int) -> float:
        if not self.joint:
            return super().own_reward(i)
        return -sum(min(distance(agent, landmark) for agent in self.positions) for landmark in self.landmarks)

    def observation(self, i: int) -> Vector:
        x, y = self.positions[i]

        def seen(points: list[Vector]) -> Vector:
            relative = sorted(([p[0] - x, p[1] - y] for p in points), key=lambda p: math.atan2(p[1], p[0]))
            return [coordinate for p in relative for coordinate in p]

        others = [p for j, p in enumerate(self.positions) if j != i]
        found = self.velocities[i] + [x, y] + seen(self.landmarks) + seen(others) + [0.0, 0.0] * len(others)
        return found + [self.counter / 25] * (len(self.positions) == 2)

    def nearest(self) -> int:
        """The landmark nearest to the first agent."""
        gaps = [distance(self.positions[0], landmark) for landmark in self.landmarks]
        return gaps.index(min(gaps))
