"""Steps of many seeds in parallel. Environments stay open from one round to the next, and restart by themselves.

Axes: S seed (lane), E environment copy, T step, N agent, O observation entry, A action entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.learner import Acting, Seen, Steps
from bench.envs import Environment
from bench.envs.one import ENDED_EARLY, EnvironmentFailed

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Ended:
    """An episode that ended: its rewards [T, N], and what its last step reported, by name."""

    rewards: Tensor
    outcome: Mapping[str, float]


class Stepping:
    """The open episodes of one task. They begin at once, from generators[s] for seed s."""

    def __init__(
        self,
        environment: Environment,
        generators: Sequence[torch.Generator],
        copies: int,
        limit: int,
        ends_early: bool = True,
    ):
        """limit: the longest episode, in steps. ends_early: whether one may end before it."""
        self._environment, self._limit, self._ends_early = environment, limit, ends_early
        self._see(environment.reset(generators, copies))
        self._first = torch.ones(len(generators), copies, dtype=torch.bool)
        self._rewards: list[list[list[Tensor]]] = [[[] for _ in range(copies)] for _ in generators]

    @torch.inference_mode()
    def play(self, steps: int, act: Acting) -> tuple[Steps, list[list[Ended]]]:
        """Play `steps` steps of every copy. Also returns the episodes that ended, by seed, in the order of their ends.

        Raises EnvironmentFailed if an episode ends early although none may.
        """
        kept: list[tuple[Tensor, ...]] = []
        ended: list[list[Ended]] = [[] for _ in self._rewards]
        for _ in range(steps):
            obs, avail, first, state = self._obs, self._avail, self._first, self._state
            actions = act(Seen(obs, avail, first, state))
            given = self._environment.step(actions)
            after = self._environment.global_state()
            terminated, truncated, rewards = given.terminated.cpu(), given.truncated.cpu(), given.rewards.cpu()
            by_itself = terminated | truncated
            for lane, row in enumerate(self._rewards):
                for copy, so_far in enumerate(row):
                    so_far.append(rewards[lane, copy])
                    if len(so_far) >= self._limit:
                        truncated[lane, copy] = True
                    elif by_itself[lane, copy] and not self._ends_early:
                        raise EnvironmentFailed(ENDED_EARLY, lane)
            row = (obs, avail, actions, given.rewards, given.obs.float(), first, terminated, truncated)
            kept.append(row if state is None or after is None else (*row, state, after.float()))
            over = terminated | truncated
            for lane, copy in over.nonzero().tolist():
                outcome = {name: float(own[lane, copy]) for name, own in given.outcome.items()}
                ended[lane].append(Ended(torch.stack(self._rewards[lane][copy]), outcome))
                self._rewards[lane][copy] = []
            self._see(self._environment.restart(over) if bool(over.any()) else given.obs)
            self._first = over
        names = ["obs", "avail_actions", "actions", "rewards", "after", "first", "terminated", "truncated"]
        names += ["state", "state_after"] * (len(kept[0]) > len(names))
        return Steps(**{n: torch.stack(x, 2) for n, x in zip(names, zip(*kept, strict=True), strict=True)}), ended

    def state(self, lane: int) -> dict[str, NDArray[Any]]:
        """Everything that a seed's open episodes need to go on, except its random stream."""
        lengths = [len(so_far) for so_far in self._rewards[lane]]
        rewards = [torch.stack(so_far).numpy() for so_far in self._rewards[lane] if so_far]
        own = {
            "first": self._first[lane].numpy(),
            "obs": self._obs[lane].cpu().numpy(),
            "lengths": np.array(lengths),
            "rewards": np.concatenate(rewards) if rewards else np.zeros((0, self._environment.agents)),
        }
        return own | {f"environment/{name}": array for name, array in self._environment.state(lane).items()}

    @classmethod
    def resumed(
        cls,
        environment: Environment,
        generators: Sequence[torch.Generator],
        states: Sequence[Arrays],
        limit: int,
        ends_early: bool = True,
    ) -> Stepping:
        """Go on from the `state` of each seed. Raises EnvironmentFailed if an environment does not repeat exactly."""
        again = cls.__new__(cls)
        again._environment, again._limit, again._ends_early = environment, limit, ends_early
        start = "environment/"
        inner = [{n.removeprefix(start): a for n, a in s.items() if n.startswith(start)} for s in states]
        again._see(environment.resume(generators, inner))
        again._first = torch.from_numpy(np.stack([state["first"] for state in states]))
        again._rewards = []
        for state in states:
            parts = np.split(state["rewards"], np.cumsum(state["lengths"])[:-1])
            again._rewards.append([list(torch.from_numpy(part.copy())) for part in parts])
        return again

    def _see(self, obs: Tensor) -> None:
        self._obs, self._avail = obs.float(), self._environment.avail_actions()
        state = self._environment.global_state()
        self._state = None if state is None else state.float()
