"""A night's statements on its time, and on the files behind a change."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import bench
from bench.nightly import checking
from bench.nightly.budget import Played
from bench.nightly.canaries import Outcome
from bench.nightly.causes import findings
from bench.nightly.stored import CanaryFile, Change
from bench.processes.platforms import this_platform
from bench.store import provenance


def kept(commit: str | None, dirty: bool = False) -> CanaryFile:
    change = Change(when="2026-11-30", reason="x", commit=commit, dirty=dirty)
    return CanaryFile(platform=this_platform(), packages={}, changes=(change,), canaries={})


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A repository with a package, committed once; the code that runs seems to be there."""
    for name in ("bench/__init__.py", "baselines/qmix.py", "docs/a.md"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("1\n")
    git = ("git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.org")
    for command in (("init", "-q"), ("add", "."), ("commit", "-qm", "x")):
        subprocess.run([*git, *command], check=True, capture_output=True)
    monkeypatch.setattr(bench, "__file__", str(tmp_path / "bench" / "__init__.py"))
    provenance.source.cache_clear()
    yield tmp_path
    provenance.source.cache_clear()


def test_a_code_cause_names_the_files_that_differ(checkout: Path) -> None:
    commit, dirty = provenance.source()
    assert commit is not None
    assert dirty is False
    short = commit[:10]
    assert checking.since(kept(commit)) == (
        f"since commit {short}, whose canaries are stored, these files differ: none; the tree here is clean"
    )
    (checkout / "baselines" / "qmix.py").write_text("2\n")
    (checkout / "docs" / "a.md").write_text("2\n")  # changes no number
    provenance.source.cache_clear()
    assert checking.since(kept(commit, dirty=True)) == (
        f"since commit {short}, whose canaries are stored (of a dirty tree), these files differ: baselines/qmix.py; "
        "the tree here is dirty"
    )


def test_a_commit_that_is_not_here_is_said_to_be_so(checkout: Path) -> None:
    assert "is not in a history here" in checking.since(kept("0" * 40))
    assert checking.since(kept(None)) == "the stored canaries name no commit"


def test_a_budget_that_would_do_is_named() -> None:
    """Canaries took 170 s of 3 minutes, and no cell ran: 170 s and 1.2 times 95 s are 4.7 minutes."""
    played = Played(postponed={"a": "x", "b": "y"}, needs={"a": 95.0, "b": 300.0}, before_s=170.0)
    (finding,) = findings([Outcome("c", "same")], {}, True, played, [])
    assert finding.says == (
        "the time allows no cell: canaries took 170 s, the shortest cell needs about 95 s; --budget 5m would do"
    )
