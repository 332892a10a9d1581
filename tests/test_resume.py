"""Every team learner: its numbers are the same after stops, and in other company (tests/test_run.py: MADDPG)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bench.nightly.canaries import canary_plan
from bench.plan import Cell
from bench.run import Job, Stopped, run_job
from bench.store import Store, numbers_hash
from bench.suite.loading import load

PLAN = canary_plan(load("mkt_marl"))
CELLS = [cell for cell in PLAN.cells if cell.experiment in ("teachers", "table2")]  # teachers come first
STOPS = (1, 9, 12, 20)  # rounds until the next stop, 42 of 48; updates begin after about ten
STOPS_OF_TEN = (1, 1, 2, 1)  # where a round is ten episodes, each with updates


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Every cell, its two seeds together and without a stop."""
    torch.set_num_threads(1)
    store = opened(tmp_path_factory.mktemp("whole"))
    for cell in CELLS:
        run_job(job(cell, 0, 1), store, lambda: False, lambda _: None)
    return store


def opened(folder: Path) -> Store:
    store = Store(folder)
    store.open_for_writing()
    return store


def job(cell: Cell, *seeds: int) -> Job:
    runs = tuple(run for run in PLAN.runs if run.cell == cell.key and run.seed in seeds)
    return Job(cell=cell, runs=runs, suite_version=1, profile="full", checkpoint_s=1e9)


def hash_of(store: Store, run: str) -> str:
    record = store.record(run)
    assert record is not None
    assert record.status == "finished"
    return numbers_hash(record)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.label.replace(" ", "_"))
def test_stopped_and_resumed_in_other_company_is_the_same(cell: Cell, whole: Store, tmp_path: Path) -> None:
    store = opened(tmp_path)
    for teacher in {teacher for run in job(cell, 0, 1).runs for teacher in run.teachers}:
        for path in (Store.record_path, Store.weights_path):
            path(store, teacher).write_bytes(path(whole, teacher).read_bytes())
    stops = STOPS_OF_TEN if cell.method == "mappo_multi" else STOPS
    for rounds, company in zip(stops, ((0, 1), (0,), (1,), (0, 1)), strict=True):
        for seeds in (company, tuple({0, 1} - set(company))):
            if seeds:
                with pytest.raises(Stopped):
                    run_job(job(cell, *seeds), store, after(rounds), lambda _: None)
    for seed in (0, 1):
        run_job(job(cell, seed), store, lambda: False, lambda _: None)
    for run in job(cell, 0, 1).runs:
        assert hash_of(store, run.id) == hash_of(whole, run.id)


def after(rounds: int) -> Callable[[], bool]:
    """Says stop at the end of this many rounds."""
    asked = iter(range(10**6))
    return lambda: next(asked) == rounds - 1
