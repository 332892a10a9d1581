"""An older results folder is still read in the same way, and `check --json` gives what it gave then.

Its records are published ones, unchanged, of schema 1 and 2. check.json is what the first commit that had
`check --json`, 2ea6343, printed for those of schema 1. Its words are "text" here, because words may change.
Judgement has moved since, which no key shows: intervals and verdicts are those of seeds compared as pairs, and since
version 3 of the suite two claims ask for their margin, so that they need six seeds where five would do.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from bench.plan import Selection, make_plan
from bench.store import Store, numbers_hash
from bench.suite import Suite
from tests.conftest import ROOT, Bench
from tests.trained import train

RECORDS = ROOT / "results" / "records"
BEFORE = json.loads(Path(__file__).with_name("check.json").read_text())
CELLS = [("spread/I", "maddpg"), ("spread/II", "maddpg"), ("spread/II", "maddpg_init"), ("spread/II", "knowru")]
SELECTED = ("knowru", "--reading", "first-edition", "--only", "spread/II", "--seeds", "3")
# The settings of then are a reading now, and have a direction where they had a verdict.
DIRECTED = {"reproduced": "same_direction", "also_untrained": "same_direction", "not_reproduced": "opposite_direction"}
TEXTS = ("says", "where", "reason", "remark")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Fifteen records: three seeds of four cells of schema 1, and of one of schema 2."""
    folder = tmp_path / "old"
    (folder / "records").mkdir(parents=True)
    schemas = []
    for path in sorted(RECORDS.glob("*.json")):
        body = json.loads(path.read_bytes())
        own = body["experiment"], body["method"]
        wanted = (own in CELLS and body["schema_version"] == 1) or own == ("opponents", "adversary_maddpg")
        if wanted and body["seed"] < 3:
            shutil.copy(path, folder / "records")
            schemas.append(body["schema_version"])
    assert sorted(schemas) == [1] * 12 + [2] * 3
    return folder


def assert_holds(now: Any, before: Any, key: str = "") -> None:
    """Every earlier key is there with its earlier value; there may be more keys, and more rows of claims."""
    if isinstance(before, dict) and before.get("verdict") in {*DIRECTED, "inconclusive"}:
        assert (now["verdict"], now["direction"]) == ("not_comparable", DIRECTED.get(before["verdict"], "undecided"))
        before = {key: value for key, value in before.items() if key not in ("verdict", "seeds_to_decide")}
    if isinstance(before, dict):
        assert before.keys() <= now.keys(), key
        for name in before:
            assert_holds(now[name], before[name], name)
    elif key in ("verdicts", "deviations") and isinstance(before, list):
        rows = {row["id"]: row for row in now}
        for row in before:
            assert_holds(rows[row["id"]], row)
    elif isinstance(before, list):
        assert len(now) == len(before), key
        for one, other in zip(now, before, strict=True):
            assert_holds(one, other, key)
    elif before == "text" or key in TEXTS:
        assert isinstance(now, str), key
    elif isinstance(before, float):
        assert now == pytest.approx(before, rel=1e-9), key
    else:
        assert now == before, key


def test_every_verb_reads_an_old_folder(bench_here: Bench, old: Path) -> None:
    verified = bench_here("verify", old, "--json")
    assert verified.returncode == 0, verified.stdout
    assert json.loads(verified.stdout)["finished"] == 15
    done = bench_here("check", *SELECTED, "--results", old, "--json")
    assert done.returncode == 0, done.stderr
    now = json.loads(done.stdout)
    counted = Counter(row["verdict"] for row in now["verdicts"])
    assert BEFORE["counts"].keys() <= now["counts"].keys()
    assert counted == {key: count for key, count in now["counts"].items() if count}
    assert now["version"] >= BEFORE["version"]  # of the suite, which has more claims since
    assert_holds(now, {key: value for key, value in BEFORE.items() if key not in ("version", "counts")})
    done = bench_here("report", *SELECTED, "--results", old, "--format", "csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(row["id"] in done.stdout for row in BEFORE["verdicts"])
    done = bench_here(
        "leaderboard", "--suite", "knowru", "--suite", "mkt_marl", "--results", old, "--no-pictures", "--json"
    )
    assert (done.returncode, done.stderr) == (0, "")
    site = "".join(path.read_text() for path in Path(json.loads(done.stdout)["site"]).parent.rglob("*.html"))
    assert not [path.stem for path in (old / "records").iterdir() if path.stem not in site]


def test_what_is_damaged_is_still_told_under_its_key(bench_here: Bench, old: Path) -> None:
    victim = sorted((old / "records").iterdir())[0]
    victim.write_bytes(victim.read_bytes()[:100])
    done = bench_here("check", *SELECTED, "--results", old, "--json")
    (line,) = json.loads(done.stdout)["damaged"]
    assert str(victim) in line


def test_a_checkpoint_from_before_is_dropped_with_a_line(
    bench_here: Bench, tiny: Suite, tiny_file: Path, old: Path, tmp_path: Path
) -> None:
    """Its files had the names that they have, and no metadata: neither format nor run, place or hash."""
    plan, expected = make_plan(tiny, Selection(only=("source",), seeds=(0,))), Store(tmp_path / "expected")
    train(plan, expected)
    (run,) = (run.id for run in plan.runs)
    log = old / "checkpoints" / run
    log.mkdir(parents=True)
    (log / "000000000-000000008.safetensors").write_bytes(save({"obs": np.zeros((8, 6, 2, 12))}))
    progress = np.frombuffer(json.dumps({"episodes": 8, "replay_first": 0}).encode(), dtype=np.uint8)
    (old / "checkpoints" / f"{run}.safetensors").write_bytes(save({"learner/x": np.ones(3), "progress": progress}))
    before = {path.name: path.read_bytes() for path in (old / "records").iterdir()}
    done = bench_here("run", tiny_file, "--only", "source", "--seeds", "1", "--results", old)
    assert done.returncode == 0, done.stderr
    said = " ".join((done.stdout + done.stderr).split())
    assert len(re.findall(f"run {run} starts again; its checkpoint is dropped: ", said)) == 1
    assert "1 run: 1 trained now" in said
    assert not list((old / "checkpoints").iterdir())
    ours, theirs = Store(old).record(run), expected.record(run)
    assert ours is not None
    assert theirs is not None
    assert numbers_hash(ours) == numbers_hash(theirs)
    assert before.items() <= {path.name: path.read_bytes() for path in (old / "records").iterdir()}.items()
