"""Readings in reports and on the site: specification curves, robust claims first, words beside every figure."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from bench.commands.judging import judged_report
from bench.evidence.measures import Evidence
from bench.plan import Selection
from bench.report.markdown import write_report
from bench.report.specification import Specification, specification
from bench.report.words import across_readings
from bench.site.archive import Archive
from bench.site.build import build
from bench.site.settings import Settings
from bench.store import Store
from bench.suite import PRIMARY, Suite
from bench.verdict import Under, Verdict, judge
from tests.read_in import AHEAD, TURNING, record, suite_of
from tests.site.test_pages import Page

HOSTILE = "<b>twice</b> $x$ the width"
TURNS = {PRIMARY: TURNING, "wide": AHEAD}
AHEAD_EARLY = """
[[measure]]
id = "first"
says = "the first half of training"
kind = "window"
series = "training"
window = [0.0, 0.5]

[[claim]]
id = "ahead"
where = "Sec. 3"
says = "the student is ahead early on"
experiments = ["target"]
protocol = "training"
margin = { share_of_scale = 0.1 }
test = { kind = "ordering", greater = ["student:first"], less = ["base:first"] }

[[claim]]
id = "behind"
where = "Sec. 4"
says = "the student is behind early on"
experiments = ["target"]
protocol = "training"
margin = { share_of_scale = 0.1 }
test = { kind = "ordering", greater = ["base:first"], less = ["student:first"] }
"""


def read_suite() -> Suite:
    """One claim turns with an analysis, one holds and one fails in every reading."""
    suite = suite_of(AHEAD_EARLY)
    return suite.model_copy(update={"claim": tuple(c for c in suite.claim if c.id != "sooner")})


def under(reading: str, estimate: float | None, outcome: str = "yes", **choices: str) -> Under:
    told = tuple((f"reach.{key}", value) for key, value in choices.items())
    low, high = (None, None) if estimate is None else (estimate - 1, estimate + 1)
    return Under(reading, "analysis", "so", outcome, estimate, low, high, choices=told, edges=(0.0,))  # pyright: ignore


def verdict_of(*readings: Under) -> Verdict:
    empty = dict.fromkeys(("where", "scenario", "method"), "")
    return Verdict(id="c", kind="ordering", experiment="e", says="so it is", printed=None, readings=readings, **empty)


def figure_of(*readings: Under) -> Specification:
    figure = specification("tiny", verdict_of(*readings))
    assert figure is not None
    return figure


# ------------------------------------------------------------------------------------------------------ the figure


def test_readings_are_sorted_and_each_choice_has_its_dots() -> None:
    figure = figure_of(
        under(PRIMARY, 2.0, smooth="2", hold="1"),
        under("a", 3.0, smooth="1", hold="1"),
        under("b", 1.0, "no", smooth="2", hold="3"),
        under("none", None),
    )
    assert [one.reading for one in figure.sorted] == ["b", PRIMARY, "a"]
    assert figure.rows == (
        ("primary: as declared", (1,)),
        ("reach.smooth = 1", (2,)),
        ("reach.smooth = 2", (0, 1)),
        ("reach.hold = 1", (1, 2)),
        ("reach.hold = 3", (0,)),
    )
    assert figure.title == "tiny: c, e: holds in 3 of 4 readings"


def test_what_the_same_readings_choose_is_one_row() -> None:
    figure = figure_of(
        under(PRIMARY, 1.0), under("a", 2.0, width="16", depth="3", lr="0.1"), under("b", 0.0, depth="3")
    )
    assert figure.rows[1:] == (("reach.width = 16 and 1 more", (2,)), ("reach.depth = 3", (0, 2)))


def test_one_reading_with_a_number_is_no_curve() -> None:
    assert specification("tiny", verdict_of(under(PRIMARY, 1.0), under("a", None))) is None
    assert specification("tiny", verdict_of(under(PRIMARY, 1.0), under("a", float("nan")))) is None


def test_a_figure_tells_outcomes_by_form_and_words(tmp_path: Path) -> None:
    """Text that would be set as a formula stays text; an estimate without an interval still has a point."""
    bare = dataclasses.replace(under("c", 0.5, "undecided"), low=None, high=None)
    figure = figure_of(under("$a$", 2.0, says="$\\frac{1}{$"), under(PRIMARY, 1.0), under("b", -1.0, "no"), bare)
    above, below = figure._figure().axes
    legend = above.get_legend()
    assert legend is not None
    assert [t.get_text() for t in legend.get_texts()] == [
        "the claim's edge",
        "holds (2)",
        "does not hold (1)",
        "undecided (1)",
    ]
    markers = {
        line.get_label(): str(line.get_marker()) for line in above.lines if not str(line.get_label()).startswith("_")
    }
    assert len({markers[name] for name in ("holds (2)", "does not hold (1)", "undecided (1)")}) == 3
    assert [t.get_text() for t in below.get_xticklabels()] == ["b", "c", PRIMARY, "$a$"]
    assert not any(t.get_parse_math() for t in (*below.get_xticklabels(), *below.get_yticklabels(), above.title))
    for stem in ("x.y", "again"):
        figure.draw(tmp_path / stem)
    for form in ("svg", "png"):
        assert (tmp_path / f"x.y.{form}").read_bytes() == (tmp_path / f"again.{form}").read_bytes()


def test_eighty_readings_are_drawn_without_names() -> None:
    figure = figure_of(under(PRIMARY, 0.0), *(under(f"g/{i}", float(i), smooth=str(i % 4)) for i in range(80)))
    below = figure._figure().axes[1]
    assert not below.get_xticklabels()
    assert below.get_yticklabels()[0].get_text() == "primary: as declared"
    assert len(figure.rows) == 5


# -------------------------------------------------------------------------------------------------- report and site


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The student is ahead, except in the second half of the primary reading."""
    folder = tmp_path_factory.mktemp("read")
    record(read_suite(), folder, TURNS)
    return folder


