"""Canaries in one process: reads jobs as one line of JSON, runs them in order, and writes a line of JSON for each.

A line says what failed, and the seconds that the job took.

One method's error must not hide another's canary. So it is caught and reported, and the next job starts.
`bench.nightly.canaries` starts this process with one torch thread. It stops if its parent has died.
"""

from __future__ import annotations

import json
import os
import sys
import time

from bench.executors.jobs import run_job
from bench.run.job import Job
from bench.store import Store


def main() -> int:
    channel = os.dup(1)
    os.dup2(2, 1)  # what a library prints goes to the log
    order = json.loads(sys.stdin.readline())
    store = Store(order["results"])
    for own in order["jobs"]:
        job, failed, began = Job.model_validate(own), {}, time.monotonic()
        try:
            run_job(job, store, stop=lambda: os.getppid() != order["parent"], report=lambda _: None)
        except Exception as error:  # whatever a learner raises
            failed = {run.id: f"{type(error).__name__}: {error}" for run in job.runs}
        ended = {"failed": failed, "seconds": time.monotonic() - began}
        os.write(channel, json.dumps(ended).encode() + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
