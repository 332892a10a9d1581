"""The text of a comparison: the method's own scores first, no empty tables, and each number with its right name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.compare import Comparison, compared
from bench.compare.report import comparison_json, comparison_lines
from bench.evidence.measures import Evidence
from bench.evidence.values import Values
from bench.guests.method import EARLY
from bench.guests.places import entry, lacking, left_aside
from bench.output.tables import print_markdown
from bench.output.terminal import Terminal
from bench.plan import Selection
from bench.store import Record, Store
from bench.suite import Suite
from bench.suite.loading import load
from bench.verdict import transfer as transfer_module
from bench.verdict import transfer_metrics
from tests.made_site import entrant
from tests.several import LEARNED, SPREAD, TURN, everywhere, evidence_of, suite_of
from tests.synthetic import fill

pytestmark = pytest.mark.usefixtures("several_tasks")


def entered(
    suite: Suite, folder: Path, levels: dict[str, list[float]], *only: str, status: str = "finished"
) -> Evidence:
    """Runs of the entrant with these curves, by scenario; seeds .1 apart."""
    selection = Selection(only=only)
    plan = entry(suite, selection, entrant(), ()).plan
    fill(
        Store(folder),
        plan,
        lambda cell, seed: {s: [x + SPREAD[(seed + TURN["student"]) % 3] for x in levels[s]] for s in cell.scenarios},
        status,
    )
    return Evidence(suite, selection, Store(folder))


def comparison(evidence: Evidence) -> Comparison:
    return compared(evidence, entry(evidence.suite, evidence.selection, entrant(), ()))


def text_of(evidence: Evidence) -> str:
    return "\n".join(comparison_lines(evidence, comparison(evidence)))


def sections(text: str) -> list[str]:
    return [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]


FLAT = {"two": [-4.5] * 8, "three": [-7.0] * 8, "odd": [-5.0] * 8}


def test_own_scores_stand_first_even_with_nothing_to_compare(tmp_path: Path) -> None:
    evidence = entered(suite_of(), tmp_path, FLAT, "joint")
    text = text_of(evidence)
    assert sections(text) == [
        "Its own scores",
        "Costs of a run, on average",
        "Not compared",
    ]
    assert text.count("base on two: no finished run of base on all") == 1
    assert "| joint | two | 3 of 3 | -4.5 [-4.75, -4.25] | 0.5 [0.417, 0.583] |" in text
    numbers = comparison_json(evidence, comparison(evidence))
    assert [(s["scenario"], s["finished"], s["asked"]) for s in numbers["scores"]] == [
        ("two", 3, 3),
        ("three", 3, 3),
        ("odd", 3, 3),
    ]
    assert numbers["scores"][0]["mean"]["estimate"] == pytest.approx(-4.5)
    assert numbers["scores"][0]["normalised"]["estimate"] == pytest.approx(0.5)


def test_a_scenario_of_two_training_sets_is_named_with_its_own(tmp_path: Path) -> None:
    evidence = entered(suite_of(), tmp_path, FLAT, "grouped")
    places = [s.scenario for s in comparison(evidence).scores]
    assert places == ["two (pair)", "three", "two (other)", "odd"]
    assert {(c.training_set, c.method) for c in comparison(evidence).costs} == {
        ("pair", "lab:New<b>"),
        ("other", "lab:New<b>"),
    }


def test_failed_runs_name_what_makes_them_again(tmp_path: Path) -> None:
    text = text_of(entered(suite_of(), tmp_path, FLAT, "joint", status="failed"))
    assert "| joint | two | 0 of 3 | - | - |" in text
    assert "- seed 1 on all: diverged at step 5" in text
    assert "`--retry-failed`" in text
    assert "Costs of a run" not in text


def reached(folder: Path, ours: float, theirs: float) -> dict[str, str]:
    """The transfer table's values for scenario "two", by metric; flat curves, the entrant's like the student's."""
    suite = suite_of()
    levels = {"single": everywhere(-4.0), "base": everywhere(theirs), "student": everywhere(ours)}
    evidence_of(suite, folder, levels, only=("joint",))
    evidence = entered(suite, folder, {s: [ours - LEARNED, *[ours] * 7] for s in FLAT}, "joint")
    found = comparison(evidence)
    own = [m for m in transfer_metrics(evidence, suite["experiment", "joint"]) if m.scenario == "two"]
    assert [(m.metric, m.interval, m.bound) for m in own] == [
        (m.metric, m.interval, m.bound) for m in found.transfer if m.scenario == "two"
    ]
    lines = "\n".join(comparison_lines(evidence, found)).splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines if line.startswith("| joint | two |")]
    return {row[2]: row[7] for row in cells if row[3] == "evaluation curve"}


def test_a_threshold_that_one_side_never_reached_gives_a_bound(tmp_path: Path) -> None:
    """The level is the baseline's own final mean minus .2, which it reaches at the second point, after 4 of 16
    episodes.
    """
    assert reached(tmp_path / "worse", -5.5, -4.5)["episodes to threshold"] == "at least x 4"
    assert reached(tmp_path / "same", -4.5, -4.5)["episodes to threshold"] == "x 1 [1, 1]"


