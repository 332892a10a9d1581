"""Boards of synthetic results whose answers are known in advance."""

from pathlib import Path

import numpy as np
import pytest

from bench.evidence.measures import Evidence
from bench.plan import Selection
from bench.report.boards import Board, boards, main_board
from bench.stats.ranks import Rank
from tests.made_site import made_suite, record_all
from tests.several import everywhere, evidence_of, suite_of

pytestmark = pytest.mark.usefixtures("several_tasks")

GOOD = {"two": -3.0, "three": -4.0, "odd": -4.0}  # the good scripts' scores
HALF = {"two": -4.5, "three": -7.0, "odd": -5.0}  # half way from random policies to them


def joint(found: list[Board], kind: str = "reference") -> Board:
    return next(board for board in found if board.experiments == ("joint",) and board.kind == kind)


def test_aggregates_are_on_the_scale_of_random_and_good(tmp_path: Path) -> None:
    board = joint(boards(evidence_of(suite_of(), tmp_path, {"base": HALF, "student": GOOD, "single": HALF}), False))
    assert [row.method for row in board.rows] == ["base", "student"]
    assert [row.aggregate.estimate for row in board.rows if row.aggregate] == pytest.approx([0.5, 1.0])
    assert [row.rank for row in board.rows] == [Rank(2, 2, 2), Rank(1, 1, 1)]


def test_a_run_scored_on_three_scenarios_is_one_observation(tmp_path: Path) -> None:
    """Seeds -.1, 0, .1 move the mean by (1/3 + 1/6 + 1/2) / 3 of that: sd 1/30, t(2) = 4.3027, n = 3."""
    board = joint(boards(evidence_of(suite_of(), tmp_path, {"base": HALF, "student": GOOD, "single": HALF}), False))
    aggregate = board.rows[0].aggregate
    assert aggregate is not None
    assert aggregate.n == (3,)
    assert aggregate.low == pytest.approx(0.5 - 4.302653 / 30 / np.sqrt(3), abs=1e-6)


def test_separate_runs_of_each_scenario_are_separate_observations(tmp_path: Path) -> None:
    found = boards(evidence_of(suite_of(), tmp_path, {"single": HALF}), False)
    alone = next(board for board in found if board.experiments == ("alone",))
    aggregate = alone.rows[0].aggregate
    assert aggregate is not None
    assert aggregate.estimate == pytest.approx(0.5)
    assert aggregate.n == (3, 3, 3)


def test_a_method_that_lacks_a_scenario_has_no_aggregate(tmp_path: Path) -> None:
    levels = {"single on two": HALF, "single on odd": HALF}
    found = boards(evidence_of(suite_of(), tmp_path, levels), False)
    row = next(board for board in found if board.experiments == ("alone",)).rows[0]
    assert (row.aggregate, row.rank, row.state) == (None, None, "incomplete: 2 of 3 scenarios")
    assert [final.seeds for final in row.finals] == [3, 0, 3]


def test_a_substitute_stands_on_a_board_of_its_own(tmp_path: Path) -> None:
    suite = made_suite()
    record_all(suite, tmp_path)
    found = boards(evidence_of(suite, tmp_path, {}), False)
    assert [place.scenario for place in joint(found).places] == ["two", "three"]
    assert [place.scenario for place in joint(found, "substitute").places] == ["odd"]


def test_a_reduced_profile_has_no_reference_board(tmp_path: Path) -> None:
    suite = suite_of()
    evidence = evidence_of(
        suite, tmp_path, dict.fromkeys(("base", "student", "single"), everywhere(-5)), profile="half"
    )
    assert {board.kind for board in boards(evidence, True)} == {"reduced"}


def test_the_main_board_compares_in_most_places(tmp_path: Path) -> None:
    found = boards(evidence_of(suite_of(), tmp_path, {"base": HALF, "student": GOOD, "single": HALF}), False)
    main = main_board(found, "reference")
    assert main is not None
    assert main.experiments == ("joint",)


def test_what_cannot_run_says_what_it_waits_for(tmp_path: Path) -> None:
    suite = suite_of()
    waiting = (m.model_copy(update={"waits_for": "a learner"}) if m.id == "student" else m for m in suite.method)
    suite = suite.model_copy(update={"method": (*waiting,)})
    board = joint(boards(evidence_of(suite, tmp_path, {"base": HALF}), False))
    assert board.rows[1].state == "not run"
    assert {final.state for final in board.rows[1].finals} == {"waits for a learner"}


def test_ranks_do_not_hang_on_other_boards(tmp_path: Path) -> None:
    """Each board has its own stream: another experiment must not change its intervals."""
    suite = suite_of()
    levels = {"base": HALF, "student": {k: v + 0.02 for k, v in HALF.items()}, "single": HALF}
    evidence = evidence_of(suite, tmp_path, levels)
    fewer = suite.model_copy(update={"experiment": suite.experiment[:2]})
    again = boards(Evidence(fewer, Selection(), evidence.store), False)
    assert [r.rank for r in joint(again).rows] == [r.rank for r in joint(boards(evidence, False)).rows]
