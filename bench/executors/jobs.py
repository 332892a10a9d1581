"""One job of any method: its runs are claimed one by one, then trained here or in a guest's process."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from bench.guests.guard import guard_run
from bench.guests.referee import play_run
from bench.run.boundary import claimed
from bench.run.job import Job, Write
from bench.run.lanes import train_lanes
from bench.run.training import Event
from bench.store import Record, Store


def run_job(
    job: Job,
    store: Store,
    stop: Callable[[], bool],
    report: Callable[[Event], None],
    write: Write | None = None,
) -> None:
    """Train every run of the job that has no record, unless another process holds the run or its first phase.

    Reports {"event": "busy" | "progress" | "finished" | "failed", "runs" or "run": ids, ...}; "elsewhere" if another
    process made the record. write: gets the record and the weights of each ended run while it is claimed, and must
    then report "finished" or "failed" itself. None: they are written and reported here. Raises Stopped, StoreError,
    OSError, and what `write` raises.
    """

    def write_here(record: Record, weights: bytes | None) -> None:
        store.write(record, weights)
        report({"event": record.status, "run": record.run, "reason": record.reason})

    write = write or write_here
    phases: dict[str, contextlib.ExitStack] = {}  # by run: its claim on the state at the end of its first phase

    def heard(event: Event) -> None:
        if event["event"] != "turned":
            report(event)
            return
        for run in event["runs"]:
            phases[run].close()

    with contextlib.ExitStack() as claims:
        mine = []
        for run in job.runs:
            with contextlib.ExitStack() as own:
                if not own.enter_context(store.claim(run.id)):
                    report({"event": "busy", "run": run.id})
                    continue
                store.tidy(run.id)
                if record := store.settled(run.id):
                    report({"event": record.status, "run": run.id, "reason": record.reason, "elsewhere": True})
                    continue
                phases[run.id] = own.enter_context(contextlib.ExitStack())
                if not phases[run.id].enter_context(claimed(store, job.cell, run)):
                    report({"event": "busy", "run": run.id})
                    continue
                claims.enter_context(own.pop_all())
                mine.append(run)
        if not job.cell.guest:
            train_lanes(job, store, mine, stop, heard, write)
            return
        play = guard_run if job.cell.settings["algorithm"]["kind"] == "learner" else play_run
        for run in mine:
            play(job, store, run, stop, report, write)
