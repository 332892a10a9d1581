"""One run of a learner from elsewhere. It is trained in a process of its own; any end of that process gives a record.

The harness plays every episode of training and evaluation in its own process. The learner's process chooses actions and
learns. The loop is the same as for the suite's own learners (training.py), but the learner is in another process.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from bench.envs.one import LaneFailed
from bench.guests.answers import CHANGES
from bench.guests.process import Foul, MethodProcess
from bench.guests.remote import RemoteLearner
from bench.plan import Run
from bench.run.failing import reasons
from bench.run.job import Job, Write
from bench.run.training import Event, Stopped, Training
from bench.store import Store


def guard_run(
    job: Job, store: Store, run: Run, stop: Callable[[], bool], report: Callable[[Event], None], write: Write
) -> None:
    """Train one run and pass its record to `write`. Raises Stopped: then nothing of the run is kept."""
    log = store.root / "logs" / f"{run.id}.log"
    log.parent.mkdir(exist_ok=True)
    own = job.model_copy(update={"runs": (run,), "device": "cpu", "checkpoint_s": math.inf})
    order = {"job": own.model_dump(mode="json"), "results": str(store.root.absolute())}

    def waiting() -> None:
        if stop():
            raise Stopped

    returns, policy, reason = [], {}, ""
    with MethodProcess(order, job.limits, log, "bench.guests.guarded", job.here) as process:
        learner = RemoteLearner(process, waiting)
        training = Training(own, store, (run,), (None,), report, write, learner)
        try:
            learner.meet(job.cell)
            returns = training.train(stop=lambda: False)  # each question checks for a stop
            policy = learner.policy()
            training.remarks += _changes(training, returns)
        except Foul as end:
            reason = str(end)
        except LaneFailed as error:
            (reason,) = reasons(training, error).values()
        finally:
            training.close()
            training.remarks += process.left()
    for remark in training.remarks:
        report({"event": "remark", "says": f"run {run.id}: {remark}"})
    training.others = {**learner.packages, **training.others}
    if reason:
        training.give_up(reason)
    else:
        training.conclude(returns, policy)


def _changes(training: Training, returns: Sequence[np.ndarray]) -> Iterator[str]:
    """A remark if a second final evaluation gives other scores. The first one counts."""
    try:
        again = training.evaluated()
    except Foul as end:
        yield f"{CHANGES}: asked again, it failed: {end}"
        return
    differing = sum(int((one != two).sum()) for one, two in zip(returns, again, strict=True))
    if differing:
        yield f"{CHANGES}: {differing:,} of {sum(own.size for own in returns):,} episodes have another score"
