"""A night on synthetic runs: seeds, order, time, retries, comparisons, exit codes, reports, history."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.executors.dispatch import Outcome
from bench.nightly import budget, checking, stored
from bench.nightly.budget import Played, play, shares
from bench.nightly.canaries import Outcome as Canary
from bench.nightly.canaries import differing
from bench.nightly.causes import exit_code, findings
from bench.nightly.history import nights
from bench.nightly.nights import night_of, seeds_of
from bench.nightly.references import KEPT, WINDOW, comparisons, moved_to
from bench.nightly.report import sparkline
from bench.nightly.stored import Change, Reference, StoreError
from bench.store import Store
from bench.suite import Suite
from tests.conftest import ROOT, Bench
from tests.nightly.conftest import NIGHT, made_up

DAY = datetime.timedelta(days=1)
WHY = Change(when="2026-11-01T00:00:00Z", reason="test", commit=None, dirty=None)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "runs")
    made.open_for_writing()
    return made


@pytest.fixture
def baseline(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


@pytest.fixture
def no_canaries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "drawn", lambda *_: {})


def test_seeds_are_the_nights_alone() -> None:
    assert seeds_of(datetime.date(2000, 1, 1), 2) == (730120000, 730120001)
    assert {night_of(seed) for seed in seeds_of(NIGHT, 1000)} == {NIGHT}
    assert min(seeds_of(NIGHT + DAY, 1)) > max(seeds_of(NIGHT, 1000))
    assert night_of(9999) is None
    with pytest.raises(ValueError, match="allowed: 1 to 1000"):
        seeds_of(NIGHT, 1001)


def test_the_oldest_evidence_comes_first(nightly: Suite, store: Store) -> None:
    made_up(nightly, store, NIGHT)
    for path in (store.root / "records").glob("*.json"):
        if json.loads(path.read_text())["method"] == "student":
            path.unlink()
    found = shares([nightly], store, NIGHT + DAY)
    assert [share.evidence.latest for share in found] == [None, NIGHT, NIGHT, NIGHT, NIGHT]
    assert found[0].name == "tiny: student on three"
    assert {run.seed for run in found[0].plan.runs} == {*seeds_of(NIGHT + DAY, 5)}
    assert len(found[0].plan.runs) == 10  # its own and its teachers'
    assert [len(share.plan.runs) for share in found[1:]] == [5, 5, 10, 5]


class Executed:
    """Stands in for the executor: seeds that fail, by try. fails[0]: in the first call for a cell, and so on."""

    def __init__(self, *fails: set[int]):
        self.fails, self.calls = fails, []

    def __call__(self, plan, store, options, report) -> Outcome:
        tried = [runs for runs, _ in self.calls].count(plan.runs)
        self.calls.append((plan.runs, options.retry_failed))
        bad = self.fails[min(tried, len(self.fails) - 1)]
        failed = {run.id: "diverged" for run in plan.runs if run.seed % 1000 in bad}
        return Outcome(finished={run.id for run in plan.runs} - failed.keys(), failed=failed)


def played(nightly: Suite, store: Store, execute: Executed, monkeypatch: pytest.MonkeyPatch, cells: int = 1) -> Played:
    monkeypatch.setattr(budget, "execute", execute)
    return play(shares([nightly], store, NIGHT)[:cells], store, 1e6, 1, lambda _: None)


def test_a_run_that_fails_is_tried_once_more(nightly: Suite, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    execute = Executed({2}, set())
    done = played(nightly, store, execute, monkeypatch)
    assert [again for _, again in execute.calls] == [False, True]
    assert (done.failed, done.again) == ({}, {"tiny: base on two, seed 739922002": "diverged"})
    assert done.runs == 5


def test_a_run_that_fails_twice_is_reported(nightly: Suite, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    execute = Executed({1, 2}, {2})
    done = played(nightly, store, execute, monkeypatch)
    assert len(execute.calls) == 2
    assert done.failed == {"tiny: base on two, seed 739922002": "diverged"}
    (finding,) = findings([], {}, True, done, [])
    assert (finding.cause, exit_code([finding])) == ("a run failed", 3)


def test_cells_are_run_while_the_estimate_says_they_fit(
    nightly: Suite, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = Executed(set())
    monkeypatch.setattr(budget, "execute", execute)
    need = {"tiny: base on two": 10.0, "tiny: base on three": 30.0}
    times = iter([0.0, 0.0, 12.0, 12.0, 12.0, 12.0, 12.0])

    class Forecast:
        def __init__(self, plan, *_):
            runs = {run.cell for run in plan.runs}
            names = [f"{c.suite}: {c.label}" for c in plan.cells if c.key in runs]
            self.wall_s = max(need.get(name, 5.0) for name in names)

    monkeypatch.setattr(budget, "forecast", Forecast)
    done = play(shares([nightly], store, NIGHT), store, 30.0, 1, lambda _: None, lambda: next(times))
    assert len(execute.calls) == 4
    assert done.postponed == {"tiny: base on three": "needs about 30.0 s, 18.0 s were left"}


def reference(suite: Suite, store: Store) -> Reference:
    return moved_to(Reference(changes=(), cells={}), checking.fresh_evidence([suite], store), WHY)


def test_a_reference_takes_the_latest_seeds_and_only_later_ones_are_held_against_it(
    nightly: Suite, store: Store
) -> None:
    for i in range(8):
        made_up(nightly, store, NIGHT + i * DAY)
    known = reference(nightly, store)
    for cell in known.cells.values():
        for scores in cell.scores.values():
            assert len(scores) == KEPT
            assert night_of(min(scores)) == NIGHT + 2 * DAY
    assert not comparisons(checking.fresh_evidence([nightly], store), known, known)
    for i in range(8, 11):
        made_up(nightly, store, NIGHT + i * DAY)
    found = comparisons(checking.fresh_evidence([nightly], store), known, known)
    assert [(c.against, len(c.recent), len(c.known), c.state) for c in found] == [
        ("accepted", WINDOW, KEPT, "steady")
    ] * 5


def test_a_cell_that_moved_is_found_and_the_others_are_not(nightly: Suite, store: Store) -> None:
    made_up(nightly, store, NIGHT)
    made_up(nightly, store, NIGHT + DAY)
    known = reference(nightly, store)
    made_up(nightly, store, NIGHT + 2 * DAY, student=-9.0)
    few = comparisons(checking.fresh_evidence([nightly], store), known, Reference(changes=(), cells={}))
    assert {c.state for c in few if "student" in c.name} == {"moved"}  # 2 / 3003 is below 1% / 5
    assert {c.state for c in few if "student" not in c.name} == {"steady"}
    (moved,) = (c for c in few if c.state == "moved")
    assert moved.level == 0.01 / 5
    assert moved.shift == pytest.approx(-1.0, abs=0.15)
    (finding,) = findings([], {}, True, Played(finished={"a": ["b"]}), few)
    assert finding.cause == "numbers moved"
    assert finding.says.startswith("tiny: student on three: worse by ")
    assert exit_code([finding]) == 1


def test_too_few_seeds_are_said_to_be_so(nightly: Suite, store: Store) -> None:
    made_up(nightly, store, NIGHT)
    known = reference(nightly, store)
    made_up(nightly, store, NIGHT + DAY, student=-9.0)
    found = comparisons(checking.fresh_evidence([nightly], store), known, known)
    assert {c.state for c in found} == {"too few seeds"}  # 2 / 252 each, five of them
    assert not findings([], {}, True, Played(finished={"a": ["b"]}), found)


def test_slow_drift_is_seen_against_the_pin(nightly: Suite, store: Store) -> None:
    """Each step is accepted; their sum is not."""
    empty = Reference(changes=(), cells={})
    made_up(nightly, store, NIGHT)
    made_up(nightly, store, NIGHT + DAY)
    pinned = accepted = reference(nightly, store)
    states: Mapping[str, str] = {}
    for i in range(2, 14):
        made_up(nightly, store, NIGHT + i * DAY, student=-8.0 - 0.02 * i)
        found = comparisons(checking.fresh_evidence([nightly], store), accepted, pinned)
        states = {c.against: c.state for c in found if "student" in c.name}
        assert states.get("accepted") != "moved"
        if i % 2:
            accepted = reference(nightly, store)
    assert states["pinned"] == "moved"
    assert not comparisons(checking.fresh_evidence([nightly], store), empty, empty)


def test_a_night_by_the_command_line(
    bench_here: Bench, nightly: Suite, nightly_file: Path, store: Store, baseline: Path, no_canaries: None
) -> None:
    """Everything was run before, so nothing is trained; the test looks at judgements and output."""
    options = (nightly_file, "--baseline", baseline, "--results", store.root)
    for i in range(2):
        made_up(nightly, store, NIGHT + i * DAY)
    done = bench_here("nightly", *options, "--night", NIGHT + DAY)
    assert done.returncode == 0, done.stderr
    assert "Night 2026-11-03: nothing broke" in done.stdout
    done = bench_here("nightly", "accept", *options, "--reason", "the first", "--json")
    assert done.returncode == 0, done.stderr
    moved = json.loads(done.stdout)["cells"]
    assert list(moved) == [str(path(baseline)) for path in (stored.accepted_path, stored.pinned_path)]
    pinned = stored.pinned_path(baseline).read_bytes()
    for i in range(2, 4):
        made_up(nightly, store, NIGHT + i * DAY, student=-9.0)
    done = bench_here("nightly", *options, "--night", NIGHT + 3 * DAY, "--json")
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert [f["cause"] for f in said["findings"]] == ["numbers moved"]
    assert said["cells"]["tiny: student on three"]
    assert {c["claim"] for c in said["claims"]} == {"better"}

    folder = store.root / "nightly" / "2026-11-05"
    summary = (folder / "summary.md").read_text()
    assert summary.startswith("# Night 2026-11-05: numbers moved\n")
    assert "| tiny: student on three | three | ██▁▁ | 2026-11-05 | 20 |" in summary
    assert "| 2026-11-05 | 1 | numbers moved | 25 |" in summary
    assert (folder / "trends.svg").read_text().count("student on three") >= 1
    (comparisons_,) = (s for s in ElementTree.parse(folder / "junit.xml").getroot() if s.get("name") == "comparisons")
    assert (comparisons_.get("tests"), comparisons_.get("failures")) == ("5", "1")

    done = bench_here("nightly", "accept", *options, "--reason", "the student is worse since the mend of its loss")
    assert done.returncode == 0
    assert stored.pinned_path(baseline).read_bytes() == pinned
    reasons = [c.reason for c in stored.reference(stored.accepted_path(baseline)).changes]
    assert reasons == ["the student is worse since the mend of its loss", "the first"]
    assert [n.exit_code for n in nights(store.root)[0]] == [0, 1]


def test_a_damaged_record_is_named_and_counts_nowhere(
    bench_here: Bench, nightly: Suite, nightly_file: Path, store: Store, baseline: Path, no_canaries: None
) -> None:
    made_up(nightly, store, NIGHT)
    victim = next(
        p for p in (store.root / "records").glob("*.json") if json.loads(p.read_text())["method"] == "student"
    )
    victim.write_bytes(victim.read_bytes()[:100])
    options = (nightly_file, "--baseline", baseline, "--results", store.root)
    done = bench_here("nightly", *options, "--night", NIGHT + 4 * DAY, "--budget", "0.001s")
    assert f"not counted: {victim}: not a complete JSON file" in done.stderr
    assert f"**Not counted**: {victim}" in (store.root / "nightly" / "2026-11-06" / "summary.md").read_text()
    done = bench_here("nightly", "accept", *options, "--reason", "the first")
    assert (done.returncode, f"not counted: {victim}" in done.stderr) == (0, True)


def test_a_verb_that_is_mistyped(bench_here: Bench, baseline: Path) -> None:
    done = bench_here("nightly", "acept", "--reason", "x", "--baseline", baseline)
    assert done.returncode == 2
    assert 'got      "acept"' in done.stderr
    assert 'did you mean "accept"?' in done.stderr


def waiting(folder: Path) -> Path:
    """PTDE's suite, all of whose experiments wait for something."""
    text = (ROOT / "suites" / "ptde.toml").read_text()
    text = re.sub(r'\n(waits_for = "MSLR-WEB30K|too_short_for = ).*', "", text)
    path = folder / "waiting.toml"
    path.write_text(re.sub(r"(\[\[experiment\]\]\nid = .*\n)", r'\1waits_for = "a test"\n', text))
    return path


