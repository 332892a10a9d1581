"""Pictures to share: their size, and that each agrees with the verdict."""

from __future__ import annotations

import dataclasses
import re
import struct
from pathlib import Path

import pytest

import bench
from bench.report.card import MOST, claim_card, suite_card
from bench.report.figures import written
from bench.verdict import Verdict
from tests.conftest import ROOT, Bench


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    return bench.read("knowru", ROOT / "results", only=["spread/II"]).verdicts(readings=False)


def size(png: bytes) -> tuple[int, int]:
    return struct.unpack(">II", png[16:24])


def texts(svg: bytes) -> str:
    """The text in an SVG: matplotlib draws letters as shapes and leaves the text in comments."""
    return " ".join(re.findall(r"<!-- (.*?) -->", svg.decode()))


def test_a_claim_s_card(bench_here: Bench, tmp_path: Path) -> None:
    done = bench_here("card", "knowru", "fewer-episodes", "--results", ROOT / "results", "--out", "mine")
    assert done.returncode == 0, done.stderr
    paths = [tmp_path / line for line in done.stdout.splitlines()]
    assert len(paths) == 4  # two experiments: tasks II and III, where the second has no run
    (png, *_), (svg, *_) = ([p for p in paths if p.suffix == form] for form in (".png", ".svg"))
    assert size(png.read_bytes()) == (1200, 630)
    shown = texts(svg.read_bytes())
    for words in ("needs fewer episodes than MADDPG", "reproduced", "re-implementation", "bench show knowru:fewer"):
        assert words in shown
    refused = bench_here("card", "knowru", "no-such", "--results", ROOT / "results")
    assert refused.returncode == 2
    assert '"better-throughout"' in refused.stderr


def test_a_suite_s_card_has_the_headlines_and_each_its_word(verdicts: list[Verdict]) -> None:
    suite = bench.read("knowru", ROOT / "results").suite
    shown = texts(written(suite_card(suite, verdicts, "bench check knowru"), "svg"))
    headlines = [v for v in verdicts if v.headline and v.interval][:MOST]
    assert headlines
    for verdict in headlines:
        assert verdict.says[:25] in shown
        assert verdict.verdict.replace("_", " ") in shown
    assert size(written(suite_card(suite, [], "bench check knowru"), "png")) == (1200, 630)


def test_nothing_but_words_where_nothing_was_found(verdicts: list[Verdict]) -> None:
    suite = bench.read("knowru", ROOT / "results").suite
    blank = dataclasses.replace(verdicts[0], found=None, interval=None, verdict="not_run", reason="no run of knowru")
    shown = texts(written(claim_card(suite, blank, "x"), "svg"))
    assert "not run" in shown
    assert "found" not in shown
