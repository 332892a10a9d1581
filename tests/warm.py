"""Workers that are forked from a process that has loaded torch, because loading it takes longer than a small job.

For commands that run in the tests' own process and are not about processes. A worker's orders, its work and its
answers are as usual. But `bench.processes.launch` does not start it, and it does not notice that its parent is gone.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import IO, Any, NoReturn

from bench.processes.starting import command, training_environment

ROOT = Path(__file__).parent.parent
WORKER = command("bench.executors.worker")


class Mother:
    """A context: the process that forks is started with the first worker, and ended here."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()  # a command may start workers from several threads

    def __enter__(self) -> Mother:
        return self

    def __exit__(self, *_: object) -> None:
        if "_forks" in vars(self):  # else none was asked for
            process, asked = self._forks
            asked.close()
            process.wait()

    @cached_property
    def _forks(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        ours, theirs = socket.socketpair()
        with theirs:
            start = [sys.executable, "-m", "tests.warm", str(theirs.fileno())]
            own = training_environment() | {"PYTHONPATH": str(ROOT)}
            process = subprocess.Popen(start, env=own, pass_fds=(theirs.fileno(),), cwd=ROOT)
        return process, ours

    def start(self, arguments: list[str], *, env: Mapping[str, str], stderr: IO[str], **_: Any) -> Forked:
        """Like `subprocess.Popen`, starts a worker for `executors.local`."""
        assert arguments == WORKER
        with self._one_at_a_time:
            return self._start(env, stderr)

    def _start(self, env: Mapping[str, str], stderr: IO[str]) -> Forked:
        if "_forks" in vars(self) and self._forks[0].poll() is not None:  # what ended it is another test's business
            self._forks[1].close()
            del vars(self)["_forks"]
        order = json.dumps({"env": dict(env), "parent": os.getpid(), "cwd": os.getcwd()}).encode()
        (orders, stdin), (stdout, events), (ends, end) = os.pipe(), os.pipe(), os.pipe()
        asked = self._forks[1]
        socket.send_fds(asked, [len(order).to_bytes(4, "big")], [orders, events, stderr.fileno(), end])
        asked.sendall(order)
        for descriptor in (orders, events, end):
            os.close(descriptor)
        return Forked(stdin, stdout, ends)


class Forked:
    """As much of a `subprocess.Popen` as `executors.local` uses."""

    def __init__(self, stdin: int, stdout: int, ends: int):
        self.stdin, self.stdout, self._ends = os.fdopen(stdin, "w"), os.fdopen(stdout), os.fdopen(ends)
        self.pid = int(self._ends.readline())

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        with self._ends:
            return int(self._ends.readline())


def main() -> None:
    from bench.executors import worker  # and torch with it

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that watch
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C that is meant for a command
    asked = socket.socket(fileno=int(sys.argv[1]))
    while True:
        size, descriptors, *_ = socket.recv_fds(asked, 4, 4)
        if not size:
            return
        order = json.loads(asked.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL))
        if os.fork() == 0:
            asked.close()
            _watch(worker.main, order, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _watch(work: Any, order: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """Forks the worker; reports its id, and how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *streams, end = descriptors
    if (pid := os.fork()) == 0:
        os.setsid()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        for descriptor in descriptors:
            os.close(descriptor)
        _become(order)
        sys.exit(work())
    for stream in (0, 1, 2, *streams):
        os.close(stream)
    os.write(end, b"%d\n" % pid)
    os.write(end, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    os._exit(0)


def _become(order: dict[str, Any]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 what the one before has read ahead is not this worker's
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    os.getppid = lambda: order["parent"]


if __name__ == "__main__":
    main()
