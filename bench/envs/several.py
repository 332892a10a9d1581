"""Many copies of an environment whose package steps only one: seeds x copies, in parallel.

Axes: S seed, E environment copy, N agent, O observation entry, A action entry.

A family writes `One`, some eighty lines, and gets an `Environment`. Every copy is a separate object, so a seed's
observations do not depend on the seeds that run with it. Its episodes start from seeds of its own stream, copy by copy.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.envs.one import (
    ACTION,
    ENDED_EARLY,
    OBSERVATION,
    REWARD,
    EnvironmentFailed,
    Floats,
    Given,
    One,
    Stated,
    check_ends,
    check_finite,
    check_shapes,
    said_of,
)
from bench.envs.params import Params
from bench.envs.protocols import Step
from bench.output.terminal import warn

HIGHEST_SEED = 2**31 - 1  # every package accepts seeds up to this
DOES_NOT_REPEAT = "it does not reach the same observations with the same seed and actions"


class Several:
    """S x E copies of `One` as an `Environment`. make: makes a new copy.

    A copy whose episode has ended stays at its last observation with rewards of 0 until it is started again.
    """

    def __init__(self, params: Params, make: Callable[[], One]):
        self.params, self._make = params, make
        self.agents = len(params.obs_sizes)
        self.obs_size, self.action_size = params.obs_size, params.action_size
        self.obs_sizes, self.action_sizes = params.obs_sizes, params.action_sizes
        own = [[a < size for a in range(self.action_size)] for size in self.action_sizes]
        self._own_actions = np.array(own)
        self._copies: list[list[One]] = []
        self._generators: list[torch.Generator] = []

    def reset(self, generators: Sequence[torch.Generator], copies: int) -> Tensor:
        """Start E = copies episodes of each seed; obs [S, E, N, O] float64. ValueError without seeds or copies."""
        if not generators or copies < 1:
            raise ValueError(f"reset: got {len(generators)} generators and {copies} copies; allowed: 1 or more of each")
        self._open(generators, copies)
        return self.restart(torch.ones(len(generators), copies, dtype=torch.bool))

    def _open(self, generators: Sequence[torch.Generator], copies: int) -> None:
        """Make this many copies for each seed; none has begun. Existing copies of a seed are kept for later resets."""
        self._generators = list(generators)
        shape = len(generators), copies
        _end(self._copies[len(generators) :])
        del self._copies[len(generators) :]
        for lane in range(len(generators)):
            if lane == len(self._copies):
                self._copies.append([])
            with _in_lane(lane):
                while len(self._copies[lane]) < copies:
                    self._copies[lane].append(self._make())
        self._obs = np.zeros((*shape, self.agents, self.obs_size))
        self._state = np.zeros((*shape, self.params.state_size if self.params.own_state else 0))
        self._avail = np.broadcast_to(self._own_actions, (*shape, *self._own_actions.shape)).copy()
        self._resting = np.zeros(shape, bool)
        self._seeds = [[0] * copies for _ in generators]
        self._actions: list[list[list[Floats]]] = [[[] for _ in range(copies)] for _ in generators]

    def restart(self, over: Tensor) -> Tensor:
        """Start a new episode of each copy marked in over [S, E]; each draws its seed, in the order of the copies."""
        for lane, copy in over.nonzero().tolist():
            seed = int(torch.randint(HIGHEST_SEED, (), generator=self._generators[lane]))
            self._begin(lane, copy, seed)
        check_finite(self._obs, OBSERVATION)
        return torch.from_numpy(self._obs.copy())

    def state(self, lane: int) -> dict[str, NDArray[Any]]:
        """The seeds of the open episodes and their actions so far: playing them again gives the same observations.

        Restoring a package's own state is not exact (MuJoCo's Ant and Humanoid differ after a few steps). Playing again
        is exact if the environment repeats. The observations are kept for comparison.
        """
        played = [np.array(actions).reshape(-1, self.agents, self.action_size) for actions in self._actions[lane]]
        return {
            "seeds": np.array(self._seeds[lane]),
            "steps": np.array([len(own) for own in played]),
            "actions": np.concatenate(played),
            "obs": self._obs[lane].copy(),
        }

    def resume(self, generators: Sequence[torch.Generator], states: Sequence[Mapping[str, NDArray[Any]]]) -> Tensor:
        """See `Environment.resume`."""
        self._open(generators, len(states[0]["seeds"]))
        for lane, state in enumerate(states):
            parts = np.split(state["actions"], np.cumsum(state["steps"])[:-1])
            for copy, (seed, actions) in enumerate(zip(state["seeds"], parts, strict=True)):
                self._begin(lane, copy, int(seed))
                for own in actions:
                    self._advance(lane, copy, own)
            if not np.array_equal(self._obs[lane], state["obs"]):
                raise EnvironmentFailed(DOES_NOT_REPEAT, lane)
        return torch.from_numpy(self._obs.copy())

    def avail_actions(self) -> Tensor:
        """Bool [S, E, N, A]."""
        return torch.from_numpy(self._avail.copy())

    def global_state(self) -> Tensor | None:
        """[S, E, X] float64, if the parameters say `own_state`."""
        return torch.from_numpy(self._state.copy()) if self.params.own_state else None

    def step(self, actions: Tensor) -> Step:
        """Take actions [S, E, N, A]: one-hot, or continuous if the scenario's are.

        Raises ValueError for another shape, and if an action is not available or outside [-1, 1]; Diverged if an
        action, a reward or an observation is not finite; EnvironmentFailed if a copy ends early although none may.
        """
        expected = (*self._resting.shape, self.agents, self.action_size)
        if tuple(actions.shape) != expected:
            raise ValueError(f"actions: got shape {tuple(actions.shape)}; allowed: {expected} = [S, E, N, A]")
        if not self.params.ends_early and self._resting.any():
            raise EnvironmentFailed(ENDED_EARLY, lane=int(np.argwhere(self._resting)[0, 0]))
        given = actions.detach().cpu().double().numpy()
        rewards, ends = np.zeros(expected[:3]), np.zeros((2, *expected[:2]), bool)
        outcome = {name: np.zeros(expected[:2]) for name in self.params.outcomes}
        for lane, copy in np.argwhere(~self._resting):
            found = self._advance(int(lane), int(copy), given[lane, copy])
            with _in_lane(int(lane)):
                rewards[lane, copy] = found.rewards
                for name, told in outcome.items():
                    told[lane, copy] = found.outcome[name]
            ends[:, lane, copy] = found.terminated, found.truncated
        check_finite(rewards, REWARD)
        check_finite(self._obs, OBSERVATION)
        told = {name: torch.from_numpy(values) for name, values in outcome.items()}
        terminated, truncated = map(torch.from_numpy, ends)
        return Step(torch.from_numpy(self._obs.copy()), torch.from_numpy(rewards), terminated, truncated, told)

    def close(self) -> None:
        """End every copy."""
        _end(self._copies)
        self._copies = []

    def _begin(self, lane: int, copy: int, seed: int) -> None:
        with _in_lane(lane):
            self._see(lane, copy, self._copies[lane][copy].reset(seed))
        self._resting[lane, copy] = False
        self._seeds[lane][copy], self._actions[lane][copy] = seed, []

    def _advance(self, lane: int, copy: int, actions: Floats) -> Given:
        """One step of one copy under actions [N, A]."""
        chosen = self._chosen(actions, lane, copy)
        with _in_lane(lane):
            found = self._copies[lane][copy].step(chosen)
            self._check(found)
            self._see(lane, copy, found.obs)
        self._actions[lane][copy].append(actions.copy())
        self._resting[lane, copy] = found.terminated or found.truncated
        return found

    def _check(self, found: Given) -> None:
        """Raise EnvironmentFailed if a step gives values that its scenario does not declare. Observations: `_see`."""
        if (shape := np.shape(found.rewards)) != (self.agents,):
            raise EnvironmentFailed(f"rewards: got shape {shape}; declared: ({self.agents},), one per agent")
        check_ends(found)
        if not found.outcome.keys() >= {*self.params.outcomes}:
            told, declared = sorted(found.outcome), list(self.params.outcomes)
            raise EnvironmentFailed(f"outcome: got {told}; declared: {declared}, in every step")

    def _see(self, lane: int, copy: int, obs: Sequence[Floats]) -> None:
        check_shapes("obs", obs, self.obs_sizes)
        for agent, own in enumerate(obs):
            self._obs[lane, copy, agent, : len(own)] = own
        if self.params.own_state:
            state = cast(Stated, self._copies[lane][copy]).global_state()
            if (shape := np.shape(state)) != (declared := self._state.shape[2:]):
                raise EnvironmentFailed(f"state: got shape {shape}; declared: {declared}")
            self._state[lane, copy] = state
        if (available := self._copies[lane][copy].avail_actions()) is not None:
            check_shapes("avail_actions", available, self.action_sizes)
            for agent, own in enumerate(available):
                self._avail[lane, copy, agent, : len(own)] = own

    def _chosen(self, actions: Floats, lane: int, copy: int) -> list[Floats | int]:
        """Each agent's own action, from [N, A]."""
        chosen: list[Floats | int] = []
        for agent, (own, size) in enumerate(zip(actions, self.action_sizes, strict=True)):
            if self.params.continuous:
                if not (np.abs(own[:size]) <= 1).all():
                    check_finite(own[:size], ACTION, lane, agent)
                    raise ValueError(f"actions: agent {agent}: got {own[:size].tolist()}; allowed: each in [-1, 1]")
                chosen.append(own[:size])
                continue
            number = int(own.argmax())
            if own.sum() != 1 or own[number] != 1 or not self._avail[lane, copy, agent, number]:
                check_finite(own, ACTION, lane, agent)
                allowed = np.flatnonzero(self._avail[lane, copy, agent]).tolist()
                raise ValueError(f"actions: agent {agent}: got {own.tolist()}; allowed: one-hot, one of {allowed}")
            chosen.append(number)
        return chosen


def _end(copies: Sequence[Sequence[One]]) -> None:
    """End all of them. An error of one is only shown: its episodes are over, and the others must still be ended.

    Games whose process has crashed often raise here.
    """
    for one in (one for row in copies for one in row):
        try:
            one.close()
        except (Exception, SystemExit) as error:
            warn(f"an environment was not closed in order: {said_of(error)}")


@contextlib.contextmanager
def _in_lane(lane: int) -> Iterator[None]:
    """Any failure inside is a failure of this lane."""
    try:
        yield
    except EnvironmentFailed as error:
        error.lane = lane
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a package may exit the process, or panic
        raise EnvironmentFailed(said_of(error), lane) from error
