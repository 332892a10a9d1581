"""Records of unknown origin, beside a job of a method from elsewhere: never counted, and set aside."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.plan import Plan, Selection, make_plan
from bench.store import Record, Store, StoreError
from bench.store.verify import verify
from bench.suite import Suite
from tests.synthetic import fill

GUEST = "f" * 16


@pytest.fixture
def plan(tiny: Suite) -> Plan:
    return make_plan(tiny, Selection(only=("source",), seeds=(0, 1, 2)))


@pytest.fixture
def foreign(plan: Plan, tmp_path: Path) -> Store:
    """Sound records of three runs, in another folder."""
    store = Store(tmp_path / "foreign")
    fill(store, plan, lambda cell, seed: [-8.0 - seed])
    return store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = Store(tmp_path / "results")
    found.open_for_writing()
    return found


def smuggle(foreign: Store, store: Store, run: str) -> None:
    shutil.copy(foreign.record_path(run), store.record_path(run))


def record_of(store: Store, run: str) -> Record:
    record = store.record(run)
    assert record is not None
    return record


def test_what_appears_beside_a_guest_counts_nowhere(plan: Plan, foreign: Store, store: Store) -> None:
    """Earlier records, and those that a command of ours writes meanwhile, still count."""
    before, ours, theirs = (run.id for run in plan.runs)
    smuggle(foreign, store, before)
    watch = store.ledger.begin([GUEST])
    Store(store.root).write(record_of(foreign, ours), None)  # another command
    smuggle(foreign, store, theirs)
    store.weights_path(theirs).write_bytes(b"forged")
    (cell,) = store.contents().cells.values()
    assert {record.run for record in cell.values()} == {before, ours}
    with pytest.raises(StoreError, match=f"no command of ours wrote it, and it appeared beside job {GUEST}"):
        store.record(theirs)
    assert [finding.kind for finding in verify(store).findings] == ["unknown"]
    (line,) = store.ledger.end(watch, clean=True)
    assert line.startswith(f"{store.record_path(theirs)} is set aside: no command of ours wrote it")
    assert sorted(path.name.partition(".")[0] for path in store.ledger.aside.iterdir()) == [theirs, theirs]
    assert not store.weights_path(theirs).exists()
    assert not store.ledger.watching
    assert verify(store).findings == ()
    assert {before, ours} == {path.stem for path in (store.root / "records").iterdir()}


def test_a_record_that_is_replaced_is_set_aside(plan: Plan, foreign: Store, store: Store) -> None:
    run = plan.runs[0].id
    smuggle(foreign, store, run)
    watch = store.ledger.begin([GUEST])
    record = record_of(foreign, run)
    foreign.write_record(record.model_copy(update={"suite_version": 99}))
    smuggle(foreign, store, run)
    assert store.settled(run) is None
    assert len(store.ledger.end(watch, clean=True)) == 1


def test_a_marker_outlives_its_command_and_a_live_one_is_left(plan: Plan, foreign: Store, store: Store) -> None:
    theirs = plan.runs[0].id
    watch = store.ledger.begin([GUEST])
    other = Store(store.root).ledger
    other.forget_dead()
    assert other.watching
    assert store.ledger.end(watch, clean=False) == []  # as a killed command leaves it
    smuggle(foreign, store, theirs)
    assert store.settled(theirs) is None
    assert len(other.set_aside()) == 1
    other.forget_dead()
    assert not store.ledger.watching


def test_a_copied_marker_says_nothing(plan: Plan, foreign: Store, store: Store, tmp_path: Path) -> None:
    """A merged folder is as trustworthy as its sources: its records were never beside this guest."""
    store.ledger.begin([GUEST])
    shutil.copytree(foreign.root, tmp_path / "merged")
    shutil.copytree(store.root, tmp_path / "merged", dirs_exist_ok=True)
    merged = Store(tmp_path / "merged")
    assert list(merged.ledger.folder.glob("*.json"))
    assert all(merged.finished(run.id) for run in plan.runs)
    assert merged.ledger.set_aside() == []


def test_a_torn_line_costs_no_other_its_place(plan: Plan, foreign: Store, store: Store) -> None:
    store.ledger.begin([GUEST])
    first, second, _ = (run.id for run in plan.runs)
    store.write(record_of(foreign, first), None)
    with (store.ledger.folder / "written.txt").open("ab") as file:
        file.write(b"0123 45")
    store.write(record_of(foreign, second), None)
    assert store.finished(first)
    assert store.finished(second)


def test_a_damaged_marker_is_named(store: Store) -> None:
    store.ledger.begin([GUEST])
    (path,) = store.ledger.folder.glob("*.json")
    path.write_text("[]")
    with pytest.raises(StoreError, match=f"{path}: not a marker of a job"):
        store.contents()
