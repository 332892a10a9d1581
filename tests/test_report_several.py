"""Reports of experiments with several scenarios: tables as printed, a scenario's column, curves, aggregates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from bench.measures import Evidence
from bench.report.machine import check_json
from bench.report.markdown import write_report
from bench.report.terminal import aggregate_table, transfer_table, verdict_table
from bench.stats.intervals import Interval
from bench.suite import Experiment
from bench.verdict import aggregates, judge, transfer_metrics
from tests.several import BETTER, SUBSTITUTE, claim, everywhere, evidence_of, suite_of
from tests.test_verdict_averages import AVERAGE, GROUPED, LEVELS, TABLE

pytestmark = pytest.mark.usefixtures("several_tasks")
BUDGETS = ('columns = ["base"]', 'columns = ["base"]\nbudgets = ["2M"]')


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    """Everything run but the grouped experiment's "pair"."""
    suite = suite_of(TABLE, AVERAGE, GROUPED.replace(*BUDGETS), SUBSTITUTE, claim(BETTER))
    return evidence_of(suite, tmp_path, LEVELS | {"base on pair": {}})


def written(evidence: Evidence, *experiments: str) -> tuple[Path, list[str]]:
    """The report's folder and its lines."""
    chosen: list[Experiment] = [evidence.suite["experiment", id_] for id_ in experiments]
    metrics = [m for e in chosen for m in transfer_metrics(evidence, e)]
    folder = evidence.store.root / "report"
    found = [a for e in chosen for a in aggregates(evidence, e)]
    path = write_report(evidence, chosen, judge(evidence, chosen), metrics, found, folder)
    return folder, path.read_text().split("\n")


def test_tables_stand_as_printed(evidence: Evidence) -> None:
    """95% of three seeds: sd .1 / sqrt(3) times t(.975, 2) = 4.303 is .248; ours and printed alike differ by 0."""
    _, lines = written(evidence, "joint", "grouped")
    start = lines.index("### Table 2")
    assert lines[start + 2 : start + 8] == [
        "step_reward in joint.",
        "",
        "|  | student | base | single |",
        "| --- | --- | --- | --- |",
        "| two | -7.0±0.1 \\| -7 [-7.25, -6.75] \\| reproduced | -8.0±0.1 \\| -8 [-8.25, -7.75] \\| reproduced "
        "| -8.0±0.1 \\| -8 [-8.25, -7.75] \\| reproduced |",
        "| three | -7.0±0.1 \\| -6.8 [-7.05, -6.55] \\| reproduced | -8.0±0.1 \\| -8 [-8.25, -7.75] \\| reproduced "
        "| -8.0±0.1 \\| -8 [-8.25, -7.75] \\| reproduced |",
    ]
    average = lines[lines.index("### Table 4") + 4 :]
    assert average[0] == "|  | every |"
    assert average[2] == "| student | -7.0±0.1 \\| -7 [-7.25, -6.75] \\| not_comparable |"
    group = lines[lines.index("### Table 3, second group") + 2 :]
    assert group[0] == "step_reward in grouped, other."
    assert group[2] == "|  | base (2M) |"


def test_an_open_value_says_how_many_seeds_would_decide(tmp_path: Path) -> None:
    evidence = evidence_of(suite_of(TABLE), tmp_path, LEVELS)
    _, lines = written(evidence, "joint")
    (odd,) = [line for line in lines if line.startswith("| odd | -7.0")]
    assert odd.startswith("| odd | -7.0±0.1 \\| -7.2 [-7.45, -6.95] \\| inconclusive, ")
    missing = evidence_of(suite_of(TABLE), tmp_path / "none", {})
    _, lines = written(missing, "joint")
    assert "| odd | -7.0±0.1 \\| - \\| not_run | -8.0±0.1 \\| - \\| not_run | -8.0±0.1 \\| - \\| not_run |" in lines


