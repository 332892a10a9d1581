"""Treasure collection by the rules of MAAC's scenario and its fork of MPE, in plain Python floats, one episode.

Written from the rules as an oracle, one agent and one pair at a time, sharing nothing with the batched code.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.envs.openai_reference import Vector, distance

FAR = [-999.0, -999.0]
Birth = Callable[[int], list[tuple[Vector, int]]]  # so many: places and types


@dataclass
class Agent:
    place: Vector
    bank: int | None = None  # its number, if it is one
    holds: int | None = None
    velocity: Vector = field(default_factory=lambda: [0.0, 0.0])

    @property
    def radius(self) -> float:
        return 0.05 if self.bank is None else 0.075

    @property
    def mass(self) -> float:
        return 1.0 if self.bank is None else 2.25


@dataclass
class Treasure:
    place: Vector
    kind: int
    alive: bool = True


def push(a: Agent, b: Agent) -> Vector:
    """Force on a from b before masses: 100 times the soft penetration, along the line between them."""
    gap = distance(a.place, b.place)
    z = (a.radius + b.radius - gap) / 0.001
    strength = 100 * 0.001 * (z + math.log1p(math.exp(-z)) if z > 0 else math.log1p(math.exp(z)))
    return [strength * (a.place[k] - b.place[k]) / gap for k in (0, 1)]


class Episode:
    """agents: collectors, then banks. births: the new treasures, requested once a step, in index order."""

    def __init__(self, agents: list[Agent], treasures: list[Treasure], births: Birth):
        self.agents, self.treasures, self.births = agents, treasures, births
        self.collectors = [a for a in agents if a.bank is None]
        self.banks = [a for a in agents if a.bank is not None]
        self.fastest = 0.0  # before the top speed bound

    def step(self, actions: list[Vector]) -> tuple[list[Vector], list[float]]:
        """Observations and rewards; taking, bringing and births follow after these are read."""
        forces = []
        for a, act in zip(self.agents, actions, strict=True):
            force = [2.25 * a.mass * (act[1] - act[2]), 2.25 * a.mass * (act[3] - act[4])]
            for b in self.agents:
                if b is not a:
                    force = [f + b.mass / a.mass * p for f, p in zip(force, push(a, b), strict=True)]
            forces.append(force)
        for a, force in zip(self.agents, forces, strict=True):
            a.velocity = [0.75 * v + 0.1 * f / a.mass for v, f in zip(a.velocity, force, strict=True)]
            speed = math.hypot(*a.velocity)
            self.fastest = max(self.fastest, speed)
            if speed > 1:
                a.velocity = [v / speed for v in a.velocity]
            a.place = [p + 0.1 * v for p, v in zip(a.place, a.velocity, strict=True)]
        found = self.observations(), [self.reward(a) for a in self.agents]
        self.settle()
        return found

    def settle(self) -> None:
        gaps = {(id(a), id(t)): distance(a.place, t.place) for a in self.collectors for t in self.treasures}
        dead = [t for t in self.treasures if not t.alive]
        for t in self.treasures:
            if t.alive:
                for a in self.collectors:
                    if a.holds is None and gaps[id(a), id(t)] < 0.075:
                        a.holds, t.alive, t.place = t.kind, False, list(FAR)
                        break
        for t, (place, kind) in zip(dead, self.births(len(dead)), strict=True):
            t.place, t.kind, t.alive = place, kind, True
        for a in self.collectors:
            for b in self.banks:
                if a.holds == b.bank and distance(a.place, b.place) < 0.125:
                    a.holds = None

    def reward(self, agent: Agent) -> float:
        total = 0.0
        for a in self.collectors:
            total += 5 * sum(a.holds is None and distance(a.place, t.place) < 0.075 for t in self.treasures)
            total += 5 * sum(a.holds == b.bank and distance(a.place, b.place) < 0.125 for b in self.banks)
        if agent.bank is None:
            total -= 5 * sum(a is not agent and distance(a.place, agent.place) < 0.1 for a in self.collectors)
            goals = self.treasures if agent.holds is None else [b for b in self.banks if b.bank == agent.holds]
            return total - 0.1 * min(distance(agent.place, g.place) for g in goals)
        carriers = [a for a in self.collectors if a.holds == agent.bank]
        if carriers:
            return total - 0.1 * min(distance(agent.place, a.place) for a in carriers)
        near = sorted(self.collectors, key=lambda a: distance(agent.place, a.place))[:7]
        way = [sum(a.place[k] - agent.place[k] for a in near) / len(near) for k in (0, 1)]
        return total - 0.1 * math.hypot(*way)

    def observations(self) -> list[Vector]:
        return [self.observation(a) for a in self.agents]

    def observation(self, agent: Agent) -> Vector:
        def among(number: int | None) -> Vector:
            return [float(b.bank == number) for b in self.banks]

        seen = agent.place + agent.velocity + (among(agent.holds) if agent.bank is None else [])
        others = sorted((a for a in self.agents if a is not agent), key=lambda a: distance(agent.place, a.place))
        for a in others[:7]:
            seen = seen + [a.place[k] - agent.place[k] for k in (0, 1)] + a.velocity
            seen += among(a.bank) + among(a.holds)
        for t in sorted(self.treasures, key=lambda t: distance(agent.place, t.place))[:7]:
            seen = seen + [t.place[k] - agent.place[k] for k in (0, 1)] + among(t.kind)
        return seen
