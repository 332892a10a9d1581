"""A learner class from elsewhere: trained like the suite's own, in a process that may end in any way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bench.executors.jobs import run_job
from bench.guests.method import Guest
from bench.guests.places import entry
from bench.plan import Selection, make_plan
from bench.run.job import Job, Limits
from bench.run.training import Event, Stopped
from bench.store import Record, Store
from bench.store.checkpoints import load_weights
from bench.suite.loading import load
from tests.compare.conftest import BUDGET, Played, known
from tests.compare.learners import DECLARATION

REASONS = {
    "Crashing": "killed by signal 6 (SIGABRT)",
    "Raising": "ValueError: no gradient today (learners.py, line",
    "Diverging": "diverged at step 50",
    "Uneven": "ValueError: learners:Uneven: copies: got 4; allowed: a divisor of [6, 2, 3] episodes",
    "Halved": "ValueError: learners:Halved: copies: got 0.5; allowed: a divisor of [6, 2, 3] episodes",
    "NumberForLoss": "TypeError: learn: critic: got float; allowed: a tensor",
    "NoPolicy": "TypeError: policy: got NoneType; allowed: tensors by name",
}


def own(
    suite: str, only: str, method: str, seed: int, store: Store, settings: Mapping[str, object], **budget: int
) -> Record:
    """The record of a suite's own method, trained in this process."""
    changes = {**{f"budget.{key}": value for key, value in (BUDGET | budget).items()}, **settings}
    chosen = tuple(f"{key}={value}" for key, value in changes.items())
    loaded = load(suite)  # under the reading whose settings are those of the learners here
    selection = Selection(profile="smoke", only=(only,), seeds=(seed,), settings=chosen, reading=loaded.pinned)
    plan = make_plan(loaded.under(loaded.pinned), selection)
    cell = next(cell for cell in plan.cells if cell.method == method)
    runs = tuple(run for run in plan.runs if run.cell == cell.key)
    store.open_for_writing()
    job = Job(cell=cell, runs=runs, suite_version=1, profile="smoke")
    run_job(job, store, stop=lambda: False, report=lambda event: None)
    record = store.record(runs[0].id)
    assert record is not None
    return record


def test_its_numbers_are_those_of_the_suite_s_own_learner(played: Played, tmp_path: Path) -> None:
    expected = own("knowru", "spread/I", "maddpg_to_II", 2, Store(tmp_path / "own"), DECLARATION["hyperparameters"])
    found = played("learners:Twin", seed=2)
    assert (found.status, expected.status) == ("finished", "finished")
    assert found.numbers == expected.numbers
    assert found.run != expected.run


def test_several_tasks_give_the_suite_s_own_numbers_too(played: Played, tmp_path: Path) -> None:
    short = {"episodes": 10, "record_every": 10, "evaluate_every": 10}  # mappo_multi, beside it, takes rounds of ten
    expected = own("mkt_marl", "table2", "qmix_multi", 1, Store(tmp_path / "own"), {"batch_size": 2}, **short)
    hyperparameters = expected.settings["hyperparameters"]
    where = {"suite": "mkt_marl", "only": "table2", "seed": 1}
    found = played("learners:TwinOfSeveralTasks", **where, hyperparameters=hyperparameters, **short)
    assert (found.status, expected.status) == ("finished", "finished")
    assert len(found.numbers.scores) == 3
    assert found.numbers == expected.numbers
    assert load_weights(Store(tmp_path / "results"), found.run, found.numbers.weights)


IN_SLOW = ("Crashing", "Raising", "Halved")  # as two of test_forgers.py's in an evaluation; as Uneven


@pytest.mark.parametrize("name", sorted({*REASONS} - {*IN_SLOW}))
def test_its_end_is_a_record(name: str, played: Played) -> None:
    ends_as_a_record(name, played)


def ends_as_a_record(name: str, played: Played) -> None:
    record = played(f"learners:{name}")
    assert record.status == "failed"
    assert record.reason.startswith(REASONS[name])


def test_its_hang_ends_at_the_time_limit(played: Played) -> None:
    record = played("learners:Hanging", limits=Limits(wall_s=25.0))
    assert (record.status, record.reason) == ("failed", "over the time limit of 25 s")


def test_a_stop_leaves_nothing_of_the_run(described: Callable[[str], Guest], tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    store.open_for_writing()
    settings = tuple(f"budget.{key}={value}" for key, value in BUDGET.items())
    selection = Selection(profile="smoke", only=("spread/I",), seeds=(0,), settings=settings)
    entered = entry(load("knowru"), selection, known("learners:Twin", described), ())
    cell = entered.contests[0].cell
    (run,) = (run for run in entered.plan.runs if run.cell == cell.key)
    events: list[Event] = []
    job = Job(cell=cell, runs=(run,), suite_version=1, profile="smoke", checkpoint_s=0.0)
    with pytest.raises(Stopped):
        run_job(job, store, stop=lambda: bool(events), report=events.append)
    assert [event["event"] for event in events] == ["progress"]
    assert store.record(run.id) is None
    assert list(store.checkpoints.iterdir()) == []
    run_job(job, store, stop=lambda: False, report=events.append)
    assert events[-1] == {"event": "finished", "run": run.id, "reason": ""}
