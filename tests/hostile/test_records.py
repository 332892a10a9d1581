"""Records that are damaged or forged, among sound ones: no impossible record is counted, and none stops anything."""

from __future__ import annotations

import json
import math
import random
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.plan import Selection, make_plan
from bench.site import documents
from bench.store import Record, Store, readable
from bench.store.verify import verify
from bench.suite.loading import parse
from tests.attempts import attempt, command, drawn
from tests.conftest import TINY
from tests.damage import JSON_OTHERS, bytes_flipped, restructured, truncated
from tests.forge import doubled, hashed
from tests.synthetic import fill

seeds = st.integers(0, 2**64 - 1)
OTHERS = [*JSON_OTHERS, 1e308, -1e151, 2**53, "\ud800", "../../x", [None], [1e308], [0.0, None]]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A seed of the tiny suite, and the suite's file."""
    folder = tmp_path_factory.mktemp("records")
    plan = make_plan(parse(TINY.encode(), "tiny.toml"), Selection(seeds=(0,)))
    fill(Store(folder / "runs"), plan, lambda cell, seed: [-3.0 - seed, -2.0, -1.5 - seed / 7])
    (folder / "tiny.toml").write_text(TINY)
    shutil.copytree(folder / "runs", folder / "changed")
    return folder


def damage(path: Path, chance: random.Random) -> None:
    """Changes a record's file, like a broken disk or like a forger, who mends the hashes."""
    content, how = path.read_bytes(), chance.randrange(6)
    if how == 0:
        path.write_bytes(bytes_flipped(content, chance))
    elif how == 1:
        path.write_bytes(truncated(content, chance))
    elif how == 2:
        keys = [line for line in content.decode().splitlines() if '": ' in line and line.endswith(",")]
        line = chance.choice(keys)
        doubled(path, f"{line.split(':')[0]}: {chance.choice(['-0.5', 'null', '[]', '1e308'])},\n", line)
    else:
        body = restructured(json.loads(content), chance, OTHERS)
        if how == 3:
            scores = body.get("numbers", {}).get("scores") if isinstance(body.get("numbers"), dict) else None
            if scores and isinstance(scores, list) and isinstance(scores[0], dict):
                scores[0]["final"] = chance.choice([-0.5, 1e308, 1e100, None, 0])
        path.write_bytes(readable(hashed(body)) if how < 5 else json.dumps(body).encode())


def possible(record: Record) -> bool:
    """Computed a second time: the properties of every real run."""
    for scores in record.numbers.scores:
        curves = [c.model_dump(exclude_none=True) for c in scores.curves.values()]
        if any(len({len(own) for own in curve.values()}) != 1 or not curve["mean"] for curve in curves):
            return False
        returns = [one for one in scores.returns if one is not None]
        final = float(np.mean(returns)) if returns and len(returns) == len(scores.returns) else None
        numbers = [x for curve in curves for own in curve.values() for x in own if x is not None] + [final or 0.0]
        if scores.final != final or not all(math.isfinite(x) and abs(x) <= 1e150 for x in numbers):
            return False
        if record.status == "finished" and final is None:
            return False
    return len(record.numbers.scores) == 1


def changed(filled: Path, seed: int) -> Path:
    """The folder's records restored, one of them damaged; its file.

    Only the one that was damaged before is written again: copying all of them took half of a draw's time.
    """
    chance, records = random.Random(seed), filled / "changed" / "records"
    last = filled / "last"
    if last.exists():
        name = last.read_text()
        shutil.copy(filled / "runs" / "records" / name, records / name)
    path = records / chance.choice(sorted(own.name for own in (filled / "runs" / "records").iterdir()))
    last.write_text(path.name)
    damage(path, chance)
    return path


@drawn("records", 0.98)
@given(seed=seeds)
def test_no_record_that_cannot_be_is_counted(filled: Path, seed: int) -> None:
    with attempt("records"):
        path = changed(filled, seed)
        store = Store(filled / "changed")
        contents, found = store.contents(), verify(store)
        counted = {record.run: record for own in contents.cells.values() for record in own.values()}
        assert len(counted) + len(contents.damaged) == 4
        assert all(map(possible, counted.values()))
        if path.stem in counted:
            before = Store(filled / "runs").record(path.stem)
            assert before is not None
            if counted[path.stem].numbers != before.numbers:  # a forger who thinks of everything: `verify --rerun`
                assert (
                    json.loads(path.read_bytes())["content_hash"]
                    != json.loads((filled / "runs" / "records" / path.name).read_bytes())["content_hash"]
                )
        else:
            assert any(str(path.name) in finding.file for finding in found.findings)


@pytest.mark.parametrize("verb", ["check", "report", "leaderboard", "plan", "verify"])
def test_one_bad_record_stops_no_command(filled: Path, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    """Figures are drawn but not written, and the site's documents are made once: these took most of the time."""
    monkeypatch.setattr("bench.report.figures.save", lambda figure, path: path)
    monkeypatch.setattr("bench.site.documents.html", cache(documents.html))
    runs, suite = filled / "changed", filled / "tiny.toml"
    options = {
        "leaderboard": ["--suite", suite, "--results", runs, "--out", filled / "site", "--no-pictures"],
        "verify": [runs],
    }.get(verb, [suite, "--results", runs])

    @drawn("records", 0.004)
    @given(seed=seeds)
    def test(seed: int) -> None:
        with attempt("records"):
            changed(filled, seed)
            code, _, err = command(monkeypatch, verb, *options)
            assert code in ((0, 1) if verb == "verify" else (0,)), err

    test()
