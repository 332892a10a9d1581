"""Cells without environments on this machine are left out of a run by name."""

from __future__ import annotations

import pytest

from bench.plan import Selection, make_plan
from bench.plan.present import playable
from bench.suite.loading import load


def test_what_cannot_be_played_here_is_left_out_with_its_students(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(load("mkt_marl"), Selection(only=("first-picture", "table2"), seeds=(0,)))
    monkeypatch.setattr("bench.plan.present.lacking", lambda family: "the game" if family == "starcraft" else "")
    left, without = playable(plan)
    assert {own.family for cell in left.cells for own in cell.scored} == {"particle"}
    assert without == {"starcraft": 5}
    assert len(plan.runs) - len(left.runs) == 5
    monkeypatch.setattr("bench.plan.present.lacking", lambda family: "")
    assert playable(plan) == (plan, {})
