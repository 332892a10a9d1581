"""Runs: a seed's numbers are the same alone, in company, after a stop and after a kill."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.executors.dispatch import Dispatcher, Options
from bench.executors.jobs import run_job
from bench.executors.local import execute
from bench.plan import Plan, Run, Selection, make_plan
from bench.run.job import Job
from bench.run.training import Stopped
from bench.store import Record, Store, StoreError, numbers_hash
from bench.suite import Suite
from bench.suite.loading import parse
from tests.conftest import ROOT, TINY, Bench


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def new_store(folder: Path) -> Store:
    store = Store(folder)
    store.open_for_writing()
    return store


def quiet(_: dict[str, Any]) -> None: ...


def jobs_of(plan: Plan, lanes: int, checkpoint_s: float = 1e9) -> list[Job]:
    """The plan's runs in order, `lanes` seeds of a cell at a time."""
    jobs = []
    for cell in plan.cells:
        runs = [r for r in plan.runs if r.cell == cell.key]
        for i in range(0, len(runs), lanes):
            chunk = tuple(runs[i : i + lanes])
            jobs.append(Job(cell=cell, runs=chunk, suite_version=1, profile="full", checkpoint_s=checkpoint_s))
    return sorted(jobs, key=lambda job: bool(job.cell.teachers))


def train(plan: Plan, store: Store, lanes: int, **options: Any) -> dict[str, str]:
    """Numbers hashes by run id."""
    for job in jobs_of(plan, lanes, **options):
        run_job(job, store, lambda: False, quiet)
    return hashes(plan, store)


def hashes(plan: Plan, store: Store) -> dict[str, str]:
    return {run.id: numbers_hash(finished(store, run.id)) for run in plan.runs}


def only(plan: Plan, *labels: str) -> Plan:
    """The plan with no cells but these."""
    cells = tuple(cell for cell in plan.cells if cell.label in labels)
    assert len(cells) == len(labels)
    keys = {cell.key for cell in cells}
    return plan.model_copy(update={"cells": cells, "runs": tuple(run for run in plan.runs if run.cell in keys)})


def finished(store: Store, run: str) -> Record:
    record = store.record(run)
    assert record is not None
    assert record.status == "finished"
    return record


@pytest.fixture
def plan(tiny: Suite) -> Plan:
    return make_plan(tiny, Selection(seeds=(0, 1, 2, 3, 4)))


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, dict[str, str]]:
    """Every cell of `plan` with its five seeds in one group. No test writes to it."""
    torch.set_num_threads(1)
    store = new_store(tmp_path_factory.mktemp("together"))
    plan = make_plan(parse(TINY.encode(), "tiny.toml"), Selection(seeds=(0, 1, 2, 3, 4)))
    return store, train(plan, store, lanes=5)


def test_a_seed_alone_and_in_company_is_the_same(
    plan: Plan, together: tuple[Store, dict[str, str]], tmp_path: Path
) -> None:
    """Parameters, curves and numbers hash, bit by bit, for every method."""
    store, expected = together
    alone = new_store(tmp_path / "alone")
    assert train(plan, alone, lanes=1) == expected
    for run in plan.runs:
        assert store.weights_path(run.id).read_bytes() == alone.weights_path(run.id).read_bytes()
        assert finished(store, run.id).numbers == finished(alone, run.id).numbers
    assert len(set(expected.values())) == len(expected)  # and no two runs are alike


def test_what_a_record_holds(plan: Plan, together: tuple[Store, dict[str, str]]) -> None:
    store, _ = together
    student = next(r for r in plan.runs if plan.cell(r.cell).method == "student")
    record = finished(store, student.id)
    numbers = record.numbers
    (scores,) = numbers.scores
    training, evaluation = scores.curves["training"], scores.curves["evaluation"]
    assert training.episodes == tuple(range(2, 17, 2))
    assert training.steps == tuple(range(10, 81, 10))
    assert set(training.n) == {2}
    assert evaluation.episodes == (0, 8, 16)
    assert set(evaluation.n) == {3}
    assert len(scores.returns) == 4
    assert scores.final == pytest.approx(np.mean([r for r in scores.returns if r is not None]))
    assert numbers.first_update == 4  # the first round after 20 transitions of 5-step episodes
    assert {"loss/critic", "loss/actor", "loss/reuse", "loss/alpha"} <= scores.curves.keys()
    alpha = [a for a in scores.curves["loss/alpha"].mean if a is not None]
    assert alpha[0] == pytest.approx(0.5 - 0.48 * 4 / 16)
    assert alpha[-1] == pytest.approx(0.02)
    assert tuple(teacher.run for teacher in record.teachers) == student.teachers
    assert [t.weights for t in record.teachers] == [finished(store, t.run).numbers.weights for t in record.teachers]
    assert record.provenance.packages["torch"] == torch.__version__
    assert record.provenance.lanes == 5
    assert not list(store.checkpoints.iterdir())


