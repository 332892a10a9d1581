"""A class of the learner protocol from elsewhere: trained as the suite's own are, in a process that may end anyhow."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.outside.process import Limits
from bench.plan import Selection, make_plan
from bench.run import Job, run_job
from bench.store import Store
from bench.suite.loading import load
from tests.compare.conftest import BUDGET, Played
from tests.compare.learners import DECLARATION

REASONS = {
    "Crashing": "killed by signal 6 (SIGABRT)",
    "Raising": "ValueError: no gradient today (learners.py, line",
    "Diverging": "diverged at step 50",
    "Uneven": "ValueError: learners:Uneven: copies: got 4; allowed: a divisor of [6, 2, 3] episodes",
}


def test_its_numbers_are_those_of_the_suite_s_own_learner(played: Played, tmp_path: Path) -> None:
    found = played("learners:Twin", seed=2)
    settings = [f"budget.{key}={value}" for key, value in BUDGET.items()]
    settings += [f"{key}={value}" for key, value in DECLARATION["hyperparameters"].items()]
    selection = Selection(profile="smoke", only=("spread/I",), seeds=(2,), settings=tuple(settings))
    plan = make_plan(load("knowru"), selection)
    cell = next(cell for cell in plan.cells if cell.method == "maddpg")
    runs = tuple(run for run in plan.runs if run.cell == cell.key)
    store = Store(tmp_path / "own")
    store.open_for_writing()
    job = Job(cell=cell, runs=runs, suite_version=1, profile="smoke")
    run_job(job, store, stop=lambda: False, report=lambda event: None)
    own = store.record(runs[0].id)
    assert own is not None
    assert (found.status, own.status) == ("finished", "finished")
    assert found.numbers == own.numbers
    assert found.run != own.run


@pytest.mark.parametrize("name", REASONS)
def test_its_end_is_a_record(name: str, played: Played) -> None:
    record = played(f"learners:{name}")
    assert record.status == "failed"
    assert record.reason.startswith(REASONS[name])


def test_its_hang_ends_at_the_time_limit(played: Played) -> None:
    record = played("learners:Hanging", limits=Limits(wall_s=25.0))
    assert (record.status, record.reason) == ("failed", "over the time limit of 25 s")
