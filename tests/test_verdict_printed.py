"""Verdicts on printed values, and which of them survive correction. Seeds score level - .1, level and level + .1."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.evidence.measures import Evidence
from bench.plan import Cell, Selection, make_plan
from bench.report.machine import check_json
from bench.report.terminal import family_lines, waiting_lines
from bench.store import Store
from bench.suite import Suite
from bench.suite.loading import parse
from bench.verdict import Verdict, families, judge
from tests.conftest import TINY
from tests.synthetic import fill

TABLE = """
[[published]]
id = "t"
where = "Table 9"
experiment = "target"
metric = "step_reward"
protocol = "greedy"
margin = { absolute = 0.5 }
spread = "std"
seeds = 3
columns = ["three"]
[published.rows]
base = "-8.0±0.1"
student = "-7.0±0.1"
"""
RETAINED = """
[[published]]
id = "kept"
where = "Table 9, last row"
experiment = "target"
metric = "prr"
protocol = "greedy"
margin = { absolute = 0.10 }
spread = "none"
columns = ["three"]
derived = { kind = "retention", student = "student", teacher = "base", from = "t" }
[published.rows]
student = "87.5%"
"""
HEADLINE = ('id = "better"', 'id = "better"\nheadline = true')


def suite_with(tables: str) -> Suite:
    return parse((TINY.replace(*HEADLINE) + tables).encode(), "tiny.toml")


def verdicts(suite: Suite, folder: Path, levels: dict[str, float]) -> dict[str, Verdict]:
    """By id; methods that have no level are not run."""
    store, selection = Store(folder), Selection()

    def curve(cell: Cell, seed: int) -> list[float] | None:
        """The first point, before the first update, lies 4 lower."""
        if cell.method not in levels:
            return None
        after = levels[cell.method] + (-0.1, 0.0, 0.1)[(seed + (cell.method == "student")) % 3]
        return [after - 4.0, *[after] * 7]

    fill(store, make_plan(suite, selection), curve)
    return {v.id: v for v in judge(Evidence(suite, selection, store), suite.experiment)}


def test_a_printed_value_is_reproduced_missed_or_not_run(tmp_path: Path) -> None:
    found = verdicts(suite_with(TABLE), tmp_path, {"base": -8.05, "student": -6.0})
    base, student = found["t/three/base"], found["t/three/student"]
    # Welch: both sides sd .1 of 3 seeds, error .1 sqrt(2/3) = .08165, 4 degrees of freedom, t(.95, 4) = 2.1318
    assert (base.verdict, base.printed, base.kind, base.seeds) == ("reproduced", -8.0, "published", 3)
    assert base.found == pytest.approx(-0.05)
    assert base.interval == pytest.approx((-0.05 - 2.1318 * 0.08165, -0.05 + 2.1318 * 0.08165), abs=1e-4)
    assert (base.tags, base.compatible, student.compatible) == (("ddof 0: yes",), True, False)
    assert (student.verdict, student.found) == ("not_reproduced", pytest.approx(1.0))
    missing = verdicts(suite_with(TABLE), tmp_path / "other", {"base": -8.0})["t/three/student"]
    assert (missing.verdict, missing.reason, missing.seeds) == (
        "not_run",
        "no finished run of student on three",
        0,
    )


def test_a_retention_is_judged_once_as_the_ratio_of_its_cells(tmp_path: Path) -> None:
    found = verdicts(suite_with(TABLE + RETAINED), tmp_path, {"base": 8.0, "student": 7.0})
    kept = found["kept/three/student"]
    assert (kept.verdict, kept.printed) == ("reproduced", 0.875)
    assert kept.found == pytest.approx(7 / 8)
    worse = verdicts(suite_with(TABLE + RETAINED), tmp_path / "worse", {"base": 8.0, "student": 4.0})
    assert worse["kept/three/student"].verdict == "not_reproduced"


def test_a_dash_is_never_judged(tmp_path: Path) -> None:
    dashed = TABLE.replace('base = "-8.0±0.1"', 'base = "-"')
    found = verdicts(suite_with(dashed), tmp_path, {"base": -8.0})["t/three/base"]
    assert (found.verdict, found.printed, found.reason) == ("not_run", None, "the paper prints a dash")


def test_families_are_corrected_and_counted(tmp_path: Path) -> None:
    found = [*verdicts(suite_with(TABLE), tmp_path, {"base": -8.05, "student": -6.0}).values()]
    values, headlines = families(found)
    assert (values.name, values.correction, values.tested) == ("printed values", "Benjamini-Hochberg", 2)
    assert (values.reproduced, values.not_reproduced) == (1, 1)
    assert (headlines.correction, headlines.tested, headlines.reproduced) == ("Holm", 1, 1)
    assert family_lines(found)[0] == (
        "2 of 2 printed values tested; after Benjamini-Hochberg at 5%: 1 reproduced and 1 not_reproduced stand"
    )
    assert families([]) == []


def test_a_correction_takes_back_what_chance_would_give(tmp_path: Path) -> None:
    """One of many just below 5%: it is reproduced alone, and does not survive among twenty."""
    lucky = Verdict("a", "published", "", "", "", "", "", None, verdict="reproduced", p=0.04, p_against=0.96)
    others = [
        Verdict(str(i), "published", "", "", "", "", "", None, verdict="inconclusive", p=0.5, p_against=0.5)
        for i in range(19)
    ]
    assert families([lucky])[0].reproduced == 1
    assert families([lucky, *others])[0].reproduced == 0


def test_check_json_has_families(tmp_path: Path) -> None:
    suite = suite_with(TABLE)
    verdicts(suite, tmp_path, {"base": -8.05, "student": -6.0})
    evidence = Evidence(suite, Selection(), Store(tmp_path))
    shown = check_json(evidence, judge(evidence, suite.experiment), [], [])
    assert [f["name"] for f in shown["families"]] == ["printed values", "headline claims"]


def test_what_waits_is_planned_as_waiting_and_not_run(tmp_path: Path) -> None:
    text = (TINY + TABLE).replace('id = "three"\n', 'id = "three"\nwaits_for = "a simulator"\n', 1)
    text = text.replace('name = "simple_spread", agents = 3', 'name = "pull", agents = 3')
    suite = parse(text.encode(), "tiny.toml")
    plan = make_plan(suite, Selection())
    assert [(w.method, w.training_set, w.waits_for) for w in plan.waiting] == [
        (m, "three", "a simulator") for m in ("base", "init", "student")
    ]
    assert {cell.training_set for cell in plan.cells} == {"two"}
    assert waiting_lines(plan) == ["target: 3 cells wait for a simulator"]
    found = verdicts(suite, tmp_path, {"base": -8.0})
    assert {v.verdict for v in found.values()} == {"not_run"}
    assert all("a simulator" in v.reason for v in found.values())
