"""Runs a cell's seeds together. The one place that joins methods and environments.

All lanes of a group are equally far. Each lane has its own random streams, curves and checkpoint, so that any seeds
can be grouped anew after a stop, and each ends with the numbers of its solo run.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable

import torch

from bench.checkpoints import Checkpoint, load_checkpoint
from bench.explain import Problem
from bench.plan import Run
from bench.run.guard import guard_run
from bench.run.job import Job
from bench.run.playing import play
from bench.run.referee import play_run
from bench.run.training import Event, Stopped, Training
from bench.store import Store

__all__ = ["DeviceMissing", "Event", "Job", "Stopped", "check_device", "devices", "play", "run_job"]


class DeviceMissing(Exception):
    """The device asked for is not here."""

    def __init__(self, device: str):
        got = f'"{device}", but torch {torch.__version__} finds no such device'
        mend = "leave --device out, or install a CUDA build of torch on a machine with a GPU"
        self.problem = Problem("--device", got, ", ".join(f'"{d}"' for d in devices()), mend)
        super().__init__(str(self.problem))


def devices() -> list[str]:
    """The devices that torch can use here."""
    return ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]


def check_device(device: str) -> None:
    """Raises DeviceMissing when torch cannot use the device."""
    if device != "cpu" and (device if ":" in device else f"{device}:0") not in devices():
        raise DeviceMissing(device)


def run_job(job: Job, store: Store, stop: Callable[[], bool], report: Callable[[Event], None]) -> None:
    """Train every run of the job that has no record and that no other process holds.

    Reports {"event": "busy" | "progress" | "finished" | "failed", "runs" or "run": ids, ...}; "elsewhere" where another
    process made the record. Raises Stopped, StoreError, OSError.
    """
    with contextlib.ExitStack() as claims:
        mine = []
        for run in job.runs:
            if not claims.enter_context(store.claim(run.id)):
                report({"event": "busy", "run": run.id})
                continue
            store.tidy(run.id)
            if record := store.settled(run.id):
                report({"event": record.status, "run": run.id, "reason": record.reason, "elsewhere": True})
            else:
                mine.append(run)
        if job.cell.outside:
            once = guard_run if job.cell.settings["algorithm"]["kind"] == "learner" else play_run
            for run in mine:
                once(job, store, run, stop, report)
            return
        groups: dict[int, list[tuple[Run, Checkpoint | None]]] = defaultdict(list)
        for run in mine:
            checkpoint = load_checkpoint(store, run.id)
            if checkpoint and checkpoint.progress["device"] != torch.device(job.device).type:
                store.drop_checkpoint(run.id)
                checkpoint = None
            groups[checkpoint.progress["episodes"] if checkpoint else 0].append((run, checkpoint))
        for _, group in sorted(groups.items(), reverse=True):
            runs, checkpoints = zip(*group, strict=True)
            Training(job, store, runs, checkpoints, report).finish(stop)
