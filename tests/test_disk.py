"""A folder that fails during a run leaves one error with the path and the fix, and the earlier records.

tests/slow has full and read-only disks; here a limit on file sizes replaces them.
"""

from __future__ import annotations

import errno
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.executors.dispatch import Options
from bench.executors.local import execute
from bench.plan import Selection, make_plan
from bench.store import Store, storage_problem, write_atomically
from bench.suite import Suite
from tests.crash import ENVIRONMENT
from tests.disk import contents
from tests.synthetic import fill
from tests.test_verdict import levels

LARGEST = 4200  # bytes: the check at the start fits, a record does not


def test_a_write_that_is_refused_under_way(tiny: Suite, tiny_file: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    fill(Store(results), make_plan(tiny, Selection(seeds=(0,))), levels(base=-8.0))
    before = contents(results)
    assert before
    long_winded = tiny_file.read_text().replace(
        'source = "a guess"', f'source = "{"a guess " * 200}"'
    )  # stands in notes
    tiny_file.write_text(long_winded)
    options = ("--seeds", "2", "--jobs", "1", "--results", str(results))
    done = subprocess.run(
        [sys.executable, "-m", "bench", "run", str(tiny_file), *options],
        env=ENVIRONMENT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, LARGEST)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    (line,) = done.stderr.strip().splitlines()
    for words in (str(results), "File too large; raise the limit on file sizes", "the same command goes on"):
        assert words in line
    assert contents(results) == before


def test_a_folder_that_vanishes_under_way(tiny: Suite, tmp_path: Path) -> None:
    store, elsewhere = Store(tmp_path / "results"), tmp_path / "elsewhere"
    store.open_for_writing()

    def vanish(event: dict[str, Any]) -> None:
        if event["event"] == "started" and not elsewhere.exists():
            shutil.move(store.root, elsewhere)

    outcome = execute(make_plan(tiny, Selection(seeds=(0,))), store, Options(jobs=1, checkpoint_s=0.0), vanish)
    assert outcome.broken.startswith(str(store.root))
    assert "No such file or directory; bring the folder back" in outcome.broken
    assert not outcome.finished
    assert not store.root.exists()


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.ENOSPC, "make room there"),
        (errno.EDQUOT, "make room there, or raise the quota"),
        (errno.EROFS, "make it writable"),
        (errno.ESTALE, "bring the folder back"),
        (errno.EIO, "repair it"),
    ],
)
def test_each_kind_of_trouble_has_its_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, mend: str
) -> None:
    def refuse(_: int) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(OSError, match="no") as caught:
        write_atomically(tmp_path / "record.json", b"{}")
    assert storage_problem(caught.value, tmp_path).startswith(f"{tmp_path}/record.json: no; {mend}")
    assert not list(tmp_path.iterdir())
