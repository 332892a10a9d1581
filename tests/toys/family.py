"""A toy family, once batched and once as `One`: episodes that end early and differ in length. For tests only.

Axes: S seed, E environment copy, N agent, O observation entry, A action entry.

An episode has a goal g from 1 to `longest`, drawn at its start, and counts its steps. Every agent sees [g, steps] and,
from the second on, one entry more each. The reward of agent i is (i + 1) times the number of its action, or the sum of
its continuous one. After g steps the episode ends: terminal where g is odd, truncated where it is even.
The outcome "won" is 1 where the episode ended terminally.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from bench.envs import FAMILIES, Assets, Family, Step
from bench.envs.several import Several
from tests.toys.one import ToyOne, ToyParams


class ToyBatch:
    """The same, batched by hand."""

    def __init__(self, params: ToyParams):
        self.params, self.agents = params, params.agents
        self.obs_size, self.action_size = params.obs_size, params.action_size
        self.obs_sizes, self.action_sizes = params.obs_sizes, params.action_sizes

    def reset(self, generators: Sequence[torch.Generator], copies: int) -> Tensor:
        self._generators = list(generators)
        self._goal, self._steps = torch.zeros(2, len(generators), copies, dtype=torch.int64)
        return self.restart(torch.ones(len(generators), copies, dtype=torch.bool))

    def restart(self, over: Tensor) -> Tensor:
        for lane, copy in over.nonzero().tolist():
            seed = int(torch.randint(2**31 - 1, (), generator=self._generators[lane]))
            self._goal[lane, copy], self._steps[lane, copy] = 1 + seed % self.params.longest, 0
        return self._seen()

    def state(self, lane: int) -> dict[str, np.ndarray]:
        return {"goal": self._goal[lane].numpy(), "steps": self._steps[lane].numpy()}

    def resume(self, generators: Sequence[torch.Generator], states: Sequence[Mapping[str, np.ndarray]]) -> Tensor:
        self._generators = list(generators)
        self._goal, self._steps = (
            torch.from_numpy(np.stack([state[name] for state in states])) for name in ("goal", "steps")
        )
        return self._seen()

    def global_state(self) -> None:
        return

    def avail_actions(self) -> Tensor:
        own = torch.tensor([[a < size for a in range(self.action_size)] for size in self.action_sizes])
        return own.expand(*self._goal.shape, -1, -1)

    def step(self, actions: Tensor) -> Step:
        self._steps = self._steps + 1
        weight = torch.arange(1, self.agents + 1)
        told = actions.double().sum(-1) if self.params.continuous else actions.argmax(-1).double()
        over, odd = self._steps >= self._goal, self._goal % 2 == 1
        won = (over & odd).double()
        return Step(self._seen(), told * weight, over & odd, over & ~odd, {"won": won})

    def close(self) -> None: ...

    def _seen(self) -> Tensor:
        obs = torch.zeros(*self._goal.shape, self.agents, self.obs_size, dtype=torch.float64)
        obs[..., 0], obs[..., 1] = self._goal.unsqueeze(-1), self._steps.unsqueeze(-1)
        for i, size in enumerate(self.obs_sizes):
            obs[..., i, 2:size] = 1
        return obs


def batched(params: ToyParams, device: str, assets: Assets) -> ToyBatch:
    return ToyBatch(params)


def one_by_one(params: ToyParams, device: str, assets: Assets) -> Several:
    return Several(params, lambda: ToyOne(params))


def families() -> Mapping[str, Family]:
    """The product's, and the toys as "toy_batch" and "toy_one"."""
    own = {
        name: Family(
            module=__name__,
            environment=maker.__name__,
            install="nothing",
            version=1,
            metrics=("step_reward", "return_sum", "won"),
            scenarios={"toy": ToyParams},
        )
        for name, maker in (("toy_batch", batched), ("toy_one", one_by_one))
    }
    return {**FAMILIES, **own}
