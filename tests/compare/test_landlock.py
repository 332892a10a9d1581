"""A guest writes only in its own folder, where the kernel has Landlock."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.processes import landlock
from bench.store import Store
from tests.compare.conftest import Played
from tests.conftest import ROOT

REFUSED = "PermissionError"
ALLOWED = ("scratch", "lock", "null", "here")
PROCESSES = ("keeper", "harness")  # signals to them

needs_landlock = pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")


@needs_landlock
def test_it_writes_in_its_own_folder_alone(played: Played, tmp_path: Path) -> None:
    results = tmp_path / "results"
    store = Store(results)
    store.open_for_writing()
    store.ledger.note("0" * 16, b"")
    before = (results / "guests" / "written.txt").read_bytes()
    record = played("hostile:writes_everywhere", hyperparameters={"results": str(results)})
    assert record.status == "finished", record.reason
    log = (results / "logs" / f"{record.run}.log").read_text()
    lines = (line.removeprefix("tried ") for line in log.splitlines() if line.startswith("tried "))
    said = dict(line.split(": ") for line in lines)  # multiprocessing has words of its own
    scratch = Path(said.pop("scratch folder"))
    refused = {*said} - {*ALLOWED} - (set() if landlock.version() >= landlock.SIGNALS_ABI else {*PROCESSES})
    assert len(refused) >= 9
    assert {said[name] for name in refused - {"child"}} == {REFUSED}
    assert said["child"] == "CalledProcessError"
    assert {said[name] for name in ALLOWED} == {"done"}
    assert (results / "guests" / "written.txt").read_bytes().startswith(before)
    assert {path.name for path in (results / "records").iterdir()} == {f"{record.run}.json"}
    assert scratch.name.startswith("bench-guest-")
    assert not scratch.exists()


@needs_landlock
def test_only_the_named_folder_may_be_written(tmp_path: Path) -> None:
    """In a process of its own, because it cannot be undone."""
    for name in ("own", "other"):
        (tmp_path / name).mkdir()
    code = (
        "from pathlib import Path; from bench.processes.landlock import confine\n"
        "assert confine([Path('own')]); Path('own/file').write_text('x'); Path('own/file').rename('own/renamed')\n"
        "Path('other/file').write_text('x')"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True, check=False
    )
    assert done.stderr.endswith("PermissionError: [Errno 13] Permission denied: 'other/file'\n")
    assert (tmp_path / "own" / "renamed").exists()


def test_without_landlock_nothing_is_confined(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(landlock, "_call", lambda *_: -1)
    assert landlock.version() == 0
    assert not landlock.confine([tmp_path / "nowhere"])
