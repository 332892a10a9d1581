"""A comparison where the suite declares looks: judged at the last one that both sides have reached, at its level."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.compare import compared
from bench.compare.findings import Difference
from bench.compare.report import comparison_lines
from bench.evidence.measures import Evidence
from bench.guests.method import Declaration, Guest, Tuning
from bench.guests.places import entry
from bench.plan import Cell, Selection
from bench.stats.decisions import ordering
from bench.stats.looks import asked_at
from bench.store import Store
from bench.suite.loading import parse
from tests.conftest import TINY
from tests.synthetic import fill

LOOKS, ASKED = (4, 8), asked_at((4, 8))
NOTHING = Tuning(runs=0, steps=0, seeds=(), says="nothing")
GUEST = Guest(
    name="my:train",
    target="my:train",
    kind="function",
    source="0" * 64,
    declaration=Declaration(says="made up", tuning=NOTHING),
)
BASE = [-8.0, -8.1, -7.9, -8.05, -8.0, -8.1, -7.95, -8.02]


def finals(seed: int) -> float:
    return BASE[seed] + [0.05, 0.36, 0.1, 0.25, 0.2, 0.2, 0.1, 0.15][seed]


def difference(folder: Path, seeds: int, looks: bool = True) -> tuple[Difference, str]:
    """On the target task: the guest minus base, with this number of seeds on both sides; and the report."""
    own = 'seeds = { looks = [4, 8], source = "a" }' if looks else 'seeds = { value = 8, source = "Table 1" }'
    suite = parse(TINY.replace('seeds = { value = 3, source = "Table 1" }', own).encode(), "tiny.toml")
    selection, store = Selection(only=("target",)), Store(folder)
    there = entry(suite, selection, GUEST, ("base",), run_baselines=True)

    def curve(cell: Cell, seed: int) -> list[float] | None:
        if seed >= seeds:
            return None
        return [finals(seed) if cell.method == GUEST.name else BASE[seed]] * 8

    fill(store, there.plan, curve)
    evidence = Evidence(suite, selection, store)
    found = compared(evidence, there)
    return found.differences[0], "\n".join(comparison_lines(evidence, found))


def test_it_is_judged_at_the_last_look_that_is_reached(tmp_path: Path) -> None:
    """Six seeds are four at the first look, at its level; two wait."""
    found, report = difference(tmp_path, 6)
    own = [finals(seed) for seed in range(4)]
    alone = ordering(own, BASE[:4], True, 0.4, asked=ASKED)
    assert (found.decision.n, found.decision.p, found.decision.level) == ((4,), pytest.approx(alone.p), ASKED.level)
    assert found.decision.outcome == alone.outcome
    assert found.look is not None
    assert (found.look.number, found.look.next) == (1, 8)
    assert found.decision.tags[:2] == ("look 1 of 2 (4 seeds)", "2 seeds wait for the look at 8")
    assert found.ours.estimate == pytest.approx(sum(own) / 4)
    assert f"at {ASKED.level:.1%}" in report
    assert "The suite declares looks" in report


def test_what_one_look_alone_would_decide_waits(tmp_path: Path) -> None:
    """Four pairs below 5% but not below the level of two looks: the next look is named, and no number of seeds."""
    found, report = difference(tmp_path, 4)
    assert found.decision.p is not None
    assert ASKED.nominal < found.decision.p < 0.05
    assert (found.finding, found.decision.seeds_to_decide) == ("undecided", None)
    assert "look at 8" in report
    fixed, _ = difference(tmp_path / "fixed", 4, looks=False)
    assert (fixed.finding, fixed.look) == ("higher", None)
    assert fixed.decision.tags == ("4 of 8",)


def test_before_the_first_look_nothing_is_decided(tmp_path: Path) -> None:
    found, _ = difference(tmp_path, 3)
    assert (found.finding, found.decision.p) == ("undecided", None)
    assert found.decision.reason == "the first of 2 looks is at 4 seeds, and nothing is judged before"
