"""Results on disk: whole or absent, hashed, claimed by one process at a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.plan import Note, digest, run_id
from bench.store import (
    Curve,
    Numbers,
    Provenance,
    Record,
    Scores,
    Store,
    StoreError,
    TeacherRef,
    canonical,
    numbers_hash,
    readable,
    sha256,
    write_atomically,
)
from bench.store.checkpoints import load_weights, packed_weights
from bench.store.reading import _as_written, _parsed

SCENARIO = {"family": "particle", "version": 1, "params": {}, "episode_limit": 5, "metric": "step_reward"}
SETTINGS = {"scenario": SCENARIO, "budget": {"episodes": 4}, "teacher": None}
CELL = digest(SETTINGS)
A, B = (run_id(CELL, seed, ()) for seed in (0, 1))


def record(
    seed: int = 0,
    mean: float = -1.25,
    settings: dict[str, Any] = SETTINGS,
    teachers: tuple[str, ...] = (),
    **changes: Any,
) -> Record:
    """The record of the run with these settings, seed and teachers' runs; `changes` may make it another run's."""
    cell = digest(settings)
    curve = Curve(episodes=(2, 4), steps=(10, 20), mean=(mean, -1.0), sd=(0.5, 0.25), n=(2, 2))
    fields: dict[str, Any] = {
        "run": run_id(cell, seed, teachers),
        "cell": cell,
        "suite": "tiny",
        "suite_version": 1,
        "experiment": "target",
        "method": "base",
        "training_set": "three",
        "profile": "full",
        "seed": seed,
        "settings": settings,
        "teachers": tuple(TeacherRef(run=run, weights="0" * 64) for run in teachers),
        "notes": (),
        "status": "finished",
        "reason": "",
        "numbers": Numbers(
            scores=(Scores(curves={"training": curve}, returns=(-1.0,), final=-1.0),), first_update=2, weights="0" * 64
        ),
        "provenance": Provenance(
            started="2026-11-20T00:00:00Z",
            wall_s=1.0,
            cpu_s=1.0,
            lanes=1,
            device="cpu",
            hardware="x",
            packages={"torch": "2.13.0"},
            commit=None,
            dirty=None,
        ),
    }
    return Record(**(fields | changes))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "results")
    store.open_for_writing()
    return store


def test_a_record_comes_back_as_it_was(store: Store) -> None:
    store.write_record(record())
    assert store.record(A) == record()
    assert store.finished(A)
    assert store.record(B) is None
    assert not store.finished(B)
    assert [p.name for p in (store.root / "records").iterdir()] == [f"{A}.json"]  # nothing temporary is left


def test_numbers_hash_covers_numbers_and_nothing_else() -> None:
    base = numbers_hash(record())
    later = record().provenance.model_copy(update={"wall_s": 9.0})
    assert numbers_hash(record(provenance=later, profile="nightly")) == base
    assert numbers_hash(record(mean=-1.2500000000000002)) != base
    numbers = record().numbers
    for change in ({"returns": (-1.5,)}, {"final": -2.0}):
        scores = (numbers.scores[0].model_copy(update=change),)
        assert numbers_hash(record(numbers=numbers.model_copy(update={"scores": scores}))) != base, change
    for change in ({"weights": "1" * 64}, {"first_update": 4}):
        assert numbers_hash(record(numbers=numbers.model_copy(update=change))) != base, change


def test_a_failed_record_is_not_finished(store: Store) -> None:
    store.write_record(record(status="failed", reason="diverged at step 10"))
    assert not store.finished(A)


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 10**6))
def test_a_truncated_record_is_named_and_never_counted(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    store = Store(tmp_path_factory.mktemp("results"))
    store.open_for_writing()
    store.write_record(record())
    path = store.record_path(A)
    content = path.read_bytes()
    path.write_bytes(content[: cut % (len(content) - 1)])
    with pytest.raises(StoreError, match=path.name):
        store.record(A)
    assert not store.finished(A)
    found = store.cell(CELL)
    assert not found.records
    assert str(path) in found.damaged[0]


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, 10**6), flip=st.integers(1, 127))
def test_an_edited_record_is_never_counted(tmp_path_factory: pytest.TempPathFactory, at: int, flip: int) -> None:
    """Any changed byte either leaves the same record (white space) or is refused."""
    store = Store(tmp_path_factory.mktemp("results"))
    store.open_for_writing()
    store.write_record(record())
    path = store.record_path(A)
    content = bytearray(path.read_bytes())
    content[at % len(content)] ^= flip
    path.write_bytes(bytes(content))
    found = store.cell(CELL)
    if found.damaged:
        assert not found.records
        assert path.name in found.damaged[0]
    else:
        assert found.records[0] == record()


def test_an_edit_with_its_content_hash_mended_is_still_named(store: Store) -> None:
    store.write_record(record())
    path = store.record_path(A)
    body = json.loads(path.read_text())
    body["numbers"]["final"] = 0.0
    del body["content_hash"]
    body["content_hash"] = sha256(canonical(body))
    path.write_text(json.dumps(body))
    with pytest.raises(StoreError, match="numbers_hash does not match"):
        store.record(A)


def test_a_record_under_another_name_is_named(store: Store) -> None:
    store.write_record(record())
    store.record_path(A).rename(store.record_path(B))
    with pytest.raises(StoreError, match=f"contains the record of run {A}"):
        store.record(B)


TAUGHT = SETTINGS | {"teacher": CELL}
PUPIL = digest(TAUGHT)
TAUGHT_TWICE = SETTINGS | {"teacher": PUPIL}


def test_a_made_up_run_takes_no_place(store: Store) -> None:
    """Whatever its file's name, and although all its hashes are right: the sound record counts."""
    store.write_record(record())
    for run in ("0" * 16, "f" * 16):  # before and after it in the folder
        store.write_record(record(run=run, mean=99.0))
        with pytest.raises(StoreError, match=f"{run}.json: run: the id is not the hash of cell, seed and teachers"):
            store.record(run)
    found = store.cell(CELL)
    assert found.records == {0: record()}
    assert len(found.damaged) == 2


