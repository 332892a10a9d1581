"""Reports of experiments with several scenarios: tables as printed, a scenario's column, curves, aggregates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.evidence.measures import Evidence
from bench.report.machine import check_json
from bench.report.markdown import drawn, write_report
from bench.report.papertables import paper_tables
from bench.report.tables import printed_tables
from bench.report.terminal import aggregate_table, transfer_table, verdict_table
from bench.verdict import aggregates, judge, transfer_metrics
from tests.several import BETTER, SUBSTITUTE, claim, everywhere, evidence_of, suite_of
from tests.test_verdict_averages import AVERAGE, GROUPED, LEVELS, TABLE

pytestmark = pytest.mark.usefixtures("several_tasks")
BUDGETS = ('columns = ["base"]', 'columns = ["base"]\nbudgets = ["2M"]')


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    """Everything is run except the grouped experiment's "pair"."""
    suite = suite_of(TABLE, AVERAGE, GROUPED.replace(*BUDGETS), SUBSTITUTE, claim(BETTER))
    return evidence_of(suite, tmp_path, LEVELS | {"base on pair": {}})


def tables(evidence: Evidence, *experiments: str) -> list[str]:
    """The lines of the paper's tables."""
    chosen = [evidence.suite["experiment", id_] for id_ in experiments]
    return list(printed_tables(paper_tables(evidence.suite, chosen, judge(evidence, chosen))))


def test_tables_stand_as_printed(evidence: Evidence) -> None:
    """95% of three seeds: sd .1 / sqrt(3) times t(.975, 2) = 4.303 is .248; ours and printed alike differ by 0."""
    lines = tables(evidence, "joint", "grouped")
    start = lines.index("### Table 2")
    assert lines[start + 2 : start + 8] == [
        "step_reward in joint.",
        "",
        "|  | student | compatible | base | compatible | single | compatible |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| two | -7.0±0.1 \\| -7 [-7.25, -6.75] \\| reproduced | yes "
        "| -8.0±0.1 \\| -8 [-8.25, -7.75] \\| reproduced | yes "
        "| -8.0±0.1 \\| -8 [-8.25, -7.75] \\| reproduced | yes |",
        "| three | -7.0±0.1 \\| -6.8 [-7.05, -6.55] \\| reproduced | yes "
        "| -8.0±0.1 \\| -8 [-8.25, -7.75] \\| reproduced | yes "
        "| -8.0±0.1 \\| -8 [-8.25, -7.75] \\| reproduced | yes |",
    ]
    average = lines[lines.index("### Table 4") + 4 :]
    assert average[0] == "|  | every | compatible |"
    assert average[2] == "| student | -7.0±0.1 \\| -7 [-7.25, -6.75] \\| not_comparable | yes |"
    group = lines[lines.index("### Table 3, second group") + 2 :]
    assert group[0] == "step_reward in grouped, other."
    assert group[2] == "|  | base (2M) | compatible |"


def test_an_open_value_says_how_many_seeds_would_decide(tmp_path: Path) -> None:
    evidence = evidence_of(suite_of(TABLE), tmp_path, LEVELS)
    lines = tables(evidence, "joint")
    (odd,) = [line for line in lines if line.startswith("| odd | -7.0")]
    assert odd.startswith("| odd | -7.0±0.1 \\| -7.2 [-7.45, -6.95] \\| inconclusive, ")
    missing = evidence_of(suite_of(TABLE), tmp_path / "none", {})
    lines = tables(missing, "joint")
    assert "| odd | -7.0±0.1 \\| - \\| not_run | -8.0±0.1 \\| - \\| not_run | -8.0±0.1 \\| - \\| not_run |" in lines


def test_every_row_says_its_scenario(evidence: Evidence) -> None:
    joint = evidence.suite["experiment", "joint"]
    metrics = transfer_metrics(evidence, joint)
    assert [m.scenario for m in metrics if m.metric == "jump_start"] == ["two", "three", "odd"]
    for table in (verdict_table(judge(evidence, [joint])), transfer_table(metrics)):
        assert "scenario" in [column.header for column in table.columns]


def test_a_report_has_it_all(evidence: Evidence) -> None:
    """Curves for each scenario and group, rows with their scenario, aggregates."""
    chosen = [evidence.suite["experiment", id_] for id_ in ("joint", "grouped")]
    metrics = [m for e in chosen for m in transfer_metrics(evidence, e)]
    found = [a for e in chosen for a in aggregates(evidence, e)]
    folder = evidence.store.root / "report"
    with drawn(evidence, chosen, folder):
        text = write_report(evidence, chosen, judge(evidence, chosen), metrics, found, folder).read_text()
    figures = sorted(path.name for path in folder.glob("*.svg"))
    assert figures == [
        "curves-grouped-odd.svg",
        "curves-grouped-two-other.svg",
        "curves-joint-odd.svg",
        "curves-joint-three.svg",
        "curves-joint-two.svg",
    ]
    assert all(f"]({name})" in text for name in figures)
    assert "learning curves of grouped, two (other)" in text
    figure = (folder / "curves-joint-two.svg").read_text()
    assert "step reward (training)" in figure
    assert "step reward (evaluation)" in figure  # the paper prints greedy scores
    assert "\n| claim | in | scenario | found" in text
    assert "\n| claim | place | in | scenario | rests on" in text
    assert "\n| joint | odd | student | jump start |" in text
    (row,) = [line for line in text.split("\n") if line.startswith("| joint | student | two, three, odd (not compar")]
    assert "base: 1 [1, 1]" in row


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


def test_an_iqm_lies_in_its_interval(tmp_path: Path) -> None:
    """Scores of three tasks that lie far apart: the trimmed share must be the same in every resample."""
    suite = suite_of(TABLE)
    far = {"two": -3.0, "three": -4.2, "odd": -7.0}
    evidence = evidence_of(suite, tmp_path, {"base": far, "student": far}, seeds=(0, 1, 2, 3, 4))
    for a in aggregates(evidence, suite["experiment", "joint"]):
        assert a.iqm.low is not None
        assert a.iqm.high is not None
        assert a.iqm.low <= a.iqm.estimate <= a.iqm.high


def test_aggregates_need_two_scenarios_that_all_have_run(tmp_path: Path) -> None:
    suite = suite_of(TABLE)
    one = evidence_of(suite, tmp_path / "one", LEVELS | {"single": {"two": -8.0}})
    assert aggregates(one, suite["experiment", "joint"]) == []
    assert aggregates(one, suite["experiment", "alone"]) == []
    two = evidence_of(suite, tmp_path / "two", LEVELS | {"single": {"two": -8.0, "three": -8.0}})
    assert {a.tasks for a in aggregates(two, suite["experiment", "joint"])} == {("two", "three")}
    nothing = evidence_of(suite, tmp_path / "none", {})
    assert aggregates(nothing, suite["experiment", "joint"]) == []


def test_aggregates_are_the_same_again_and_stand_in_every_output(evidence: Evidence) -> None:
    joint = evidence.suite["experiment", "joint"]
    found = aggregates(evidence, joint)
    assert aggregates(evidence, joint) == found
    shown = check_json(evidence, [], [], found)["aggregates"]
    assert [a["method"] for a in shown] == ["base", "student", "single"]
    assert shown[0]["iqm"]["estimate"] == pytest.approx(found[0].iqm.estimate)
    assert aggregate_table(found).row_count == 3


def test_a_suite_without_tables_has_no_section_for_them(tmp_path: Path) -> None:
    evidence = evidence_of(suite_of(claim(BETTER)), tmp_path, {"single": everywhere(-8.0)})
    assert tables(evidence, "joint") == []
