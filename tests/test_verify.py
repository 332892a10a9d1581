"""A results folder against its own hashes, and two runs side by side."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.plan import Plan, Selection, make_plan
from bench.store import Record, Store, StoreError, sha256
from bench.store.checkpoints import packed_weights, save_checkpoint
from bench.store.diff import difference, find
from bench.store.verify import Finding, verify
from bench.suite.loading import parse
from tests.conftest import TINY, Bench
from tests.trained import train


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(parse(TINY.encode(), "tiny.toml"), Selection(seeds=(0,)))


@pytest.fixture(scope="module")
def trained(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One seed of every cell."""
    store = Store(tmp_path_factory.mktemp("trained"))
    train(plan, store)
    return store.root


@pytest.fixture
def store(trained: Path, tmp_path: Path) -> Store:
    shutil.copytree(trained, tmp_path / "results")
    return Store(tmp_path / "results")


def run_of(plan: Plan, label: str) -> str:
    return next(run.id for run in plan.runs if plan.cell(run.cell).label == label)


def test_what_was_trained_is_sound(store: Store) -> None:
    found = verify(store)
    assert (found.finished, found.failed, found.weights) == (4, 0, 4)
    assert (found.findings, found.absent, found.unfinished) == ((), (), ())


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(bytes(content))


def other_weights(store: Store, record: Record) -> None:
    numbers = record.numbers.model_copy(update={"weights": "0" * 64})
    store.write_record(record.model_copy(update={"numbers": numbers}))
    store.weights_path(record.run).unlink()


def another_policy(store: Store, record: Record) -> None:
    content = packed_weights({"weight": np.zeros(3, np.float32)})
    numbers = record.numbers.model_copy(update={"weights": sha256(content)})
    store.write(record.model_copy(update={"numbers": numbers}), content)


@pytest.mark.parametrize(
    ("damage", "kind", "said"),
    [
        (lambda s, r: flip(s.record_path(r.run)), "damaged", "not a complete JSON file"),
        (lambda s, r: flip(s.weights_path(r.run)), "damaged", "is not the record's"),
        (lambda s, r: s.weights_path(r.run).unlink(), "missing", "names the run as its teacher"),
        (lambda s, r: s.record_path(r.run).unlink(), "missing", "has no sound, finished record here"),
        (lambda s, r: s.record_path(r.run).rename(s.record_path("0" * 16)), "damaged", "contains the record of run"),
        (other_weights, "damaged", "teachers[0].weights: learned from"),
        (another_policy, "damaged", "got 3 numbers; allowed: 538, the policy of the record's settings"),
        (lambda s, r: s.write_record(r.model_copy(update={"seed": 7})), "damaged", "run: the id is not the hash"),
        (lambda s, r: s.write_record(r.model_copy(update={"settings": {}})), "damaged", "cell: "),
        (
            lambda s, r: save_checkpoint(s, r.run, {}, {"done": 2, "replay_first": 0, "replay_stop": 2}),
            "leftover",
            "a finished run has left it",
        ),
        (lambda s, r: (s.checkpoints / r.run).mkdir(), "leftover", "a finished run has left it"),
        (lambda s, r: (s.root / "weights" / f".{r.run}.safetensors.7").touch(), "leftover", "a finished run"),
        (lambda s, r: (s.root / "records" / "notes.txt").touch(), "unknown", "not a record"),
    ],
)
def test_what_fails_is_named(
    plan: Plan, store: Store, damage: Callable[[Store, Record], None], kind: str, said: str
) -> None:
    teacher = store.record(run_of(plan, "base on two"))
    assert teacher is not None
    damage(store, teacher)
    findings = verify(store).findings
    assert any(f.kind == kind and said in f.what for f in findings), findings
    assert all((store.root / f.file).exists() for f in findings if f.kind != "missing")


def test_weights_that_nobody_learns_from_may_be_absent(plan: Plan, store: Store) -> None:
    student = run_of(plan, "student on three")
    store.weights_path(student).unlink()
    found = verify(store)
    assert (found.findings, found.absent) == ((), (student,))


def test_a_folder_that_publishes_records_only_is_sound(bench_here: Bench, plan: Plan, store: Store) -> None:
    shutil.rmtree(store.root / "weights")
    assert (verify(store).findings, len(verify(store).absent)) == ((), 4)
    done = bench_here("verify", store.root)
    assert done.returncode == 0
    assert "absent: weights of 4 runs; the folder publishes records only" in done.stdout
    assert done.stdout.strip().endswith("4 finished and 0 failed runs, 0 weights files: sound")