def test_methods_are_evaluated_and_trained_on_the_same_episodes(
    plan: Plan, together: tuple[Store, dict[str, str]]
) -> None:
    """Untrained base and student share weights, so the same episodes give the same scores before an update."""
    store, _ = together
    records = {
        plan.cell(r.cell).method: finished(store, r.id)
        for r in plan.runs
        if r.seed == 0 and plan.cell(r.cell).training_set == "three"
    }
    base, student = (records[m].numbers.scores[0].curves for m in ("base", "student"))
    assert base["evaluation"].mean[0] == student["evaluation"].mean[0]
    assert base["training"].mean[0] == student["training"].mean[0]
    assert base["training"].mean[-1] != student["training"].mean[-1]


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_stopped_and_resumed_in_other_company_is_the_same(
    plan: Plan, together: tuple[Store, dict[str, str]], tmp_path: Path, rounds: int
) -> None:
    """Every job is stopped again and again, and goes on with other seeds beside it."""
    _, expected = together
    store = new_store(tmp_path / "stopped")
    stops = 0
    for lanes in (5, 1, 2, 3, 1, 2, 5, 1, 3, 2, 1, 4):
        for job in jobs_of(plan, lanes):
            calls = iter(range(100))
            if not all(store.finished(teacher) for run in job.runs for teacher in run.teachers):
                continue
            try:
                run_job(job, store, lambda calls=calls: next(calls) == rounds - 1, quiet)
            except Stopped:
                stops += 1
    assert stops > 3
    assert train(plan, store, lanes=5) == expected


def test_a_seed_alone_and_in_company_is_the_same_at_full_size(knowru: Suite, tmp_path: Path) -> None:
    """The paper's own networks, batch and layout, six agents, every method: three updates."""
    plan = make_plan(knowru, Selection(only=("spread/II",), seeds=(0, 1), settings=("budget.episodes=60",)))
    assert train(plan, new_store(tmp_path / "alone"), 1) == train(plan, new_store(tmp_path / "together"), 2)


@pytest.mark.parametrize("replay", [10, 15, 35])
def test_a_stop_with_a_ring_that_has_wrapped_changes_nothing(tiny: Suite, tmp_path: Path, replay: int) -> None:
    """Rings of 2, 3 and 7 episodes: all, some and none of them are overwritten between two stops."""
    small = (f"base.replay_size={replay}", "base.batch_size=8", "base.warmup_transitions=8")
    plan = make_plan(tiny, Selection(only=("source",), seeds=(0, 1), settings=small))
    store = new_store(tmp_path / "stopped")
    (job,) = jobs_of(plan, lanes=2)
    for after in (1, 3, 0):
        calls = iter(range(100))
        with pytest.raises(Stopped):
            run_job(job, store, lambda calls=calls, after=after: next(calls) == after, quiet)
    assert train(plan, store, lanes=2) == train(plan, new_store(tmp_path / "whole"), lanes=2)


def test_checkpoints_change_nothing(plan: Plan, together: tuple[Store, dict[str, str]], tmp_path: Path) -> None:
    assert train(plan, new_store(tmp_path / "often"), lanes=5, checkpoint_s=0.0) == together[1]


def test_one_and_two_processes_are_the_same(
    tiny: Suite, together: tuple[Store, dict[str, str]], tmp_path: Path
) -> None:
    """Two seeds of the teacher: each in a process of its own, against five seeds in one.

    A student in a process of its own has its numbers in `made_again`, every method in tests/slow.
    """
    one_and_two_processes(only(make_plan(tiny, Selection(seeds=(0, 1))), "base on two"), together[1], tmp_path)


def one_and_two_processes(plan: Plan, expected: dict[str, str], folder: Path) -> None:
    """In tests/slow with every method."""
    store = new_store(folder / "two")
    outcome = execute(plan, store, Options(jobs=2), quiet)
    assert (len(outcome.finished), outcome.failed, outcome.stopped) == (len(plan.runs), {}, False)
    assert hashes(plan, store).items() <= expected.items()
    again = execute(plan, store, Options(jobs=1), quiet)
    assert len(again.before) == len(plan.runs)


