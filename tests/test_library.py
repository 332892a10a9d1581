"""`import bench`: docs/library.md's examples, unchanged, and tables against the records."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bench
from bench.evidence.measures import Evidence
from bench.plan import Selection
from bench.store import Store
from bench.suite import Suite, SuiteError
from bench.verdict import judge
from tests.conftest import ROOT

PART = "spread/II"


@pytest.fixture(scope="module")
def study() -> bench.Study:
    return bench.read("knowru", ROOT / "results", only=[PART], seeds=[1, 0])


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "library.md").read_text(), re.DOTALL)
    assert len(blocks) == 6
    (tmp_path / "results").symlink_to(ROOT / "results")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
        assert capsys.readouterr().out or (tmp_path / "spread-II.png").exists()
    assert (tmp_path / "spread-II.png").read_bytes().startswith(b"\x89PNG")


def test_tables_say_what_the_records_say(study: bench.Study) -> None:
    runs, scores, curves = study.runs(), study.scores(), study.curves("evaluation")
    records = {run: Store(ROOT / "results").record(run) for run in runs["run"]}
    assert {run for run, record in records.items() if record} == {*runs["run"][runs["finished"]]}
    assert {*runs["method"]} > {*scores["method"]} == {"maddpg", "maddpg_init", "knowru"}
    assert {*scores["seed"]} == {0, 1}
    for run, score, episodes, metric in scores[["run", "score", "episodes", "metric"]].values.tolist():
        record = records[run]
        assert record is not None
        own = record.numbers.scores[0]
        assert (score, episodes, metric) == (own.final, len(own.returns), "step_reward")
        drawn = curves[curves["run"] == run]
        assert [*drawn["at"]] == [*own.curves["evaluation"].episodes]
        assert [*drawn["mean"]] == [*own.curves["evaluation"].mean]
    losses = study.curves("loss/reuse")
    assert {*losses["method"]} == {"knowru"}
    assert np.isfinite(losses["mean"]).any()


def test_verdicts_are_those_of_check(study: bench.Study, knowru: Suite) -> None:
    selection = Selection(only=(PART,), seeds=(0, 1))
    evidence = Evidence(knowru, selection, Store(ROOT / "results"))
    assert study.verdicts(readings=False) == judge(evidence, [knowru["experiment", PART]], readings=False)


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ({"only": ["spread/XX"]}, "spread/II"),
        ({"profile": "half"}, "full"),
        ({"reading": "no-such"}, "first-edition"),
        ({"results": "nowhere"}, "bench run"),
    ],
)
def test_what_the_suite_does_not_have_is_refused(asked: dict[str, Any], allowed: str) -> None:
    chosen: dict[str, Any] = {"results": ROOT / "results"} | asked
    with pytest.raises(SuiteError, match=allowed):
        bench.read("knowru", **chosen)


def test_to_import_it_loads_next_to_nothing() -> None:
    code = (
        "import bench, sys\n"
        "print(sum(m.startswith('bench') for m in sys.modules))\n"
        "bench.read\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]


def test_a_selection_may_be_as_the_commands_have_it() -> None:
    """One experiment as a string, seeds as a count or a list."""
    for seeds in (2, "0,1", "0-1", [1, 0]):
        own = bench.read("knowru", ROOT / "results", only=PART, seeds=seeds)
        assert (
            own.evidence.selection
            == bench.read("knowru", ROOT / "results", only=[PART], seeds=[0, 1]).evidence.selection
        )
    with pytest.raises(SuiteError, match="a count N >= 1"):
        bench.read("knowru", ROOT / "results", seeds="none")


def test_a_wrong_series_is_refused_and_nothing_finished_is_said(study: bench.Study) -> None:
    with pytest.raises(SuiteError, match=r'got      "trainin"\s+allowed .*"training"'):
        study.curves("trainin")
    with pytest.warns(UserWarning, match="no run of this selection is finished"):
        bench.read("knowru", ROOT / "results", only=PART, profile="smoke")
