"""Checkpoints that are damaged, or forged with their hashes mended: loaded as written, or dropped with a line."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load

from bench.store import Store, StoreError
from bench.store.checkpoints import (
    PROGRESS,
    STATE,
    _write,
    append_replay,
    load_checkpoint,
    read_progress,
    save_checkpoint,
)
from tests.attempts import attempt, drawn
from tests.damage import JSON_OTHERS, bytes_flipped, restructured, truncated

RUN = "a" * 16
PROGRESS_NOW = {"done": 4, "replay_first": 0, "replay_stop": 4, "curves": [], "device": "cpu"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = Store(tmp_path_factory.mktemp("checkpoints") / "whole")
    store.open_for_writing()
    for start in (0, 2):
        append_replay(store, RUN, start, start + 2, {"obs": np.full(2, float(start))})
    save_checkpoint(store, RUN, {"learner/x": np.arange(3.0)}, PROGRESS_NOW)
    return store.root


def damaged(whole: Path, chance: random.Random) -> tuple[Store, bool]:
    """A copy with one file changed. The second: whether its hash was mended, so it may pass as whole."""
    copy = whole.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(whole, copy)
    store = Store(copy)
    path = chance.choice(sorted(store.checkpoints.rglob("*.safetensors")))
    how = chance.randrange(4)
    if how == 0:
        path.write_bytes(bytes_flipped(path.read_bytes(), chance))
    elif how == 1:
        path.write_bytes(truncated(path.read_bytes(), chance))
    elif how == 2:
        other = chance.choice(sorted(store.checkpoints.rglob("*.safetensors")))
        content = other.read_bytes()
        path.with_name(chance.choice([path.name, "000000004-000000006.safetensors"])).write_bytes(content)
    else:
        progress = restructured(PROGRESS_NOW, chance, JSON_OTHERS)
        text = np.frombuffer(json.dumps(progress).encode(), dtype=np.uint8)
        state = store.checkpoints / f"{RUN}.safetensors"
        _write(state, RUN, STATE, {**load(state.read_bytes()), PROGRESS: text})
    return store, how == 3


@drawn("checkpoints")
@given(seed=st.integers(0, 2**64 - 1))
def test_a_checkpoint_is_whole_or_dropped(whole: Path, seed: int) -> None:
    with attempt("checkpoints", StoreError):
        store, mended = damaged(whole, random.Random(seed))
        read_progress(store, RUN)
        lines: list[str] = []
        found = load_checkpoint(store, RUN, lines.append)
        if found is None:
            raise StoreError("".join(lines) or "there is none")
        entries = [part.read()["obs"] for part in found.replay]
        if not mended:
            assert np.array_equal(np.concatenate(entries), [0.0, 0.0, 2.0, 2.0])
            assert np.array_equal(found.arrays["learner/x"], np.arange(3.0))
            assert found.progress == PROGRESS_NOW
