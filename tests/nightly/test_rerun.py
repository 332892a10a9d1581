"""`bench verify --rerun N`: a sample of a folder's runs, trained again."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bench.commands import folders
from bench.nightly import rerun
from bench.nightly.repeats import Repeat
from bench.nightly.rerun import NotRerun, Rerun
from bench.plan import Plan, Selection, make_plan
from bench.processes.platforms import this_platform
from bench.store import Record, Store
from bench.suite.loading import parse
from tests.conftest import TINY, Bench
from tests.nightly.test_repeats import make_known, moved
from tests.trained import train


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(parse(TINY.encode(), "tiny.toml"), Selection(seeds=(0,)))


@pytest.fixture(scope="module")
def trained(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = Store(tmp_path_factory.mktemp("trained"))
    train(plan, store)
    return store.root


@pytest.fixture
def store(trained: Path, tmp_path: Path) -> Store:
    shutil.copytree(trained, tmp_path / "results")
    return Store(tmp_path / "results")


def run_of(plan: Plan, label: str) -> str:
    return next(run.id for run in plan.runs if plan.cell(run.cell).label == label)


def record_of(store: Store, run: str) -> Record:
    record = store.record(run)
    assert record is not None
    return record


def test_a_record_that_was_made_up_is_found(bench_here: Bench, plan: Plan, store: Store) -> None:
    """Its hashes fit, so nothing else shows it. A student learns from the existing weights."""
    made_up = run_of(plan, "base on three")
    moved(store, made_up)
    make_known(store)
    assert bench_here("verify", store.root).returncode == 0
    shutil.copytree(store.root, store.root.parent / "before")
    done = bench_here("verify", store.root, "--rerun", "9", "--jobs", "2")
    assert done.returncode == 1, done.stdout
    assert f"differs   {made_up} tiny: base on three, seed 0: " in done.stdout
    assert "-9.0 in the record" in done.stdout
    assert done.stdout.count("same      ") in (1, 2)  # the teacher, or those that it taught
    assert Store(store.root.parent / "before").contents() == store.contents()
    assert not store.leftovers()


def test_the_sample_is_the_folder_s(plan: Plan, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same each time, never a run together with its teacher, and every run is drawn sooner or later."""
    finished = {run.id: record_of(store, run.id) for run in plan.runs}
    drawn = [rerun._drawn(store, finished, 4) for _ in range(2)]
    assert drawn[0] == drawn[1]
    for changed in range(20):
        others = finished | {"f" * 16: record_of(store, plan.runs[0].id).model_copy(update={"seed": changed})}
        chosen = {record.run for record in rerun._drawn(store, others, 4)[0]}
        for run in plan.runs:
            assert not (run.id in chosen and chosen & {*run.teachers})
    firsts = set()
    for changed in range(40):
        some = record_of(store, plan.runs[0].id)
        numbers = some.numbers.model_copy(update={"first_update": changed})
        others = finished | {some.run: some.model_copy(update={"numbers": numbers})}
        firsts |= {record.run for record in rerun._drawn(store, others, 1)[0]}
    assert firsts == set(finished)


def changed(record: Record, path: str, value: Any) -> Record:
    """A record with another value deep in its settings."""
    settings = json.loads(json.dumps(record.settings))
    *way, last = path.split(".")
    place = settings
    for key in way:
        place = place[key]
    place[last] = value
    return record.model_copy(update={"settings": settings})


HINDRANCES = {
    "algorithm.version": (99, "algorithm maddpg, version 99, does not exist here any more"),
    "algorithm.name": ("gone", "algorithm gone, version "),
    "algorithm.source": ("0" * 64, "a method from elsewhere"),
    "scenario.version": (99, "environment particle, version 99, does not exist here any more"),
    "scenario.family": ("gone", "environment gone, version 1, does not exist here any more"),
    "scenario.params": ({"name": "gone"}, "its settings are not valid here any more"),
    "hyperparameters.lr": (-1.0, "its settings are not valid here any more"),
    "format": (0, "its settings are of format 0"),
}


@pytest.mark.parametrize("path", HINDRANCES)
def test_what_cannot_run_here_any_more_is_named(path: str, plan: Plan, store: Store) -> None:
    value, why = HINDRANCES[path]
    record = record_of(store, run_of(plan, "base on three"))
    assert rerun._hindrance(store, record) == ""
    assert rerun._hindrance(store, changed(record, path, value)).startswith(why)


def test_a_student_without_its_teacher_s_weights_is_passed_over(plan: Plan, store: Store) -> None:
    student, teacher = record_of(store, run_of(plan, "student on three")), run_of(plan, "base on two")
    assert rerun._hindrance(store, student) == ""
    store.weights_path(teacher).write_bytes(b"others")
    assert rerun._hindrance(store, student) == f"the weights of its teacher {teacher} are not in the folder"
    finished = {student.run: student}
    chosen, passed_over = rerun._drawn(store, finished, 1)
    assert (chosen, [one.run for one in passed_over]) == ([], [student.run])


def test_a_run_of_another_device_is_passed_over(plan: Plan, store: Store) -> None:
    record = record_of(store, run_of(plan, "base on three"))
    provenance = record.provenance.model_copy(update={"device": "cuda"})
    assert "trained on cuda" in rerun._hindrance(store, record.model_copy(update={"provenance": provenance}))


FOUND = Rerun((Repeat("a", "x", 0, "1" * 64, "2" * 64, "parts"),), (), (), this_platform(), True)


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (FOUND, 1),
        (dataclasses.replace(FOUND, known=False), 0),
        (dataclasses.replace(FOUND, rows=(Repeat("a", "x", 0, "1", "1", ""),)), 0),
        (dataclasses.replace(FOUND, rows=(), broken_off=(NotRerun("a", "x", 0, "killed"),)), 3),
        (dataclasses.replace(FOUND, rows=(), passed_over=(NotRerun("a", "x", 0, "gone"),)), 4),
        (dataclasses.replace(FOUND, rows=()), 4),
    ],
)
def test_exit_codes(found: Rerun, code: int, bench_here: Bench, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders.reruns, "rerun", lambda *_: found)
    done = bench_here("verify", store.root, "--rerun", "1", "--json")
    assert done.returncode == code
    told = json.loads(done.stdout)["rerun"]
    assert [row["same"] for row in told["runs"]] == [row.same for row in found.rows]
    assert len(told["not_rerun"]) == len(found.passed_over) + len(found.broken_off)
    plain = bench_here("verify", store.root, "--rerun", "1").stdout
    assert ("so last bits may differ by themselves" in plain) is (not found.known)
    assert ("no run was trained again: " in plain) is (not found.rows)
    assert "0 of 0" not in plain
    assert plain.count("not rerun a x, seed 0: ") == len(found.passed_over) + len(found.broken_off)
