"""Names from elsewhere: of suites, profiles, runs and methods. None leaves its folder, and none is mistaken for
another.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from bench.plan import Selection, make_plan
from bench.store import Store, StoreError, file_name
from bench.store.diff import find
from bench.suite import SuiteError
from bench.suite.loading import load, parse
from tests.attempts import attempt, drawn
from tests.conftest import TINY
from tests.synthetic import fill

pieces = st.sampled_from(
    ["..", ".", "/", "\\", "~", "a", "B", "-", ":", "\0", "\n", "con", "\x1b[2J", "é", "_" * 90, " "]
)
plain = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,12}", fullmatch=True)
names = st.lists(pieces, max_size=8).map("".join) | st.text(max_size=40) | plain


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("names") / "deep" / "runs")
    fill(store, make_plan(parse(TINY.encode(), "tiny.toml"), Selection()), lambda cell, seed: [-3.0, -2.0])
    return store


@drawn("names", 0.5)
@given(suite=names, profile=names, experiment=names, method=names)
def test_ids_of_a_suite(suite: str, profile: str, experiment: str, method: str) -> None:
    text = TINY.replace('id = "tiny"', tomli_w.dumps({"id": suite}).strip())
    text = text.replace("profile.half", tomli_w.dumps({profile: 0}).partition(" = ")[0].join(["profile.", ""]))
    with attempt("names", SuiteError):
        read = parse(text.encode(), "drawn.toml")
        root = Path("/of/results")
        for parts in ((read.id, *read.profile), (read.id, experiment, method), (suite, profile)):
            path = root / file_name(*parts)
            assert path.parent == root
            assert path.resolve() == path
            assert len(path.name) < 100


@drawn("names", 0.25)
@given(name=names)
def test_names_of_runs(store: Store, name: str) -> None:
    with attempt("names", StoreError):
        assert find(store, name).run.startswith(name)


@drawn("names", 0.25)
@given(name=names)
def test_names_of_suites(name: str) -> None:
    with attempt("names", SuiteError):
        load(name)