@pytest.mark.parametrize(
    ("ours", "theirs", "bound"),
    [
        ([False] * 3, [True] * 3, "at least"),
        ([True] * 3, [False] * 3, "at most"),
        ([False] * 3, [True, True, False], ""),  # their own mean is too small, too
        ([True, True, False], [False] * 3, ""),
        ([False] * 3, [False] * 3, ""),
        ([True] * 3, [True] * 3, ""),
    ],
)
def test_a_ratio_bounds_only_where_all_times_of_one_side_are_known(ours: list, theirs: list, bound: str) -> None:
    sides = [Values((0, 1, 2), np.array([8.0, 8.0, 8.0]), np.array(reached), ()) for reached in (ours, theirs)]
    assert transfer_module._bound(*sides) == bound


def rewritten(evidence: Evidence, method: str, change: Callable[[Record], Record]) -> Evidence:
    """A copy with the method's records changed."""
    store = Store(evidence.store.root)
    for path in [*store.root.glob("records/*.json")]:
        record = store.record(path.stem)
        if record is not None and record.method == method:
            path.unlink()
            store.write_record(change(record))
    return Evidence(evidence.suite, evidence.selection, Store(evidence.store.root))


def both(folder: Path) -> Evidence:
    evidence_of(suite_of(), folder, {"single": everywhere(-4.0), "base": everywhere(-4.5), "student": everywhere(-4.4)})
    return entered(suite_of(), folder, FLAT, "joint")


def test_a_method_that_was_never_updated_is_an_untrained_team(tmp_path: Path) -> None:
    """Named at the top; its row has a finding, and no value that would look like one about learning."""

    def idle(record: Record) -> Record:
        learned = [name for name in record.numbers.scores[0].curves if name.startswith("loss/")]
        scores = (
            own.model_copy(update={"curves": {n: c for n, c in own.curves.items() if n not in learned}})
            for own in record.numbers.scores
        )
        numbers = record.numbers.model_copy(update={"first_update": None, "scores": (*scores,)})
        return record.model_copy(update={"numbers": numbers})

    evidence = rewritten(both(tmp_path), "base", idle)
    found, lines = comparison(evidence), text_of(evidence).splitlines()
    assert found.untrained == ("base",)
    assert lines[2].startswith("**Never updated within this budget: base.")
    rows = {d.against: d for d in found.differences if d.scenario == "two"}
    assert "base: an untrained team" in rows["base"].decision.tags
    assert (rows["base"].decision.typical, rows["base"].decision.seeds_to_decide) == (None, None)
    assert rows["student"].decision.typical is not None
    assert [over.against for over in found.over] == ["student"]
    (row,) = (line for line in lines if line.startswith("| joint | two | base | 3 pairs"))
    assert row.endswith("|  |")


def test_a_function_that_stopped_early_is_remarked_beside_the_finding(tmp_path: Path) -> None:
    said = f"{EARLY} 10 of 80 steps"
    evidence = rewritten(both(tmp_path), entrant().name, lambda r: r.model_copy(update={"remarks": (said,)}))
    assert all(said in d.decision.tags for d in comparison(evidence).differences)
    assert text_of(evidence).partition("## Remarks")[2].count(said) == 3


def test_a_shortened_budget_decides_nothing() -> None:
    suite = load("knowru")
    selection = Selection(profile="smoke", only=("spread/II",))
    there = entry(suite, selection, entrant(), ("maddpg",))
    evidence = Evidence(suite, selection, Store(Path("nowhere")))
    found = compared(evidence, there)
    first = [line for line in comparison_lines(evidence, found) if line][1]
    assert first == "**Shows that everything runs; decides nothing: profile smoke: 120 of 5000 episodes.**"
    assert compared(full := Evidence(suite, Selection(only=("spread/II",)), evidence.store), there).shortened == ()
    assert full.selection.profile == "full"


def test_tables_are_whole_in_a_narrow_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evidence = both(tmp_path)
    lines = [*comparison_lines(evidence, comparison(evidence))]
    print_markdown(Terminal(width=80), lines)
    shown = capsys.readouterr().out
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert " ".join(shown.split()).count("finding") >= len(comparison(evidence).differences)
    assert "lab:New<b>" in shown  # a cell as it was before it was escaped


@pytest.mark.parametrize(
    ("only", "against", "said"),
    [
        (("joint",), ("single",), ["single does not run in joint; its experiments: alone"]),
        (("alone", "grouped"), ("student", "base"), ["student does not run in alone, grouped; its experiments: joint"]),
        ((), ("single", "base"), []),
    ],
)
def test_a_method_that_is_asked_for_and_not_there(
    only: tuple[str, ...], against: tuple[str, ...], said: list[str]
) -> None:
    assert left_aside(suite_of(), Selection(only=only), against) == said


def test_a_method_that_waits_says_for_what() -> None:
    suite = suite_of()
    methods = (m.model_copy(update={"waits_for": "a licence"}) if m.id == "student" else m for m in suite.method)
    waiting = suite.model_copy(update={"method": (*methods,)})
    (said,) = left_aside(waiting, Selection(only=("joint",)), ("student",))
    assert said == "student cannot run yet: a licence"


def test_what_lacks_runs_is_said_once_for_all_its_training_sets(tmp_path: Path) -> None:
    suite = suite_of()
    evidence = evidence_of(suite, tmp_path, {"single on two": everywhere(-4.0)}, only=("alone",))
    contests = entry(suite, evidence.selection, entrant(), ()).contests
    (lack,) = lacking(evidence, contests)
    assert (lack.method, lack.training_sets, lack.seeds) == ("single", ("three", "odd"), (0, 1, 2))
    joint = Evidence(suite, Selection(only=("joint",)), evidence.store)
    places = entry(suite, joint.selection, entrant(), ()).contests
    assert [(own.method, own.training_sets) for own in lacking(joint, places)] == [("base", ()), ("student", ())]
