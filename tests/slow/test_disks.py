"""A full disk, a read-only folder, a vanished folder: one error, earlier records untouched, exit code 3."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Bench
from tests.crash import command, start
from tests.disk import contents, fill_up, read_only, small_disk

LONG = ("--only", "target", "--seeds", "2", "--set", "budget.episodes=20000", "--set", "budget.record_every=1000")
SHORT = ("--only", "source", "--seeds", "2")


@pytest.fixture
def earlier(bench: Bench, tiny_file: Path, tmp_path: Path) -> Callable[[Path], dict[str, bytes]]:
    """Makes records in a folder that must survive the failure."""

    def make(results: Path) -> dict[str, bytes]:
        done = bench("run", tiny_file, *SHORT, "--results", results)
        assert done.returncode == 0, done.stderr
        return contents(results)

    return make


def broken_under_way(tiny_file: Path, results: Path, breaks: Callable[[], object]) -> str:
    """Standard error of a run whose folder breaks once there are checkpoints."""
    process = start(command(tiny_file, results, *LONG))
    deadline = time.monotonic() + 120
    while not list(results.glob("checkpoints/*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.01)
    breaks()
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 3, errors
    assert "Traceback" not in errors
    assert errors.count("the same command goes on from the last checkpoints") == 1, errors
    return errors


def test_a_disk_that_fills_up(tiny_file: Path, tmp_path: Path, bench: Bench, earlier: Callable) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk:
        results = disk / "results"
        before = earlier(results)
        errors = broken_under_way(tiny_file, results, lambda: fill_up(disk, but=0))
        for words in (str(results), "No space left on device", "make room there"):
            assert words in errors
        assert contents(results) == before
        refused = bench("run", tiny_file, *LONG, "--results", results)
        assert refused.returncode == 2
        assert "No space left on device; make room there" in refused.stderr
        assert bench("verify", results).returncode == 0
        (disk / "ballast").unlink()
        after = bench("run", tiny_file, *SHORT, "--set", "budget.episodes=32", "--results", results)
        assert after.returncode == 0, after.stderr
        assert contents(results).items() > before.items()


def test_a_folder_that_becomes_read_only(tiny_file: Path, tmp_path: Path, bench: Bench, earlier: Callable) -> None:
    results = tmp_path / "results"
    before = earlier(results)
    with contextlib.ExitStack() as view:
        errors = broken_under_way(tiny_file, results, lambda: view.enter_context(read_only(results)))
        for words in (str(results), "Read-only file system", "make it writable"):
            assert words in errors
        refused = bench("run", tiny_file, *LONG, "--results", results)
        assert refused.returncode == 2
        assert "Read-only file system; make it writable" in refused.stderr
        selected = (tiny_file, *SHORT, "--results", results)
        for done in (bench("check", *selected), bench("plan", *selected), bench("verify", results)):
            assert done.returncode == 0, done.stderr
    assert contents(results) == before


def test_a_folder_that_vanishes(tiny_file: Path, tmp_path: Path, earlier: Callable) -> None:
    results, elsewhere = tmp_path / "results", tmp_path / "elsewhere"
    before = earlier(results)
    errors = broken_under_way(tiny_file, results, lambda: shutil.move(results, elsewhere))
    for words in (str(results), "No such file or directory", "bring the folder back"):
        assert words in errors
    assert contents(elsewhere) == before
    assert not results.exists()
