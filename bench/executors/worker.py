"""One job in one process: reads a job as JSON from standard input, writes events as JSON lines to standard output.

Started by `bench.executors.local` with one torch thread. SIGTERM, or the parent's death, stops it after a checkpoint.
Exit codes: 0 done, 1 failed (the last event or the end of standard error says why), 75 stopped.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from typing import Any

from bench.envs import BackendMissing
from bench.run import Job, Stopped, run_job
from bench.store import Store, StoreError, storage_problem

STOPPED = 75  # EX_TEMPFAIL: try again later


def main() -> int:
    channel = os.dup(1)
    os.dup2(2, 1)  # what a library prints goes to the log, not between the events

    def report(event: dict[str, Any]) -> None:
        """One line to the parent; where the parent is gone, the stop test notices."""
        with contextlib.suppress(BrokenPipeError):
            os.write(channel, (json.dumps(event) + "\n").encode())

    order = json.loads(sys.stdin.readline())
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    try:
        run_job(
            Job.model_validate(order["job"]),
            Store(order["results"]),
            stop=lambda: bool(asked) or os.getppid() != order["parent"],
            report=report,
        )
    except Stopped:
        return STOPPED
    except (StoreError, BackendMissing) as error:
        report({"event": "error", "reason": str(error)})
        return 1
    except OSError as error:
        report({"event": "broken", "reason": storage_problem(error, order["results"])})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