@pytest.mark.parametrize(
    ("teachers", "named"),
    [((), "teachers: got 0; allowed: 1"), ((A, A), "teachers: got 2; allowed: 1"), ((B,), r"teachers\[0\].run: got")],
)
def test_a_student_counts_if_its_teacher_is_the_settings_and_seed_s(
    store: Store, teachers: tuple[str, ...], named: str
) -> None:
    for own in (record(), record(seed=1), record(settings=TAUGHT, teachers=(A,))):
        store.write_record(own)
    forged = record(settings=TAUGHT, teachers=teachers, mean=99.0)
    store.write_record(forged)
    with pytest.raises(StoreError, match=named):
        store.record(forged.run)
    found = store.cell(PUPIL)
    assert found.records == {0: record(settings=TAUGHT, teachers=(A,))}
    assert len(found.damaged) == 1


def test_a_teacher_that_was_taught_itself_is_known_by_its_record(store: Store) -> None:
    pupil = record(settings=TAUGHT, teachers=(A,))
    own = record(settings=TAUGHT_TWICE, teachers=(pupil.run,))
    store.write_record(own)
    with pytest.raises(StoreError, match="copy that record here"):
        store.record(own.run)
    store.write_record(pupil)
    assert store.record(own.run) == own
    assert store.cell(own.cell).records == {0: own}
    forged = record(settings=TAUGHT, teachers=(B,))  # a teacher whose own teacher is another seed's
    other = record(settings=TAUGHT_TWICE, teachers=(forged.run,), mean=99.0)
    store.write_record(forged)
    store.write_record(other)
    assert store.cell(own.cell).records == {0: own}
    assert store.cell(PUPIL).records == {0: pupil}
    assert {Path(line.partition(":")[0]).stem for line in store.contents().damaged} == {forged.run, other.run}


def test_settings_of_no_cell_are_named(store: Store) -> None:
    own = record(settings={"budget": {"episodes": 4}})
    store.write_record(own)
    with pytest.raises(StoreError, match="settings: no cell has these"):
        store.record(own.run)


def test_folders_merge_by_copying(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "other")
    other.open_for_writing()
    store.write_record(record(seed=0))
    other.write_record(record(seed=1))
    for path in (other.root / "records").iterdir():
        (store.root / "records" / path.name).write_bytes(path.read_bytes())
    assert set(store.cell(CELL).records) == {0, 1}
    assert set(store.cell(CELL, seeds=(1,)).records) == {1}


def test_a_run_is_claimed_once(store: Store) -> None:
    with store.claim(A) as first, store.claim(A) as second, store.claim(B) as other:
        assert (first, second, other) == (True, False, True)
    with store.claim(A) as again:
        assert again


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"file.* cannot be written.*--results"):
        Store(tmp_path / "file" / "results").open_for_writing()


