"""A run of a method from elsewhere, played in this process by the harness, without a worker between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.compare import entry
from bench.outside.method import Outside
from bench.outside.process import Limits, describe
from bench.plan import Selection
from bench.run import Job, run_job
from bench.store import Record, Store
from bench.suite.loading import load

HERE = Path(__file__).parent
EXAMPLES = HERE.parent.parent / "examples"
BUDGET = {
    "episodes": 6,
    "record_every": 2,
    "evaluate_every": 3,
    "evaluation_episodes": 2,
    "final_evaluation_episodes": 4,
}

Played = Callable[..., Record]


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Outside]:
    """A method of tests/compare or examples, by `module:attribute`."""
    monkeypatch.setenv("PYTHONPATH", f"{HERE}:{EXAMPLES}:{HERE.parent.parent}")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return lambda target: describe(target, Limits())


@pytest.fixture
def played(described: Callable[[str], Outside], tmp_path: Path) -> Played:
    """Plays a run of `target` in an experiment, to its record. budget: keys of it that are not `BUDGET`'s."""

    def play(
        target: str,
        *,
        seed: int = 0,
        limits: Limits | None = None,
        suite: str = "knowru",
        only: str = "spread/I",
        hyperparameters: dict | None = None,
        **budget: int,
    ) -> Record:
        store = Store(tmp_path / "results")
        store.open_for_writing()
        settings = tuple(f"budget.{key}={value}" for key, value in (BUDGET | budget).items())
        selection = Selection(profile="smoke", only=(only,), seeds=(seed,), settings=settings)
        method = described(target)
        if hyperparameters is not None:
            declaration = method.declaration.model_copy(update={"hyperparameters": hyperparameters})
            method = method.model_copy(update={"declaration": declaration})
        entered = entry(load(suite), selection, method, ())
        cell = entered.contests[0].cell
        runs = tuple(run for run in entered.plan.runs if run.cell == cell.key)
        job = Job(cell=cell, runs=runs, suite_version=1, profile="smoke", limits=limits or Limits())
        run_job(job, store, stop=lambda: False, report=lambda event: None)
        record = store.record(runs[0].id)
        assert record is not None
        return record

    return play
