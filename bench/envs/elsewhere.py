"""A process of ours that keeps environments, perhaps in a Python environment of its own. Torch-free.

It runs in a scratch folder. When this process releases it or dies, a keeper (processes/keeper.py) ends it and
everything it has started, and removes the folder.
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
GRACE_S = 10.0  # for the keeper to end the process and everything it has started
REASON_LETTERS = 400
LOG_BYTES = 4096  # kept from the end of the process's output
READ_S = 1.0  # to read the rest of an ended process's output


@dataclass(frozen=True)
class EnvironmentLimits:
    """start_s: wall seconds to make the environment. call_s: for a reset or a step. memory_bytes: private memory."""

    start_s: float = 180.0
    call_s: float = 60.0
    memory_bytes: int = 8 * 2**30


USUAL = EnvironmentLimits()


class Elsewhere:
    """A module of ours that answers one message after another. Any failure is an EnvironmentFailed with one line."""

    def __init__(
        self,
        child: str,
        order: Mapping[str, Any],
        limits: EnvironmentLimits = USUAL,
        python: str = "",
        variables: Mapping[str, str] | None = None,
    ):
        """child: the module. order: its first message. python: the interpreter, if it is not this one.

        variables: added to its environment.
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
        self._said = bytearray()  # the end of its output
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
            raise EnvironmentFailed(f"it wrote something that is not a message: {error}") from None
        if "failed" in said:
            raise EnvironmentFailed(str(said["failed"])[:REASON_LETTERS])
        return said, answer

    def close(self) -> None:
        """End the process and everything it has started; remove its folder."""
        self._channel.close()
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.scratch, ignore_errors=True)  # in case the keeper could not
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
    """Keep only the end of the output: games print all the time, and must not fill a disk."""
    with output:
        while part := output.read1(2**16):  # type: ignore[attr-defined]
            end += part
            del end[:-LOG_BYTES]
