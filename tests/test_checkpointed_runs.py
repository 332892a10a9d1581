"""Whole runs from checkpoints: sound ones are loaded, others dropped with a line, and the numbers are the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from bench.executors.jobs import run_job
from bench.plan import Plan, Selection, make_plan
from bench.run.job import Job
from bench.run.training import Stopped
from bench.store import Store, numbers_hash
from bench.store.checkpoints import (
    append_replay,
    load_checkpoint,
    save_checkpoint,
)
from bench.suite.loading import parse
from tests.conftest import TINY
from tests.test_checkpoints import flip, must, opened

Change = Callable[[dict[str, np.ndarray], dict[str, Any]], None]  # of a checkpoint's arrays and progress
WRONG = "starts again; its checkpoint is dropped"
PLAN = make_plan(parse(TINY.encode(), "tiny.toml"), Selection(only=("source",), seeds=(0, 1, 2)))
RUNS = [run.id for run in PLAN.runs]


def job(plan: Plan = PLAN, seeds: tuple[int, ...] = (0, 1, 2)) -> Job:
    (cell,) = plan.cells
    runs = tuple(run for run in plan.runs if run.seed in seeds)
    return Job(cell=cell, runs=runs, suite_version=1, profile="full", checkpoint_s=1e9)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Three seeds, stopped after 12 of 16 episodes."""
    torch.set_num_threads(1)
    store = opened(tmp_path_factory.mktemp("stopped"))
    asked = iter(range(100))
    with pytest.raises(Stopped):
        run_job(job(), store, lambda: next(asked) == 5, lambda _: None)
    return store


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Numbers hashes of the same runs without a stop."""
    torch.set_num_threads(1)
    store = opened(tmp_path_factory.mktemp("whole"))
    run_job(job(), store, lambda: False, lambda _: None)
    return hashes(store)


def hashes(store: Store) -> dict[str, str]:
    return {run: numbers_hash(must(store.record(run))) for run in RUNS if store.finished(run)}


def copied(stopped: Store, folder: Path) -> Store:
    store = opened(folder)
    shutil.copytree(stopped.checkpoints, store.checkpoints, dirs_exist_ok=True)
    return store


def resumed(store: Store, seeds: tuple[int, ...] = (0, 1, 2)) -> tuple[list[str], dict[str, int]]:
    """Remarks, and by run the episodes of the first progress that it reported."""
    events: list[dict[str, Any]] = []
    run_job(job(seeds=seeds), store, lambda: False, events.append)
    first: dict[str, int] = {}
    for event in events:
        for run in event["runs"] if event["event"] == "progress" else ():
            first.setdefault(run, event["done"])
    return [event["says"] for event in events if event["event"] == "remark"], first


def test_a_sound_checkpoint_is_taken_up(stopped: Store, whole: dict[str, str], tmp_path: Path) -> None:
    store = copied(stopped, tmp_path / "sound")
    assert resumed(store) == ([], dict.fromkeys(RUNS, 14))
    assert hashes(store) == whole


def test_swapped_checkpoints_are_dropped(stopped: Store, whole: dict[str, str], tmp_path: Path) -> None:
    """With their logs: each is whole, but belongs to the other run. The third run goes on where it stopped."""
    store = copied(stopped, tmp_path / "swapped")
    first, second = (store.checkpoints / run for run in RUNS[:2])
    for suffix in ("", ".safetensors"):
        one, other, aside = (path.with_name(path.name + suffix) for path in (first, second, first.with_name("aside")))
        one.rename(aside)
        other.rename(one)
        aside.rename(other)
    says, began = resumed(store)
    assert [line.split(":")[0] for line in says] == [f"run {run} {WRONG}" for run in RUNS[:2]]
    assert began == {RUNS[0]: 2, RUNS[1]: 2, RUNS[2]: 14}
    assert hashes(store) == whole


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_run_with_a_flipped_bit_ends_as_it_should(
    stopped: Store, whole: dict[str, str], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Anywhere in its checkpoint and log."""
    store = copied(stopped, tmp_path_factory.mktemp("flipped"))
    run = RUNS[0]
    path = data.draw(st.sampled_from([*sorted(store.checkpoints.rglob(f"{run}*/*")), state_of(store, run)]))
    flip(path, data.draw(st.integers(0, 8 * path.stat().st_size - 1)))
    says, began = resumed(store, seeds=(0,))
    assert began[run] == (2 if says else 14)
    assert hashes(store) == {run: whole[run]}