def test_a_report_has_a_curve_for_each_claim(results: Path) -> None:
    path, (verdicts, *_) = judged_report(Evidence(read_suite(), Selection(only=("target",)), Store(results)))
    text = path.read_text()
    (better,) = [v for v in verdicts if v.id == "better"]
    assert "| it holds in the primary reading; it turns with late; holds in 3 of 4 readings, 1 not run |" in text
    assert f"\n{across_readings(better)}.\n" in text
    assert "it turns with late; readings share seeds and runs, so this is no probability." in text
    assert "Claims that hold in every reading that was run, at least two: ahead (target)." in text
    assert "Claims that fail in every reading that was run, at least two: behind (target)." in text
    assert "| grid | analysis | 4 | when |" in text
    figures = [path.parent / name for name in re.findall(r"\]\((readings-[^)]+)\)", text)]
    assert len(figures) == 6
    assert [figure.read_bytes()[:4] for figure in figures] == [b"<?xm", b"\x89PNG"] * 3


def test_a_report_of_one_run_reading_has_no_curve(tmp_path: Path) -> None:
    suite = read_suite()
    suite = suite.model_copy(update={"reading": suite.reading[:2]})  # none is an analysis
    evidence = Evidence(suite, Selection(), record(suite, tmp_path, {PRIMARY: TURNING}))
    text = write_report(evidence, [], judge(evidence, suite.experiment), [], [], tmp_path).read_text()
    assert "holds in 1 of 1 reading, 2 not run" in text
    assert "in every reading" not in text
    assert "readings-" not in text


@pytest.fixture(scope="module")
def site(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    suite = read_suite()
    wide, *others = suite.reading
    suite = suite.model_copy(update={"reading": (wide.model_copy(update={"says": HOSTILE}), *others)})
    out = tmp_path_factory.mktemp("shown") / "site"
    build([suite], Archive(results), out, Settings(pictures=False))
    return out


def test_robust_claims_stand_before_the_curves_that_show_it(site: Path) -> None:
    source = (site / "suites/tiny.html").read_text()
    assert source.index('id="finding"') < source.index('id="robust"') < source.index('id="readings"')
    assert "in every reading of the paper that was run, 1 holds and 1 fails" in source
    robust = source[source.index('id="robust"') : source.index('id="readings"')]
    hold, fail = robust.split("Fail in every one")
    assert "the student is ahead early on" in hold
    assert "the student is behind early on" in fail
    assert "the student is better" not in robust
    assert "no probability" in robust


def test_claims_say_in_how_many_readings_they_hold(site: Path) -> None:
    page = Page(site / "suites/tiny.html")
    figures = {own["id"]: None for tag, own in page.tags if tag == "figure"}
    assert len(figures) == 3
    linked = [link.partition("#")[2] for link in page.links if "#readings-" in link]
    assert {*linked} == {*figures}
    images = [own for tag, own in page.tags if tag == "img" and "readings/" in (own["src"] or "")]
    alts = [own["alt"] or "" for own in images]
    assert ["holds in 3 of 4 readings, 1 not run" in alt for alt in alts] == [True, False, False]
    assert all("no probability" in alt for alt in alts)
    for own in images:
        drawn = (site / "suites" / (own["src"] or "")).resolve()
        assert drawn.read_bytes()[:5] == b"<?xml"
        width = re.search(rb'width="(\d+)pt"', drawn.read_bytes())
        assert width is not None
        assert int(own["width"] or 0) == int(width[1]) * 96 // 72
    cell = next(p for p in (site / "cells").rglob("*.html") if "holds in 3 of 4 readings" in p.read_text())
    assert any("suites/tiny.html#readings-" in link for link in Page(cell).links)


def test_what_readings_say_stays_text(site: Path) -> None:
    assert HOSTILE in Page(site / "suites/tiny.html").text
    assert "<b>twice" not in (site / "suites/tiny.html").read_text()
