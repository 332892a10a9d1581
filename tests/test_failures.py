"""A failed run stays failed until it is requested again, and is named wherever results are shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.plan import Plan, Selection, make_plan
from bench.store import Store
from bench.suite import Suite
from tests.conftest import Bench
from tests.synthetic import fill

WILD = ("--seeds", "1", "--set", "base.lr=1e30")


@pytest.fixture
def plan(tiny: Suite) -> Plan:
    return make_plan(tiny, Selection())


@pytest.fixture
def failed(plan: Plan, tmp_path: Path) -> Path:
    """Seed 1's teacher failed, everything else of "base" is there."""
    results = tmp_path / "results"
    fill(Store(results), plan, lambda cell, seed: [-8.0 - seed] * 8 if cell.method == "base" else None)
    one = make_plan_of(plan, seed=1, label="base on two")
    fill(Store(results), one, lambda cell, seed: [-8.0] * 8, status="failed")
    return results


def make_plan_of(plan: Plan, seed: int, label: str) -> Plan:
    return plan.model_copy(
        update={"runs": tuple(r for r in plan.runs if r.seed == seed and label_of(plan, r.cell) == label)}
    )


def label_of(plan: Plan, key: str) -> str:
    return plan.cell(key).label


def test_a_diverged_run_is_trained_again_only_when_asked(bench_here: Bench, tiny_file: Path, tmp_path: Path) -> None:
    first = bench_here("run", tiny_file, *WILD)
    assert first.returncode == 3
    assert "4 runs: 0 trained now, 0 there before, 2 failed, 2 wait for a teacher that failed" in first.stdout
    assert first.stdout.count("diverged at step 20") == 2
    records = sorted((tmp_path / "runs" / "records").iterdir())
    before = {path.name: path.read_bytes() for path in records}
    assert len(before) == 2
    again = bench_here("run", tiny_file, *WILD)
    assert again.returncode == 3
    assert again.stdout.count("diverged at step 20") == 2
    assert "training" not in again.stdout
    assert {path.name: path.read_bytes() for path in records} == before
    asked = bench_here("run", tiny_file, *WILD, "--only", "source", "--retry-failed", "--json")
    assert asked.returncode == 3
    (retried,) = json.loads(asked.stdout)["run"]["failed"].items()
    assert retried[1] == "diverged at step 20"
    made_anew = [path.stem for path in records if path.read_bytes() != before[path.name]]  # their times differ
    assert made_anew == [retried[0]]
    assert bench_here("verify", "runs").returncode == 0


def test_a_retry_leaves_what_did_not_fail(plan: Plan, failed: Path) -> None:
    store = Store(failed)
    before = {path.name: path.read_bytes() for path in (failed / "records").iterdir()}
    for run in plan.runs:
        store.forget_failure(run.id)
    after = {path.name: path.read_bytes() for path in (failed / "records").iterdir()}
    assert after.items() < before.items()
    assert len(before) - len(after) == 1


def test_plan_check_and_report_name_what_failed(bench_here: Bench, tiny_file: Path, plan: Plan, failed: Path) -> None:
    (lost,) = make_plan_of(plan, seed=1, label="base on two").runs
    line = f"run {lost.id}, seed 1 of base on two: diverged at step 5"

    done = bench_here("plan", tiny_file, "--results", failed)
    assert "12 runs, 5 done, 1 failed (made again only by bench run --retry-failed), 2 wait for" in done.stdout
    runs = {
        run["id"]: run
        for run in json.loads(bench_here("plan", tiny_file, "--results", failed, "--json").stdout)["runs"]
    }
    assert [id_ for id_, run in runs.items() if run["failed"]] == [lost.id]
    assert {id_ for id_, run in runs.items() if run["blocked"]} == {r.id for r in plan.runs if lost.id in r.teachers}

    done = bench_here("check", tiny_file, "--results", failed)
    assert f"failed: {line}" in done.stdout
    shown = json.loads(bench_here("check", tiny_file, "--results", failed, "--json").stdout)
    assert shown["failed"] == {lost.id: "diverged at step 5"}
    reason = shown["verdicts"][0]["reason"]
    assert (
        reason == "no finished run of student on three; 1 of 3 seeds of student on three wait for a teacher that failed"
    )

    done = bench_here("report", tiny_file, "--results", failed)
    assert f"**Failed**: {line}" in Path(done.stdout.removeprefix("report: ").strip()).read_text()


def test_a_claims_reason_counts_failed_seeds(bench_here: Bench, tiny_file: Path, plan: Plan, tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    fill(store, plan, lambda cell, seed: [-8.0 - seed / 8] * 8 if seed else None)
    fill(store, make_plan_of(plan, seed=0, label="base on three"), lambda cell, seed: [0.0] * 8, status="failed")
    reason = json.loads(bench_here("check", tiny_file, "--results", store.root, "--json").stdout)["verdicts"][0][
        "reason"
    ]
    assert "; 1 of 3 seeds of base on three failed" in reason


def test_a_method_is_planned_and_trained_alone(bench_here: Bench, tiny_file: Path) -> None:
    target = (tiny_file, "--only", "target", "--seeds", "1")
    assert "2 runs, 0 done" in bench_here("plan", *target, "--method", "student").stdout
    assert "1 run: 1 trained now" in bench_here("run", *target, "--method", "base").stdout
    assert "1 runs, 1 done" in bench_here("plan", *target, "--method", "base").stdout
    assert "4 runs, 1 done" in bench_here("plan", *target).stdout
    for verb in ("run", "plan"):
        refused = bench_here(verb, *target, "--method", "bas")
        assert (refused.returncode, '"base"' in refused.stderr) == (2, True)
    for option in ("--power", "--budget=1h"):
        refused = bench_here("plan", *target, "--method", "student", option)
        assert (refused.returncode, "--method as well" in refused.stderr) == (2, True)


def test_a_shard_is_shown_and_trained(bench_here: Bench, tiny_file: Path) -> None:
    selected = (tiny_file, "--only", "source", "--shard", "2/3")
    assert "tiny, profile full, shard 2/3: seeds 1" in bench_here("plan", *selected).stdout
    assert json.loads(bench_here("plan", *selected, "--json").stdout)["shard"] == "2/3"
    assert "1 run: 1 trained now" in bench_here("run", *selected).stdout
    assert "1 runs, 1 done" in bench_here("plan", *selected).stdout
    refused = bench_here("run", tiny_file, "--shard", "4/3")
    assert (refused.returncode, "--shard" in refused.stderr) == (2, True)
