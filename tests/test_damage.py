"""Damaged suite files and records end in a named refusal; suites survive a round trip; nothing is ever unpickled.

tests/slow does the same ten thousand times.
"""

from __future__ import annotations

import json
import os
import pickle
import tomllib
from pathlib import Path

import pytest
import tomli_w
import torch
from hypothesis import given, settings

from bench.store import Store, StoreError, canonical, read_record, sha256
from bench.store.checkpoints import load_checkpoint, load_weights, save_checkpoint
from bench.suite import SuiteError
from bench.suite.loading import dump, load, parse
from bench.suite.shipped import available, folder
from tests.conftest import TINY
from tests.damage import damaged_records, damaged_suites, record_reader, refusals, suite_reader
from tests.suites import Tree, valid_suites
from tests.test_imports import MODULES, imports, name_of
from tests.test_store import A, record


@settings(max_examples=15, deadline=None)
@given(tree=valid_suites())
def test_a_valid_suite_survives_load_dump_load(tree: Tree) -> None:
    suite = parse(tomli_w.dumps(tree).encode(), "drawn.toml")
    dumped = dump(suite)
    again = parse(dumped.encode(), "dumped.toml")
    assert again == suite
    assert dump(again) == dumped


@pytest.mark.parametrize("name", available())
def test_a_shipped_suite_survives_load_dump_load(name: str) -> None:
    dumped = dump(load(name))
    assert parse(dumped.encode(), "dumped.toml") == load(name)
    assert tomllib.loads(dumped) == tomllib.loads((folder() / f"{name}.toml").read_text())


def test_damaged_suite_files_are_refused_by_name() -> None:
    counts = refusals(damaged_suites(TINY, tomllib.loads(TINY), 300, seed=1), suite_reader("x.toml"), "x.toml")
    assert counts["refused"] > 250


def test_damaged_records_are_refused_by_name(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.open_for_writing()
    store.write_record(record())
    path = store.record_path(A)
    counts = refusals(damaged_records(path.read_bytes(), 300, seed=1), record_reader(path), str(path))
    assert counts["refused"] > 250


@pytest.mark.parametrize(
    "text", ["a = " + "9" * 5000, "a = " + "[" * 5000 + "]" * 5000, "a = 1979-05-27", "a = inf", "\x00", "[a]\n[a]"]
)
def test_toml_that_no_parser_likes(text: str) -> None:
    with pytest.raises(SuiteError, match=r"x\.toml"):
        parse(text.encode(), "x.toml")


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', '{"a": ' + "9" * 5000 + "}", "\xff", "null"],
)
def test_json_that_no_parser_likes(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(StoreError, match=r"x\.json"):
        read_record(path)


@pytest.mark.parametrize("key", ["numbers", "settings", "status", "schema_version"])
def test_a_forged_record_is_refused_by_key(tmp_path: Path, key: str) -> None:
    """Even if the content hash was corrected."""
    store = Store(tmp_path)
    store.open_for_writing()
    store.write_record(record())
    path = store.record_path(A)
    body = json.loads(path.read_text())
    body[key] = "other"
    del body["content_hash"]
    body["content_hash"] = sha256(canonical(body))
    path.write_text(json.dumps(body))
    with pytest.raises(StoreError, match=rf"x?{path.name}: {key}"):
        read_record(path)


class Malicious:
    """Unpickling it makes a folder."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("form", ["pickle", "torch"])
def test_a_pickle_is_never_run(tmp_path: Path, form: str) -> None:
    """As weights whose hash the record states, as a checkpoint, as a replay log, as a record and as a suite file."""
    mark, file, run = tmp_path / "mark", tmp_path / "malicious", "a" * 16
    if form == "pickle":
        file.write_bytes(pickle.dumps(Malicious(mark)))
    else:
        torch.save(Malicious(mark), file)
    content = file.read_bytes()
    store = Store(tmp_path / "results")
    store.open_for_writing()
    store.weights_path(run).write_bytes(content)
    with pytest.raises(StoreError, match="not a safetensors file"):
        load_weights(store, run, sha256(content))
    (store.checkpoints / f"{run}.safetensors").write_bytes(content)
    dropped: list[str] = []
    assert load_checkpoint(store, run, dropped.append) is None
    save_checkpoint(store, run, {}, {"done": 2, "replay_first": 0, "replay_stop": 2})
    (store.checkpoints / run).mkdir()
    (store.checkpoints / run / "000000000-000000002.safetensors").write_bytes(content)
    found = load_checkpoint(store, run, dropped.append)
    assert found is not None
    with pytest.raises(StoreError, match="not a complete safetensors file"):
        found.replay[0].read()
    assert len(dropped) == 1
    store.record_path(run).write_bytes(content)
    with pytest.raises(StoreError, match="not a complete JSON file"):
        store.record(run)
    with pytest.raises(SuiteError, match="malicious"):
        parse(content, "malicious.toml")
    assert not mark.exists()
    pickle.loads(pickle.dumps(Malicious(mark)))
    assert mark.exists()  # it would have done it


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_here_can_unpickle(path: Path) -> None:
    assert not {name.partition(".")[0] for name in imports(path)} & {
        "pickle",
        "cloudpickle",
        "dill",
        "joblib",
        "shelve",
    }
    text = path.read_text()
    if path.name == "epymarl.py":  # of one file, known by its hash before it is opened, tensors alone
        assert text.count("torch.load(") == text.count("weights_only=True") == 1
    else:
        assert "torch.load" not in text
    assert "allow_pickle" not in text
