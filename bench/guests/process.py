"""The harness's side of a method's process. It has limits, answers in turn, and ends with all that it started."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from bench.guests.method import Declaration, Guest, MethodRefused, Tuning, target_of
from bench.processes.channel import Channel, Closed, Garbled
from bench.processes.starting import command, guest_environment
from bench.run.job import Limits
from bench.suite.explain import Problem, explain, shown

CHILD, KEEPER = "bench.guests.child", "bench.processes.keeper"
LOG_BYTES = 2**20  # kept of a method's output
REASON_LETTERS = 400
MOST_NAMES, LETTERS, MOST_FILES = 5, 80, 10_000  # files named, letters of a name, files examined
DESCRIBE_S = 120.0  # to import a method's module, including torch
GRACE_S = 10.0  # for the keeper to end everything that the method started

OnWait = Callable[[], None] | None


class Foul(Exception):
    """The end of a run: the method's own error, or a rule that it broke. The message becomes the record's reason."""

    def __init__(self, reason: str):
        line = " ".join("".join(c if c.isprintable() else " " for c in reason).split())
        super().__init__(line if len(line) <= REASON_LETTERS else line[: REASON_LETTERS - 3] + "...")


class MethodProcess:
    """A context: the process runs inside it, and is gone after it, with everything it has started.

    It also ends when this process dies in any way: a keeper (processes/keeper.py) stands between the two. It runs in an
    empty folder of its own, which is removed with it.
    log: gets the first mebibyte of its output; the rest is dropped. module: the module that runs there. here: the
    folder that bench was called from, where the method is looked up; "": the current one.
    """

    def __init__(self, order: Mapping[str, Any], limits: Limits, log: Path | None, module: str = CHILD, here: str = ""):
        self._limits, self._began = limits, time.monotonic()
        self._here, self._own = Path(here or Path.cwd()), Path(tempfile.mkdtemp(prefix="bench-guest-"))
        self._there = set(os.listdir(self._here))
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                command(KEEPER, module, str(theirs.fileno()), str(self._own), "alone"),
                cwd=self._here,
                env=guest_environment(PYTHONHASHSEED="0"),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.PIPE,  # the keeper's lifeline
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.channel = Channel(ours)
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=_drain, args=(self._process.stdout, log), daemon=True)
        self._reader.start()
        with contextlib.suppress(Closed):  # the next receive reports how it ended
            bounds = {"memory": limits.memory_bytes, "file": limits.file_bytes}
            self.channel.send({**order, **bounds, "here": str(self._here)})

    def __enter__(self) -> MethodProcess:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.channel.close()  # last: otherwise the method would log that nobody listens
        self._reader.join(timeout=1.0)
        shutil.rmtree(self._own, ignore_errors=True)  # in case the keeper could not

    def left(self) -> list[str]:
        """Files that it has left so far in its own folder, and new files in the folder that bench was called from.

        One line for each of the two folders. Others may also write to the second.
        """
        files = (os.path.join(place, name) for place, _, names in os.walk(self._own) for name in names)
        own = sorted(os.path.relpath(path, self._own) for path in itertools.islice(files, MOST_FILES))
        new = sorted(set(os.listdir(self._here)) - self._there - {"__pycache__"})
        lines = [("it left files in its own folder, which was removed", own)]
        lines += [("while it ran, files appeared in the folder that bench was called from", new)]
        return [f"{says}: {_names(names)}" for says, names in lines if names]

    def send(self, message: Mapping[str, Any], array: bytes = b"", on_wait: OnWait = None) -> None:
        """on_wait: called while it does not read. Raises Foul if the process is gone, or past the time limit."""
        try:
            self.channel.send(message, array, self._waiting(on_wait))
        except Closed:
            raise Foul(self._ending()) from None

    def receive(self, on_wait: OnWait = None) -> tuple[dict[str, Any], bytes]:
        """Its next message. on_wait: called while waiting. Raises Foul for its end, the time limit or its failure."""
        try:
            message, array = self.channel.receive(self._waiting(on_wait))
        except Closed:
            raise Foul(self._ending()) from None
        except Garbled as error:
            raise Foul(f"wrote something that is not a message to the harness's channel: {error}") from None
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


def _names(names: list[str]) -> str:
    shown = ", ".join(ascii(name[:LETTERS]) for name in names[:MOST_NAMES])
    return shown + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")


def describe(name: str, limits: Limits) -> Guest:
    """Load a method in a process of its own, and read what it declares. Raises MethodRefused."""
    target = target_of(name)
    limits = limits.model_copy(update={"wall_s": min(limits.wall_s, DESCRIBE_S)})
    try:
        with MethodProcess({"order": "describe", "target": target}, limits, None) as process:
            found, _ = process.receive()
    except Foul as foul:
        mend = "correct it; bench looks in the current folder, then among installed packages"
        raise MethodRefused(Problem("METHOD", shown(name), "a method that loads", f"{mend} ({foul})")) from None
    if fault := found.get("fault"):
        allowed = "a function train(task), or a class of the learner protocol"
        mend = "name one of them; docs/bring-your-method.md and baselines/learner.py list their arguments"
        raise MethodRefused(Problem("METHOD", f"{name}, {fault}", allowed, mend))
    declaration = _declared(f"{target.partition(':')[0]}.DECLARATION", found.get("declaration"))
    return Guest(name=name, target=target, kind=found["kind"], source=str(found.get("source")), declaration=declaration)


def _declared(key: str, found: Any) -> Declaration:
    """Raises MethodRefused with all problems. found: a table, the type's name of anything else, or None."""
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
    """Keep the beginning of the output and drop the rest: a writer never blocks, and no disk fills."""
    kept = 0
    with output, contextlib.ExitStack() as files:
        file = files.enter_context(log.open("wb")) if log else None
        while part := output.read1(2**16):  # type: ignore[attr-defined]
            if file and kept < LOG_BYTES:
                file.write(part[: LOG_BYTES - kept])
                file.flush()
            kept += len(part)