def state_of(store: Store, run: str) -> Path:
    return store.checkpoints / f"{run}.safetensors"


def other_shape(arrays: dict[str, np.ndarray], _: dict[str, Any]) -> None:
    name = next(n for n in arrays if n.startswith("learner/") and arrays[n].ndim)
    arrays[name] = arrays[name][:-1]


def one_for_all(arrays: dict[str, np.ndarray], _: dict[str, Any]) -> None:
    """A shape that would broadcast to the learner's."""
    name = next(n for n in sorted(arrays) if n.startswith("learner/") and arrays[n].ndim and arrays[n].shape[-1] > 1)
    arrays[name] = arrays[name][..., :1]


def no_parameter(arrays: dict[str, np.ndarray], _: dict[str, Any]) -> None:
    del arrays[next(n for n in arrays if n.startswith("learner/"))]


def no_stream(arrays: dict[str, np.ndarray], _: dict[str, Any]) -> None:
    del arrays["stream/replay"]


def short_stream(arrays: dict[str, np.ndarray], _: dict[str, Any]) -> None:
    arrays["stream/update"] = arrays["stream/update"][:7]


def no_curves(_: dict[str, np.ndarray], progress: dict[str, Any]) -> None:
    progress["curves"] = []


def odd_curves(_: dict[str, np.ndarray], progress: dict[str, Any]) -> None:
    progress["curves"] = [{"points": 3}]


def no_clock(_: dict[str, np.ndarray], progress: dict[str, Any]) -> None:
    progress["wall_s"] = None


def no_rounds(_: dict[str, np.ndarray], progress: dict[str, Any]) -> None:
    del progress["rounds"]


def odd_turn(_: dict[str, np.ndarray], progress: dict[str, Any]) -> None:
    progress["turned"] = ["no"]


CHANGES = (
    *(other_shape, one_for_all, no_parameter, no_stream, short_stream),
    *(no_curves, odd_curves, no_clock, no_rounds, odd_turn),
)


@pytest.mark.parametrize("change", CHANGES)
def test_a_consistent_checkpoint_that_does_not_fit_is_dropped(
    stopped: Store, whole: dict[str, str], tmp_path: Path, change: Change
) -> None:
    """Its hashes are right. The run starts again from new streams; the runs beside it go on where they stopped."""
    store = copied(stopped, tmp_path / "wrong")
    found = must(load_checkpoint(store, RUNS[1], print))
    arrays, progress = dict(found.arrays), dict(found.progress)
    change(arrays, progress)
    save_checkpoint(store, RUNS[1], arrays, progress)
    says, began = resumed(store)
    assert [line.split(":")[0] for line in says] == [f"run {RUNS[1]} {WRONG}"]
    assert "it does not fit this run" in says[0]
    assert began == {RUNS[0]: 14, RUNS[1]: 2, RUNS[2]: 14}
    assert hashes(store) == whole


@pytest.mark.parametrize("change", ["other rows", "no rows", "half a log"])
def test_a_log_that_does_not_fit_is_dropped(stopped: Store, whole: dict[str, str], tmp_path: Path, change: str) -> None:
    store = copied(stopped, tmp_path / "log")
    (part,) = must(load_checkpoint(store, RUNS[0], print)).replay
    rows = part.read()
    if change == "other rows":
        rows = {name: array[..., :0] for name, array in rows.items()}
    elif change == "no rows":
        rows = {}
    else:
        rows = {name: array[:1] for name, array in rows.items()}
    append_replay(store, RUNS[0], part.start, part.stop, rows)
    says, began = resumed(store)
    assert len(says) == 1
    assert began == {RUNS[0]: 2, RUNS[1]: 14, RUNS[2]: 14}
    assert hashes(store) == whole


def test_checkpoints_from_before_are_dropped_with_a_line(stopped: Store, whole: dict[str, str], tmp_path: Path) -> None:
    store = copied(stopped, tmp_path / "before")
    for path in store.checkpoints.rglob("*.safetensors"):
        path.write_bytes(save(load(path.read_bytes())))
    says, began = resumed(store)
    assert len(says) == 3
    assert all("format: got 1; allowed: 3" in line for line in says)
    assert set(began.values()) == {2}
    assert hashes(store) == whole


def test_want_of_memory_costs_no_checkpoint(stopped: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = copied(stopped, tmp_path / "memory")

    def no_memory(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("bench.run.training.check", no_memory)
    with pytest.raises(MemoryError):
        resumed(store)
    assert state_of(store, RUNS[0]).exists()
