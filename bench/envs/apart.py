"""One environment in a process of its own: a game that crashes, hangs or leaks takes its run along and nothing else.

The process runs in a scratch folder. A keeper (processes/keeper.py) ends it, and all that it has started, and removes
the folder, when this process lets go or dies.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from bench.envs.one import EnvironmentFailed, Floats, Given
from bench.envs.params import Params
from bench.processes.channel import Channel, Closed, Garbled
from bench.processes.starting import command, environment

KEEPER, CHILD = "bench.processes.keeper", "bench.envs.apart_child"
GRACE_S = 10.0  # for the keeper to end the process and what it has started
REASON_LETTERS = 400
LOG_BYTES = 4096  # of the end of what the process has printed
READ_S = 1.0  # until all that an ended process has printed is read


@dataclass(frozen=True)
class EnvironmentLimits:
    """start_s: until the environment is made, wall seconds. call_s: of a reset or a step. memory_bytes: private."""

    start_s: float = 180.0
    call_s: float = 60.0
    memory_bytes: int = 8 * 2**30


class Apart:
    """`One`, of which all but the calls is elsewhere. Each may raise EnvironmentFailed, with a reason in one line."""

    def __init__(self, target: str, params: Params, limits: EnvironmentLimits = EnvironmentLimits()):
        """target: "module:function", called with the params' table in the other process; it gives a `One`."""
        self._limits, self._sizes = limits, params.obs_sizes
        self._actions = params.action_sizes
        self._scratch = tempfile.mkdtemp(prefix="environment-")
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                command(KEEPER, CHILD, str(theirs.fileno()), self._scratch),
                env=environment(),
                cwd=self._scratch,
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.PIPE,  # the keeper's lifeline
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        self._said = bytearray()  # the end of what it has printed
        self._reader = threading.Thread(target=_drain, args=(self._process.stdout, self._said), daemon=True)
        self._reader.start()
        self._channel = Channel(ours)
        order = {"make": target, "params": params.model_dump(mode="json"), "memory": limits.memory_bytes}
        try:
            self._ask(order, limit_s=limits.start_s)
        except EnvironmentFailed:
            self.close()
            raise

    def reset(self, seed: int) -> Sequence[Floats]:
        return self._own(*self._ask({"do": "reset", "seed": seed}))

    def step(self, actions: Sequence[Floats | int]) -> Given:
        numbers = [own if isinstance(own, int) else own.tolist() for own in actions]
        said, content = self._ask({"do": "step", "actions": numbers})
        flags = {name: bool(said[name]) for name in ("terminated", "truncated")}
        return Given(self._own(said, content), said["rewards"], **flags, outcome=said["outcome"])

    def avail_actions(self) -> Sequence[NDArray[np.bool_]] | None:
        return self._avail

    def close(self) -> None:
        """End the process and what it has started; remove its folder."""
        self._channel.close()
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._scratch, ignore_errors=True)  # where the keeper could not
        self._reader.join(READ_S)

    def _own(self, said: Mapping[str, Any], content: bytes) -> list[Floats]:
        """Each agent's own observation, out of all in a row."""
        if (shapes := said["shapes"]) != (declared := [[size] for size in self._sizes]):
            raise EnvironmentFailed(f"obs: got shapes {shapes}; declared: {declared}, one an agent")
        return np.split(np.frombuffer(content, np.float64).copy(), np.cumsum(self._sizes)[:-1])

    def _ask(self, message: Mapping[str, Any], limit_s: float | None = None) -> tuple[dict[str, Any], bytes]:
        began, limit = time.monotonic(), limit_s or self._limits.call_s

        def waiting() -> None:
            if time.monotonic() - began > limit:
                raise EnvironmentFailed(f"it gave no answer within {limit:,.0f} s")

        try:
            self._channel.send(message, waiting=waiting)
            said, content = self._channel.receive(waiting)
        except Closed:
            raise EnvironmentFailed(self._ending()) from None
        except Garbled as error:
            raise EnvironmentFailed(f"it wrote what is no message: {error}") from None
        if "failed" in said:
            raise EnvironmentFailed(str(said["failed"])[:REASON_LETTERS])
        available = said.get("avail")
        self._avail = None if available is None else [np.array(own, bool) for own in available]
        return said, content

    def _ending(self) -> str:
        try:
            code = self._process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            return "its process closed the channel"
        self._reader.join(READ_S)
        said = self._said.decode(errors="replace").splitlines()
        last = (said or ["no message"])[-1][:REASON_LETTERS]
        if code < 0:
            return f"its process was killed by signal {-code} ({signal.Signals(-code).name}): {last}"
        return f"its process ended with code {code}: {last}"


def _drain(output: IO[bytes], end: bytearray) -> None:
    """Keep the end of what is printed: games print all their life, and no disk must fill."""
    with output:
        while part := output.read1(2**16):  # type: ignore[attr-defined]
            end += part
            del end[:-LOG_BYTES]
