"""Local processes: each job runs in a process of its own, with one torch thread.

A crash or a kill therefore ends one job only, and its memory is freed. The process starts with allocator settings that
stop glibc from returning large temporaries to the system (docs/performance.md).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from bench.executors.dispatch import Dispatcher, End, Event, Options, Outcome
from bench.plan import Plan
from bench.processes.starting import command, training_environment
from bench.run.job import Job
from bench.store import Store

Hear = Callable[[Event | None], None]


def execute(plan: Plan, store: Store, options: Options, report: Callable[[Event], None]) -> Outcome:
    """Train the runs left of a plan in processes of this machine; see `Dispatcher`."""
    return Dispatcher(plan, store, options, report, LocalWorkers(store.root.absolute())).drain()


class LocalWorkers:
    """Starts `executors.worker` processes. results: the folder where they claim runs and keep checkpoints."""

    def __init__(self, results: Path):
        self.results = results

    def start(self, job: Job, log: Path, hear: Hear) -> LocalWorker:
        with log.open("w") as errors:
            process = subprocess.Popen(
                command("bench.executors.worker"),
                env=training_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # Ctrl-C reaches only the parent
            )
        scratch = tempfile.mkdtemp(prefix="bench-worker-")
        worker = LocalWorker(process, log, scratch)
        order = {"job": job.model_dump(mode="json"), "results": str(self.results), "parent": os.getpid()}
        order["scratch"] = scratch
        worker.tell(json.dumps(order))
        threading.Thread(target=worker.listen, args=(hear,), daemon=True).start()
        return worker

    def together(self) -> contextlib.nullcontext[None]:
        return contextlib.nullcontext()


class LocalWorker:
    """A process. Orders and acknowledgements go in, one per line; events come out as JSON, one per line."""

    def __init__(self, process: subprocess.Popen[str], log: Path, scratch: str):
        """scratch: its working folder, removed when it ends."""
        self._process, self._log, self._scratch = process, log, scratch

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it was killed; the end of its output will show it
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def listen(self, hear: Hear) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines, contextlib.suppress(ValueError):  # a killed worker's last line may be cut
            for line in lines:
                hear(json.loads(line))
        hear(None)

    def acknowledge(self, run: str) -> None:
        self.tell(run)

    def stop(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    def wait(self) -> End:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        code = self._process.wait()
        shutil.rmtree(self._scratch, ignore_errors=True)  # in case the worker could not
        if code < 0:
            says = f"killed by signal {-code}, perhaps out of memory; the same command goes on from its checkpoint"
        else:
            says = f"the process ended with code {code}: {_last_line(self._log)}"
        return End(code >= 0, says)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return lines[-1] if lines else "no message"
