"""A toy family, once batched and once as `One`: episodes that end early and differ in length. Not in the product.

Axes: S seed, E environment copy, N agent, O observation entry, A action entry.

An episode has a goal g from 1 to `longest`, drawn at its start, and counts its steps. Every agent sees [g, steps] and,
from the second on, one entry more each. The reward of agent i is (i + 1) times the number of its action, or the sum of
its continuous one. After g steps the episode ends: terminal where g is odd, truncated where it is even.
The outcome "won" is 1 where the episode ended terminally.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from bench.envs import FAMILIES, Assets, Family, Step
from bench.envs.one import Given
from bench.envs.params import Params
from bench.envs.several import Several


class ToyParams(Params):
    name: Literal["toy"]
    agents: int = 1
    longest: int = 6
    kind: Literal["discrete", "continuous"] = "discrete"
    certain: bool = True  # else the same seed does not come to the same goal

    @property
    def obs_sizes(self) -> tuple[int, ...]:
        return tuple(2 + i for i in range(self.agents))

    @property
    def action_sizes(self) -> tuple[int, ...]:
        return tuple(3 + i for i in range(self.agents))

    @property
    def continuous(self) -> bool:
        return self.kind == "continuous"

    @property
    def ends_early(self) -> bool:
        return True

    @property
    def repeats(self) -> bool:
        return self.certain

    @property
    def outcomes(self) -> tuple[str, ...]:
        return ("won",)


class ToyOne:
    """`bench.envs.one.One`."""

    def __init__(self, params: ToyParams):
        self._params = params

    def reset(self, seed: int) -> list[np.ndarray]:
        seed += 0 if self._params.certain else random.randrange(1000)
        self._goal, self._steps = 1 + seed % self._params.longest, 0
        return self._seen()

    def step(self, actions: Sequence[np.ndarray | int]) -> Given:
        self._steps += 1
        rewards = [(i + 1) * float(np.sum(own)) for i, own in enumerate(actions)]
        over, odd = self._steps >= self._goal, self._goal % 2 == 1
        return Given(self._seen(), rewards, over and odd, over and not odd, {"won": float(over and odd)})

    def avail_actions(self) -> None:
        return None

    def close(self) -> None: ...

    def _seen(self) -> list[np.ndarray]:
        own = [float(self._goal), float(self._steps)]
        return [np.array([*own, *[1.0] * i]) for i in range(self._params.agents)]


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


# ------------------------------------------------------- what `Apart` makes in its own process


def one(params: dict[str, object]) -> ToyOne:
    return ToyOne(ToyParams.model_validate(params))


class Naughty(ToyOne):
    """At its first step it does what `how` says."""

    def __init__(self, params: ToyParams, how: str):
        super().__init__(params)
        self._how = how

    def step(self, actions: Sequence[np.ndarray | int]) -> Given:
        match self._how:
            case "crashes":
                os.abort()
            case "hangs":
                time.sleep(1000)
            case "leaks":
                self._held = bytearray(2**31)
            case "raises":
                raise ValueError("no\nmore")
            case "swaps":  # its log for a pipe into which nobody writes
                Path("log").unlink(missing_ok=True)
                os.mkfifo("log")
                os._exit(4)
            case "chatters":
                for _ in range(2**14):
                    print("step by step, " * 20)
                print("and no further", flush=True)
                os._exit(5)
            case "exits":
                os._exit(3)
        given = super().step(actions)
        return given if self._how != "grows" else Given([np.zeros(4), np.zeros(5)], given.rewards)

    def reset(self, seed: int) -> list[np.ndarray]:
        if self._how == "starts_another":
            other = subprocess.Popen(["sleep", "100"], start_new_session=True)
            Path("started").write_text(f"{os.getpid()} {other.pid}")
        return super().reset(seed)


def __getattr__(name: str) -> Callable[[dict[str, object]], Naughty]:
    """A maker of each kind of trouble, by its name."""
    if name not in ("chatters", "crashes", "hangs", "leaks", "raises", "exits", "swaps", "grows", "starts_another"):
        raise AttributeError(f"module has no {name}")
    return lambda params: Naughty(ToyParams.model_validate(params), name)
