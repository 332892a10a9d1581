"""Environment variables that change numbers: cleared if they set threads, else recorded and shown."""

from __future__ import annotations

import pytest

from bench.processes.numerical import CHANGES, SHARED_OUT, numerical
from bench.processes.starting import TRAINING, guest_environment, training_environment
from bench.store.diff import difference
from bench.store.provenance import provenance
from tests.test_store import record

RECORDED = {"MKL_CBWR": "COMPATIBLE", "ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}
CLEARED = {"MKL_DYNAMIC": "TRUE", "KMP_BLOCKTIME": "0", "OMP_SCHEDULE": "dynamic", "MKL_DOMAIN_NUM_THREADS": "4"}


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**RECORDED, **CLEARED, "OMP_NUM_THREADS": "8", "GLIBC_TUNABLES": "x"}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("variables")
def test_processes_that_train_have_one_thread_and_what_is_recorded() -> None:
    found = training_environment()
    assert not CLEARED.keys() & found.keys()
    assert {name: found[name] for name in TRAINING} == TRAINING
    assert {name: found[name] for name in RECORDED} == RECORDED
    assert RECORDED.items() <= guest_environment().items()


@pytest.mark.usefixtures("variables")
def test_a_record_names_them_and_a_difference_shows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    held_back = provenance("2026-11-30T00:00:00Z", 1.0, 1.0, 1, "cpu", "x")
    assert RECORDED.items() <= held_back.environment.items()
    for name in RECORDED:
        monkeypatch.delenv(name)
    free = provenance("2026-11-30T00:00:00Z", 1.0, 1.0, 1, "cpu", "x")
    assert not RECORDED.keys() & free.environment.keys()
    rows = difference(record(provenance=held_back), record(provenance=free)).rows
    named = {row.key: (row.a, row.b) for row in rows if row.part == "environment" and not row.same}
    assert named == {name: (value, None) for name, value in RECORDED.items()}


def test_a_record_without_any_is_written_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in numerical():
        monkeypatch.delenv(name)
    found = provenance("2026-11-30T00:00:00Z", 1.0, 1.0, 1, "cpu", "x")
    assert "environment" not in found.model_dump(mode="json")
    assert "remarks" not in record().model_dump(mode="json")


def test_no_variable_is_both_cleared_and_recorded() -> None:
    stems = [name.rstrip("*") for name in CHANGES]
    assert not any(a.startswith(b.rstrip("*")) for a in stems for b in SHARED_OUT if b.endswith("*"))
    assert not {*CHANGES} & {*SHARED_OUT}
