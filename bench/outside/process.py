"""A method's process as the harness holds it: started with limits, spoken to in turn, ended with all it started."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.explain import Problem, explain, shown
from bench.outside.channel import Channel, Closed, Garbled
from bench.outside.method import Declaration, MethodRefused, Outside, Tuning, target_of

CHILD = "bench.outside.child"
LOG_BYTES = 2**20  # of what a method prints is kept
REASON_LETTERS = 400
DESCRIBE_S = 120.0  # to import a method's module, torch and all
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of linux/prctl.h

OnWait = Callable[[], None] | None


class Limits(BaseModel):
    """Of one run: wall time in seconds, and private memory of each process in bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    wall_s: float = 3600.0
    memory_bytes: int = 8 * 2**30


class Foul(Exception):
    """What ends a run: the method's own error, or a rule that it broke. The message becomes the record's reason."""

    def __init__(self, reason: str):
        line = " ".join("".join(c if c.isprintable() else " " for c in reason).split())
        super().__init__(line if len(line) <= REASON_LETTERS else line[: REASON_LETTERS - 3] + "...")


class MethodProcess:
    """A context: the process runs inside and is gone after it, with whatever it has started.

    log: where the first mebibyte of what it prints goes; the rest is dropped. module: what runs there.
    """

    def __init__(self, order: Mapping[str, Any], limits: Limits, log: Path | None, module: str = CHILD):
        self._limits, self._began = limits, time.monotonic()
        if sys.platform == "linux":  # what the method starts and leaves comes to us, whatever session it is in
            ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
        self._not_ours = _children()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(theirs.fileno())],
                env=os.environ | {"PYTHONHASHSEED": "0"},
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.channel = Channel(ours)
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=_drain, args=(self._process.stdout, log), daemon=True)
        self._reader.start()
        with contextlib.suppress(Closed):  # receiving tells how it ended
            self.channel.send({**order, "memory": limits.memory_bytes})

    def __enter__(self) -> MethodProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        _end(self._not_ours)
        self._reader.join(timeout=1.0)

    def send(self, message: Mapping[str, Any], array: bytes = b"", on_wait: OnWait = None) -> None:
        """on_wait: called while it does not read. Raises Foul where the process is gone, and for the time limit."""
        try:
            self.channel.send(message, array, self._waiting(on_wait))
        except Closed:
            raise Foul(self._ending()) from None

    def receive(self, on_wait: OnWait = None) -> tuple[dict[str, Any], bytes]:
        """Its next message. on_wait: called while waiting. Raises Foul for an end, a time limit, a failure it tells."""
        try:
            message, array = self.channel.receive(self._waiting(on_wait))
        except Closed:
            raise Foul(self._ending()) from None
        except Garbled as error:
            raise Foul(f"wrote to the harness's channel what is no message: {error}") from None
        self.within_time()
        if message.get("do") == "failed":
            raise Foul(str(message.get("reason")))
        return message, array

    def within_time(self) -> None:
        """Raises Foul past the time limit."""
        if time.monotonic() - self._began > self._limits.wall_s:
            raise Foul(f"over the time limit of {self._limits.wall_s:,.0f} s")

    def _waiting(self, on_wait: OnWait) -> Callable[[], None]:
        def waiting() -> None:
            self.within_time()
            if on_wait is not None:
                on_wait()

        return waiting

    def _ending(self) -> str:
        try:
            code = self._process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            return "closed the harness's channel before it had finished"
        if code < 0:
            return f"killed by signal {-code} ({signal.Signals(-code).name})"
        return f"the process ended with code {code} before it had finished"


def describe(name: str, limits: Limits) -> Outside:
    """Load a method in a process of its own, and read what it declares. Raises MethodRefused."""
    target = target_of(name)
    limits = limits.model_copy(update={"wall_s": min(limits.wall_s, DESCRIBE_S)})
    try:
        with MethodProcess({"order": "describe", "target": target}, limits, None) as process:
            found, _ = process.receive()
    except Foul as foul:
        mend = "correct it; it is looked for in the folder that bench is called from, then among what is installed"
        raise MethodRefused(Problem("METHOD", shown(name), "a method that loads", f"{mend} ({foul})")) from None
    if fault := found.get("fault"):
        allowed = "a function train(task), or a class of the learner protocol"
        mend = "name one of them; docs/bring-your-method.md and baselines/learner.py say what each must take"
        raise MethodRefused(Problem("METHOD", f"{name}, {fault}", allowed, mend))
    declaration = _declared(f"{target.partition(':')[0]}.DECLARATION", found.get("declaration"))
    return Outside(
        name=name, target=target, kind=found["kind"], source=str(found.get("source")), declaration=declaration
    )


def _declared(key: str, found: Any) -> Declaration:
    """Raises MethodRefused, with everything that is wrong. found: a table, a type's name where it is none, or None."""
    if not isinstance(found, dict):
        got = "nothing" if found is None else f"a value of type {found}"
        mend = "write DECLARATION = {...}: docs/bring-your-method.md shows one"
        raise MethodRefused(Problem(key, got, "a table: what the method is, and what tuning it took", mend))
    try:
        return Declaration.model_validate(found)
    except ValidationError as error:
        keys = {"": list(Declaration.model_fields), "tuning": list(Tuning.model_fields)}
        problems = explain(error, found, keys)
        raise MethodRefused(*(replace(problem, key=f"{key}: {problem.key}") for problem in problems)) from None


def _drain(output: IO[bytes], log: Path | None) -> None:
    """Keep the beginning of what is printed, drop the rest, so that nothing waits for a reader and no disk fills."""
    kept = 0
    with output, contextlib.ExitStack() as files:
        file = files.enter_context(log.open("wb")) if log else None
        while part := output.read1(2**16):  # type: ignore[attr-defined]
            if file and kept < LOG_BYTES:
                file.write(part[: LOG_BYTES - kept])
                file.flush()
            kept += len(part)


def _end(spared: set[int]) -> None:
    """Kill what came to us when its parent died: children of this process other than those spared."""
    while children := _children() - spared:
        for pid in children:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def _children() -> set[int]:
    """Of this process; none where the system does not list them (it is Linux that does)."""
    found: set[int] = set()
    for task in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found |= {int(pid) for pid in task.read_text().split()}
    return found
