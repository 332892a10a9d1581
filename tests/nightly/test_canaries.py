"""The canaries that exist, their files, and their platforms."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

import pytest

from bench.envs import FAMILIES, Assets
from bench.nightly import stored
from bench.nightly.budget import shares
from bench.nightly.canaries import Absent, canary_plan, code_paths, compared, drawn, name_of, shortened
from bench.nightly.causes import findings
from bench.plan import Selection, make_plan
from bench.plan.assets import missing_assets
from bench.processes.numerical import numerical
from bench.processes.platforms import this_platform
from bench.store import Store
from bench.suite import PRIMARY, Suite
from bench.suite.loading import load
from bench.suite.shipped import available, opponents
from tests.conftest import ROOT


def test_every_code_path_has_a_canary() -> None:
    """Shipped suites: some canary takes each path of a cell; only a teacher may take no path of its own."""
    for suite in map(load, available()):
        canaries = canary_plan(suite)
        plans = [shortened(suite, reading) for reading in {suite.pinned, PRIMARY}]
        paths = {path for every in plans for cell in every.cells for path in code_paths(every, cell)}
        assert {path for cell in canaries.cells for path in code_paths(canaries, cell)} == paths
        teachers = {key for cell in canaries.cells for key in cell.teachers}
        taken: set[str] = set()
        for own in (code_paths(canaries, cell) for cell in canaries.cells if cell.key not in teachers):
            assert not taken.issuperset(own)
            taken |= own
        assert len({name_of(cell) for cell in canaries.cells}) == len(canaries.cells)


def test_numbers_choose_no_code_path_and_words_do(nightly: Suite) -> None:
    def paths(*settings: str) -> set[str]:
        plan = make_plan(nightly, Selection(settings=settings))
        cells = [cell for cell in plan.cells if cell.method in ("student", "base")]
        return {path for cell in cells for path in code_paths(plan, cell)}

    assert paths() == paths("lr=0.5", "student.alpha_start=0.25", "budget.episodes=8")
    assert paths() != paths("student.reuse_loss=kl")
    changed = paths("student.reuse_loss=kl") - paths()
    assert len(changed) == 1  # the student's; its teacher's path is the same
    assert len(paths("student.alpha_start=0.0") - paths()) == 1  # 0 switches a part off


def test_no_canary_asks_for_a_file_from_elsewhere() -> None:
    """Its hash is not code: MKT-MARL's primary reading plays against such a file, the pinned one against its own."""
    suite = load("mkt_marl")
    canaries = canary_plan(suite)
    assert missing_assets(shortened(suite, PRIMARY).cells, Assets(opponents()))
    assert missing_assets(canaries.cells, Assets(opponents())) == []
    named = {name_of(cell) for cell in canaries.cells}
    assert "mkt_marl: qmix_teacher on mpe/push (teachers)" in named  # the same in both
    assert "mkt_marl: qmix_teacher on mpe/adversary (teachers; first-edition)" in named


def test_a_canary_s_budget_follows_from_its_own_method(nightly: Suite, nightly_file: Path) -> None:
    """A method whose rounds are longer moves no other method's canary."""
    before = {name_of(cell): cell.key for cell in canary_plan(nightly).cells}
    text = nightly_file.read_text()
    assert text.count("update_episodes = { value = 1") == 1  # of the team
    text = text.replace("record_every = 2\nevaluate_every = 8", "record_every = 8\nevaluate_every = 8")
    nightly_file.write_text(text.replace("update_episodes = { value = 1", "update_episodes = { value = 8"))
    after = {name_of(cell): cell.key for cell in canary_plan(load(str(nightly_file))).cells}
    assert {name for name in before if before[name] != after[name]} == {"tiny: team on two (teams)"}


def test_the_stored_canaries_are_those_that_are_derived() -> None:
    """For one class at least, none is missing or stale: a change of settings needs a refresh, with a reason.

    Files of other classes need a machine of that class.
    """
    files = stored.canary_files(ROOT / "results")
    derived = {name_of(c): c.key for suite in map(load, available()) for c in canary_plan(suite).cells}
    kept = [{name: canary.cell for name, canary in file.canaries.items()} for file in files]
    assert derived in kept
    assert all(change.reason for file in files for change in file.changes)


def test_classes_stand_side_by_side_and_agree_where_every_number_does() -> None:
    (own, *_) = stored.canary_files(ROOT / "results")
    older = own.platform.model_copy(update={"features": ("avx2", "fma")})
    name, one = next(iter(own.canaries.items()))
    same = own.model_copy(update={"platform": older})
    moved = one.model_copy(update={"numbers": dict.fromkeys(one.numbers, "0")})
    parted = same.model_copy(update={"canaries": {**own.canaries, name: moved}})
    others = {n: c.model_copy(update={"cell": "x"}) for n, c in own.canaries.items()}
    stale = same.model_copy(update={"canaries": others})
    assert stored.alike(own, [own]) == []
    assert stored.alike(own, [own, same]) == [older.name]
    assert stored.alike(own, [own, parted]) == []
    assert stored.alike(own, [own, stale]) == []
    assert stored.nearest([same, own], own.platform) == (own, True)


def test_a_platform_class_tells_what_decides_the_last_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in numerical():  # this machine may hold some back itself
        monkeypatch.delenv(name)
    here = this_platform()
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    held_back = this_platform()
    assert here != held_back
    assert held_back.name == f"{here.name}-aten_cpu_capability_default"
    assert held_back.likeness(here) == 5


def test_what_is_not_installed_is_passed_over(monkeypatch: pytest.MonkeyPatch, nightly: Suite, tmp_path: Path) -> None:
    """Its canary is named with the way to install it, breaks nothing, and stays stored; no night trains its cells."""
    family = dataclasses.replace(FAMILIES["particle"], packages=("no-such-package",), install="pip install it")
    monkeypatch.setitem(FAMILIES, "particle", family)
    made = drawn([nightly])
    assert set(map(type, made.values())) == {Absent}
    (file, *_) = stored.canary_files(ROOT / "results")
    outcomes = [*compared(file, made, True, ["tiny"])]
    assert {o.state for o in outcomes} == {"absent"}
    assert all("pip install it" in o.says for o in outcomes)
    assert [f.cause for f in findings(outcomes, {}, True, None, [])] == ["nothing ran"]
    assert shares([nightly], Store(tmp_path), datetime.date(2026, 11, 30)) == []
