"""One run of a learner from elsewhere: trained in a process of its own, whose end, however it comes, is a record.

The harness plays every episode, of training and of evaluation, in its own process; the learner's process chooses the
actions and learns. It is the loop that trains the suite's own learners (training.py), with the learner out of reach.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from bench.outside.process import Foul, MethodProcess
from bench.plan import Run
from bench.run.job import Job
from bench.run.remote import RemoteLearner
from bench.run.training import Event, Stopped, Training
from bench.store import Store


def guard_run(job: Job, store: Store, run: Run, stop: Callable[[], bool], report: Callable[[Event], None]) -> None:
    """One run to its record. Raises Stopped: nothing of the run is kept."""
    log = store.root / "logs" / f"{run.id}.log"
    log.parent.mkdir(exist_ok=True)
    own = job.model_copy(update={"runs": (run,), "device": "cpu", "checkpoint_s": math.inf})
    order = {"job": own.model_dump(mode="json"), "results": str(store.root.absolute())}

    def waiting() -> None:
        if stop():
            raise Stopped

    returns, policy, reason = [], {}, ""
    with MethodProcess(order, job.limits, log, "bench.run.guarded") as process:
        learner = RemoteLearner(process, waiting)
        training = Training(own, store, (run,), (None,), report, learner)
        try:
            learner.meet(job.cell)
            returns = training.train(stop=lambda: False)  # each question looks for it
            policy = learner.policy()
        except Foul as end:
            reason = str(end)
    training.others = learner.packages
    if reason:
        training.give_up(reason)
    else:
        training.conclude(returns, policy)
