"""A process of ours that keeps environments, perhaps in a Python environment of its own. Torch-free.

It runs in a scratch folder. A keeper (processes/keeper.py) ends it, and all that it has started, and removes the
folder, when this process lets go or dies.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from bench.envs.one import EnvironmentFailed
from bench.processes.channel import Channel, Closed, Garbled
from bench.processes.starting import command, environment

KEEPER = "bench.processes.keeper"
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


USUAL = EnvironmentLimits()


class Elsewhere:
    """A module of ours that answers, one message after another. What goes wrong is an EnvironmentFailed of one line."""

    def __init__(
        self,
        child: str,
        order: Mapping[str, Any],
        limits: EnvironmentLimits = USUAL,
        python: str = "",
        variables: Mapping[str, str] | None = None,
    ):
        """child: the module. order: its first message. python: the interpreter, where it is another than this one.

        variables: of its environment, beside those that are there.
        """
        self._limits = limits
        self.scratch = tempfile.mkdtemp(prefix="environment-")
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                command(KEEPER, child, str(theirs.fileno()), self.scratch, python=python),
                env=environment(**(variables or {})),
                cwd=self.scratch,
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.PIPE,  # the keeper's lifeline
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        assert self.process.stdout is not None
        self._said = bytearray()  # the end of what it has printed
        self._reader = threading.Thread(target=_drain, args=(self.process.stdout, self._said), daemon=True)
        self._reader.start()
        self._channel = Channel(ours)
        try:
            self.ask({**order, "memory": limits.memory_bytes}, limit_s=limits.start_s)
        except EnvironmentFailed:
            self.close()
            raise

    def ask(
        self, message: Mapping[str, Any], content: bytes = b"", limit_s: float | None = None
    ) -> tuple[dict[str, Any], bytes]:
        """Its answer."""
        began, limit = time.monotonic(), limit_s or self._limits.call_s

        def waiting() -> None:
            if time.monotonic() - began > limit:
                raise EnvironmentFailed(f"it gave no answer within {limit:,.0f} s")

        try:
            self._channel.send(message, content, waiting)
            said, answer = self._channel.receive(waiting)
        except Closed:
            raise EnvironmentFailed(self._ending()) from None
        except Garbled as error:
            raise EnvironmentFailed(f"it wrote what is no message: {error}") from None
        if "failed" in said:
            raise EnvironmentFailed(str(said["failed"])[:REASON_LETTERS])
        return said, answer

    def close(self) -> None:
        """End the process and what it has started; remove its folder."""
        self._channel.close()
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.scratch, ignore_errors=True)  # where the keeper could not
        self._reader.join(READ_S)

    def _ending(self) -> str:
        try:
            code = self.process.wait(timeout=5.0)
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