def test_a_run_under_way_is_no_damage(store: Store) -> None:
    save_checkpoint(store, "a" * 16, {}, {"done": 2, "replay_first": 0, "replay_stop": 2})
    found = verify(store)
    assert (found.findings, found.unfinished) == ((), ("a" * 16,))


def test_verify_on_the_command_line(bench_here: Bench, plan: Plan, store: Store) -> None:
    student = store.record_path(run_of(plan, "student on three"))
    flip(student)
    done = bench_here("verify", store.root)
    assert done.returncode == 1
    assert f"damaged: {student}: not a complete JSON file" in done.stdout
    assert "1 problem(s)" in done.stdout
    shown = json.loads(bench_here("verify", store.root, "--json").stdout)
    assert (shown["sound"], shown["finished"]) == (False, 3)
    assert [f["file"] for f in shown["findings"]] == [f"records/{student.name}"]
    nothing = bench_here("verify", store.root / "weights")
    assert (nothing.returncode, "not a results folder" in nothing.stderr) == (2, True)
    Store(store.root / "empty").open_for_writing()
    assert bench_here("verify", store.root / "empty").returncode == 4


def test_the_next_run_removes_leftovers(bench_here: Bench, plan: Plan, store: Store, tiny_file: Path) -> None:
    """The leftovers of a kill between a record and its checkpoint's removal, and a half-written file."""
    run = run_of(plan, "base on two")
    save_checkpoint(store, run, {}, {"done": 2, "replay_first": 0, "replay_stop": 2})
    (store.checkpoints / run).mkdir()
    (store.root / "records" / f".{run}.json.4711").write_text("{")
    assert [f.kind for f in verify(store).findings] == ["leftover"] * 3
    assert bench_here("run", tiny_file, "--seeds", "1", "--results", store.root).returncode == 0
    assert verify(store).findings == ()


def test_a_run_differs_from_itself_in_nothing(plan: Plan, store: Store) -> None:
    record = find(store, run_of(plan, "base on two")[:6])
    found = difference(record, record)
    assert found.same_numbers
    assert all(row.same for row in found.rows)
    assert {curve.first for curve in found.curves} == {None}
    assert [a == b for a, b in found.finals] == [True]


def test_where_two_runs_part(plan: Plan, store: Store) -> None:
    base, student = (find(store, run_of(plan, f"{method} on three")) for method in ("base", "student"))
    found = difference(base, student)
    rows = {(row.part, row.key): row for row in found.rows}
    assert (rows["settings", "algorithm.name"].a, rows["settings", "algorithm.name"].b) == ("maddpg", "knowru")
    assert rows["settings", "hyperparameters.alpha_start"].a is None
    assert rows["settings", "budget.episodes"].same
    assert rows["packages", "torch"].a == torch.__version__
    assert {"hardware", "commit", "device"} <= {key for part, key in rows if part == "provenance"}
    curves = {curve.name: curve for curve in found.curves}
    assert curves["training"].first == 6  # the same weights up to the first update after 4 episodes
    assert curves["training"].a != curves["training"].b
    assert (curves["loss/reuse"].points[0], curves["loss/reuse"].a) == (0, None)
    assert found.finals == ((base.numbers.scores[0].final, student.numbers.scores[0].final),)
    assert found.finals[0][0] != found.finals[0][1]
    assert not found.same_numbers


def test_diff_on_the_command_line(bench_here: Bench, plan: Plan, store: Store) -> None:
    first, second = run_of(plan, "base on three"), run_of(plan, "student on three")
    done = bench_here("diff", first[:8], store.record_path(second), "--results", store.root)
    assert done.returncode == 0, done.stderr
    for words in ("hyperparameters.lr", "reuse_loss", "training: differs first at 6 episodes", "numbers_hash: "):
        assert words in done.stdout
    same = bench_here("diff", first, first, "--results", store.root)
    assert "numbers_hash: equal" in same.stdout
    assert "settings: 0 of" in same.stdout
    shown = json.loads(bench_here("diff", first, second, "--results", store.root, "--json").stdout)
    assert (shown["runs"], shown["same_numbers"]) == ([first, second], False)
    assert {"part", "key", "a", "b", "same"} == shown["rows"][0].keys()


@pytest.mark.parametrize(
    ("name", "said"),
    [("", "4 of 4 runs start with"), ("zz", "none of 4 runs starts with"), ("nowhere/x.json", "no such file")],
)
def test_a_run_that_cannot_be_meant(store: Store, name: str, said: str) -> None:
    with pytest.raises(StoreError, match=said):
        find(store, name)


def test_a_finding_names_its_file(store: Store) -> None:
    (store.root / "records" / "x.json").write_text("[]")
    assert verify(store).findings == (
        Finding("damaged", "records/x.json", "not a record; delete it, and the run is made again"),
    )
