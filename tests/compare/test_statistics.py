"""The statements of a comparison about an entrant whose runs are KnowRU's under another name."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest

from bench.compare import Comparison, compared
from bench.compare.report import comparison_json, comparison_lines
from bench.evidence.measures import Evidence
from bench.guests.method import Declaration, Guest, Tuning
from bench.guests.places import entry, lacking
from bench.plan import Selection, make_plan, run_id
from bench.store import Store
from bench.suite import Suite
from bench.suite.loading import load
from bench.verdict import transfer_metrics

RESULTS = Path(__file__).parent.parent.parent / "results"
TUNING = Tuning(runs=3, steps=30, seeds=(1, 40), says="three | <img src=x onerror=alert(1)>")
SELECTION = Selection(only=("spread/II",), seeds=(0, 1, 2, 3, 4))


def entrant(teacher: bool = True) -> Guest:
    declaration = Declaration(says="KnowRU's runs", tuning=TUNING, teacher=teacher)
    return Guest(name="my:train", target="my:train", kind="function", source="0" * 64, declaration=declaration)


@pytest.fixture(scope="module")
def knowru() -> Suite:
    return load("knowru")


@pytest.fixture(scope="module")
def evidence(knowru: Suite, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """The published results, and KnowRU's of task II again as the entrant's."""
    folder = tmp_path_factory.mktemp("results")
    store = Store(folder)
    store.open_for_writing()
    for run in make_plan(knowru, SELECTION).runs:
        for path in (RESULTS / "records").glob(f"{run.id}.json"):
            shutil.copy(path, folder / "records")
    before = Evidence(knowru, SELECTION, store)
    own = before.finished(before.cell(knowru["experiment", "spread/II"], "knowru", "spread/II"))
    cell = entry(knowru, SELECTION, entrant(), ()).contests[0].cell
    for seed, record in own.items():
        run = run_id(cell.key, seed, tuple(t.run for t in record.teachers))
        update = {"run": run, "cell": cell.key, "method": "my:train", "settings": cell.settings}
        store.write_record(record.model_copy(update=update))
    return Evidence(knowru, SELECTION, store)


@pytest.fixture(scope="module")
def found(knowru: Suite, evidence: Evidence) -> Comparison:
    return compared(evidence, entry(knowru, SELECTION, entrant(), ("maddpg", "knowru")))


def finals(evidence: Evidence, method: str) -> list[float]:
    cell = evidence.cell(evidence.suite["experiment", "spread/II"], method, "spread/II")
    records = evidence.finished(cell).values()
    return [sum(r for r in rec.numbers.scores[0].returns if r is not None) / 128 for rec in records]


def test_differences_are_of_the_final_scores(found: Comparison, evidence: Evidence) -> None:
    against_maddpg, against_knowru = found.differences
    ours, theirs = finals(evidence, "knowru"), finals(evidence, "maddpg")
    assert against_maddpg.decision.estimate == pytest.approx(sum(ours) / 5 - sum(theirs) / 5, abs=1e-12)
    assert (against_maddpg.decision.n, against_maddpg.decision.paired) == ((5,), True)
    assert against_knowru.decision.estimate == pytest.approx(0.0, abs=1e-12)
    assert against_knowru.finding == "undecided"


def test_over_scenarios_it_is_normalised_by_anchors(found: Comparison, evidence: Evidence) -> None:
    over = found.over[0]
    scores = sorted((score + 23.74) / (-10.85 + 23.74) for score in finals(evidence, "knowru"))
    assert over.iqm[0].estimate == pytest.approx(sum(scores[1:4]) / 3, abs=1e-12)
    assert over.gap[0].estimate == pytest.approx(sum(1 - s for s in scores) / 5, abs=1e-12)
    wins = [(a > b) + (a == b) / 2 for a in finals(evidence, "knowru") for b in finals(evidence, "maddpg")]
    assert over.improvement.estimate == pytest.approx(sum(wins) / 25, abs=1e-12)
    assert "rliable-compatible" in over.rliable[0].method
    assert found.over[1].improvement.estimate == 0.5


def test_transfer_metrics_are_those_of_the_suite_s_method(found: Comparison, evidence: Evidence) -> None:
    own = [m for m in transfer_metrics(evidence, evidence.suite["experiment", "spread/II"]) if m.method == "knowru"]
    assert [(m.metric, m.student_mean, m.baseline_mean, m.interval) for m in found.transfer] == [
        (m.metric, m.student_mean, m.baseline_mean, m.interval) for m in own
    ]
    assert len(own) == 4


def test_a_teacher_of_another_scenario_gives_no_ratio(found: Comparison) -> None:
    (kept,) = found.retention
    assert kept.interval is None
    assert kept.remark == "its teacher is trained on spread/I, another scenario, so the two have no ratio"


def test_without_a_teacher_there_is_no_retention_and_another_cell(knowru: Suite, evidence: Evidence) -> None:
    without = compared(evidence, entry(knowru, SELECTION, entrant(teacher=False), ("maddpg",)))
    assert without.retention == ()
    assert without.lacking == ("maddpg on spread/II: no finished run of my:train on spread/II",)


def test_what_is_missing_is_named(knowru: Suite, evidence: Evidence) -> None:
    selection = SELECTION.model_copy(update={"seeds": (3, 99)})
    entered = entry(knowru, selection, entrant(), ("maddpg",))
    (lack,) = lacking(Evidence(knowru, selection, evidence.store), entered.contests)
    assert (lack.experiment, lack.method, lack.seeds) == ("spread/II", "maddpg", (99,))


def test_the_report_says_by_how_much_and_never_who_is_better(found: Comparison, evidence: Evidence) -> None:
    text = "\n".join(comparison_lines(evidence, found))
    assert "better" not in text
    assert "Tuned on seeds that are compared here (1)" in text
    assert "3 runs, 30 environment steps" in text
    assert "<img" not in text
    numbers = comparison_json(evidence, found)
    assert numbers["tuned_on"] == [1]
    assert [d["finding"] for d in numbers["differences"]] == [d.finding for d in found.differences]
    assert all(math.isfinite(c["cpu_s"]) for c in numbers["costs"])
    assert {c["steps"] for c in numbers["costs"]} == {125_000}


def test_that_one_side_alone_was_tuned_stands_beside_each_finding(found: Comparison) -> None:
    own = f"my:train ({TUNING.says}, 3 trials, selected on seeds 1, 40)"
    assert {d.decision.tags[-1] for d in found.differences} == {
        f"tuning is stated for one side only: {own}; not for {other}" for other in ("maddpg", "knowru")
    }
