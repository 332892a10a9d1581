"""SMAX as an `Environment`: battles of many seeds in parallel, in JAX, in a process of their own.

Axes: S seed, E environment copy, N agent, O observation entry, A action, X state entry; B = S x E battles.

One process serves every map of a job, since JAX's compilation costs seconds and hundreds of megabytes. Compiled
programs are kept on disk for the next process (`cache_folder`). Nothing else of ours needs JAX. It may be impossible to
install beside the rest: its packages need an older gymnasium than MuJoCo's tasks. Then `BENCH_SMAX_PYTHON` names an
interpreter that has it.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.envs.assets import Assets
from bench.envs.elsewhere import Elsewhere, EnvironmentLimits
from bench.envs.one import ACTION, OBSERVATION, REWARD, EnvironmentFailed, check_finite
from bench.envs.protocols import Step
from bench.envs.registry import python_of
from bench.envs.smax.params import SmaxParams

CHILD = "bench.envs.smax.child"
CACHE = "BENCH_JAX_CACHE"  # names the folder of compiled programs; empty: none is kept
LIMITS = EnvironmentLimits(start_s=300.0, call_s=600.0, memory_bytes=16 * 2**30)  # the first call compiles
# One thread, like everything that trains: several workers share a machine.
ONE_THREAD = {
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "NPROC": "1",
    "OMP_NUM_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
}
HIGHEST_SEED = 2**31 - 1


def smax_environment(params: SmaxParams, device: str, assets: Assets) -> SmaxEnvironment:
    """`registry.make` raises BackendMissing if jaxmarl is not installed."""
    return SmaxEnvironment(params, Battlefield(params.name), device)


def cache_folder() -> str:
    """Where JAX keeps compiled programs: `BENCH_JAX_CACHE`, else a folder in the user's cache; "": nowhere."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return os.environ.get(CACHE, str(Path(home) / "marl-distill-bench" / "jax"))


class Server:
    """The process that all environments of this process share. It ends with the last of them."""

    _shared: Server | None = None

    def __init__(self) -> None:
        self._elsewhere = Elsewhere(CHILD, {"cache": cache_folder()}, LIMITS, python_of("smax"), ONE_THREAD)
        self._ids, self._users = itertools.count(), 0

    @classmethod
    def joined(cls) -> Server:
        """The running one, or a new one."""
        server = cls._shared = cls._shared or Server()
        server._users += 1
        return server

    def new(self) -> int:
        return next(self._ids)

    def ask(self, message: Mapping[str, Any], content: bytes = b"") -> tuple[dict[str, Any], bytes]:
        try:
            return self._elsewhere.ask(message, content)
        except EnvironmentFailed:
            self._end()  # it answers no more, and the pending question is void
            raise

    def leave(self) -> None:
        self._users -= 1
        if not self._users:
            self._end()

    def _end(self) -> None:
        if Server._shared is self:
            Server._shared = None
        self._elsewhere.close()

    @property
    def runs(self) -> bool:
        return Server._shared is self


