"""Ten thousand damaged files, and as many valid suites as hypothesis can draw in a few minutes."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings

from bench.plan import Selection, make_plan
from bench.store import Store
from bench.suite import Suite
from bench.suite.loading import dump, parse
from bench.suite.shipped import folder
from tests.conftest import TINY
from tests.damage import damaged_records, damaged_suites, record_reader, refusals, suite_reader
from tests.suites import Tree, valid_suites
from tests.trained import train


@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tree=valid_suites())
def test_any_valid_suite_survives_load_dump_load(tree: Tree) -> None:
    suite = parse(tomli_w.dumps(tree).encode(), "drawn.toml")
    again = parse(dump(suite).encode(), "dumped.toml")
    assert again == suite
    assert dump(again) == dump(suite)


@pytest.mark.parametrize(("text", "count"), [(TINY, 2500), ((folder() / "knowru.toml").read_text(), 2500)])
def test_damaged_suite_files(text: str, count: int) -> None:
    counts = refusals(damaged_suites(text, tomllib.loads(text), count, seed=2), suite_reader("x.toml"), "x.toml")
    assert sum(counts.values()) == count
    assert counts["refused"] > 0.9 * count


def test_damaged_records(tiny: Suite, tmp_path: Path) -> None:
    """A finished teacher's record and a student's, as training writes them."""
    plan, store = make_plan(tiny, Selection(seeds=(0,))), Store(tmp_path)
    train(plan, store)
    paths = sorted((tmp_path / "records").iterdir())
    assert len(paths) == 4
    for seed, path in enumerate(paths):
        counts = refusals(damaged_records(path.read_bytes(), 1250, seed), record_reader(path), str(path))
        assert sum(counts.values()) == 1250
        assert counts["refused"] > 0.9 * 1250
