"""The batched particle environment: S seeds x E copies of one scenario, stepped in lock-step in float64.

Axes: S seed, E environment copy, N agent of ours, M agent in the world (opponents first, then ours), O observation
entry, A action entry.

On the CPU a seed's episodes are the same to the last bit, whichever seeds run with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.envs import Assets, Params, Step
from bench.envs.one import ACTION, check_finite
from bench.envs.particle.collect_treasure import CollectTreasure
from bench.envs.particle.opponents import OpponentWeights, load_opponent, make_opponent
from bench.envs.particle.params import (
    CollectTreasureParams,
    PushBoxParams,
    SimpleAdversaryParams,
    SimplePushParams,
    SimpleSpreadParams,
    SpeakerListenerParams,
    SpreadCornersParams,
)
from bench.envs.particle.physics import State, integrate, ordered_sum
from bench.envs.particle.push_box import PushBox
from bench.envs.particle.simple_adversary import SimpleAdversary
from bench.envs.particle.simple_push import SimplePush
from bench.envs.particle.simple_speaker_listener import SpeakerListener
from bench.envs.particle.simple_spread import SimpleSpread
from bench.envs.particle.spread_corners import SpreadCorners
from bench.envs.particle.view import View

ParticleParams = (
    SimpleSpreadParams
    | SpeakerListenerParams
    | SimplePushParams
    | SimpleAdversaryParams
    | SpreadCornersParams
    | PushBoxParams
    | CollectTreasureParams
)
Scenario = SimpleSpread | SpeakerListener | SimplePush | SimpleAdversary | SpreadCorners | PushBox | CollectTreasure


class ParticleEnvironment:
    """One scenario, batched. Episodes do not end by themselves: the caller applies the time limit.

    agents N, obs_size O, action_size A, obs_sizes and action_sizes of each agent; params and device as given.
    opponent: weights, if the scenario's opponent is pretrained; AssetMissing if they are not the right ones.
    """

    def __init__(
        self, params: ParticleParams, device: torch.device | str = "cpu", opponent: OpponentWeights | None = None
    ):
        self.params = params
        self.device = torch.device(device)
        self.agents = len(params.obs_sizes)
        self.obs_size, self.action_size = params.obs_size, params.action_size
        self.obs_sizes, self.action_sizes = params.obs_sizes, params.action_sizes
        self._scenario = _scenario(params, self.device)
        self._opponent = None
        if isinstance(params, SimpleAdversaryParams):
            self._opponent = make_opponent(params, opponent, self.device)
            self._opponent_obs_size = params.adversary_obs_size
        elif opponent is not None:
            raise ValueError(f"opponent: got weights; allowed: none, since {params.name!r} has no opponent")
        available = [[a < size for a in range(self.action_size)] for size in self.action_sizes]
        self._available = torch.tensor(available, device=self.device)
        self._common_reward = params.common_reward
        self._ragged = min(self.action_sizes) < self.action_size
        self._current: tuple[State, View, Tensor] | None = None
        self._generators: list[torch.Generator] = []

    @property
    def seen(self) -> Tensor:
        """Current observations of all agents in the world, opponents first: [S, E, M, O]."""
        return self._now()[2]

    def set_state(self, state: State) -> Tensor:
        """Go on from a copy of this state, on the environment's device, in float64 (goal, types, held: int64). Returns
        obs [S, E, N, O]. Steps that draw use the generators given to `reset`.

        Raises ValueError if the tensors' shapes do not fit together or do not fit this scenario.
        """
        lead = tuple(state.positions.shape[:2])
        for name in (field.name for field in fields(State)):
            tensor, shape = getattr(state, name), self._scenario.shapes.get(name)
            got = None if tensor is None else tuple(tensor.shape)
            if got != (None if shape is None else (*lead, *shape)) or len(lead) != 2:
                sizes = "nothing" if shape is None else f"[{', '.join(['S', 'E', *map(str, shape)])}], S and E alike"
                raise ValueError(f"state.{name}: got shape {got}; allowed: {sizes}")
        return self._enter(state.on(self.device, copy=True))

    def reset(self, generators: Sequence[torch.Generator], copies: int) -> Tensor:
        """Start E = copies new episodes of each seed; obs [S, E, N, O] float64.

        Seed s draws only from generators[s]. These are CPU generators, so starts are the same on every device. Raises
        ValueError without a generator or a copy.
        """
        if not generators or copies < 1:
            raise ValueError(f"reset: got {len(generators)} generators and {copies} copies; allowed: 1 or more of each")
        self._generators = list(generators)
        start = self._scenario.start(generators, copies)
        if self._opponent is not None:
            self._opponent.reset(generators)
        return self._enter(start.on(self.device))

    def global_state(self) -> None:
        """None: the state is all observations concatenated (`bench.envs.state`)."""
        return

    def avail_actions(self) -> Tensor:
        """Which actions each agent has, the same in every step, bool [S, E, N, A]."""
        return self._available.expand(*self._now()[2].shape[:2], -1, -1)

    def step(self, actions: Tensor) -> Step:
        """One time step: actions [S, E, N, A], of any float dtype, on the environment's device.

        A = 5 pushes, one-hot or soft, or 2 numbers in [-1, 1] if the scenario is continuous.

        Gives obs and rewards in float64. No episode ends by itself, so terminated and truncated are always False.
        Raises ValueError if the actions' shape is wrong or an unavailable action is chosen, Diverged if its number is
        not finite, RuntimeError before the first reset.
        """
        state, view, seen = self._now()
        expected = (*seen.shape[:2], self.agents, self.action_size)
        if actions.shape != expected:
            raise ValueError(f"actions: got shape {tuple(actions.shape)}; allowed: {expected} = [S, E, N, A]")
        actions = actions.detach().to(torch.float64)
        if self._ragged and bool(actions.masked_fill(self._available, 0).any()):
            check_finite(actions.cpu().numpy(), ACTION)  # NaN counts as nonzero
            raise ValueError(f"actions: got unavailable ones; allowed: the first {self.action_sizes} of each agent")
        if self._opponent is not None:
            theirs = self._opponent(seen[..., : self._scenario.opponents, : self._opponent_obs_size])
            actions = torch.cat([theirs, actions], dim=-2)
        obs = self._enter(self._moved(actions, state, view))
        rewards = self._rewards()
        never = torch.zeros(expected[:2], dtype=torch.bool, device=self.device)
        return Step(obs, rewards, never, never, self._outcome())

    def restart(self, over: Tensor) -> Tensor:
        """Start a new episode of each copy marked in over [S, E] (bool); obs [S, E, N, O] of all.

        A seed without a marked copy draws nothing. Raises RuntimeError before the first reset.
        """
        state = self._now()[0].on(self.device, copy=True)
        for lane, (generator, begins) in enumerate(zip(self._generators, over, strict=True)):
            if count := int(begins.sum()):
                fresh = self._scenario.start([generator], count).on(self.device)
                for field in fields(State):
                    if (own := getattr(state, field.name)) is not None:
                        own[lane, begins.to(self.device)] = getattr(fresh, field.name)[0]
        return self._enter(state)

    def close(self) -> None:
        """Nothing to end."""

    @property
    def world(self) -> State:
        """Positions, velocities, landmarks, goal and messages. Raises RuntimeError before the first reset."""
        return self._now()[0]

    def state(self, lane: int) -> dict[str, NDArray[Any]]:
        """The world of a seed's copies, and its opponent's stream."""
        own = {f.name: x[lane].cpu().numpy() for f in fields(State) if (x := getattr(self.world, f.name)) is not None}
        return own | ({} if self._opponent is None else self._opponent.state(lane))

    def resume(self, generators: Sequence[torch.Generator], states: Sequence[Mapping[str, NDArray[Any]]]) -> Tensor:
        """See `Environment.resume`."""
        self._generators = list(generators)
        names = [field.name for field in fields(State) if field.name in states[0]]
        world = {name: torch.from_numpy(np.stack([state[name] for state in states])) for name in names}
        if self._opponent is not None:
            self._opponent.resume(states)
        return self._enter(State(**world).on(self.device))

    def _rewards(self) -> Tensor:
        """[S, E, N]: our agents' own rewards, or their sum for each of them (`GoalParams.reward`)."""
        state, view, _ = self._now()
        rewards = self._scenario.rewards(state, view)
        if self._scenario.opponents:
            rewards = rewards[..., self._scenario.opponents :]
        if self._common_reward:
            return ordered_sum(rewards, dim=-1).unsqueeze(-1).expand_as(rewards)
        return rewards

    def _moved(self, actions: Tensor, state: State, view: View) -> State:
        """The world one step later."""
        scenario = self._scenario
        if isinstance(scenario, PushBox):
            return scenario.moved(actions, state, view)
        if isinstance(scenario, CollectTreasure):
            return scenario.moved(actions, state, view, self._generators)
        force = scenario.force(actions, view)
        positions, velocities = integrate(state.positions, state.velocities, force, scenario.dynamics)
        messages, clock = scenario.messages(actions), None if state.clock is None else state.clock + 1
        return State(positions, velocities, state.landmarks, state.goal, messages, clock)

    def _outcome(self) -> Mapping[str, Tensor]:
        state, view, _ = self._now()
        return self._scenario.outcome(state, view) if isinstance(self._scenario, SpreadCorners) else {}

    def _enter(self, state: State) -> Tensor:
        view = self._scenario.view(state)
        seen = self._scenario.observe(state, view)
        self._current = state, view, seen
        return seen[..., self._scenario.opponents :, :] if self._scenario.opponents else seen

    def _now(self) -> tuple[State, View, Tensor]:
        if self._current is None:
            raise RuntimeError("the environment has no state yet; call reset or set_state first")
        return self._current


def particle_environment(params: ParticleParams, device: torch.device | str, assets: Assets) -> ParticleEnvironment:
    """One scenario with the files that its parameters name. Raises AssetMissing, ValueError."""
    named = [load_opponent(assets, name) for name in params.assets.values()]
    return ParticleEnvironment(params, device, *named)


def _scenario(params: Params, device: torch.device) -> Scenario:
    match params:
        case SimpleSpreadParams():
            return SimpleSpread(params, device)
        case SpeakerListenerParams():
            return SpeakerListener(params, device)
        case SimplePushParams():
            return SimplePush(params, device)
        case SimpleAdversaryParams():
            return SimpleAdversary(params, device)
        case SpreadCornersParams():
            return SpreadCorners(params, device)
        case PushBoxParams():
            return PushBox(params, device)
        case CollectTreasureParams():
            return CollectTreasure(params, device)
    raise ValueError(f"params: got {params!r}; allowed: those of a particle scenario")
