"""How sentences become tests (docs/suite-files.md): verdicts by the margin, and the papers' claims by the rules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.report.words import sentence
from bench.suite import Change, Claim, Difference, NotGreater, Ordering, Untestable, number
from bench.suite.loading import load
from bench.suite.margins import wide_margins
from bench.suite.shipped import available
from tests.printed import with_tables
from tests.test_verdict import levels, verdicts, with_test

CLEARLY = '{ kind = "ordering", clearly = true, greater = ["student:overall"], less = ["base:overall"] }'
# By seed the difference varies as in test_verdict: its 90% interval is +- .292 wide. The margin is .5.
FOUND = [
    (-7.0, "reproduced", "an advantage above the margin of 0.5 is shown", "same_direction"),
    (-7.6, "inconclusive", "an advantage of the margin of 0.5 is neither shown nor excluded", "same_direction"),
    (-7.9, "not_reproduced", "an advantage of the margin of 0.5 or more is excluded", "undecided"),
    (-8.5, "not_reproduced", "an advantage of the margin of 0.5 or more is excluded", "opposite_direction"),
]
CLAIMS = [(suite, claim) for suite in available() for claim in load(suite).claim]
SIZE = re.compile(r"\b(greatly|significantly|notably|substantially|clearly|obviously|much|far|wide margin)\b")
CLOSING = {"knowru": "5", "mkt_marl": "VII", "cikd": "6", "dvm": "VI", "ptde": "5"}  # the conclusion's section


@pytest.mark.parametrize(("student", "code", "says", "direction"), FOUND)
def test_a_word_of_size_asks_for_the_margin(
    tmp_path: Path, student: float, code: str, says: str, direction: str
) -> None:
    suite, curves = with_test(CLEARLY), levels(student=student, base=-8.0)
    (v,) = verdicts(suite, tmp_path, curves)
    assert (v.verdict, v.kind) == (code, "ordering")
    assert sentence(v).startswith(says)
    (v,) = verdicts(suite, tmp_path / "half", curves, profile="half")
    assert (v.verdict, v.direction) == ("not_comparable", direction)


def test_a_scale_is_known_where_every_scenario_has_anchors() -> None:
    unknown = {"id": "some", "where": "Sec. 4", "says": "not said which", "scenarios": []}
    suite = with_tables(set=[unknown])
    assert (suite.scale("two"), suite.scale("three"), suite.scale("both")) == (2.0, 5.0, 3.5)
    assert suite.scale("some") is None
    bare = suite.model_copy(update={"scenario": tuple(s.model_copy(update={"anchors": None}) for s in suite.scenario)})
    assert bare.scale("two") is None


def test_a_wide_margin_is_warned_of_where_it_makes_a_claim_easy() -> None:
    """KnowRU's margins are wider than all that MADDPG learns: easy for sameness, hard for a lead."""
    warned = {line.split()[1] for line in wide_margins(load("knowru"))}
    assert {"initialization-no-better", "converged-at-once"} <= warned
    assert not {"jump-start", "alpha-beats-baseline"} & warned


def of(claims: list[tuple[str, Claim]]) -> list[str]:
    return [f"{suite}: {claim.id}" for suite, claim in claims]


def test_headlines_are_the_abstracts_and_the_conclusions() -> None:
    """And every claim whose place is one of these is a headline."""

    def closing(suite: str, claim: Claim) -> bool:
        return bool(re.search(rf"Abstract|Sec\. ([^;]*, )?{CLOSING[suite]}(?![\w.-])", claim.where))

    assert of([one for one in CLAIMS if one[1].headline != closing(*one)]) == []


def test_words_of_size_are_judged_by_a_margin() -> None:
    """A direction alone does not test "greatly"; a claim without any number says so."""
    sized = [(s, c) for s, c in CLAIMS if SIZE.search(c.says) and not isinstance(c.test, Untestable)]
    by_direction = [(s, c) for s, c in sized if isinstance(c.test, Ordering) and not c.test.clearly]
    assert len(sized) > 15
    assert of(by_direction) == []
    assert all(c.margin for _, c in sized if isinstance(c.test, Ordering | NotGreater))


def test_no_change_at_all_passes_no_printed_change() -> None:
    """It would pass with a margin as wide as the printed number."""
    changes = [(s, c) for s, c in CLAIMS if isinstance(c.test, Change) and c.margin]
    assert len(changes) == 5
    for suite, claim in changes:
        assert claim.margin is not None
        assert claim.margin.relative is not None, f"{suite}: {claim.id}: a change's margin is a share"
        assert isinstance(claim.test, Change)
        assert claim.margin.relative < float(number(claim.test.printed)[0])
    for _, claim in ((s, c) for s, c in CLAIMS if isinstance(c.test, Difference)):
        assert isinstance(claim.test, Difference)
        assert claim.margin is not None
        gains = [abs(float(number(text)[0])) for text in claim.test.printed]
        assert (claim.margin.absolute or 1) < min(gain for gain in gains if gain)


def test_one_quantity_has_one_margin() -> None:
    """Table IV's averages: the same margin in the claims and in the table."""
    suite = load("mkt_marl")
    own = [c.margin for c in suite.claim if c.scenarios == ("mpe/average",) and not isinstance(c.test, Change)]
    assert len(own) == 6
    assert all(margin == suite["published", "table-4/mpe"].margin for margin in own)
