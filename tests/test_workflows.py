"""The workflows are what GitHub allows (the schema that check-jsonschema brings along), and call what is here."""

from __future__ import annotations

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
