"""Canaries in one process: reads jobs as one line of JSON, runs them in order, writes what failed as one line of JSON.

One method's error must not hide another's canary, so it is caught, told, and the next job goes on. Started with one
torch thread by `bench.nightly.canaries`; stops where its parent has died.
"""

from __future__ import annotations

import json
import os
import sys

from bench.run import Job, run_job
from bench.store import Store


def main() -> int:
    channel = os.dup(1)
    os.dup2(2, 1)  # what a library prints goes to the log
    order = json.loads(sys.stdin.readline())
    store, failed = Store(order["results"]), {}
    for own in order["jobs"]:
        job = Job.model_validate(own)
        try:
            run_job(job, store, stop=lambda: os.getppid() != order["parent"], report=lambda _: None)
        except Exception as error:  # whatever a learner raises
            failed |= {run.id: f"{type(error).__name__}: {error}" for run in job.runs}
    os.write(channel, json.dumps(failed).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
