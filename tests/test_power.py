"""The chance of a decision with planned seeds, on pilots whose answer the noncentral t distribution knows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.evidence.measures import Evidence
from bench.plan import Resolver, Selection, make_plan
from bench.report.chances import power_lines
from bench.stats.power import power as by_noncentral_t
from bench.store import Store
from bench.suite import Suite
from bench.suite.loading import parse
from bench.verdict.imagined import BASIS
from bench.verdict.power import Power, power
from tests.conftest import TINY, Bench
from tests.synthetic import fill
from tests.test_verdict import levels
from tests.test_verdict_printed import TABLE, suite_with

SEEDS = 'seeds = { value = 3, source = "Table 1" }'


def chances(suite: Suite, folder: Path, planned: int, **pilots: float) -> dict[str, Power]:
    """By id. pilots: three seeds of each of these methods around a level."""
    store = Store(folder)
    fill(store, make_plan(suite, Selection()), levels(**pilots))
    resolver = Resolver(suite, Selection(seeds=tuple(range(planned))))
    return {p.id: p for p in power(Evidence(suite, Selection(), store), resolver, suite.experiment)}


def test_it_is_that_of_the_t_test_of_pairs(tiny: Suite, tmp_path: Path) -> None:
    """Pilots differ by .1, their differences by seed have the standard deviation .1 sqrt(3)."""
    for planned in (5, 20):
        one = chances(tiny, tmp_path, planned, student=-7.9, base=-8.0)["better"]
        expected = by_noncentral_t(0.1, 0.1 * 3**0.5 / planned**0.5, planned - 1, 0, float("inf"))
        assert one.yes == pytest.approx(expected, abs=0.08)  # 200 draws: a standard error of .035 at most
        assert (one.seeds, one.basis, one.never) == (planned, "3 pilot seeds", False)
        assert one.chance == (one.yes or 0) + (one.no or 0)


def test_looks_decide_early_and_at_their_own_level(tmp_path: Path) -> None:
    """Two looks: the first decides some claims; both decide a little less than the last alone at the full level."""
    looks = 'seeds = { looks = [8, 16], source = "a" }'
    suite = parse(TINY.replace(SEEDS, looks).encode(), "tiny.toml")
    store = Store(tmp_path)
    fill(store, make_plan(suite, Selection(seeds=(0, 1, 2))), levels(student=-7.9, base=-8.0))

    def chance(**selection: object) -> float | None:
        pilots = Evidence(suite, Selection(), store)
        (one,) = power(pilots, Resolver(suite, Selection.model_validate(selection)), suite.experiment)
        return one.chance

    first, both, last = chance(seeds=(*range(8),)), chance(), chance(seeds=(*range(16),))
    assert first is not None
    assert both is not None
    assert last is not None
    assert first < both < last


def test_what_no_number_of_seeds_decides_is_named(tmp_path: Path) -> None:
    """3 seeds of spread .1, a margin of .5: scores .45 below the printed value are too near the edge."""
    found = chances(suite_with(TABLE), tmp_path, 5, base=-8.95, student=-7.5)
    near, on = found["t/three/base"], found["t/three/student"]
    assert (near.never, on.never) == (True, False)
    assert (on.yes, on.no) == (1.0, 0.0)
    assert [line for line in power_lines([*found.values()]) if "t/three" in line] == ["  target: t/three/base"]


def test_without_pilots_the_papers_own_spread_is_taken(tmp_path: Path) -> None:
    found = chances(suite_with(TABLE), tmp_path, 5)
    assert (found["t/three/base"].yes, found["t/three/base"].basis) == (1.0, "the paper's means and spreads")


def test_with_anchors_alone_the_claim_is_taken_at_its_word(tmp_path: Path) -> None:
    """A lead of a tenth of the scale, and the same spread between seeds on each side: independent, so sqrt(2) of it."""
    for planned in (5, 20):
        one = chances(suite_with(TABLE), tmp_path, planned)["better"]  # the paper prints nothing of training
        expected = by_noncentral_t(0.5, 0.5 * (2 / planned) ** 0.5, planned - 1, 0, float("inf"))
        assert one.yes == pytest.approx(expected, abs=0.1)
        assert one.basis == f"what is claimed, {BASIS}"
        assert not one.never


def test_printed_means_without_a_spread_are_drawn_on_the_anchors_scale(tmp_path: Path) -> None:
    """A spread of .5, a margin of .5, and the paper's 3 seeds, which are off its truth too: never decided."""
    bare = TABLE.replace('"std"', '"none"').replace("±0.1", "")
    found = chances(suite_with(bare), tmp_path, 5)
    for method in ("base", "student"):
        one = found[f"t/three/{method}"]
        assert (one.basis, one.never) == (f"what is printed, {BASIS}", True)
        assert one.chance is not None
        assert one.chance < 0.5
    wide = chances(suite_with(bare.replace("absolute = 0.5", "absolute = 5.0")), tmp_path, 10)["t/three/base"]
    assert wide.yes == 1.0


@pytest.mark.parametrize(
    ("test", "yes"),
    [
        ('{ kind = "equivalence", same = ["student:overall", "base:overall"] }', 1.0),
        ('{ kind = "not_greater", greater = ["base:overall"], less = ["student:overall"] }', 1.0),
        ('{ kind = "difference", of = "student:overall", minus = "base:overall", printed = ["1.5"] }', 1.0),
        ('{ kind = "value", quantity = "base:overall", printed = "-8.0" }', 1.0),
        ('{ kind = "between", quantity = "base:overall", low = "-9", high = "-4" }', 1.0),
        ('{ kind = "ordering", greater = ["base:reach"], less = ["student:reach"] }', 1.0),
        ('{ kind = "ratio", numerator = "student:overall", denominator = "base:overall", printed = 1.0 }', None),
    ],
)
def test_each_kind_of_claim_is_true_of_what_is_imagined(test: str, yes: float | None, tmp_path: Path) -> None:
    """With forty seeds and a margin of half the scale. A ratio of returns below 0 has no scale."""
    text, start = TINY.replace("margin = { share_of_scale = 0.1 }", "margin = { absolute = 2.5 }"), "test = {"
    text = text.replace(text[text.index(start) : text.index("\n", text.index(start))], f"test = {test}")
    if "ratio" in test:
        text = text.replace("margin = { absolute = 2.5 }\ntest", "test").replace("1.0 }", "1.0, tolerance = 0.1 }")
    found = chances(parse(text.encode(), "tiny.toml"), tmp_path, 40)["better"]
    assert found.yes == yes
    assert ("a ratio of returns" in found.basis) == (yes is None)


def test_the_command_asks_about_the_profiles_seeds(bench_here: Bench, tiny: Suite, tiny_file: Path) -> None:
    fill(Store(Path("pilots")), make_plan(tiny, Selection(profile="half")), levels(student=-7.0, base=-8.0))
    asked = ("plan", tiny_file, "--power", "--results", "pilots", "--seeds", "4")
    (claimed,) = json.loads(bench_here(*asked, "--json").stdout)
    assert claimed["basis"].startswith("what is claimed")
    (known,) = json.loads(bench_here(*asked, "--pilots", "half", "--json").stdout)
    assert (known["seeds"], known["yes"]) == (4, 1.0)
    told = bench_here(*asked, "--pilots", "half").stdout
    assert "100%" in told
    assert "3 pilot seeds" in told
    done = bench_here(*asked, "--pilots", "none")
    assert done.returncode == 2
    assert '"none"' in done.stderr