def test_nothing_ran_is_no_success(
    bench_here: Bench, nightly_file: Path, baseline: Path, tmp_path: Path, no_canaries: None
) -> None:
    done = bench_here(
        "nightly", nightly_file, "--baseline", baseline, "--results", tmp_path / "runs", "--budget", "0.001s"
    )
    assert done.returncode == 4
    assert "nothing ran: the time allows no cell: canaries took 0 s, the shortest cell needs about" in done.stdout
    assert re.search(r"about \d+ s; --budget \d+m would do\n", done.stdout)
    done = bench_here("nightly", nightly_file, "--baseline", baseline, "--canary-only")
    assert done.returncode == 4
    done = bench_here("nightly", waiting(tmp_path), "--baseline", baseline, "--results", tmp_path / "runs")
    assert done.returncode == 4
    assert "nothing ran: no cell of profile nightly can run here" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (("--budget", "60"), "--budget"),
        (("--budget", "0m"), "--budget"),
        (("--night", "yesterday"), "--night"),
        (("--night", "1999-12-31"), "--night"),
        (("--baseline", "nowhere"), "--baseline"),
    ],
)
def test_bad_options_are_refused(bench_here: Bench, baseline: Path, arguments: tuple[str, ...], key: str) -> None:
    done = bench_here("nightly", "knowru", "--baseline", baseline, *arguments)
    assert done.returncode == 2
    assert key in done.stderr


