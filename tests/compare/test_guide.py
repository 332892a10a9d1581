"""The guide and the examples keep their promises, except for the long runs, which tests/slow makes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.guests.process import describe
from bench.run.job import Limits
from tests.compare.conftest import EXAMPLES, Played

GUIDE = EXAMPLES.parent / "docs" / "bring-your-method.md"


def code(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.DOTALL)


def test_the_guide_s_method_loads_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = code("python")
    (tmp_path / "my_method.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{EXAMPLES.parent}")
    found = describe("my_method:train", Limits())
    assert found.declaration.says == "repeats the action that scored best"
    first, *others = code("sh")
    assert first == "bench new method my_method\n"
    assert all(line.startswith("bench compare my_method:train") for line in others)


def test_independent_ppo_is_short() -> None:
    assert len((EXAMPLES / "ippo.py").read_text().splitlines()) <= 120


def test_what_bench_new_writes_runs(played: Played) -> None:
    example_runs("method", played)


def example_runs(name: str, played: Played) -> None:
    """The other examples run, and learn, in tests/slow."""
    record = played(f"{name}:train", episodes=16, evaluate_every=8)
    assert (record.reason, record.remarks) == ("", ())
    assert record.numbers.scores[0].curves["evaluation"].episodes == (0, 8, 16)