class Battlefield:
    """The battles of one environment in the other process: a proxy of `battles.Battles`."""

    def __init__(self, name: str):
        self._server = Server.joined()
        self._id = self._server.new()
        self._server.ask({"do": "make", "id": self._id, "name": name})

    def begin(self, seeds: Sequence[int], which: Sequence[bool]) -> list[NDArray[Any]]:
        """See `battles.Battles.begin`: obs, state, avail_actions."""
        return self._ask({"do": "begin", "seeds": list(seeds), "which": list(which)})

    def step(self, actions: NDArray[np.int32]) -> list[NDArray[Any]]:
        """See `battles.Battles.step`: obs, state, avail_actions, rewards, over, won."""
        return self._ask({"do": "step", "shape": actions.shape}, actions.tobytes())

    def saved(self) -> list[NDArray[Any]]:
        """See `battles.Battles.saved`."""
        return self._ask({"do": "save"})

    def restore(self, battles: int, leaves: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """See `battles.Battles.restore`: obs, state, avail_actions."""
        shapes = [[leaf.dtype.str, leaf.shape] for leaf in leaves]
        content = b"".join(np.ascontiguousarray(leaf).tobytes() for leaf in leaves)
        return self._ask({"do": "restore", "battles": battles, "leaves": shapes}, content)

    def close(self) -> None:
        if self._server.runs:
            self._server.ask({"do": "close", "id": self._id})
            self._server.leave()

    def _ask(self, message: Mapping[str, Any], content: bytes = b"") -> list[NDArray[Any]]:
        said, answer = self._server.ask({**message, "id": self._id}, content)
        found, at = [], 0
        for kind, shape in said["arrays"]:
            dtype, size = np.dtype(kind), int(np.prod(shape))
            found.append(np.frombuffer(answer, dtype, size, at).reshape(shape))
            at += size * dtype.itemsize
        return found


class SmaxEnvironment:
    """`bench.envs.Environment`. field: a `Battlefield`, or a replacement."""

    def __init__(self, params: SmaxParams, field: Any, device: str):
        self.params, self._field, self._device = params, field, device
        self.agents = len(params.obs_sizes)
        self.obs_size, self.action_size = params.obs_size, params.action_size
        self.obs_sizes, self.action_sizes = params.obs_sizes, params.action_sizes

    def reset(self, generators: Sequence[torch.Generator], copies: int) -> Tensor:
        """Start E = copies episodes of each seed; obs [S, E, N, O] float32. ValueError without seeds or copies."""
        if not generators or copies < 1:
            raise ValueError(f"reset: got {len(generators)} generators and {copies} copies; allowed: 1 or more of each")
        self._generators, self._shape = list(generators), (len(generators), copies)
        self._over = np.ones(self._shape, bool)
        return self.restart(torch.ones(self._shape, dtype=torch.bool))

    def restart(self, over: Tensor) -> Tensor:
        """Start a new episode of each copy marked in over [S, E]; each draws its seed, in the order of the copies."""
        seeds = np.zeros(self._shape, np.int64)
        for lane, copy in over.nonzero().tolist():
            seeds[lane, copy] = int(torch.randint(HIGHEST_SEED, (), generator=self._generators[lane]))
            self._over[lane, copy] = False
        return self._see(*self._field.begin(seeds.flatten().tolist(), over.flatten().tolist()))

    def avail_actions(self) -> Tensor:
        """Bool [S, E, N, A]."""
        return self._avail

    def global_state(self) -> Tensor:
        """[S, E, X] float32."""
        return self._state

    def step(self, actions: Tensor) -> Step:
        """Take actions [S, E, N, A], one-hot. Raises ValueError for unavailable actions, Diverged for ones not finite.

        A battle that is over goes on in some way until it is started again, and its results are ignored. So an
        unavailable action there is replaced by the first available one.
        """
        expected = (*self._shape, self.agents, self.action_size)
        if tuple(actions.shape) != expected:
            raise ValueError(f"actions: got shape {tuple(actions.shape)}; allowed: {expected} = [S, E, N, A]")
        given = actions.detach().cpu().double().numpy()
        chosen = self._chosen(given)
        obs, state, avail, rewards, over, won = self._field.step(chosen.reshape(-1, self.agents).astype(np.int32))
        seen = self._see(obs, state, avail)
        check_finite(rewards.reshape(*self._shape, 1), REWARD)
        ended = self._tensor(over)
        self._over |= over.reshape(self._shape)
        given_rewards = self._tensor(rewards).double().unsqueeze(-1).expand(-1, -1, self.agents)
        return Step(seen, given_rewards, ended, torch.zeros_like(ended), {"win_rate": self._tensor(won).double()})

    def state(self, lane: int) -> Mapping[str, NDArray[Any]]:
        """JAX's state of a lane's battles. They go on exactly, to the last bit, if as many others run with them."""
        rows = slice(lane * self._shape[1], (lane + 1) * self._shape[1])
        return {f"leaf_{i}": leaf[rows].copy() for i, leaf in enumerate(self._field.saved())}

    def resume(self, generators: Sequence[torch.Generator], states: Sequence[Mapping[str, NDArray[Any]]]) -> Tensor:
        """See `Environment.resume`."""
        self._generators, self._shape = list(generators), (len(generators), len(states[0]["leaf_0"]))
        self._over = np.zeros(self._shape, bool)
        leaves = [np.concatenate([state[name] for state in states]) for name in states[0]]
        return self._see(*self._field.restore(self._shape[0] * self._shape[1], leaves))

    def close(self) -> None:
        self._field.close()

    def _see(self, obs: NDArray[Any], state: NDArray[Any], avail: NDArray[Any]) -> Tensor:
        """Store the current observations, states and masks, [B, ...] each."""
        check_finite(obs.reshape(*self._shape, self.agents, -1), OBSERVATION)
        self._state, self._avail = self._tensor(state), self._tensor(avail)
        return self._tensor(obs)

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        """[B, ...] -> [S, E, ...], on the device; a copy, since received arrays are read-only."""
        return torch.from_numpy(array.copy()).unflatten(0, self._shape).to(self._device)

    def _chosen(self, given: NDArray[np.float64]) -> NDArray[np.int64]:
        """Each agent's action, by number: [S, E, N, A] -> [S, E, N]."""
        check_finite(given, ACTION)
        numbers, sums, avail = given.argmax(-1), given.sum(-1), self._avail.cpu().numpy()
        allowed = np.take_along_axis(avail, numbers[..., None], -1)[..., 0]
        one_hot = (np.take_along_axis(given, numbers[..., None], -1)[..., 0] == 1) & (sums == 1)
        wrong = ~(one_hot & allowed)
        unseen = wrong & self._over[..., None]
        numbers = np.where(unseen, avail.argmax(-1), numbers)
        if (wrong & ~unseen).any():
            lane, copy, agent = np.argwhere(wrong & ~unseen)[0]
            there = np.flatnonzero(avail[lane, copy, agent]).tolist()
            raise ValueError(
                f"actions: agent {agent}: got {given[lane, copy, agent].tolist()}; allowed: one-hot, one of {there}"
            )
        return numbers
