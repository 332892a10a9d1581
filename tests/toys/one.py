"""The toy family's `One`, torch-free like an environment's process, and the troubles of such a process."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from bench.envs.one import Given
from bench.envs.params import Params


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
                for _ in range(2**9):
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
