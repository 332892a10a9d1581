"""The process of a learner from elsewhere: `python -m bench.run.guarded FD` trains one run as any learner is trained.

The learner and the harness share this process, as the suite's own learners do; the limits and its end are its own.
"""

from __future__ import annotations

import socket
import sys

from bench.outside.channel import Channel
from bench.outside.child import limit, packages, reason_of
from bench.run.job import Job
from bench.run.training import Training
from bench.store import Store


def main() -> None:
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    order, _ = channel.receive()
    limit(order["memory"])
    job, store = Job.model_validate(order["job"]), Store(order["results"])
    try:
        training = Training(job, store, job.runs, [None], lambda event: channel.send({"do": "event", "event": event}))
        training.others = packages()
        training.finish(stop=lambda: False)
    except BaseException as error:  # whatever it is, it ends this run and is its reason
        channel.send({"do": "failed", "reason": reason_of(error)})
        raise
    channel.send({"do": "finished"})


if __name__ == "__main__":
    main()
