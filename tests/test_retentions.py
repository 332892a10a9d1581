"""Performance retention of a suite's students: who is paired with whom, and both forms of the ratio."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.evidence.measures import Evidence
from bench.plan import Cell, Selection, make_plan
from bench.report.terminal import retention_table
from bench.store import Store
from bench.suite.loading import load
from bench.verdict.retention import Retained, retentions
from tests.synthetic import fill

LEVELS = {"qmix_gip": 0.9, "qmix_kd": 0.72, "mappo_gip_lists": 0.8, "ctds_teacher": 0.7, "ctds_student": 0.63}


def kept(root: Path, levels: dict[str, float], seeds: int) -> dict[str, Retained]:
    """Rankings of the planted set in which every method scores its level, plus a little with each seed."""
    suite, selection = load("ptde"), Selection(only=("ltr/planted",), seeds=tuple(range(seeds)))
    store = Store(root)

    def curves(cell: Cell, seed: int) -> list[float] | None:
        return [levels[cell.method] * (1 + seed / 100)] if cell.method in levels else None

    fill(store, make_plan(suite, selection), curves)
    found = retentions(Evidence(suite, selection, store), suite["experiment", "ltr/planted"])
    assert retention_table(found).row_count == len(found)
    return {own.student: own for own in found if own.scenario == "ltr/planted"}


def test_a_student_stands_beside_its_teacher_seed_by_seed(tmp_path: Path) -> None:
    found = kept(tmp_path, LEVELS, 4)
    assert {student: own.teacher for student, own in found.items()} == {
        "qmix_kd": "qmix_gip",
        "ctds_student": "ctds_teacher",  # in one run: no cell is the other's teacher, a claim's measure names them
    }
    ours = found["qmix_kd"]
    assert ours.as_printed is not None
    assert ours.above_random is not None
    assert (ours.seeds, ours.remark) == (4, "")
    assert ours.as_printed.estimate == pytest.approx(0.8)
    assert ours.as_printed.low == pytest.approx(0.8)  # pairs: every seed keeps the same share
    mean = 1.015  # of a level, over four seeds
    assert ours.above_random.estimate == pytest.approx((0.72 * mean - 0.627) / (0.9 * mean - 0.627))


def test_what_has_no_ratio_says_why(tmp_path: Path) -> None:
    few = kept(tmp_path / "few", LEVELS, 2)["qmix_kd"]
    assert few.as_printed is not None
    assert (few.as_printed.low, few.remark) == (None, "n < 3: no interval at all")
    low = kept(tmp_path / "low", LEVELS | {"qmix_gip": 0.5}, 3)["qmix_kd"]
    assert "above random: ratio undefined" in low.remark
    missing = kept(tmp_path / "missing", {"qmix_kd": 0.7}, 3)["qmix_kd"]
    assert (missing.seeds, missing.as_printed) == (0, None)
    assert missing.remark == "no finished run of qmix_gip on ltr/planted"
