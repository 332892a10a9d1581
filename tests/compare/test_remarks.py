"""Behaviour of a method that is noticed but breaks no rule: its record and the comparison mention it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.guests.method import EARLY
from bench.guests.process import MethodProcess
from bench.run.job import Limits
from tests.compare.conftest import Played

CHANGES = "its policy changes from one evaluation to the next, on the same episodes: "


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("hostile:changes_its_mind", r"[1-9][\d,]* of [\d,]+ actions differ"),
        ("learners:Fickle", r"[1-4] of 4 episodes have another score"),
    ],
)
def test_a_policy_that_changes_is_noticed(played: Played, target: str, says: str) -> None:
    record = played(target)
    assert record.status == "finished", record.reason
    (remark,) = (r for r in record.remarks if not r.startswith(EARLY))
    assert re.fullmatch(CHANGES + says, remark)


def test_one_that_keeps_still_is_not(played: Played) -> None:
    for target in ("hostile:overspends", "learners:Twin"):
        record = played(target)
        assert (record.status, record.remarks) == ("finished", ())


def test_files_that_a_guest_leaves_are_named(played: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are in a folder of its own, not where bench was called."""
    called = tmp_path / "called"
    called.mkdir()
    monkeypatch.chdir(called)
    record = played("hostile:leaves_files")
    says = "it left files in its own folder, which was removed: 'deep/log\\x1b[2J.txt', 'weights.pt'"
    assert record.remarks == (f"{EARLY} 0 of 150 steps", says)
    assert list(called.iterdir()) == []
    log = (tmp_path / "results" / "logs" / f"{record.run}.log").read_text()
    own = Path(log.partition("tried here: ")[2].splitlines()[0])
    assert own.name.startswith("bench-guest-")
    assert not own.exists()


def test_files_that_appear_where_bench_was_called_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the kernel does not prevent it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").write_text("")
    with MethodProcess({"order": "describe", "target": "json:dumps"}, Limits(), None) as process:
        assert process.left() == []
        for i in range(7):
            (tmp_path / f"torch{i}.py").write_text("")
        assert process.left() == [
            "while it ran, files appeared in the folder that bench was called from: "
            "'torch0.py', 'torch1.py', 'torch2.py', 'torch3.py', 'torch4.py' and 2 more"
        ]


def test_a_file_beyond_the_limit_ends_the_run(played: Played) -> None:
    record = played("hostile:fills_the_disk", limits=Limits(file_bytes=2**25))
    assert record.status == "failed"
    assert record.reason.startswith("OSError: [Errno 27] File too large")
