"""Files from `bench new` are complete: they validate, run and are judged unchanged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.suite.loading import load
from bench.suite.shipped import available
from tests.conftest import Bench

SHORT = ("budget.episodes=40", "budget.record_every=20", "budget.evaluate_every=40")


def test_a_new_suite_runs_and_is_judged(bench_here: Bench, tmp_path: Path) -> None:
    written = bench_here("new", "suite", "my_paper")
    assert (written.returncode, written.stderr) == (0, "")
    commands = [line.split() for line in written.stdout.splitlines() if line.startswith("  bench ")]
    assert [words[:2] for words in commands] == [["bench", "validate"], ["bench", "run"]]
    shorter = [part for change in SHORT for part in ("--set", change)]
    for words in commands:
        done = bench_here(*words[1:], *(shorter if words[1] == "run" else []))
        assert done.returncode == 0, done.stderr
        assert not done.stderr or words[1] == "run"
    assert (tmp_path / "runs" / "report" / "my_paper-smoke").is_dir()
    checked = bench_here("check", "my_paper.toml", "--profile", "smoke", "--json", *shorter)
    verdicts = json.loads(checked.stdout)["verdicts"]
    assert {v["verdict"] for v in verdicts} == {"not_comparable"}
    assert {v["seeds"] for v in verdicts} == {3}


def test_a_new_suite_has_its_name_and_no_contradiction(bench_here: Bench, tmp_path: Path) -> None:
    assert bench_here("new", "suite", "another", "--in", ".").returncode == 0
    suite = load(str(tmp_path / "another.toml"))
    assert suite.paper.id == "another"
    assert not (tmp_path / "my_paper.toml").exists()


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        (("suite", "A b"), "small letters"),
        (("method", "1st"), "small letters"),
        (("method", "x", "--in", "nowhere"), "a folder"),
        (("method", "random"), "a name that no other module has"),
        (("method", "numpy"), "a module numpy is installed"),
        (("suite", "knowru"), "no shipped suite's id"),
        (("suite", "there"), "no file there.toml"),
    ],
)
def test_nothing_is_written_over_or_elsewhere(
    words: tuple[str, ...], allowed: str, bench_here: Bench, tmp_path: Path
) -> None:
    assert "knowru" in available()
    (tmp_path / "there.toml").write_text("mine")
    done = bench_here("new", *words)
    assert done.returncode == 2
    assert allowed in done.stderr
    assert [path.name for path in tmp_path.iterdir() if path.suffix in (".toml", ".py")] == ["there.toml"]
    assert (tmp_path / "there.toml").read_text() == "mine"
