"""The workflows fit GitHub's schema (from check-jsonschema), and call commands that exist.

Everything from elsewhere is named by its content: actions by commit, tox by hash, npm by its lock file.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def validated(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_there_are_two() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "nightly.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_they_are_valid(path: Path) -> None:
    done = validated(path)
    assert done.returncode == 0, done.stdout


def test_a_wrong_one_would_be_noticed(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yml"
    bad.write_text(WORKFLOWS[1].read_text().replace("runs-on:", "runs-upon:"))
    done = validated(bad)
    assert (done.returncode, "runs-upon" in done.stdout) == (1, True)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_they_call_tox_environments_that_exist(path: Path) -> None:
    called = re.findall(r"-e (\w+)", path.read_text())
    declared = re.findall(r"^\[testenv:(\w+)\]", (ROOT / "tox.ini").read_text(), re.MULTILINE)
    assert called
    assert {*called} <= {*declared}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(path: Path) -> None:
    """A tag may be moved to other code. The release stands beside the commit, for people."""
    used = re.findall(r"uses: (.*)", path.read_text())
    assert len(used) >= 3
    for line in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_python_packages_before_tox_are_taken_by_hash() -> None:
    texts = [path.read_text() for path in (*WORKFLOWS, ROOT / ".ci" / "run")]
    installs = [line.strip() for text in texts for line in text.splitlines() if "pip install" in line]
    by_hash = [line for line in installs if "pip install --require-hashes -r .ci/tox.txt" in line]
    assert len(by_hash) == 4
    assert [line for line in installs if line not in by_hash] == [
        ".ci/installed/bin/python -m pip install -q -c constraints.txt ."  # our own package
    ]
    pinned = re.findall(
        r"^([\w-]+)==\S+ (\\\n    --hash=sha256:[0-9a-f]{64}\b)", (ROOT / ".ci" / "tox.txt").read_text(), re.M
    )
    assert "tox" in {name for name, _ in pinned}


def test_what_npm_brings_is_locked_and_names_no_registry() -> None:
    """`npm ci` installs what the lock file says, and refuses another content."""
    lock = json.loads((ROOT / "tests" / "browser" / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert all(entry["integrity"].startswith("sha512-") and "resolved" not in entry for entry in packages.values())
    asked = json.loads((ROOT / "tests" / "browser" / "package.json").read_text())["dependencies"]
    assert {name: packages[f"node_modules/{name}"]["version"] for name in asked} == asked
    assert re.findall(r"npm (\w+)", (ROOT / "tox.ini").read_text().partition("commands_pre")[2]) == ["ci"]
