"""Terminals: the encoding, a reader that leaves, and that no crash looks like an answer."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT, Bench

ASCII = {"PYTHONIOENCODING": "ascii"}
C_LOCALE = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": ""}


@pytest.mark.parametrize("environment", [ASCII, C_LOCALE], ids=["ascii", "C"])
def test_what_an_encoding_lacks_is_replaced(bench: Bench, environment: dict[str, str]) -> None:
    done = bench("audit", "ptde", **environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert r"\xb1" in done.stdout  # of a printed value's spread


def test_a_crash_is_no_answer(bench_here: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1 means that something was checked and found bad."""

    def crash() -> None:
        raise ValueError("a fault\x1b[31m")

    monkeypatch.setattr("bench.commands.suites.available", crash)
    done = bench_here("validate")
    assert done.returncode == 70
    assert "ValueError: a fault\\x1b[31m" in done.stderr
    assert "please report it" in done.stderr


def test_a_reader_that_goes_away() -> None:
    """As `| head` does: neither a traceback nor a meaningful exit code."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "bench", "ls", "published", "ptde"],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    assert (done.returncode, done.stderr) == (141, "")


def test_help_shows_every_word(bench_here: Bench) -> None:
    verbs = " ".join(bench_here("--help").stdout.split())
    assert "measure a scenario's scale with scripted policies" in verbs
    assert "check papers against their own tables and their authors' code" in verbs
    assert "[scenario.anchors]" in bench_here("anchors", "--help").stdout
    assert "[METHOD.][budget.]KEY=VALUE" in bench_here("run", "--help").stdout
