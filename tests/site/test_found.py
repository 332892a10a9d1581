"""The top of the first page and of a suite's page: claims in margins, three sentences, coverage; outward links."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.report.finding import finding
from bench.report.forest import Placed, mark, placed, reach
from bench.site.changes import turned
from bench.site.replacing import SiteError
from bench.suite import Between, Change, Ordering, Ratio
from bench.verdict import Under, Verdict
from tests.made_site import SETTINGS

ORDERING = Ordering(kind="ordering", greater=("a:final",), less=("b:final",))
RATIO = Ratio(kind="ratio", numerator="a:final", denominator="b:final", printed=2.0, tolerance=0.5)
DOWN = Change.model_validate(
    {"kind": "change", "from": "a:final", "to": "b:final", "printed": "40%", "direction": "down"}
)
BETWEEN = Between(kind="between", quantity="a:final", low="10", high="30")


def verdict(word: str = "reproduced", **more: Any) -> Verdict:
    about = {"id": "c", "kind": "ordering", "where": "", "experiment": "e", "scenario": "", "method": "", "says": ""}
    return Verdict(**about, printed=None, verdict=word, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("test", "margin", "found", "interval", "expected"),
    [
        (ORDERING, 0.5, 1.0, (0.5, 1.5), Placed(2.0, 1.0, 3.0)),
        (RATIO, 0.5, 2.5, (2.0, 3.0), Placed(1.0, 0.0, 2.0)),
        (DOWN, 0.1, -0.3, (-0.5, -0.1), Placed(1.0, -1.0, 3.0)),
        (BETWEEN, None, 25.0, (20.0, 40.0), Placed(0.5, 0.0, 2.0)),
        (ORDERING, None, 1.0, (0.5, 1.5), None),
        (ORDERING, 0.5, 1.0, None, None),
    ],
)
def test_a_claim_lies_where_its_margin_puts_it(test, margin, found, interval, expected) -> None:
    suite: Any = {("claim", "c"): SimpleNamespace(test=test)}
    own = placed(suite, verdict(found=found, interval=interval, margin=margin))
    if expected is None:
        assert own is None
    else:
        assert own is not None
        assert dataclasses.astuple(own) == pytest.approx(dataclasses.astuple(expected))


def test_an_axis_has_room_for_all_but_the_widest() -> None:
    near, far = Placed(0.5, -1.0, 2.4), Placed(9.0, 1.0, 30.0)
    assert (reach([]), reach([near]), reach([near, far])) == (2, 3, 8)
    found = mark(far, 8)
    assert (found.at, found.low, found.high, found.beyond) == (1.0, 0.5625, 1.0, (False, True))


def test_three_sentences() -> None:
    claims = [
        verdict(headline=True),
        verdict("not_reproduced", headline=True),
        *[verdict("not_run")] * 2,
        verdict(computed=True),
    ]
    claims.append(verdict(readings=(Under("primary", "", "", "yes"), Under("other", "", "", "yes"))))
    assert finding(claims, 30, 1200, directions=False) == (
        "Of its 2 headline claims, 1 is reproduced and 1 is not reproduced.",
        "Of all its 6 claims, 2 are reproduced, 1 is not reproduced, 2 have not been run and 1 is computed without "
        "a run; in every reading of the paper that was run, 1 holds.",
        "This rests on 30 of 1,200 planned runs of our re-implementation, not of the authors' code.",
    )
    only = finding([verdict("inconclusive", headline=True)], 0, 5, directions=False)
    assert (only[0], only[2]) == ("Its one headline claim is open.", "No run has finished.")
    reduced = finding(
        [verdict("not_comparable", direction="same_direction"), verdict("not_run")], 1, 5, directions=True
    )
    assert reduced[:2] == (
        "Nothing here can count as a reproduction.",
        "Of its 2 claims, 1 points the claimed way and 1 has not been run.",
    )


def test_the_first_page_opens_with_what_was_found(site: Path) -> None:
    source = (site / "index.html").read_text()
    opening = source[: source.index('id="suites"')]
    row = re.search(r'<tr data-code="(\w+)">\s*<th scope="row" class="says"><a href="(.*?)">so it is</a>', opening)
    assert row is not None
    assert row[1] == "not_comparable"
    page, anchor = row[2].split("#")
    assert f'id="{anchor}"' in (site / page).read_text()
    assert re.search(r"\d\S* \[\d\S*, \d\S*\]</td>", opening)  # the plot's text alternative
    assert "Newest run" in opening
    assert "21 of 21" in opening


def test_methods_scores_commits_and_papers_are_linked(site: Path) -> None:
    suite = (site / "suites/tiny.html").read_text()
    assert re.search(r'<a href="\.\./methods/tiny/student.*?">student</a>', suite)
    assert re.search(r'ours </span><a href="\.\./cells/tiny/\w+\.html">-2\.93', suite)
    assert f"{SETTINGS.repository}/issues/new?template=result.yml" in suite
    assert "blob/HEAD/suites" not in suite  # made up: no file of the project
    cell = next(p for p in sorted((site / "cells/tiny").iterdir()) if "<title>student on all" in p.read_text())
    assert f'{SETTINGS.repository}/commit/{"0" * 40}"' in cell.read_text()
    method = next(p for p in (site / "methods/tiny").iterdir() if p.name.startswith("student"))
    assert "alpha_start" in method.read_text()


def test_a_verdict_that_turned_is_found_in_an_older_site(site: Path, tmp_path: Path) -> None:
    (tmp_path / "suites").mkdir()
    with pytest.raises(SiteError, match="no site"):
        list(turned(tmp_path, []))
    (tmp_path / "site.json").write_text("{}")
    path = tmp_path / "suites/tiny.json"
    path.write_text((site / "suites/tiny.json").read_text())
    now = [verdict("reproduced", headline=True), dataclasses.replace(verdict("not_comparable"), experiment="joint")]
    page: Any = SimpleNamespace(suite=SimpleNamespace(id="tiny"), profile="full", claims=now)
    assert list(turned(tmp_path, [page])) == []  # not known there; as it was
    now[1] = dataclasses.replace(now[1], verdict="reproduced")
    assert [(own.before, own.verdict.id) for own in turned(tmp_path, [page])] == [("not_comparable", "c")]
    path.write_text("{")
    with pytest.raises(SiteError, match="not what"):
        list(turned(tmp_path, [page]))
