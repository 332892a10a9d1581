"""The published results are sound, and the tables in README and docs are what they say."""

from __future__ import annotations

import pytest

from bench.measures import Evidence
from bench.plan import Selection
from bench.report.numbers import found
from bench.store import Store
from bench.suite import Suite
from bench.verdict import Verdict, judge
from bench.verify import verify
from tests.conftest import ROOT

RESULTS = Store(ROOT / "results")


@pytest.fixture(scope="module")
def verdicts(knowru: Suite) -> dict[str, list[Verdict]]:
    """By experiment."""
    return {
        id_: judge(Evidence(knowru, Selection(only=(id_,)), RESULTS), [knowru["experiment", id_]])
        for id_ in ("spread/II", "spread/III")
    }


def test_every_hash_of_the_published_results_holds() -> None:
    checked = verify(RESULTS)
    assert not checked.findings
    assert checked.finished >= 40


def cells(verdict: Verdict) -> str:
    return f" {found(verdict)} | `{verdict.verdict}` |"


def test_the_readmes_verdicts_are_what_the_results_give(verdicts: dict[str, list[Verdict]]) -> None:
    text = (ROOT / "README.md").read_text()
    assert len(verdicts["spread/II"]) == 11
    assert {v.seeds for v in verdicts["spread/II"]} == {10}
    for v in verdicts["spread/II"]:
        assert f"| {v.says.partition(' (')[0]} |{cells(v)}" in text


def test_the_docs_verdicts_are_what_the_results_give(verdicts: dict[str, list[Verdict]]) -> None:
    text = (ROOT / "docs/knowru.md").read_text()
    for two, three in zip(verdicts["spread/II"], verdicts["spread/III"], strict=True):
        assert f"| {two.says.partition(' (')[0]} |{cells(two)}{cells(three)}" in text
        assert three.seeds == 10


def test_published_runs_come_from_a_clean_tree(knowru: Suite) -> None:
    evidence = Evidence(knowru, Selection(), RESULTS)
    assert evidence.records
    for record in evidence.records:
        assert record.provenance.dirty is False
        assert record.provenance.commit
        assert record.profile == "full"
