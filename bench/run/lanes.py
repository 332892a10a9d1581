"""Runs of one cell side by side, in groups of lanes at the same point of training.

Each lane has its own random streams, curves and checkpoint. So seeds can be regrouped after a stop, and each ends with
the numbers that it reaches alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from bench.plan import Run
from bench.run.boundary import drop_kept, is_kept, kept
from bench.run.counting import alone
from bench.run.failing import ended, never_begun, reasons
from bench.run.job import Job, Write
from bench.run.restoring import NotRestored, far
from bench.run.training import Event, Stopped, Training
from bench.store import Store, StoreError
from bench.store.checkpoints import Checkpoint, drop_checkpoint, load_checkpoint

T = TypeVar("T")
Group = list[tuple[Run, Checkpoint]]  # runs at the same point of training


def train_lanes(
    job: Job,
    store: Store,
    runs: Sequence[Run],
    stop: Callable[[], bool],
    report: Callable[[Event], None],
    write: Write,
) -> None:
    """Train these runs of a job to the end and pass their records to `write`. This process must hold their claims.

    Raises Stopped, StoreError, OSError, and what `write` raises.
    """
    _Lanes(job, store, stop, report, write).train(runs)


class _Lanes:
    def __init__(self, job: Job, store: Store, stop: Callable[[], bool], report: Callable[[Event], None], write: Write):
        self.job, self.store, self.stop, self.report, self.write = job, store, stop, report, write

    def train(self, runs: Sequence[Run]) -> None:
        fresh: list[Run] = []
        begun: dict[tuple[int, bool, bool], Group] = defaultdict(list)
        for run in runs:
            own = torch.device(self.job.device).type
            checkpoint = load_checkpoint(self.store, run.id, self._remark)
            checkpoint = checkpoint or kept(self.store, self.job.cell, run, own, self._remark)
            if checkpoint and (found := checkpoint.progress.get("device")) != own:
                drop_checkpoint(self.store, run.id, f"it was made on {found}, and this is {own}", self._remark)
                checkpoint = None
            if checkpoint is None:
                fresh.append(run)
                continue
            try:
                begun[*far(checkpoint), is_kept(checkpoint, run)].append((run, checkpoint))
            except NotRestored as error:
                fresh.append(self._dropped(run, checkpoint, str(error)))
        for _, group in sorted(begun.items(), reverse=True):
            for own in self._groups(group):
                fresh += self._resume(own)
        for own in self._groups(fresh):
            if (training := self._training(own, [None] * len(own))) is not None:
                self._finish(training)

    def _groups(self, runs: Sequence[T]) -> list[list[T]]:
        """The groups that train together: all, or each alone."""
        return [[run] for run in runs] if alone(self.job.cell) else [list(runs)] * bool(runs)

    def _resume(self, group: Group) -> list[Run]:
        """Train runs to the end. They are at the same point of training.

        Checkpoints that cannot be restored are dropped. Their runs are returned and start again.
        """
        runs, checkpoints = zip(*group, strict=True)
        try:
            training = self._training(runs, checkpoints)
        except NotRestored as error:
            why = str(error)
        else:
            if training is not None:
                self._finish(training)
            return []
        if len(group) > 1:  # alone, the run at fault shows
            return [run for one in group for run in self._resume([one])]
        return [self._dropped(runs[0], checkpoints[0], why)]

    def _dropped(self, run: Run, checkpoint: Checkpoint, why: str) -> Run:
        """The run, to start again: its checkpoint cannot be restored and is dropped."""
        if is_kept(checkpoint, run):
            drop_kept(self.store, self.job.cell, run)
        drop_checkpoint(self.store, run.id, why, self._remark)
        return run

    def _finish(self, training: Training) -> None:
        """Train a group to its records. Records of failed lanes give the reason; the other lanes go on."""
        companies: list[list[Run]] = []
        try:
            returns, policy = training.train(self.stop), training.learner.policy()
        except (Stopped, StoreError, OSError):
            raise
        except (Exception, SystemExit) as error:
            companies = self._without(training, error)
        else:
            training.finish(returns, policy)
        finally:
            training.close()
        for runs in companies:
            self.train(runs)  # from their checkpoints

    def _without(self, training: Training, error: Exception | SystemExit) -> list[list[Run]]:
        """Settle the lanes that an error ends; the groups of the others. Raises the error if no lane is at fault."""
        lost, runs = reasons(training, error), training.runs
        if not lost and isinstance(error, SystemExit):
            return [[run] for run in runs]  # alone, the run at fault shows
        if not lost:
            raise error
        for lane, reason in lost.items():
            training.give_up(reason, [lane])
        others = [run for lane, run in enumerate(runs) if lane not in lost]
        return [others] * bool(others)

    def _training(self, runs: Sequence[Run], checkpoints: Sequence[Checkpoint | None]) -> Training | None:
        """None if their method or environment ends the process while it is made: then all have failed."""
        try:
            return Training(self.job, self.store, runs, checkpoints, self.report, self.write)
        except SystemExit as end:
            for run in runs:
                self.write(never_begun(self.job, self.store, run, ended(end)), None)
            return None

    def _remark(self, text: str) -> None:
        self.report({"event": "remark", "says": text})
