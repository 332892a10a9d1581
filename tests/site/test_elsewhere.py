"""Methods from elsewhere and imported results on the site: what is shown, beside what, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.evidence.measures import Evidence
from bench.guests.entrants import entrants
from bench.plan import Selection
from bench.report.boards import boards, labels
from bench.site.archive import Archive
from bench.site.elsewhere import compared_entrants, imported_scores
from bench.store import Store
from tests.made_site import BREAKING, HOSTILE, NEW, entrant, made_suite, record_all, record_elsewhere

pytestmark = pytest.mark.usefixtures("several_tasks")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    suite = made_suite()
    record_all(suite, tmp_path)
    record_elsewhere(suite, tmp_path)
    return tmp_path


@pytest.fixture
def evidence(results: Path) -> Evidence:
    return Evidence(made_suite(), Selection(), Archive(results))


def test_a_method_is_found_again_from_its_records(evidence: Evidence) -> None:
    (own,) = entrants(evidence)
    assert own.method == entrant()
    assert [(c.experiment.id, c.group) for c in own.contests] == [("joint", "all")]


def test_runs_at_other_settings_are_left_out(results: Path) -> None:
    reduced = Evidence(made_suite(), Selection(profile="half"), Store(results))
    assert entrants(reduced) == []


def test_it_stands_on_the_board_below_the_suites_own(evidence: Evidence) -> None:
    found = [b for b in boards(evidence, False, entrants(evidence)) if "joint" in b.experiments]
    (board,) = [b for b in found if b.kind == "reference"]
    assert [(row.method, row.outside) for row in board.rows] == [("base", False), ("student", False), (NEW, True)]
    two = [p.scenario for p in board.places].index("two")
    assert [row.finals[two].seeds for row in board.rows] == [3, 3, 3]
    score = board.rows[2].finals[two].score
    assert score is not None
    assert score.estimate == pytest.approx(-1.93)  # -2, and .07 at the curve's end


def test_a_board_that_it_did_not_enter_is_without_it(evidence: Evidence) -> None:
    own = entrants(evidence)
    with_it, without = (boards(evidence, False, entered) for entered in (own, []))
    alone = [[b for b in found if "alone" in b.experiments] for found in (with_it, without)]
    assert alone[0] == alone[1]


def test_what_two_codes_of_one_name_are_called(evidence: Evidence) -> None:
    (own,) = entrants(evidence)
    other = own.method.model_copy(update={"source": "ef" * 32})
    assert labels([own]) == [NEW]
    twice = [own, type(own)(other, own.contests, own.plan)]
    assert labels(twice) == [f"{NEW} (abababab)", f"{NEW} (efefefef)"]


def test_differences_are_those_of_bench_compare(evidence: Evidence) -> None:
    (own,) = compared_entrants(evidence, entrants(evidence))
    two = {d.against: d for d in own.found.differences if d.scenario == "two"}
    assert two["base"].decision.estimate == pytest.approx(2.5)
    assert two["student"].decision.estimate == pytest.approx(1.0)
    assert {d.finding for d in two.values()} == {"higher"}
    assert own.found.tuned_on == (1,)
    assert [d.against for d in own.found.imported] == [f"{BREAKING} (imported: theirs)"]


def test_imported_scores(evidence: Evidence) -> None:
    (own,) = imported_scores(evidence)
    assert (own.method, own.scenario, own.seeds) == (f"{BREAKING} (imported: theirs)", "two", 3)
    assert own.score.estimate == pytest.approx(-3.5)
    assert HOSTILE in own.protocol


def test_pages_escape_what_they_say(site: Path) -> None:
    suite = made_suite()
    page = (site / f"suites/{suite.id}.html").read_text()
    assert 'id="elsewhere"' in page
    assert 'lab:New&lt;b&gt; <span class="tag">from elsewhere</span>' in page
    assert "Tuned on seeds that are compared here (1)" in page
    assert "imported: theirs" in page
    made = "protocol greedy, 80 environment steps, 10 episodes for the final score; theirs 1.0; from"
    assert page.count(made) == 1  # beside the difference
    assert HOSTILE not in page
    assert BREAKING not in page
    assert "from elsewhere" in (site / "index.html").read_text()
    assert 'id="elsewhere"' not in (site / f"suites/{suite.id}.half.html").read_text()
