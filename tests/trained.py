"""Runs that were really trained, in this process."""

from __future__ import annotations

import torch

from bench.executors.jobs import run_job
from bench.plan import Plan
from bench.run.job import Job
from bench.store import Store


def train(plan: Plan, store: Store) -> None:
    """Every run of a plan, at full budget, teachers first."""
    torch.set_num_threads(1)
    store.open_for_writing()
    for cell in sorted(plan.cells, key=lambda cell: bool(cell.teachers)):
        runs = tuple(run for run in plan.runs if run.cell == cell.key)
        run_job(Job(cell=cell, runs=runs, suite_version=1, profile="full"), store, lambda: False, lambda _: None)
