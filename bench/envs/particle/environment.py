"""The batched particle environment: S seeds x E copies of one scenario, stepped in lock-step in float64.

Axes: S seed, E environment copy, N agent, O observation entry, A = 5 action entry.

On the CPU a seed's episodes are the same to the last bit whatever seeds run beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bench.envs import SimpleSpreadParams
from bench.envs.particle.layouts import nearest_view, observation_slots
from bench.envs.particle.physics import State, action_force, integrate
from bench.envs.particle.simple_spread import SimpleSpread, View

SCENARIOS = {"simple_spread": SimpleSpread}


class ParticleEnvironment:
    """One scenario, batched. Episodes have no end of their own: the caller keeps the time limit.

    agents N, obs_size O, action_size A = 5; params and device as given.
    """

    def __init__(self, params: SimpleSpreadParams, device: torch.device | str = "cpu"):
        self.params = params
        self.device = torch.device(device)
        self.agents = params.agents
        self.obs_size = params.obs_size
        self.action_size = params.action_size
        self._scenario = SCENARIOS[params.name](params, self.device)
        self._current: tuple[State, View] | None = None

    def layout_width(self, layout_agents: int) -> int:
        """Entries of an observation in the layout of a task with so many agents."""
        return 6 * layout_agents

    def observation_slots(self, layout_agents: int) -> tuple[int, ...]:
        """Where each of this task's O entries stands in that layout; ValueError where it is the smaller one."""
        return observation_slots(self.agents, layout_agents)

    def nearest_view(self, obs: Tensor, teacher_agents: int) -> Tensor:
        """What a team of fewer agents can read of obs [..., N, O]: [..., N, layout_width(teacher_agents)]."""
        return nearest_view(obs, self.agents, teacher_agents)

    @property
    def state(self) -> State:
        """Positions, velocities, landmarks. Raises RuntimeError before the first reset."""
        return self._now()[0]

    def set_state(self, state: State) -> Tensor:
        """Go on from a copy of this state, float64 on the environment's device; obs [S, E, N, O].

        Raises ValueError when the tensors' shapes do not belong together or to this scenario.
        """
        lead = tuple(state.positions.shape[:2])
        expected = (*lead, self.agents, 2)  # every scenario here has as many landmarks as agents
        for name in ("positions", "velocities", "landmarks"):
            got = tuple(getattr(state, name).shape)
            if got != expected or len(lead) != 2:
                raise ValueError(f"state.{name}: got shape {got}; allowed: [S, E, {self.agents}, 2], S and E alike")
        copied = [
            x.detach().to(self.device, torch.float64, copy=True)
            for x in (state.positions, state.velocities, state.landmarks)
        ]
        return self._enter(State(*copied))

    def reset(self, generators: Sequence[torch.Generator], copies: int) -> Tensor:
        """Start E = copies new episodes of each seed; obs [S, E, N, O] float64.

        Seed s draws from generators[s] alone, CPU generators, so that starts are the same on every device. Raises
        ValueError without a generator or a copy.
        """
        if not generators or copies < 1:
            raise ValueError(f"reset: got {len(generators)} generators and {copies} copies; allowed: 1 or more of each")
        start = self._scenario.start(generators, copies)
        moved = (x.to(self.device) for x in (start.positions, start.velocities, start.landmarks))
        return self._enter(State(*moved))

    def step(self, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One time step: actions [S, E, N, 5], one-hot or soft, of any float dtype, on the environment's device.

        Returns obs [S, E, N, O] float64, rewards [S, E, N] float64, terminated [S, E] bool (always False here).
        Raises ValueError when the actions' shape is not the batch's, RuntimeError before the first reset.
        """
        state, view = self._now()
        expected = (*state.positions.shape[:-1], self.action_size)
        if actions.shape != expected:
            raise ValueError(f"actions: got shape {tuple(actions.shape)}; allowed: {expected} = [S, E, N, A]")
        dynamics = self.params.dynamics
        control = action_force(actions.detach().to(torch.float64), dynamics)
        force = control + self._scenario.contact_force(view)
        positions, velocities = integrate(state.positions, state.velocities, force, dynamics)
        obs = self._enter(State(positions, velocities, state.landmarks))
        rewards = self._scenario.rewards(self._now()[1])
        return obs, rewards, torch.zeros(expected[:2], dtype=torch.bool, device=self.device)

    def _enter(self, state: State) -> Tensor:
        view = self._scenario.view(state)
        self._current = state, view
        return self._scenario.observe(state, view)

    def _now(self) -> tuple[State, View]:
        if self._current is None:
            raise RuntimeError("the environment has no state yet; call reset or set_state first")
        return self._current
