"""A suite of two methods on two scenarios, with a finished record of every run."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.evidence.measures import Evidence
from bench.plan import Selection, make_plan
from bench.store import Curve, Store
from bench.suite import Suite
from bench.suite.loading import load, parse
from tests.conftest import TINY
from tests.synthetic import fill

ONE_SET = 'training_sets = [{ id = "two", scenarios = ["two"] }]'
TWO_SETS = ONE_SET[:-1] + ', { id = "three", scenarios = ["three"] }]'
FAST = """
[[method]]
id = "Fast"
where = "here"
says = "in a hurry"
algorithm = "maddpg"
extends = "base"
hyperparameters.lr = { value = 0.1, source = "a" }
"""
GRID = TINY.replace(ONE_SET, TWO_SETS).replace('methods = ["base"]\n', 'methods = ["base", "Fast"]\n') + FAST
EVALUATED = (0, 8, 16)  # episodes
ONLY_SOURCE = Selection(only=("source",))


def score(method: str, scenario: str, seed: int, point: int = -1) -> float:
    """An evaluation's mean; the final score at point -1. All are different."""
    return {"base": -5.0, "Fast": -4.0}[method] + {"two": 0.5, "three": -3.0}[scenario] + seed / 8 + point / 64


def fill_grid(store: Store, suite: Suite, selection: Selection = ONLY_SOURCE) -> None:
    """A record for each run, evaluated after 0, 8 and 16 episodes of 5 steps."""
    plan = make_plan(suite, selection)
    fill(store, plan, lambda cell, seed: [score(cell.method, cell.scenarios[0], seed)])
    for run in plan.runs:
        record, cell = store.record(run.id), plan.cell(run.cell)
        assert record is not None
        means = tuple(score(cell.method, cell.scenarios[0], run.seed, point) for point in range(3))
        steps = tuple(5 * episodes for episodes in EVALUATED)
        curve = Curve(episodes=EVALUATED, steps=steps, mean=means, sd=(0.5,) * 3, n=(3,) * 3)
        (own,) = record.numbers.scores
        scores = own.model_copy(update={"curves": own.curves | {"evaluation": curve}, "returns": (own.final,) * 4})
        numbers = record.numbers.model_copy(update={"scores": (scores,)})
        store.write_record(record.model_copy(update={"numbers": numbers}))


@pytest.fixture
def grid_file(tmp_path: Path) -> Path:
    path = tmp_path / "grid.toml"
    path.write_text(GRID)
    return path


@pytest.fixture
def grid_suite(grid_file: Path) -> Suite:
    return load(str(grid_file))


@pytest.fixture
def results(tmp_path: Path, grid_suite: Suite) -> Path:
    fill_grid(Store(tmp_path / "results"), grid_suite)
    return tmp_path / "results"


@pytest.fixture
def evidence(grid_suite: Suite, results: Path) -> Evidence:
    return Evidence(grid_suite, ONLY_SOURCE, Store(results))


@pytest.fixture(scope="session")
def suite() -> Suite:
    return parse(GRID.encode(), "grid.toml")
