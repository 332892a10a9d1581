"""The batched particle environment: S seeds x E copies of one scenario, stepped in lock-step in float64.

Axes: S seed, E environment copy, N agent of ours, M agent in the world (opponents first, then ours), O observation
entry, A = 5 action entry.

On the CPU a seed's episodes are the same to the last bit whatever seeds run beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import torch
from torch import Tensor

from bench.envs import OpponentWeights
from bench.envs.params import (
    Params,
    SimpleAdversaryParams,
    SimplePushParams,
    SimpleSpreadParams,
    SpeakerListenerParams,
)
from bench.envs.particle.layouts import nearest_view, observation_slots
from bench.envs.particle.opponents import make_opponent
from bench.envs.particle.physics import State, integrate, ordered_sum
from bench.envs.particle.simple_adversary import SimpleAdversary
from bench.envs.particle.simple_push import SimplePush
from bench.envs.particle.simple_speaker_listener import SpeakerListener
from bench.envs.particle.simple_spread import SimpleSpread
from bench.envs.particle.view import View

ParticleParams = SimpleSpreadParams | SpeakerListenerParams | SimplePushParams | SimpleAdversaryParams
Scenario = SimpleSpread | SpeakerListener | SimplePush | SimpleAdversary


class ParticleEnvironment:
    """One scenario, batched. Episodes have no end of their own: the caller keeps the time limit.

    agents N, obs_size O, action_size A = 5, obs_sizes and action_sizes of each agent; params and device as given.
    opponent: weights, where the scenario's opponent is pretrained; OpponentMissing where they are not the right ones.
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
            raise ValueError(f"opponent: got weights; allowed: none, {params.name!r} has no opponent")
        available = [[a < size for a in range(self.action_size)] for size in self.action_sizes]
        self._available = torch.tensor(available, device=self.device)
        self._common_reward = params.common_reward
        self._ragged = min(self.action_sizes) < self.action_size
        self._current: tuple[State, View, Tensor] | None = None

    def layout_width(self, layout_agents: int) -> int:
        """Entries of an observation in the layout of a task with so many agents."""
        self._spread(layout_agents)
        return self.params.layout_width(layout_agents)

    def observation_slots(self, layout_agents: int) -> tuple[int, ...]:
        """Where each of this task's O entries stands in that layout; ValueError where it is the smaller one.

        Only simple spread has layouts for other teams than its own.
        """
        if self._spread(layout_agents):
            return observation_slots(self.agents, layout_agents)
        return tuple(range(self.obs_size))

    def nearest_view(self, obs: Tensor, teacher_agents: int) -> Tensor:
        """What a team of fewer agents can read of obs [..., N, O]: [..., N, layout_width(teacher_agents)]."""
        self._spread(teacher_agents)
        return nearest_view(obs, self.agents, teacher_agents)

    @property
    def state(self) -> State:
        """Positions, velocities, landmarks, goal and messages. Raises RuntimeError before the first reset.

        The world's, not the global state of a learner, which is `bench.envs.state`.
        """
        return self._now()[0]

    @property
    def seen(self) -> Tensor:
        """What everybody in the world sees now, opponents first: [S, E, M, O]."""
        return self._now()[2]

    def set_state(self, state: State) -> Tensor:
        """Go on from a copy of this state, on the environment's device, float64 (the goal int64); obs [S, E, N, O].

        Raises ValueError when the tensors' shapes do not belong together or to this scenario.
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

        Seed s draws from generators[s] alone, CPU generators, so that starts are the same on every device. Raises
        ValueError without a generator or a copy.
        """
        if not generators or copies < 1:
            raise ValueError(f"reset: got {len(generators)} generators and {copies} copies; allowed: 1 or more of each")
        start = self._scenario.start(generators, copies)
        if self._opponent is not None:
            self._opponent.reset(generators)
        return self._enter(start.on(self.device))

    def avail_actions(self) -> Tensor:
        """Which actions each agent has, the same in every step, bool [S, E, N, A]."""
        return self._available.expand(*self._now()[2].shape[:2], -1, -1)

    def step(self, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One time step: actions [S, E, N, 5], one-hot or soft, of any float dtype, on the environment's device.

        Returns obs [S, E, N, O] float64, rewards [S, E, N] float64, terminated [S, E] bool (always False here).
        Raises ValueError when the actions' shape is not the batch's or an unavailable one is chosen, RuntimeError
        before the first reset.
        """
        state, view, seen = self._now()
        expected = (*seen.shape[:2], self.agents, self.action_size)
        if actions.shape != expected:
            raise ValueError(f"actions: got shape {tuple(actions.shape)}; allowed: {expected} = [S, E, N, A]")
        actions = actions.detach().to(torch.float64)
        if self._ragged and bool(actions.masked_fill(self._available, 0).any()):
            raise ValueError(f"actions: got unavailable ones; allowed: the first {self.action_sizes} of each agent")
        if self._opponent is not None:
            theirs = self._opponent(seen[..., : self._scenario.opponents, : self._opponent_obs_size])
            actions = torch.cat([theirs, actions], dim=-2)
        force = self._scenario.force(actions, view)
        positions, velocities = integrate(state.positions, state.velocities, force, self.params.dynamics)
        messages = self._scenario.messages(actions)
        obs = self._enter(State(positions, velocities, state.landmarks, state.goal, messages))
        rewards = self._rewards()
        return obs, rewards, torch.zeros(expected[:2], dtype=torch.bool, device=self.device)

    def _rewards(self) -> Tensor:
        """[S, E, N]: our agents' own, or the sum of these for each of them (`GoalParams.reward`)."""
        state, view, _ = self._now()
        rewards = self._scenario.rewards(state, view)
        if self._scenario.opponents:
            rewards = rewards[..., self._scenario.opponents :]
        if self._common_reward:
            return ordered_sum(rewards, dim=-1).unsqueeze(-1).expand_as(rewards)
        return rewards

    def _enter(self, state: State) -> Tensor:
        view = self._scenario.view(state)
        seen = self._scenario.observe(state, view)
        self._current = state, view, seen
        return seen[..., self._scenario.opponents :, :] if self._scenario.opponents else seen

    def _now(self) -> tuple[State, View, Tensor]:
        if self._current is None:
            raise RuntimeError("the environment has no state yet; call reset or set_state first")
        return self._current

    def _spread(self, layout_agents: int) -> bool:
        """Whether layouts are simple spread's. Raises ValueError for another team's layout of another scenario."""
        spread = isinstance(self.params, SimpleSpreadParams)
        if not spread and layout_agents != self.agents:
            allowed = f"{self.agents}, its own: only simple_spread has layouts of other teams"
            raise ValueError(f"layout of {self.params.name!r}: got {layout_agents} agents; allowed: {allowed}")
        return spread


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
    raise ValueError(f"params: got {params!r}; allowed: those of a particle scenario")