def test_killed_in_mid_training_then_resumed_is_the_same(
    bench_here: Bench, tiny: Suite, tiny_file: Path, tmp_path: Path
) -> None:
    """kill -9 of everything once there are checkpoints; the same command ends with an uninterrupted run's numbers."""
    longer = ("budget.episodes=400",)
    plan = make_plan(tiny, Selection(only=("source",), seeds=(0, 1), settings=longer))
    expected = train(plan, new_store(tmp_path / "whole"), lanes=2)
    results = tmp_path / "killed"
    arguments = ["run", str(tiny_file), "--results", str(results), "--jobs", "1"]
    arguments += ["--only", "source", "--seeds", "2", "--set", *longer, "--checkpoint-every", "0"]
    command, environment = [sys.executable, "-m", "bench", *arguments], os.environ | {"PYTHONPATH": str(ROOT)}
    first = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(results.glob("checkpoints/*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.002)
    children = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
    first.kill()
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    first.wait()
    assert not all(Store(results).finished(run.id) for run in plan.runs), "the test killed too late"
    assert list(results.glob("checkpoints/*.safetensors"))
    second = bench_here(*arguments)
    assert second.returncode == 0, second.stderr
    assert hashes(plan, Store(results)) == expected


def test_a_diverged_run_is_recorded_as_failed_and_its_students_wait(tiny: Suite, tmp_path: Path) -> None:
    """tests/test_failures.py does the same on the command line, in processes."""
    wild = make_plan(tiny, Selection(settings=("base.lr=1e30",), seeds=(0,)))
    store = new_store(tmp_path / "wild")
    for job in jobs_of(only(wild, "base on two", "base on three"), lanes=1):
        run_job(job, store, lambda: False, quiet)
    outcome = execute(wild, store, Options(jobs=1), quiet)
    assert set(outcome.failed.values()) == {"diverged at step 20"}
    methods = {run.id: wild.cell(run.cell).method for run in wild.runs}
    assert {methods[r] for r in outcome.blocked} == {"init", "student"}
    for run in outcome.failed:
        record = store.record(run)
        assert record is not None
        assert (record.status, record.reason) == ("failed", "diverged at step 20")
        assert None in record.numbers.scores[0].curves["loss/critic"].mean


def test_only_the_students_of_a_failed_teacher_wait(
    tiny: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs that end at once, and seed 1's teacher fails: the other seeds of the same shards go on."""
    store, plan = new_store(tmp_path / "one"), make_plan(tiny, Selection(seeds=(0, 1, 2)))
    teacher = next(run for run in plan.runs if run.seed == 1 and plan.cell(run.cell).label == "base on two")

    def start(pool: Dispatcher, shard: tuple[Run, ...]) -> None:
        for run in shard:
            if run.id == teacher.id:
                pool.outcome.failed[run.id] = "made to fail"
            else:
                pool.outcome.finished.add(run.id)

    monkeypatch.setattr(Dispatcher, "_start", start)
    outcome = execute(plan, store, Options(jobs=1), quiet)
    assert set(outcome.failed) == {teacher.id}
    assert outcome.blocked == {run.id for run in plan.runs if teacher.id in run.teachers}
    assert len(outcome.finished) == 12 - 3


def test_a_teacher_whose_weights_changed_is_named(plan: Plan, tmp_path: Path) -> None:
    store = new_store(tmp_path / "teacher")
    teachers, students = (
        [j for j in jobs_of(plan, 3) if bool(j.cell.teachers) is student] for student in (False, True)
    )
    for job in teachers:
        run_job(job, store, lambda: False, quiet)
    taught = students[0].runs[0].teachers[0]
    assert taught is not None
    store.weights_path(taught).write_bytes(b"other weights")
    with pytest.raises(StoreError, match=taught):
        run_job(students[0], store, lambda: False, quiet)


def test_a_teacher_whose_weights_are_damaged_is_made_again(warm_workers: None, tiny: Suite, tmp_path: Path) -> None:
    """In tests/slow also if they are missing."""
    made_again(tiny, tmp_path, "damaged")


def test_a_run_whose_weights_are_lost_is_forgotten(plan: Plan, tmp_path: Path) -> None:
    store, job = new_store(tmp_path / "lost"), next(iter(jobs_of(plan, lanes=3)))
    run_job(job, store, lambda: False, quiet)
    sound, damaged, gone = (run.id for run in job.runs)
    store.weights_path(damaged).write_bytes(store.weights_path(damaged).read_bytes()[:-1])
    store.weights_path(gone).unlink()
    assert [store.forget_without_weights(run) for run in (sound, damaged, gone)] == [False, True, True]
    assert [store.finished(run) for run in (sound, damaged, gone)] == [True, False, False]


def made_again(tiny: Suite, tmp_path: Path, loss: str) -> None:
    """A teacher is made again only where a student still needs its weights; the new record is the old one."""
    store, plan = new_store(tmp_path / "lost"), make_plan(tiny, Selection(seeds=(0,)))
    expected = train(plan, store, lanes=1)
    teacher = next(run for run in plan.runs if plan.cell(run.cell).label == "base on two")
    student = next(run for run in plan.runs if teacher.id in run.teachers)
    content = store.weights_path(teacher.id).read_bytes()
    if loss == "gone":
        store.weights_path(teacher.id).unlink()
    else:
        store.weights_path(teacher.id).write_bytes(content[:-1])
    assert len(execute(plan, store, Options(jobs=1), quiet).before) == len(plan.runs)
    store.record_path(student.id).unlink()
    outcome = execute(plan, store, Options(jobs=1), quiet)
    assert outcome.finished - outcome.before == {teacher.id, student.id}
    assert hashes(plan, store) == expected
    assert store.weights_path(teacher.id).read_bytes() == content


def test_a_run_that_another_process_holds_is_left_alone(plan: Plan, tmp_path: Path) -> None:
    store = new_store(tmp_path / "held")
    job = next(j for j in jobs_of(plan, 3))
    seen: list[dict[str, Any]] = []
    with store.claim(job.runs[1].id) as mine:
        assert mine
        run_job(job, store, lambda: False, seen.append)
    assert [e["run"] for e in seen if e["event"] == "busy"] == [job.runs[1].id]
    assert [store.finished(r.id) for r in job.runs] == [True, False, True]


SMALL = (
    "budget.final_evaluation_episodes=128",
    "update_episodes=1",
    "batch_size=128",
    "tau=0.05",
)


def test_learning_is_real(knowru: Suite, tmp_path: Path) -> None:
    """On task I, 300 episodes of MADDPG with quick updates beat a uniformly random policy by a tenth of the distance
    between the scripts; with the sign of the actor's loss flipped they do not.

    Seen on four seeds: -12.81 to -12.44 against a bar of -13.18, and -31.2 to -28.3 with the sign flipped, after as
    many episodes. Flipped, a third of them is enough for a fall.
    """
    anchors = knowru["scenario", "spread/I"].anchors
    bar = anchors.random + 0.1 * (anchors.good - anchors.no_information)

    def score(episodes: int) -> float:
        budget = (f"budget.episodes={episodes}", f"budget.evaluate_every={episodes}")
        selection = Selection(only=("spread/I",), seeds=(0,), settings=(*budget, *SMALL), reading="first-edition")
        plan = make_plan(knowru.under("first-edition"), selection)
        runs = tuple(r for r in plan.runs if plan.cell(r.cell).method == "maddpg_to_II")
        store = new_store(tmp_path / f"{episodes}")
        job = Job(cell=plan.cell(runs[0].cell), runs=runs, suite_version=1, profile="full")
        run_job(job, store, lambda: False, quiet)
        finals = [finished(store, r.id).numbers.scores[0].final for r in runs]
        return float(np.mean([f for f in finals if f is not None]))

    assert score(300) > bar
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("baselines.maddpg.actor_loss", lambda q, logits, penalty: q.mean(-1))
        flipped = score(100)
    assert math.isfinite(flipped)
    assert flipped < bar


def test_a_run_is_scored_in_its_scenarios_metric(tiny: Suite, tmp_path: Path) -> None:
    """An episode's sum over 5 steps and 2 agents is 10 times its mean over them."""
    summed = parse(TINY.replace('metric = "step_reward"', 'metric = "return_sum"').encode(), "tiny.toml")
    finals = []
    for suite, folder in ((tiny, "mean"), (summed, "sum")):
        plan, store = make_plan(suite, Selection(only=("source",), seeds=(0,))), Store(tmp_path / folder)
        store.open_for_writing()
        (cell,) = plan.cells
        run_job(Job(cell=cell, runs=plan.runs, suite_version=1, profile="full"), store, lambda: False, lambda _: None)
        record = store.record(plan.runs[0].id)
        assert record is not None
        assert record.numbers.scores[0].final is not None
        finals.append((record.numbers.scores[0].final, record.numbers.scores[0].curves["training"].mean[0]))
    assert finals[1] == pytest.approx([10 * score for score in finals[0]])
