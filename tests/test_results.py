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
def verdicts(knowru: Suite) -> list[Verdict]:
    return judge(Evidence(knowru, Selection(only=("spread/II",)), RESULTS), [knowru["experiment", "spread/II"]])


def test_every_hash_of_the_published_results_holds() -> None:
    checked = verify(RESULTS)
    assert not checked.findings
    assert checked.finished >= 40


@pytest.mark.parametrize("document", ["README.md", "docs/knowru.md"])
def test_the_verdict_table_is_what_the_results_give(verdicts: list[Verdict], document: str) -> None:
    text = (ROOT / document).read_text()
    rows = [f"| {v.says.partition(' (')[0]} | {found(v)} | `{v.verdict}` |" for v in verdicts]
    assert len(rows) == 11
    assert {v.seeds for v in verdicts} == {10}
    for row in rows:
        assert row in text


def test_published_runs_come_from_a_clean_tree(knowru: Suite) -> None:
    evidence = Evidence(knowru, Selection(), RESULTS)
    assert evidence.records
    for record in evidence.records:
        assert record.provenance.dirty is False
        assert record.provenance.commit
        assert record.profile == "full"
