"""Checkpoints: whole, of their own run and in their place; others are dropped with a line, and the run starts again."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from bench.store import Store, StoreError
from bench.store.checkpoints import (
    Checkpoint,
    append_replay,
    load_checkpoint,
    read_progress,
    save_checkpoint,
)

T = TypeVar("T")
A, B = "a" * 16, "b" * 16


def opened(folder: Path) -> Store:
    store = Store(folder)
    store.open_for_writing()
    return store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return opened(tmp_path / "results")


def written(store: Store, run: str, stamp: float = 0.0) -> None:
    """A checkpoint after four entries, its log in two parts."""
    for start in (0, 2):
        append_replay(store, run, start, start + 2, {"obs": np.full(2, stamp + start)})
    save_checkpoint(store, run, {"learner/x": np.arange(3.0) + stamp}, counts(4))


def counts(stop: int, first: int = 0) -> dict[str, Any]:
    return {"done": stop, "replay_first": first, "replay_stop": stop}


def logged(found: Checkpoint) -> dict[int, float]:
    return {part.start: part.read()["obs"][0] for part in found.replay}


def must(found: T | None) -> T:
    assert found is not None
    return found


def test_a_checkpoint_comes_back_with_its_replay(store: Store) -> None:
    says: list[str] = []
    arrays = {"learner/x": np.arange(3.0), "learner/step": np.array(2.0), "learner/none": np.zeros((0, 2), np.int64)}
    written(store, A)
    save_checkpoint(store, A, arrays, counts(4))
    append_replay(store, A, 4, 6, {"obs": np.full(2, 4.0)})  # a kill came before its checkpoint
    found = must(load_checkpoint(store, A, says.append))
    assert found.progress == counts(4)
    assert logged(found) == {0: 0, 2: 2}
    assert found.arrays.keys() == arrays.keys()
    assert all(np.array_equal(found.arrays[name], arrays[name]) for name in arrays)
    append_replay(store, A, 4, 8, {"obs": np.full(2, 9.0)})
    save_checkpoint(store, A, arrays, counts(8, first=3))
    again = must(load_checkpoint(store, A, says.append))
    assert logged(again) == {2: 2, 4: 9}  # the ring has wrapped
    assert says == []


def truncate(store: Store) -> None:
    path = store.checkpoints / f"{A}.safetensors"
    path.write_bytes(path.read_bytes()[:-5])


def lose_a_part(store: Store) -> None:
    (store.checkpoints / A / "000000000-000000002.safetensors").unlink()


def lose_the_last_part(store: Store) -> None:
    (store.checkpoints / A / "000000002-000000004.safetensors").unlink()


def take_another_s(store: Store) -> None:
    written(store, B)
    shutil.copy(store.checkpoints / f"{B}.safetensors", store.checkpoints / f"{A}.safetensors")


def take_a_part(store: Store) -> None:
    shutil.copy(store.checkpoints / A / "000000000-000000002.safetensors", store.checkpoints / f"{A}.safetensors")


def write_as_before(store: Store) -> None:
    """In the first format: neither hash nor run."""
    path = store.checkpoints / f"{A}.safetensors"
    path.write_bytes(save(load(path.read_bytes())))


def flip_a_number(store: Store) -> None:
    path = store.checkpoints / f"{A}.safetensors"
    content = bytearray(path.read_bytes())
    content[content.index(np.array(2.0).tobytes())] ^= 1
    path.write_bytes(content)


def count_in_words(store: Store) -> None:
    save_checkpoint(store, A, {}, counts(4) | {"done": "four"})


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (truncate, r"a{16}\.safetensors: not a complete safetensors file"),
        (lose_a_part, "got entries from 2 on; allowed: from 0 on"),
        (lose_the_last_part, "got entries up to 2; allowed: up to 4"),
        (take_another_s, "run: got b{16}; allowed: a{16}"),
        (take_a_part, "place: got replay 0-2; allowed: state"),
        (write_as_before, "format: got 1; allowed: 3, the format of this version"),
        (flip_a_number, "sha256: its content has [0-9a-f]{12}..., but it states [0-9a-f]{12}"),
        (count_in_words, "done: got 'four'; allowed: a whole number"),
    ],
)
def test_a_checkpoint_that_is_not_what_was_written_is_dropped(
    store: Store, damage: Callable[[Store], None], says: str
) -> None:
    written(store, A)
    damage(store)
    lines: list[str] = []
    assert load_checkpoint(store, A, lines.append) is None
    assert lines[0].startswith(f"run {A} starts again; its checkpoint is dropped: ")
    assert re.search(says, lines[0]), lines
    assert not list(store.checkpoints.glob(f"{A}*"))


def test_where_there_is_none_nothing_is_said(store: Store) -> None:
    append_replay(store, A, 0, 2, {"obs": np.zeros(2)})  # a kill came before the first checkpoint
    lines: list[str] = []
    assert load_checkpoint(store, A, lines.append) is None
    assert lines == []
    assert not (store.checkpoints / A).exists()


@pytest.mark.parametrize("source", ["another run", "another place"])
def test_a_part_counts_for_its_run_and_place_alone(store: Store, source: str) -> None:
    written(store, A)
    written(store, B, stamp=9.0)
    path = store.checkpoints / A / "000000000-000000002.safetensors"
    other = {"another run": store.checkpoints / B / path.name, "another place": path.with_name(f"{2:09d}-{4:09d}")}
    shutil.copy(other[source].with_suffix(".safetensors"), path)
    found = must(load_checkpoint(store, A, print))
    allowed = {"another run": f"run: got {B}; allowed: {A}", "another place": "got replay 2-4; allowed: replay 0-2"}
    with pytest.raises(StoreError, match=allowed[source]):
        found.replay[0].read()
    assert found.replay[1].read()["obs"][0] == 2


def test_progress_of_another_format_or_run_is_none(store: Store) -> None:
    """`bench plan` does not count checkpoints that will be dropped."""
    written(store, A)
    assert must(read_progress(store, A))["done"] == 4
    take_another_s(store)
    assert read_progress(store, A) is None
    written(store, A)
    write_as_before(store)
    assert read_progress(store, A) is None


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_one_flipped_bit_changes_nothing_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """In the state or in a part: if it is read, it is as written."""
    store = opened(tmp_path_factory.mktemp("flipped"))
    written(store, A)
    path = data.draw(st.sampled_from(sorted(store.checkpoints.rglob("*.safetensors"))))
    flip(path, data.draw(st.integers(0, 8 * path.stat().st_size - 1)))
    lines: list[str] = []
    found = load_checkpoint(store, A, lines.append)
    if found is None:
        assert len(lines) == 1
        return
    try:
        assert logged(found) == {0: 0, 2: 2}
    except StoreError:
        return
    assert np.array_equal(found.arrays["learner/x"], np.arange(3.0))
    assert found.progress == counts(4)


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
