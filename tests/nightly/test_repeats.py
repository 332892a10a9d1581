"""`bench run --against`: runs here against the published ones of the same ids."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bench.nightly.repeats import parting
from bench.nightly.stored import CanaryFile, canary_path, write
from bench.plan import Plan, Selection, make_plan
from bench.processes.platforms import this_platform
from bench.store import Record, Store
from bench.suite import Suite
from tests.conftest import Bench
from tests.synthetic import fill

COMMAND = ("run", "tiny.toml", "--only", "source", "--seeds", "2", "--against", "published")


@pytest.fixture
def folders(nightly: Suite, tmp_path: Path) -> tuple[Store, Store, Plan]:
    """runs/ and published/ with the same synthetic records, and the plan that asks for them."""
    plan = make_plan(nightly, Selection(only=("source",), seeds=(0, 1)))
    here, published = Store(tmp_path / "runs"), Store(tmp_path / "published")
    for store in (here, published):
        fill(store, plan, lambda cell, seed: (-3.0, -2.0, -1.5, -1.0 - seed))
    return here, published, plan


def moved(store: Store, run: str) -> None:
    """Another number in a record, with hashes that fit."""
    record = store.record(run)
    assert record is not None
    (scores,) = record.numbers.scores
    curve = scores.curves["training"]
    curves = {**scores.curves, "training": curve.model_copy(update={"mean": (*curve.mean[:-1], -9.0)})}
    numbers = record.numbers.model_copy(update={"scores": (scores.model_copy(update={"curves": curves}),)})
    store.write_record(Record(**{**dict(record), "numbers": numbers}))


def make_known(published: Store) -> None:
    platform = this_platform()
    write(canary_path(published.root, platform), CanaryFile(platform=platform, packages={}, changes=(), canaries={}))


def test_the_same_numbers_are_told_and_exit_with_0(bench_here: Bench, folders: tuple[Store, Store, Plan]) -> None:
    _, published, plan = folders
    make_known(published)
    done = bench_here(*COMMAND)
    assert done.returncode == 0
    for run in plan.runs:
        assert f"same     {run.id} base on two, seed {run.seed}: " in done.stdout
    assert "2 of 2 runs repeat the published numbers to the last bit" in done.stdout


@pytest.mark.parametrize(("known", "code"), [(True, 1), (False, 0)])
def test_a_difference_fails_on_a_known_class(
    bench_here: Bench, folders: tuple[Store, Store, Plan], known: bool, code: int
) -> None:
    here, published, plan = folders
    if known:
        make_known(published)
    moved(here, plan.runs[1].id)
    done = bench_here(*COMMAND, "--json")
    assert done.returncode == code
    assert f"differs  {plan.runs[1].id} base on two, seed 1: " in done.stderr
    assert "training differs from episode" in done.stderr
    assert "-9.0 here, -2.0 published" in done.stderr
    assert "1 of 2 runs repeat" in done.stderr
    assert ("so last bits may differ by themselves" in done.stderr) is not known
    told = json.loads(done.stdout)["against"]
    assert told["known"] is known
    assert [row["same"] for row in told["runs"]] == [True, False]


def test_what_is_not_published_is_not_compared(bench_here: Bench, folders: tuple[Store, Store, Plan]) -> None:
    """A check that compared no published run does not pass."""
    _, published, plan = folders
    make_known(published)
    published.record_path(plan.runs[0].id).unlink()
    done = bench_here(*COMMAND)
    assert done.returncode == 0
    assert f"alone    {plan.runs[0].id} base on two, seed 0: not published" in done.stdout
    assert "1 of 1 runs repeat the published numbers to the last bit; 1 more could not be compared" in done.stdout
    published.record_path(plan.runs[1].id).unlink()
    done = bench_here(*COMMAND)
    assert done.returncode == 4
    assert "none of these runs has published numbers: nothing was compared" in done.stdout


def test_a_damaged_published_record_fails(bench_here: Bench, folders: tuple[Store, Store, Plan]) -> None:
    _, published, plan = folders
    path = published.record_path(plan.runs[0].id)
    path.write_text(path.read_text()[:-40])
    done = bench_here(*COMMAND)
    assert done.returncode == 1
    assert f"unsound  {plan.runs[0].id} base on two, seed 0: the published record is damaged" in done.stdout


def test_a_folder_that_cannot_be_compared_with_is_refused_before_training(
    bench_here: Bench, folders: tuple[Store, Store, Plan]
) -> None:
    here, published, plan = folders
    make_known(published)
    here.record_path(plan.runs[0].id).unlink()
    canary_path(published.root, this_platform()).write_text("{")
    assert bench_here(*COMMAND).returncode == 2
    shutil.rmtree(published.root)
    done = bench_here(*COMMAND)
    assert done.returncode == 2
    assert "--against" in done.stderr
    assert not here.record_path(plan.runs[0].id).exists()


def test_a_variable_that_is_set_otherwise_is_named(folders: tuple[Store, Store, Plan]) -> None:
    here, published, plan = folders
    run = plan.runs[0].id
    moved(here, run)
    new, old = here.record(run), published.record(run)
    assert new is not None
    assert old is not None
    assert "MKL_CBWR" not in parting(new, old)
    other = new.provenance.model_copy(update={"environment": {"MKL_CBWR": "COMPATIBLE"}})
    says = parting(new.model_copy(update={"provenance": other}), old)
    assert says.endswith('; MKL_CBWR is "COMPATIBLE" here, not set published')
