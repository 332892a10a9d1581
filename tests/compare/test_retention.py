"""The share of its teachers' scores that an entrant keeps: three QMIX teachers, from synthetic records."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.compare import Comparison, compared
from bench.compare.report import comparison_lines
from bench.evidence.measures import Evidence
from bench.guests.entrants import entrants
from bench.guests.method import Declaration, Guest, Tuning
from bench.guests.places import Entry, entry
from bench.plan import Cell, Selection
from bench.store import Store
from bench.suite import Suite
from bench.suite.loading import load
from tests.synthetic import fill

SELECTION = Selection(only=("table2",), seeds=(0, 1, 2), reading="first-edition")
TASKS: tuple[str, ...] = ("mpe/speaker_listener", "mpe/push", "mpe/adversary")
FLOORS = (-161.4, -28.4, -8.2)  # the random policy's scores in the suite file
KEPT = (0.5, 0.75, 1.25)  # of what each teacher has above the floor


def pupil(teacher: bool = True) -> Guest:
    declaration = Declaration(says="x", tuning=Tuning(runs=0, steps=0, seeds=(), says="none"), teacher=teacher)
    return Guest(name="my:Pupil", target="my:Pupil", kind="learner", source="0" * 64, declaration=declaration)


def above(cell: Cell, seed: int) -> dict[str, list[float]]:
    """Teachers are 20, 21, 22 above the random policy by seed; the pupil has its share of its own seed's teacher."""
    floors: dict[str, float] = dict(zip(TASKS, FLOORS, strict=True))
    shares: dict[str, float] = dict(zip(TASKS, KEPT, strict=True)) if cell.method == "my:Pupil" else {}
    return {s: [floors.get(s, 0.0) + shares.get(s, 1.0) * (20.0 + seed)] * 3 for s in cell.scenarios}


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load("mkt_marl").under(SELECTION.reading)


@pytest.fixture
def entered(suite: Suite) -> Entry:
    return entry(suite, SELECTION, pupil(), ())


def shown(suite: Suite, entered: Entry, folder: Path) -> tuple[Evidence, Comparison]:
    fill(Store(folder), entered.plan, above)
    evidence = Evidence(suite, SELECTION, Store(folder))
    return evidence, compared(evidence, entered)


def test_its_teachers_are_run_before_it_one_a_task(entered: Entry) -> None:
    assert [(cell.method, cell.training_set) for cell in entered.plan.cells] == [
        *(("qmix_teacher", task) for task in TASKS),
        ("my:Pupil", "mpe"),
    ]
    runs = {run.id: run for run in entered.plan.runs}
    own = [run for run in entered.plan.runs if run.cell == entered.contests[0].cell.key]
    assert [[runs[teacher].seed for teacher in run.teachers] for run in own] == [[0] * 3, [1] * 3, [2] * 3]


def test_each_task_is_measured_by_its_own_teacher(suite: Suite, entered: Entry, tmp_path: Path) -> None:
    evidence, found = shown(suite, entered, tmp_path)
    assert [(kept.experiment, kept.scenario) for kept in found.retention] == [("table2", task) for task in TASKS]
    intervals = [kept.interval for kept in found.retention]
    assert [i.estimate for i in intervals if i is not None] == pytest.approx(KEPT)
    assert [i.n for i in intervals if i is not None] == [(3,)] * 3
    assert found.retention[0].remark == "constant scores: zero-width interval"
    text = "\n".join(comparison_lines(evidence, found))
    assert "## Performance retention (PRR), student over teacher" in text
    assert "| table2 | mpe/push | 0.75 [0.75, 0.75] |" in text


def test_a_seed_without_its_teacher_does_not_count(suite: Suite, entered: Entry, tmp_path: Path) -> None:
    fill(Store(tmp_path), entered.plan, above)
    first = next(run for run in entered.plan.runs if run.seed == 0)
    Store(tmp_path).record_path(first.id).unlink()
    found = compared(Evidence(suite, SELECTION, Store(tmp_path)), entered)
    intervals = [kept.interval for kept in found.retention if kept.interval is not None]
    assert [i.n for i in intervals] == [(2,), (3,), (3,)]


def test_it_is_found_again_with_its_teachers(suite: Suite, entered: Entry, tmp_path: Path) -> None:
    evidence, found = shown(suite, entered, tmp_path)
    (again,) = entrants(evidence)
    assert again.method == pupil()
    assert compared(evidence, again).retention == found.retention


def test_without_a_teacher_nothing_is_kept(suite: Suite, tmp_path: Path) -> None:
    alone = entry(suite, SELECTION, pupil(teacher=False), ())
    assert [cell.method for cell in alone.plan.cells] == ["my:Pupil"]
    _, found = shown(suite, alone, tmp_path)
    assert found.retention == ()
