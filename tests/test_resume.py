"""Every team learner has the same numbers after stops, and in other company (tests/test_run.py: MADDPG)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.executors.jobs import run_job
from bench.executors.local import Options, execute
from bench.nightly.canaries import canary_plan
from bench.plan import Cell, Plan, Selection, make_plan
from bench.run.job import Job
from bench.run.training import Stopped
from bench.store import Store, numbers_hash
from bench.store.checkpoints import load_checkpoint, save_checkpoint
from bench.suite import Suite
from bench.suite.loading import load


def half_a_canary() -> Plan:
    """Every code path of MKT-MARL's suite, shortened to half of a canary."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.nightly.canaries.POINTS", 2)
        return canary_plan(load("mkt_marl"))


TREASURE = ("rollout_threads=2", "batch_size=32", "replay_size=150")


def treasure() -> Plan:
    """MAAC and KnowRU on it, whose rounds are steps of open episodes: 200 rounds of two environments, four updates."""
    changes = tuple(f"{method}.{change}" for method in ("maac", "knowru_maac") for change in TREASURE)
    budget = ("budget.episodes=4", "budget.record_every=2", "budget.evaluate_every=4")
    looks = ("budget.evaluation_episodes=1", "budget.final_evaluation_episodes=1")
    return make_plan(
        load("knowru"), Selection(only=("treasure/VIII",), seeds=(0, 1), settings=(*budget, *looks, *changes))
    )


def joined(first: Plan, second: Plan) -> Plan:
    return first.model_copy(update={"cells": first.cells + second.cells, "runs": first.runs + second.runs})


PLAN = joined(half_a_canary(), treasure())
CELLS = [cell for cell in PLAN.cells if cell.experiment in ("teachers", "table2", "treasure/VII")]
CELLS += [cell for cell in PLAN.cells if cell.method == "knowru_maac"]
STOPS = (1, 9, 6, 5)  # rounds until the next stop, 21 of 24; updates begin after about ten
STOPS_OF_TEN = (1, 1, 1)  # of 4, where a round is ten episodes, each with updates
STOPS_OF_STEPS = (30, 60, 37, 50)  # of 200; an update in each fifty, an episode's end after a hundred


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Cells with their two seeds together and without a stop, each trained when a test first asks for it."""
    torch.set_num_threads(1)
    return opened(tmp_path_factory.mktemp("whole"))


def train_whole(cell: Cell, whole: Store) -> None:
    """With its teachers; existing runs are not trained again."""
    for own in [*map(PLAN.cell, cell.teachers), cell]:
        run_job(job(own, 0, 1), whole, lambda: False, lambda _: None)


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


# qmix_multi's learner with another mixer; on one task, QMIX against an opponent is here; MAAC is in KnowRU on it
IN_SLOW = ("vdn_multi on mpe", "qmix_teacher on mpe/push", "qmix_teacher on mpe/speaker_listener")
IN_SLOW += ("maac on treasure/VII",)


def cells(in_slow: bool) -> pytest.MarkDecorator:
    chosen = [cell for cell in CELLS if (cell.label in IN_SLOW) is in_slow]
    return pytest.mark.parametrize("cell", chosen, ids=lambda cell: cell.label.replace(" ", "_"))


@cells(in_slow=False)
def test_stopped_and_resumed_in_other_company_is_the_same(cell: Cell, whole: Store, tmp_path: Path) -> None:
    same_after_stops(cell, whole, tmp_path)


def same_after_stops(cell: Cell, whole: Store, tmp_path: Path) -> None:
    train_whole(cell, whole)
    store = opened(tmp_path)
    for teacher in {teacher for run in job(cell, 0, 1).runs for teacher in run.teachers}:
        for path in (Store.record_path, Store.weights_path):
            path(store, teacher).write_bytes(path(whole, teacher).read_bytes())
    of_steps = {"maac": STOPS_OF_STEPS, "knowru_maac": STOPS_OF_STEPS}
    stops = of_steps.get(cell.method, STOPS_OF_TEN if cell.method == "mappo_multi" else STOPS)
    for rounds, company in zip(stops, ((0, 1), (0,), (1,), (0, 1))[: len(stops)], strict=True):
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


def test_a_log_in_several_parts_and_one_that_is_lost(
    warm_workers: None, tiny: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts of three episodes: ten are in four files. If one is missing its run starts again, and `run` says so."""
    monkeypatch.setattr("baselines.replay.transitions.PART_EPISODES", 3)
    plan = make_plan(tiny, Selection(only=("source",), seeds=(0, 1)))
    (cell,), store, unstopped = plan.cells, opened(tmp_path / "parts"), opened(tmp_path / "unstopped")
    both = Job(cell=cell, runs=plan.runs, suite_version=1, profile="full", checkpoint_s=1e9)
    with pytest.raises(Stopped):
        run_job(both, store, after(5), lambda _: None)
    logs = [sorted((store.checkpoints / run.id).iterdir()) for run in plan.runs]
    bounds = [f"{start:09d}-{min(start + 3, 10):09d}" for start in (0, 3, 6, 9)]
    assert [[path.stem for path in log] for log in logs] == [bounds, bounds]
    logs[1][2].unlink()
    seen: list[dict[str, Any]] = []
    assert len(execute(plan, store, Options(jobs=1), seen.append).finished) == 2
    (says,) = [event["says"] for event in seen if event["event"] == "remark"]
    assert says.startswith(f"run {plan.runs[1].id} starts again; its checkpoint is dropped: ")
    first = {tuple(event["runs"]): event["done"] for event in reversed(seen) if event["event"] == "progress"}
    assert first == {(plan.runs[0].id,): 12, (plan.runs[1].id,): 2}
    run_job(both, unstopped, lambda: False, lambda _: None)
    for run in plan.runs:
        assert hash_of(store, run.id) == hash_of(unstopped, run.id)


def test_a_checkpoint_of_another_device_is_not_used(tiny: Suite, tmp_path: Path) -> None:
    plan, store = make_plan(tiny, Selection(only=("source",), seeds=(0,))), opened(tmp_path)
    (cell,), (run,) = plan.cells, plan.runs
    lone = Job(cell=cell, runs=plan.runs, suite_version=1, profile="full", checkpoint_s=1e9)
    with pytest.raises(Stopped):
        run_job(lone, store, lambda: True, lambda _: None)
    found = load_checkpoint(store, run.id, print)
    assert found is not None
    save_checkpoint(store, run.id, found.arrays, {**found.progress, "device": "cuda"})
    seen: list[dict[str, Any]] = []
    run_job(lone, store, lambda: False, seen.append)
    assert next(e["done"] for e in seen if e["event"] == "progress") == 2  # from the beginning
    (line,) = [e["says"] for e in seen if e["event"] == "remark"]
    assert line == f"run {run.id} starts again; its checkpoint is dropped: it was made on cuda, and this is cpu"
