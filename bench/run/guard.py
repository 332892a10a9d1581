"""One run of a learner from elsewhere: trained in a process of its own, whose end, however it comes, is a record."""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.outside.process import Foul, MethodProcess
from bench.plan import Run
from bench.provenance import provenance
from bench.run.job import Job
from bench.run.tasks import teacher_refs
from bench.run.training import Event, Stopped
from bench.store import Numbers, Scores, Store, sha256


def guard_run(job: Job, store: Store, run: Run, stop: Callable[[], bool], report: Callable[[Event], None]) -> None:
    """One run to its record. Raises Stopped: nothing of the run is kept."""
    log = store.root / "logs" / f"{run.id}.log"
    log.parent.mkdir(exist_ok=True)
    started, began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), time.monotonic()
    own = job.model_copy(update={"runs": (run,), "device": "cpu"})
    order = {"job": own.model_dump(mode="json"), "results": str(store.root.absolute())}

    def waiting() -> None:
        if stop():
            raise Stopped

    try:
        with MethodProcess(order, job.limits, log, "bench.run.guarded") as process:
            while True:
                message, _ = process.receive(waiting)
                if message.get("do") == "finished":
                    break
                event = message.get("event")
                if isinstance(event, dict) and event.get("event") == "progress":
                    report(event)
        record = store.record(run.id)
        if record is None:
            raise Foul("said that it had finished, and wrote no record")
    except Foul as foul:
        wall_s = time.monotonic() - began
        origin = provenance(started=started, wall_s=wall_s, cpu_s=0.0, lanes=1, device="cpu", accelerator=None)
        nothing = tuple(Scores(curves={}, returns=(), final=None) for _ in job.cell.scored)
        numbers = Numbers(scores=nothing, first_update=None, weights=sha256(b""))
        store.drop_checkpoint(run.id)
        record = job.record(run, teacher_refs(store, run), numbers, str(foul), origin)
        store.write_record(record)
    report({"event": record.status, "run": run.id, "reason": record.reason})
