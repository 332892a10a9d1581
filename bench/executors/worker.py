"""One job in one process: reads a job as JSON from standard input, writes events as JSON lines to standard output.

A run's record and weights are events, too; the parent writes them. The run stays claimed until the parent answers with
the run's id on a line of standard input. The process works in a scratch folder, since some environments write to the
current folder. `bench.executors.local` starts it with one torch thread. SIGTERM, or the parent's death, stops it after
a checkpoint.
Exit codes: 0 done, 1 failed (the last event or the end of standard error says why), 75 stopped.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
from typing import Any

from bench.envs import BackendMissing
from bench.executors.jobs import run_job
from bench.executors.results import packed
from bench.run.failing import ended
from bench.run.job import Job
from bench.run.training import Stopped
from bench.store import Record, Store, StoreError, storage_problem

STOPPED = 75  # EX_TEMPFAIL: try again later


def main() -> int:
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library's output goes to the log, not between events

    def report(event: dict[str, Any]) -> None:
        """Send one line to the parent. If the parent is gone, the stop test notices it."""
        with contextlib.suppress(BrokenPipeError):
            channel.write((json.dumps(event) + "\n").encode())
            channel.flush()

    def write(record: Record, weights: bytes | None) -> None:
        report(packed(record, weights))
        if sys.stdin.readline() != f"{record.run}\n":  # the parent is gone, or cannot write
            raise Stopped

    order = json.loads(sys.stdin.readline())
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    os.chdir(order["scratch"])
    try:
        run_job(
            Job.model_validate(order["job"]),
            Store(order["results"]),
            stop=lambda: bool(asked) or os.getppid() != order["parent"],
            report=report,
            write=write,
        )
    except Stopped:
        return STOPPED
    except (StoreError, BackendMissing) as error:
        report({"event": "error", "reason": str(error)})
        return 1
    except MemoryError as error:  # also from a memory bound; the checkpoint stays for a run with more
        report({"event": "error", "reason": str(error) or "out of memory"})
        return 1
    except SystemExit as end:
        report({"event": "error", "reason": ended(end)})
        return 1
    except OSError as error:
        report({"event": "broken", "reason": storage_problem(error, order["results"])})
        return 1
    finally:
        shutil.rmtree(order["scratch"], ignore_errors=True)  # the parent may be gone
    return 0


if __name__ == "__main__":
    sys.exit(main())
