"""The lanes of a group that a failure ends, and the reasons in their records.

Axes: S seed (lane).
"""

from __future__ import annotations

import time

import torch

from baselines.learner import Learner
from bench.envs.one import Diverged, LaneFailed, said_of
from bench.plan import Run
from bench.run.job import Job
from bench.run.restoring import out_of_memory
from bench.run.tasks import teacher_refs
from bench.run.training import Training
from bench.store import Numbers, Record, Scores, Store, sha256
from bench.store.provenance import provenance


def reasons(training: Training, error: Exception | SystemExit) -> dict[int, str]:
    """Reasons by lane; empty if no lane is known to be at fault.

    An error that a method raises is blamed on the lanes whose numbers are not finite: distributions, for example,
    refuse such numbers.
    """
    lanes = range(len(training.runs))
    if isinstance(error, Diverged) and error.lane is not None:
        return {error.lane: training.diverged_at(error.lane, str(error))}
    if isinstance(error, LaneFailed):
        return dict.fromkeys(lanes if error.lane is None else [error.lane], environment_failed(error))
    if isinstance(error, Exception) and out_of_memory(error):
        return {}
    if odd := _not_finite(training.learner):
        says = f"its state is not finite, and it raised {said_of(error)}"
        return {lane: training.diverged_at(lane, says) for lane in odd}
    return {0: ended(error)} if isinstance(error, SystemExit) and len(lanes) == 1 else {}


def environment_failed(error: LaneFailed) -> str:
    """The reason of a run whose environment failed."""
    return f"its environment failed: {error}"


def ended(error: SystemExit) -> str:
    """The reason of a run whose process would have ended."""
    return f"its method or environment ended the process: {said_of(error)}"


def never_begun(job: Job, store: Store, run: Run, reason: str) -> Record:
    """The record of a run that could not begin: no curve, no score, no weights."""
    scores = tuple(Scores.of({}, ()) for _ in job.cell.scored)
    device = torch.device(job.device)
    origin = provenance(
        started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        wall_s=0.0,
        cpu_s=0.0,
        lanes=1,
        device=device.type,
        accelerator=torch.cuda.get_device_name(device) if device.type == "cuda" else None,
    )
    numbers = Numbers(scores=scores, first_update=None, weights=sha256(b""))
    return job.record(run, teacher_refs(store, run), numbers, reason, origin)


def _not_finite(learner: Learner) -> list[int]:
    """The lanes whose part of the learner's state has a number that is not finite."""
    parts = [tensor for tensor in learner.state().values() if tensor.is_floating_point()]
    return sorted({lane for tensor in parts for lane, own in enumerate(tensor) if not bool(own.isfinite().all())})
