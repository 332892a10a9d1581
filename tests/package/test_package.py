"""The published files: the sdist and the wheel, and `bench` installed from that wheel with each Python found here.

Slow, because torch is installed: `tox run -e package`. BENCH_PYTHONS names further interpreters, separated
by colons.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from bench import __version__
from bench.suite.shipped import available
from tests.conftest import ROOT

PARTS = {"bench", "baselines", "suites", "docs", "examples"}
FILES = {"README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "constraints.txt", "pyproject.toml", "PKG-INFO"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pythons() -> list[str]:
    """Those that start: a name on the path may belong to one that is not installed."""
    named = [f"python3.{minor}" for minor in range(11, 16)]
    asked = [path for path in os.environ.get("BENCH_PYTHONS", "").split(os.pathsep) if path]
    return [*filter(starts, named), *asked]


def starts(python: str) -> bool:
    return bool(shutil.which(python)) and not subprocess.run([python, "--version"], capture_output=True).returncode


def called(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    called(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder)
    return folder


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def test_one_version_stands_everywhere() -> None:
    assert PROJECT["version"] == __version__
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## {__version__} (" in (ROOT / "CHANGELOG.md").read_text()


def test_the_index_takes_both(dist: Path) -> None:
    assert sorted(path.suffix for path in dist.iterdir()) == [".gz", ".whl"]
    called(sys.executable, "-m", "twine", "check", "--strict", *dist.iterdir(), cwd=dist)


def test_the_sdist_has_what_the_wheel_is_made_of_and_no_results(dist: Path) -> None:
    with tarfile.open(only(dist, "*.tar.gz")) as archive:
        names = {Path(name).parts[1] for name in archive.getnames() if len(Path(name).parts) > 1}
    assert names >= PARTS
    assert names - PARTS <= FILES | {".gitignore"}
    assert only(dist, "*.tar.gz").stat().st_size < 3 * 2**20


def test_the_wheel_has_suites_types_and_pages(dist: Path) -> None:
    with zipfile.ZipFile(only(dist, "*.whl")) as archive:
        names = archive.namelist()
    assert {f"bench/suites/{name}.toml" for name in available()} <= {*names}
    assert {"bench/py.typed", "bench/site/docs/verdicts.md"} <= {*names}
    tops = {Path(name).parts[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"bench", "baselines"}
    assert only(dist, "*.whl").stat().st_size < 3 * 2**20


@pytest.mark.parametrize("python", pythons())
def test_it_works_from_the_wheel_alone(dist: Path, python: str, tmp_path: Path) -> None:
    """In an empty folder, with nothing of the checkout: suites, a suite of one's own, a run and its verdicts."""
    called(python, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    bin_ = tmp_path / "venv" / "bin"
    wheel = only(dist, "*.whl")
    called(bin_ / "python", "-I", "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheel, cwd=tmp_path)
    called(bin_ / "python", "-I", "-m", "pip", "check", cwd=tmp_path)
    here = tmp_path / "empty"
    here.mkdir()

    def bench(*arguments: str) -> str:
        return called(bin_ / "bench", *arguments, cwd=here)

    assert bench("--version").strip() == f"marl-distill-bench {__version__}"
    for name in available():
        assert name in bench("ls", "suites")
    bench("validate")
    bench("new", "suite", "mine")
    short = ("--profile", "smoke", "--set", "budget.episodes=40", "--set", "budget.record_every=20")
    bench("run", "mine.toml", *short, "--set", "budget.evaluate_every=40")
    judged = json.loads(bench("check", "mine.toml", "--json", *short, "--set", "budget.evaluate_every=40"))
    assert judged["verdicts"]
    bench("leaderboard", "--suite", "mine.toml", "--results", "runs", "--out", "site")
    assert (here / "site" / "index.html").exists()