def test_a_write_that_fails_leaves_the_old_file(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store.root / "x"
    write_atomically(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert not list(store.root.glob(".x*"))


def test_weights_are_checked_against_the_record(store: Store) -> None:
    arrays = {"weight_0": np.arange(6, dtype=np.float32).reshape(2, 3)}
    content = packed_weights(arrays)
    digest = sha256(content)
    store.weights_path(A).write_bytes(content)
    assert np.array_equal(load_weights(store, A, digest)["weight_0"], arrays["weight_0"])
    assert packed_weights(arrays) == content
    store.weights_path(A).write_bytes(b"no weights")
    with pytest.raises(StoreError, match=rf"{A}\.safetensors"):
        load_weights(store, A, digest)
    with pytest.raises(StoreError, match="needs it"):
        load_weights(store, "d" * 16, digest)


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(tree=trees)
def test_a_file_for_people_says_the_same(tree: Any) -> None:
    assert json.loads(readable(tree)) == tree


def test_a_curve_stands_on_one_line() -> None:
    assert readable({"b": [1, -2.5e-7, None], "a": ["x"]}) == b'{\n "a": [\n  "x"\n ],\n "b": [1, -2.5e-07, null]\n}\n'


def schema_1(teacher: dict[str, str] | None) -> dict[str, Any]:
    """A record in the first schema: one scenario and one teacher per run, notes without scenarios."""
    body = record(notes=(Note(id="odd", class_="erratum", says="a sign"),)).model_dump(mode="json")
    (scores,) = body["numbers"].pop("scores")
    body["numbers"] |= scores
    body["notes"] = [{"id": "odd", "class_": "erratum", "says": "a sign"}]
    del body["teachers"]
    return body | {"schema_version": 1, "teacher": teacher}


def written(store: Store, body: dict[str, Any]) -> Path:
    """The body as a file with both hashes."""
    whole = body | {"numbers_hash": sha256(canonical(body["numbers"]))}
    path = store.record_path(body["run"])
    write_atomically(path, readable(whole | {"content_hash": sha256(canonical(whole))}))
    return path


@pytest.mark.parametrize("taught", [False, True])
def test_a_record_of_schema_1_is_read(store: Store, taught: bool) -> None:
    own = record(settings=TAUGHT, teachers=(A,)) if taught else record()
    teacher = {"run": A, "weights": "0" * 64} if taught else None
    written(store, schema_1(teacher) | {key: getattr(own, key) for key in ("run", "cell", "settings")})
    found = store.record(own.run)
    assert found is not None
    assert found.schema_version == 2
    assert found.numbers == record().numbers
    assert [t.model_dump() for t in found.teachers] == ([teacher] if teacher else [])
    assert found.notes == (Note(id="odd", class_="erratum", says="a sign", scenarios=None),)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda body: body["numbers"].pop("curves"), "numbers.scores"),
        (lambda body: body["numbers"].update(final="high"), "numbers.scores"),
        (lambda body: body.update(teacher={"run": "b"}), "teachers"),
        (lambda body: body.update(schema_version=3), "schema_version"),
        (lambda body: body.update(numbers=[1]), "numbers"),
    ],
)
def test_a_damaged_record_of_schema_1_is_named(
    store: Store, change: Callable[[dict[str, Any]], Any], named: str
) -> None:
    body = schema_1(None)
    change(body)
    path = written(store, body)
    with pytest.raises(StoreError, match=f"{path.name}: {named}"):
        store.record(A)
    assert not store.finished(A)


def test_an_edited_record_of_schema_1_is_named(store: Store) -> None:
    path = written(store, schema_1(None))
    path.write_bytes(path.read_bytes().replace(b"-1.25", b"-1.35"))
    with pytest.raises(StoreError, match="content_hash"):
        store.record(A)


@settings(max_examples=100, deadline=None)
@given(says=st.text() | st.text('": a,\n'), mean=st.floats(-1e150, 1e150))
def test_a_file_as_written_is_read_as_its_json_is(
    tmp_path_factory: pytest.TempPathFactory, says: str, mean: float
) -> None:
    """The quick way, by the file's own text, and the slow one, by its JSON, give the same record."""
    own = record(mean=mean, reason=says, notes=(Note(id="n", class_="assumed", says=says),))
    content = content_of(tmp_path_factory, own)
    assert _parsed(Path("x.json"), content) == own
    assert _as_written(content) in (own, None)
    if says.isalnum():
        assert _as_written(content) == own


def test_what_is_read_is_what_was_hashed(tmp_path_factory: pytest.TempPathFactory) -> None:
    """More or fewer blanks do not make another record; inside texts they do."""
    own = record(reason="a b")
    content = content_of(tmp_path_factory, own)
    assert _as_written(content.replace(b"-1.25, -1.0", b"-1.25,  -1.0")) == own
    assert _as_written(content.replace(b'"a b"', b'"ab"')) is None
    assert _as_written(content.replace(b"-1.25", b"-1.26")) is None
    assert _as_written(content.replace(b'"experiment": "target"', b'"experiment": "source"')) is None
    assert _as_written(content + b" ") is None


def content_of(tmp_path_factory: pytest.TempPathFactory, own: Record) -> bytes:
    store = Store(tmp_path_factory.mktemp("results"))
    store.open_for_writing()
    store.write_record(own)
    return store.record_path(own.run).read_bytes()
