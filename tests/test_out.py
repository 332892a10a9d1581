"""`--out`, whatever it names: no file of the user is lost, and one message says what is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.nightly.report import FILES, require_folder
from bench.plan import Selection, make_plan
from bench.store import Store, StoreError
from bench.suite import Suite
from tests.conftest import Bench
from tests.synthetic import fill

THESIS = "ten years of work\n"


@pytest.fixture
def verbs(tiny: Suite, tiny_file: Path, tmp_path: Path) -> dict[str, list[object]]:
    """The arguments before `--out FILE`, for every verb that writes a file."""
    fill(Store(tmp_path / "runs"), make_plan(tiny, Selection(seeds=(0,))), lambda cell, seed: [-2.0])
    where = ("--results", tmp_path / "runs", "--seeds", "0,")
    exports = {name: ["export", name, "--suite", tiny_file, "--only", "source", *where] for name in ("csv", "rliable")}
    return {**exports, "report": ["report", tiny_file, "--format", "md", *where]}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with a file in it."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "thesis.txt").write_text(THESIS)
    monkeypatch.setenv("HOME", str(folder))
    return folder


def everything(folder: Path) -> dict[str, str]:
    return {str(path): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("verb", ["csv", "rliable", "report"])
def test_a_file_is_never_lost(bench_here: Bench, verbs: dict[str, list[object]], home: Path, verb: str) -> None:
    link, pipe, before = home / "link", home / "pipe", everything(home)
    link.symlink_to(home / "thesis.txt")
    os.mkfifo(pipe)
    others = [(out, "--force") for out in (home, "/", ".", link, pipe, home / "thesis.txt" / "below")]
    for out, *force in [(home / "thesis.txt",), (link,), *others]:
        done = bench_here(*verbs[verb], "--out", out, *force)
        assert done.returncode == 2
        assert done.stderr.startswith(f"{out}: 1 problem(s)\n  --out\n"), done.stderr
    link.unlink()
    assert everything(home) == before
    assert bench_here(*verbs[verb], "--out", home / "thesis.txt", "--force").returncode in (0, 4)
    assert (home / "thesis.txt").read_bytes() != THESIS.encode()


def test_the_file_beside_an_export_is_not_lost(bench_here: Bench, verbs: dict[str, list[object]], home: Path) -> None:
    (home / "r.npz.json").write_text(THESIS)
    done = bench_here(*verbs["rliable"], "--out", home / "r.npz")
    assert done.returncode == 2
    assert "r.npz.json: 1 problem(s)" in done.stderr
    assert not (home / "r.npz").exists()


def test_the_same_again_is_no_loss(bench_here: Bench, verbs: dict[str, list[object]], home: Path) -> None:
    for _ in range(2):
        assert bench_here(*verbs["csv"], "--out", home / "c.csv").returncode == 0


def test_a_night_replaces_a_night_alone(tmp_path: Path) -> None:
    for name in FILES:
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text("{}" if name == "night.json" else THESIS)
        with pytest.raises(StoreError, match=f"holds {name} and no night; move them away"):
            require_folder(folder)
    (tmp_path / "summary.md" / "night.json").write_text('{"night": 1, "each_canary": []}')
    for folder in (tmp_path / "summary.md", tmp_path.parent, tmp_path / "new"):
        require_folder(folder)
    with pytest.raises(StoreError, match="is no folder"):
        require_folder(tmp_path / "summary.md" / "summary.md")
    for folder in (Path("/"), Path.home(), Path.home().parent):
        with pytest.raises(StoreError, match="the root folder, or one that contains your home"):
            require_folder(folder)


def test_a_night_says_so_before_it_begins(bench_here: Bench, home: Path) -> None:
    (home / "summary.md").write_text(THESIS)
    done = bench_here("nightly", "--canary-only", "--baseline", home, "--out", home)
    assert done.returncode == 2
    assert (home / "summary.md").read_text() == THESIS
