"""bench import: its input, its output, and that own results stay unchanged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.exchange.imported import imports
from bench.store import Store
from tests.conftest import Bench
from tests.exchange.foreign import DECLARED, run


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    path = tmp_path / "theirs.json"
    runs = {"seed_0": run(1, 2), "seed_1": run(2, 3), "seed_7": run(1)}
    path.write_text(json.dumps({"particle": {"two": {"theirs": runs}}}))
    path.with_suffix(".toml").write_text(DECLARED)
    return path


def test_import_on_the_command_line(bench_here: Bench, grid_file: Path, results: Path, theirs: Path) -> None:
    command = ("import", "marl-eval", theirs, "--suite", grid_file, "--results", results)
    dry = bench_here(*command, "--dry-run")
    assert (dry.returncode, imports(results).sound) == (0, ())
    assert "2 runs taken, 1 refused; nothing was written" in dry.stdout
    before = bench_here("check", grid_file, "--only", "source", "--results", results, "--json").stdout
    done = bench_here(*command)
    assert done.returncode == 0
    assert "theirs (imported: theirs) on two: seeds 0, 1" in done.stdout
    assert "absent: theirs on two: no seed 2" in done.stdout
    assert "refused: particle/two/theirs/seed_7: seed 7 is not among" in done.stderr
    (found,) = imports(results).sound
    assert (found.status, found.source.file, len(found.runs), len(found.refused)) == ("imported", "theirs.json", 2, 1)
    assert bench_here("check", grid_file, "--only", "source", "--results", results, "--json").stdout == before
    assert "a name that is not taken" in bench_here(*command).stderr
    again = bench_here(*command, "--name", "other")
    assert (again.returncode, "each file once" in again.stderr) == (2, True)
    assert "at most 80" in bench_here(*command, "--name", "../x").stderr


def test_imported_results_are_no_runs_of_ours(bench_here: Bench, grid_file: Path, results: Path, theirs: Path) -> None:
    """A foreign file may use a method's own name: its seeds never join ours."""
    theirs.write_text(theirs.read_text().replace('"theirs"', '"base"'))
    bench_here("import", "marl-eval", theirs, "--suite", grid_file, "--results", results)
    assert len(imports(results).sound) == 1
    exported = bench_here("export", "csv", "--suite", grid_file, "--only", "source", "--results", results, "--out", "c")
    assert exported.returncode == 0
    assert len(Path("c").read_text().splitlines()) == 1 + 48
    assert len(list(Store(results).root.glob("records/*"))) == 12


def test_verify_looks_at_imports_too(bench_here: Bench, grid_file: Path, results: Path, theirs: Path) -> None:
    bench_here("import", "marl-eval", theirs, "--suite", grid_file, "--results", results)
    assert bench_here("verify", results).returncode == 0
    path = results / "imported" / "theirs.json"
    path.write_text(path.read_text().replace("a friend", "a fiend"))
    done = bench_here("verify", results)
    assert (done.returncode, f"damaged: {path}: content_hash does not match" in done.stdout) == (1, True)


def test_verify_of_imports_alone(bench_here: Bench, grid_file: Path, tmp_path: Path, theirs: Path) -> None:
    """A folder that `bench import` made: it has no records."""
    new = tmp_path / "new"
    bench_here("import", "marl-eval", theirs, "--suite", grid_file, "--results", new)
    done = bench_here("verify", new)
    assert (done.returncode, done.stdout) == (
        0,
        f"{new}: 0 finished and 0 failed runs, 0 weights files, 1 import(s): sound\n",
    )


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (lambda path: path.with_suffix(".toml").unlink(), 2, "name it with --protocol FILE"),
        (lambda path: path.write_text("{"), 2, "not JSON"),
        (lambda path: path.unlink(), 2, "a file that can be read"),
        (lambda path: path.write_text("{}"), 4, "nothing was imported"),
    ],
)
def test_an_import_that_cannot_be_meant(
    bench_here: Bench, grid_file: Path, tmp_path: Path, theirs: Path, change: Any, code: int, said: str
) -> None:
    change(theirs)
    done = bench_here("import", "marl-eval", theirs, "--suite", grid_file, "--results", tmp_path / "new")
    assert (done.returncode, said in done.stderr) == (code, True)
    assert not (tmp_path / "new").exists()