def test_every_row_says_its_scenario(evidence: Evidence) -> None:
    _, lines = written(evidence, "joint")
    assert any(line.startswith("| claim | place | in | scenario | found") for line in lines)
    metrics = [line for line in lines if line.startswith("| joint |") and "| jump start |" in line]
    assert [line.split(" | ")[1] for line in metrics] == ["two", "three", "odd"]
    shown = Console(width=300, record=True, quiet=True)
    joint = evidence.suite["experiment", "joint"]
    for table in (verdict_table(judge(evidence, [joint])), transfer_table(transfer_metrics(evidence, joint))):
        assert "scenario" in [column.header for column in table.columns]
        shown.print(table)


def test_curves_are_drawn_for_each_scenario_and_group(evidence: Evidence) -> None:
    folder, lines = written(evidence, "joint", "grouped")
    drawn = sorted(path.name for path in folder.glob("*.svg"))
    assert drawn == [
        "curves-grouped-odd.svg",
        "curves-grouped-two-other.svg",
        "curves-joint-odd.svg",
        "curves-joint-three.svg",
        "curves-joint-two.svg",
    ]
    assert all(f"]({name})" in "\n".join(lines) for name in drawn)
    text = (folder / "curves-joint-two.svg").read_text()
    assert "step reward (training)" in text
    assert "step reward (evaluation)" in text  # the paper prints greedy scores


def test_aggregates_are_of_normalised_scores(evidence: Evidence) -> None:
    """student on two -7: (-7 + 6) / 3; three (-6.8 + 10) / 6; odd (-7.2 + 6) / 2; a seed moves them by .1 / scale."""
    found = {a.method: a for a in aggregates(evidence, evidence.suite["experiment", "joint"])}
    assert [*found] == ["base", "student", "single"]
    student = found["student"]
    scores = np.array([[-1 / 3, 3.2 / 6, -0.6]]) + np.outer([-0.1, 0, 0.1], [1 / 3, 1 / 6, 1 / 2])
    assert student.mean.estimate == pytest.approx(scores.mean())
    assert student.mean.n == (3,)  # one run is scored on all: its mean is the sample
    assert found["single"].mean.n == (3, 3, 3)  # three runs a seed
    pooled = np.sort(scores.ravel())
    assert student.iqm.estimate == pytest.approx(pooled[2:-2].mean())
    assert student.optimality_gap.estimate == pytest.approx(1 - scores.mean())
    assert dict(student.better_than)["base"].estimate == 1.0
    assert student.tasks == ("two", "three", "odd")
    assert student.forbidden == ("odd",)
    assert (found["single"].seeds, found["single"].forbidden) == (3, ("odd",))


def test_aggregates_need_two_scenarios_that_all_have_run(tmp_path: Path) -> None:
    suite = suite_of(TABLE)
    one = evidence_of(suite, tmp_path / "one", LEVELS | {"single": {"two": -8.0}})
    assert aggregates(one, suite["experiment", "joint"]) == []
    assert aggregates(one, suite["experiment", "alone"]) == []
    two = evidence_of(suite, tmp_path / "two", LEVELS | {"single": {"two": -8.0, "three": -8.0}})
    assert {a.tasks for a in aggregates(two, suite["experiment", "joint"])} == {("two", "three")}
    nothing = evidence_of(suite, tmp_path / "none", {})
    assert aggregates(nothing, suite["experiment", "joint"]) == []


def test_aggregates_stand_in_every_report(evidence: Evidence) -> None:
    _, lines = written(evidence, "joint")
    (row,) = [line for line in lines if line.startswith("| joint | student | two, three, odd (not comparable")]
    assert "base: 1 [1, 1]" in row
    joint = evidence.suite["experiment", "joint"]
    found = aggregates(evidence, joint)
    assert aggregates(evidence, joint) == found  # the same results give the same report
    shown = check_json(evidence, [], [], found)["aggregates"]
    assert [a["method"] for a in shown] == ["base", "student", "single"]
    assert aggregate_table(found).row_count == 3
    assert isinstance(found[0].iqm, Interval)


def test_a_suite_of_single_scenarios_has_none_of_it(tmp_path: Path) -> None:
    evidence = evidence_of(suite_of(claim(BETTER)), tmp_path, {"single": everywhere(-8.0)})
    _, lines = written(evidence, "joint")
    assert "## Aggregates" not in lines
    assert "## The paper's tables" not in lines