def test_a_suite_that_cannot_run_here_has_no_canary(bench_here: Bench, baseline: Path, tmp_path: Path) -> None:
    done = bench_here("nightly", waiting(tmp_path), "--baseline", baseline, "--canary-only")
    assert (done.returncode, "nothing ran: no canary of these suites can run here" in done.stdout) == (4, True)


def test_references_ask_for_a_reason_and_for_seeds(bench_here: Bench, nightly_file: Path, baseline: Path) -> None:
    for verb in ("accept", "refresh-canary"):
        assert bench_here("nightly", verb, nightly_file, "--baseline", baseline).returncode == 2
    done = bench_here("nightly", "accept", nightly_file, "--baseline", baseline, "--reason", "x")
    assert (done.returncode, "nothing to accept" in done.stderr) == (2, True)


def test_a_damaged_reference_is_named(baseline: Path) -> None:
    path = stored.accepted_path(baseline)
    path.parent.mkdir()
    path.write_text('{"schema_version": 1, "changes": [], "cells": {"a": 1}}')
    with pytest.raises(StoreError, match=r"accepted\.json: .*restore it from version control"):
        stored.reference(path)


def test_what_can_differ_is_told_apart() -> None:
    same = {"s": {"training": (1.0, 2.0, 3.0, 4.0), "loss/td": (5.0, 6.0)}}
    assert differing(same, same, True) == ""
    other = {"s": {"training": (1.0, 2.0, 3.0, 4.0), "loss/td": (5.0, 6.0000001)}}
    assert differing(same, other, True) == "s, loss/td: point 4 of 4 is 6.0000001, stored 6.0"
    assert differing(same, other, False) == ""
    early = {"s": {"training": (1.0, 2.01, 3.0, 4.0), "loss/td": (5.0, 6.0)}}
    assert differing(same, early, False) == "s, training: point 2 of 4 is 2.01, stored 2.0"
    assert differing(same, {"s": {"training": (1.0, 2.0, 3.01, 4.0), "loss/td": (5.0, 6.1)}}, False) == ""
    assert differing(same, {"s": {"training": (1.0, 2.0, 3.0, 4.0)}}, True) == "s, loss/td: got none, stored 2 points"


def test_the_gravest_cause_is_the_exit_code() -> None:
    broken = [Canary("a", "differs", "x"), Canary("b", "failed", "y")]
    both = findings(broken, {}, True, Played(), [])
    assert [f.cause for f in both] == ["code changed", "a run failed", "nothing ran"]
    assert exit_code(both) == 1
    assert exit_code(both[1:]) == 3
    assert exit_code(both[2:]) == 4
    assert exit_code([]) == 0
    assert [f.cause for f in findings([Canary("a", "gone", "x")], {}, True, None, [])] == ["code changed"]
    assert [f.cause for f in findings([Canary("a", "missing", "x")], {}, True, None, [])] == ["nothing ran"]


def test_sparklines() -> None:
    assert sparkline([1.0, 2.0, 8.0]) == "▁▂█"
    assert sparkline([3.0, 3.0]) == "▅▅"
