"""Cooperative treasure collection (Iqbal and Sha 2019): collectors take treasures to the bank of their colour.

Axes: S seed, E environment copy, C collector, B bank, N = C + B agent (collectors first), L treasure, K = N - 1 other
agent; A = 5.

Source: shariqiqbal2810/MAAC 6174a01, `envs/mpe_scenarios/fullobs_collect_treasure.py`, and its fork of
multiagent-particle-envs. A step has three parts. First, what was touched after the last step is taken, delivered or
placed again. Then everybody moves. Then rewards and observations are computed. The source takes and delivers right
after it has computed them, which is equivalent; our order makes the state equal to what was seen. Nothing is taken
before the first move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import one_hot, pad

from bench.envs.particle.params import CollectTreasureParams
from bench.envs.particle.physics import (
    CONTACT_FORCE,
    CONTACT_MARGIN,
    DAMPING,
    DT,
    NO_GAP,
    SENSITIVITY,
    State,
    action_force,
    ordered_sum,
)
from bench.envs.particle.view import View, Viewer

COLLECTOR, BANK, TREASURE = 0.05, 0.075, 0.025  # radii
MASSES = 1.0, 2.25  # of a collector, of a bank
ACCELERATION = 1.5**2  # of a full push: the source multiplies twice by an agent's 1.5, and the mass cancels
TOP_SPEED = 1.0
START, BIRTH = 1.0, 0.95  # agents start, and treasures appear, within this distance of the middle along each axis
AWAY = -999.0  # both coordinates of a taken treasure until it appears again
BONUS, COLLISION, SHAPING = 5.0, 5.0, 0.1


class CollectTreasure:
    """The scenario's start, view, move, observation and reward, as functions of the state.

    State: types [S, E, L], the bank of each treasure; held [S, E, C], the bank of the treasure that a collector
    carries, -1 if it carries none.
    """

    def __init__(self, params: CollectTreasureParams, device: torch.device | str):
        self.agents, self._params = params.collectors + params.banks, params
        collectors, banks = params.collectors, params.banks
        self.shapes = {
            "positions": (self.agents, 2),
            "velocities": (self.agents, 2),
            "landmarks": (params.treasures, 2),
            "clock": (),
            "types": (params.treasures,),
            "held": (collectors,),
        }
        self.opponents = 0
        self.view = Viewer(self.agents, params.treasures, device)
        others = [[j for j in range(self.agents) if j != i] for i in range(self.agents)]
        self._others = torch.tensor(others, device=device)
        own = {"dtype": torch.float64, "device": device}
        self._radii = torch.tensor([COLLECTOR] * collectors + [BANK] * banks, **own)
        self._masses = torch.tensor([MASSES[0]] * collectors + [MASSES[1]] * banks, **own)
        self._banks = torch.eye(banks, **own)

    def start(self, generators: Sequence[torch.Generator], copies: int) -> State:
        """Agents, then treasures with types, uniform and at rest; nobody carries one. On the CPU, copy after copy."""
        agents, treasures = self.agents, self._params.treasures
        drawn = [torch.rand(copies, 2 * agents + 3 * treasures, generator=g, dtype=torch.float64) for g in generators]
        places, born = torch.stack(drawn).split([2 * agents, 3 * treasures], dim=-1)
        positions = START * (2 * places.unflatten(-1, (agents, 2)) - 1)
        landmarks, types = self._born(born.unflatten(-1, (treasures, 3)))
        held = torch.full((*positions.shape[:2], self._params.collectors), -1)
        clock = torch.zeros(positions.shape[:2], dtype=torch.float64)
        return State(positions, torch.zeros_like(positions), landmarks, clock=clock, types=types, held=held)

    def moved(self, actions: Tensor, state: State, view: View, generators: Sequence[torch.Generator]) -> State:
        """One step of actions [S, E, N, A]: `settled`, then everybody moves. Births draw from generators[s] (CPU)."""
        state = self.settled(state, view, generators)
        push = action_force(actions, "openai") / SENSITIVITY * ACCELERATION
        velocities = state.velocities * (1 - DAMPING) + (push + self._contact(view)) * DT
        x2, y2 = velocities.square().unbind(-1)
        speed = (x2 + y2).sqrt().unsqueeze(-1)
        velocities = torch.where(speed > TOP_SPEED, velocities / speed.clamp_min(NO_GAP) * TOP_SPEED, velocities)
        assert state.clock is not None
        return replace(state, positions=state.positions + velocities * DT, velocities=velocities, clock=state.clock + 1)

    def settled(self, state: State, view: View, generators: Sequence[torch.Generator]) -> State:
        """The results of the last move. In index order, each treasure is taken by the first empty collector that
        touches it, or appears again if it was away. Then every carrier that touches its bank has delivered.

        Only in episodes in which somebody has moved.
        """
        types, clock = state.types, state.clock
        assert types is not None
        assert state.held is not None
        assert clock is not None
        moved, held, landmarks = clock > 0, state.held.clone(), state.landmarks.clone()
        away = self._away(state) & moved.unsqueeze(-1)
        touched = self._touch_treasures(view) & moved[..., None, None]  # [S, E, C, L]
        for treasure in range(landmarks.shape[-2]):
            takes = touched[..., treasure] & (held < 0)
            first = takes & (takes.long().cumsum(-1) == 1)
            held = torch.where(first, types[..., treasure, None], held)
            landmarks[..., treasure, :] = torch.where(first.any(-1, keepdim=True), AWAY, landmarks[..., treasure, :])
        landmarks, types = self._born_again(landmarks, types, away, generators)
        brings = (self._touch_banks(view) & self._carried(held)).any(-1) & moved.unsqueeze(-1)
        return replace(state, landmarks=landmarks, types=types, held=held.masked_fill(brings, -1))

    def observe(self, state: State, view: View) -> Tensor:
        """[own position 2, own velocity 2, what it carries B (collectors), the 7 nearest other agents, the 7 nearest
        treasures], [S, E, N, O]; those of banks end with B zeros of padding.

        An agent: [relative position 2, velocity 2, which bank it is B, what it carries B]. A treasure: [relative
        position 2, its bank B]. Of two at the same distance, the one with the lower index counts as nearer.
        """
        assert state.types is not None
        assert state.held is not None
        treasures, collectors, banks = self._params.treasures, self._params.collectors, self._params.banks
        carried = pad(self._carried(state.held).to(state.positions), (0, 0, 0, banks))  # [S, E, N, B]
        which = pad(self._banks, (0, 0, collectors, 0)).expand_as(carried)
        told = torch.cat([state.velocities, which, carried], -1)[..., self._others, :]  # [S, E, N, K, 2 + 2B]
        others = torch.cat([view.relative[..., treasures:, :], told], -1)
        types = one_hot(state.types, banks).to(state.positions).unsqueeze(2)
        goods = torch.cat([view.relative[..., :treasures, :], types.expand(-1, -1, self.agents, -1, -1)], -1)
        near = [
            _nearest(seen, distance, self._params.visible)
            for seen, distance in (
                (others, view.distance[..., treasures:]),
                (goods, view.distance[..., :treasures]),
            )
        ]
        own, seen = torch.cat([state.positions, state.velocities], -1), torch.cat(near, -1)
        first = torch.cat([own[..., :collectors, :], carried[..., :collectors, :], seen[..., :collectors, :]], -1)
        last = pad(torch.cat([own[..., collectors:, :], seen[..., collectors:, :]], -1), (0, banks))
        return torch.cat([first, last], -2)

    def rewards(self, state: State, view: View) -> Tensor:
        """[S, E, N]. All get 5 for each touch of an empty collector and a treasure, and of a carrier and its bank.

        A collector loses 5 for each collector that it touches, and a tenth of its distance to the nearest treasure or,
        if it carries one, to its bank. A bank loses a tenth of the distance of its nearest carrier; without a carrier,
        a tenth of the length of the mean vector to the 7 nearest collectors.
        """
        assert state.held is not None
        treasures, collectors = self._params.treasures, self._params.collectors
        carried = self._carried(state.held)  # [S, E, C, B]
        taken = self._touch_treasures(view) & (state.held < 0).unsqueeze(-1)
        brought = self._touch_banks(view) & carried
        bonus = BONUS * (taken.sum((-2, -1)) + brought.sum((-2, -1))).unsqueeze(-1)
        distance = view.distance
        to_others = distance[..., treasures:]
        crowd = (to_others[..., :collectors, : collectors - 1] < 2 * COLLECTOR).sum(-1)
        to_banks = to_others[..., :collectors, collectors - 1 :]  # [S, E, C, B]
        way = torch.where(
            state.held < 0,
            distance[..., :collectors, :treasures].amin(-1),
            to_banks.masked_fill(~carried, torch.inf).amin(-1),
        )
        of_collectors = -COLLISION * crowd - SHAPING * way
        to_collectors = to_others[..., collectors:, :collectors]  # [S, E, B, C]
        carrier = to_collectors.masked_fill(~carried.mT, torch.inf).amin(-1)
        near = (
            to_collectors.argsort(dim=-1, stable=True)[..., : self._params.visible]
            .unsqueeze(-1)
            .expand(-1, -1, -1, -1, 2)
        )
        ways = view.relative[..., collectors:, treasures : treasures + collectors, :].gather(-2, near)
        x2, y2 = (ordered_sum(ways, -2) / ways.shape[-2]).square().unbind(-1)
        of_banks = -SHAPING * torch.where(carrier.isinf(), (x2 + y2).sqrt(), carrier)
        return torch.cat([of_collectors, of_banks], -1) + bonus

    def _carried(self, held: Tensor) -> Tensor:
        """Which bank a collector's treasure is for, one-hot: [S, E, C] -> bool [S, E, C, B]."""
        return held.unsqueeze(-1) == torch.arange(self._params.banks, device=held.device)

    def _touch_treasures(self, view: View) -> Tensor:
        """Which collectors touch which treasures, [S, E, C, L]."""
        return view.distance[..., : self._params.collectors, : self._params.treasures] < COLLECTOR + TREASURE

    def _touch_banks(self, view: View) -> Tensor:
        """Which collectors touch which banks, [S, E, C, B]."""
        behind = self._params.treasures + self._params.collectors - 1
        return view.distance[..., : self._params.collectors, behind:] < COLLECTOR + BANK

    def _away(self, state: State) -> Tensor:
        """Which treasures were taken and have not appeared again, [S, E, L]."""
        return (state.landmarks == AWAY).all(-1)

    def _born(self, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """Places [..., 2] and types [...] from random numbers [..., 3] in [0, 1)."""
        return BIRTH * (2 * drawn[..., :2] - 1), (drawn[..., 2] * self._params.banks).long()

    def _born_again(
        self, landmarks: Tensor, types: Tensor, away: Tensor, generators: Sequence[torch.Generator]
    ) -> tuple[Tensor, Tensor]:
        """Landmarks and types, with new ones where `away`. A seed without any draws nothing."""
        if not bool(away.any()):
            return landmarks, types
        landmarks, types = landmarks.clone(), types.clone()
        for lane, (generator, own) in enumerate(zip(generators, away, strict=True)):
            if count := int(own.sum()):
                places, kinds = self._born(torch.rand(count, 3, generator=generator, dtype=torch.float64))
                landmarks[lane, own], types[lane, own] = places.to(landmarks), kinds.to(types)
        return landmarks, types

    def _contact(self, view: View) -> Tensor:
        """Acceleration of each agent by all others that it touches, [S, E, N, 2].

        The force on a from b is (m_b / m_a) times `physics.contact_force`; it is divided by m_a once more.
        """
        relative, distance = (
            view.relative[..., self._params.treasures :, :],
            view.distance[..., self._params.treasures :],
        )
        reach = self._radii.unsqueeze(-1) + self._radii[self._others]
        depth = (reach - distance) / CONTACT_MARGIN
        softplus = depth.clamp_min(0.0) + depth.abs().neg().exp().log1p()
        share = self._masses[self._others] / self._masses.square().unsqueeze(-1)
        away = softplus * (-CONTACT_FORCE * CONTACT_MARGIN) / distance.clamp_min(NO_GAP) * share
        return ordered_sum(relative * away.unsqueeze(-1), dim=-2)


def _nearest(seen: Tensor, distance: Tensor, count: int) -> Tensor:
    """The `count` nearest, nearest first, concatenated: [S, E, N, K, D], [S, E, N, K] -> [S, E, N, count D]."""
    order = distance.argsort(dim=-1, stable=True)[..., :count]
    return seen.gather(-2, order.unsqueeze(-1).expand(*order.shape, seen.shape[-1])).flatten(-2)
