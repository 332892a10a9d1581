"""Methods from elsewhere on budgets in environment steps; on budgets in updates, which nobody can count for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from baselines.specs import ALGORITHMS
from bench.compare.statistics import compared
from bench.evidence.measures import Evidence
from bench.executors.jobs import run_job
from bench.guests.entrants import entrants
from bench.guests.method import Declaration, Guest, Tuning
from bench.guests.places import entry
from bench.plan import Selection, make_plan
from bench.run.job import Job
from bench.store import Record, Store
from bench.suite import Suite
from bench.suite.loading import parse
from tests.compare.conftest import known
from tests.conftest import TINY
from tests.synthetic import fill

IN_EPISODES = TINY[TINY.index("budget = { episodes = 16") : TINY.index("final_evaluation_episodes")]
IN_STEPS = """budget = { steps = 80, source = "Table 1" }
[experiment.recording]
record_every = 10
evaluate_every = 40
evaluation_episodes = 3
"""
IN_UPDATES = IN_STEPS.replace("steps = 80", "updates = 80")
SOURCE = Selection(only=("source",), seeds=(0,))


HALF = 'profile.half = { says = "half of it", budget = { episodes = 8 } }\n'


@pytest.fixture(autouse=True)
def any_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if MADDPG's budgets could be counted in anything; it plays whole episodes."""
    units = {"units": ("episodes", "steps", "updates")}
    monkeypatch.setitem(ALGORITHMS, "maddpg", ALGORITHMS["maddpg"].model_copy(update=units))


def counted(by: str) -> Suite:
    """The tiny suite, whose source task counts in this unit."""
    assert HALF in TINY
    return parse(TINY.replace(HALF, "").replace(IN_EPISODES, by, 1).encode(), "t.toml")


def entered(suite: Suite, method: Guest, store: Store) -> Record:
    """Its run on the source task, played here."""
    there = entry(suite, SOURCE, method, ())
    (contest,) = there.contests
    runs = tuple(run for run in there.plan.runs if run.cell == contest.cell.key)
    store.open_for_writing()
    job = Job(cell=contest.cell, runs=runs, suite_version=1, profile="full")
    run_job(job, store, stop=lambda: False, report=lambda event: None)
    record = store.record(runs[0].id)
    assert record is not None
    assert record.status == "finished", record.reason
    return record


def test_a_function_s_points_lie_where_the_suite_s_own_do(described: Callable[[str], Guest], tmp_path: Path) -> None:
    """Episodes of 5 steps in two environments in turn: 80 steps are 16 of them, two in each 10 steps."""
    curves = entered(counted(IN_STEPS), known("methods:leans", described), Store(tmp_path)).numbers.scores[0].curves
    assert curves["training"].steps == tuple(range(10, 90, 10))
    assert curves["training"].episodes == tuple(range(2, 18, 2))
    assert curves["training"].n == (2,) * 8
    assert curves["evaluation"].steps == (0, 40, 80)
    assert curves["evaluation"].episodes == (0, 8, 16)


def test_a_learner_s_numbers_are_those_of_the_suite_s_own(described: Callable[[str], Guest], tmp_path: Path) -> None:
    in_steps = counted(IN_STEPS)
    plan = make_plan(in_steps, SOURCE)
    (own,), store = plan.cells, Store(tmp_path)
    store.open_for_writing()
    run_job(Job(cell=own, runs=plan.runs, suite_version=1, profile="full"), store, lambda: False, lambda event: None)
    expected = store.record(plan.runs[0].id)
    assert expected is not None
    method = known("learners:Twin", described)
    declaration = method.declaration.model_copy(update={"hyperparameters": own.settings["hyperparameters"]})
    method = method.model_copy(update={"declaration": declaration})
    assert entered(in_steps, method, store).numbers == expected.numbers
    evidence = Evidence(in_steps, SOURCE, store)
    costs = compared(evidence, entry(in_steps, SOURCE, method, ())).costs
    assert [(cost.method, cost.steps) for cost in costs] == [(method.name, 80.0), ("base", 80.0)]


def test_a_budget_in_updates_is_waited_for(described: Callable[[str], Guest], tmp_path: Path) -> None:
    """It is named; other experiments go on, and so do reports of folders that have the method's runs."""
    suite = counted(IN_UPDATES)
    declaration = Declaration(says="x", tuning=Tuning(runs=0, steps=0, seeds=(), says="none"))
    method = Guest(name="m:t", target="m:t", kind="function", source="ab" * 32, declaration=declaration)
    there = entry(suite, Selection(), method, ())
    assert [contest.experiment.id for contest in there.contests] == ["target"]
    (waiting,) = there.plan.waiting
    assert (waiting.experiment, waiting.method) == ("source", "m:t")
    assert "a method from elsewhere cannot count 80 updates" in waiting.waits_for
    fill(Store(tmp_path), there.plan, lambda cell, seed: [-2.0])
    (found,) = entrants(Evidence(suite, Selection(), Store(tmp_path)))
    assert [contest.experiment.id for contest in found.contests] == ["target"]
