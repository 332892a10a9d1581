"""Claims that an untrained team also passes, and margins that let everything pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.evidence.measures import Evidence
from bench.plan import Cell, Selection, make_plan
from bench.report.words import details, in_full, sentence
from bench.store import Store
from bench.suite import Suite, SuiteError
from bench.suite.loading import parse
from bench.suite.margins import wide_margins
from bench.verdict import Verdict, counts, families, judge
from tests.conftest import TINY
from tests.printed import table, text_with
from tests.synthetic import fill
from tests.test_verdict import POINTS, SPREAD, TURN, with_test, with_test_text


def verdict(suite: Suite, folder: Path, **curves: tuple[float, float]) -> Verdict:
    """For the only claim. By method: the level before the first update, which is the first point's, and after it."""

    def curve(cell: Cell, seed: int) -> list[float] | None:
        if cell.training_set != "three" or cell.method not in curves:
            return None
        turn = seed + TURN[cell.method]
        before, after = (level + SPREAD[(turn + 1 - k) % 3] for k, level in enumerate(curves[cell.method]))
        return [before] + [after] * (POINTS - 1)

    store = Store(folder)
    fill(store, make_plan(suite, Selection()), curve)
    (found,) = judge(Evidence(suite, Selection(), store), suite.experiment)
    return found


def test_a_student_that_is_better_only_than_a_fall_says_nothing(tiny: Suite, tmp_path: Path) -> None:
    """The baseline falls from -7 to -9 when it begins to learn; the student stays at -7, where it started."""
    v = verdict(tiny, tmp_path, student=(-7.0, -7.0), base=(-7.0, -9.0))
    assert v.verdict == "also_untrained"
    assert v.placebo is not None
    assert (v.placebo.untrained, v.placebo.random) == ("yes", "no")  # a random policy reaches -10
    assert sentence(v) == "it holds, but a team that has learned nothing passes as well (an untrained team)"
    assert "untrained team passes, random script fails" in details(v)


def test_a_student_that_learns_keeps_its_verdict(tiny: Suite, tmp_path: Path) -> None:
    v = verdict(tiny, tmp_path, student=(-9.0, -6.0), base=(-9.0, -7.5))
    assert v.verdict == "reproduced"
    assert v.placebo is not None
    assert v.placebo.untrained == "no"


def test_a_refutation_keeps_its_word(tiny: Suite, tmp_path: Path) -> None:
    """An untrained student is above the baseline; the trained one has unlearned it."""
    v = verdict(tiny, tmp_path, student=(-5.0, -9.0), base=(-9.0, -7.0))
    assert v.verdict == "not_reproduced"
    assert v.placebo is not None
    assert v.placebo.passes


def test_one_method_alone_is_replaced_quantity_by_quantity(tmp_path: Path) -> None:
    """The same within .5: the untrained level is .1 off. An untrained quantity is never replaced."""
    late = '[[measure]]\nid = "late"\nsays = "x"\nkind = "window"\nseries = "training"\nwindow = [0.5, 1.0]\n\n'
    before = '[[measure]]\nid = "before"\nsays = "x"\nkind = "untrained"\nseries = "training"\n\n'

    def suite(test: str) -> Suite:
        text = with_test_text(test).replace('[[measure]]\nid = "reach"', late + before + '[[measure]]\nid = "reach"', 1)
        return parse(text.encode(), "tiny.toml")

    same = suite('{ kind = "equivalence", same = ["student:late", "base:late"] }')
    near = verdict(same, tmp_path / "near", student=(-8.1, -8.0), base=(-8.2, -8.0))
    assert near.verdict == "also_untrained"
    drop = suite('{ kind = "ordering", greater = ["base:before"], less = ["base:late"] }')
    fallen = verdict(drop, tmp_path / "drop", base=(-5.0, -8.0))
    assert (fallen.verdict, fallen.placebo) == ("reproduced", None)  # the greater side is the stand-in itself


@pytest.mark.parametrize(("low", "random", "word"), [("-10.5", "yes", "also_untrained"), ("-9.5", "no", "reproduced")])
def test_the_random_script_counts_and_its_score_is_exact(tmp_path: Path, low: str, random: str, word: str) -> None:
    """It is -10, and the same for every seed: as a measured score it would decide nothing. Untrained teams fail."""
    suite = with_test(f'{{ kind = "between", quantity = "student:overall", low = "{low}", high = "0" }}')
    v = verdict(suite, tmp_path, student=(-12.0, -6.0), base=(-9.0, -9.0))
    assert v.placebo is not None
    assert (v.verdict, v.placebo.untrained, v.placebo.random) == (word, "no", random)
    assert ("passes as well (the random script)" in sentence(v)) == (random == "yes")


def test_a_time_to_threshold_of_a_flat_curve(tmp_path: Path) -> None:
    """The untrained student is already at the level; the baseline, or one of its seeds, reaches it late."""
    suite = with_test('{ kind = "ordering", greater = ["base:reach"], less = ["student:reach"] }')

    def curve(cell: Cell, seed: int) -> list[float] | None:
        if cell.training_set != "three" or cell.method not in ("base", "student"):
            return None
        at = {"base": (5, 6, 7), "student": (0, 1, 2)}[cell.method][seed % 3]
        return [-3.0 if cell.method == "student" and point == 0 else -9.0 if point < at else -4.0 for point in range(8)]

    store = Store(tmp_path)
    fill(store, make_plan(suite, Selection()), curve)
    (v,) = judge(Evidence(suite, Selection(), store), suite.experiment)
    assert v.placebo is not None
    assert v.placebo.untrained == "yes"
    assert v.placebo.random == "undecided"  # it never gets there, and one seed of the baseline does not, either


def test_such_claims_stand_apart_and_headline_nothing(tmp_path: Path) -> None:
    headline = parse(TINY.replace('id = "better"', 'id = "better"\nheadline = true').encode(), "tiny.toml")
    v = verdict(headline, tmp_path, student=(-7.0, -7.0), base=(-7.0, -9.0))
    assert counts([v])["also_untrained"] == 1
    assert counts([v])["reproduced"] == 0
    assert families([v]) == []


def test_a_claim_in_full_names_everything(tiny: Suite, tmp_path: Path) -> None:
    found = verdict(tiny, tmp_path, student=(-9.0, -6.0), base=(-9.0, -7.5))
    text = "\n".join(in_full(found, "tiny", "full", "primary", "my runs"))
    for part in (
        "place:",
        "question:",
        "verdict:    reproduced: the order is shown",
        "margin:     0.5",
        "pairs:",
        "r = -0.50",
    ):
        assert part in text
    assert "3 seeds cannot exclude a mode of up to 63% of seeds" in text
    assert text.endswith("bench check tiny --profile full --only target --results 'my runs'")
    elsewhere = "\n".join(in_full(found, "my/tiny.toml", "half", "early", "runs"))
    assert elsewhere.endswith("bench check my/tiny.toml --profile half --reading early --only target --results runs")


PILOT = 'pilot = {{ untrained = -9.0, trained = {trained}, measured = "x" }}\n'


@pytest.mark.parametrize(("trained", "warned"), [(-8.5, True), (-7.5, False)])
def test_a_margin_wider_than_half_of_what_is_learned_is_warned_of(trained: float, warned: bool) -> None:
    """The margin is .5; pilots gain .5 or 1.5. Without a pilot the anchors' 6 count."""
    text = with_test_text('{ kind = "equivalence", same = ["student:overall", "base:overall"] }')
    assert not [*wide_margins(parse(text.encode(), "tiny.toml"))]
    piloted = text.replace('id = "three"\n', f'id = "three"\n{PILOT.format(trained=trained)}', 1)
    lines = [*wide_margins(parse(piloted.encode(), "tiny.toml"))]
    assert bool(lines) == warned
    assert all(
        "claim better on three: its margin 0.5 is 100% of what can be learned there (0.5)" in line for line in lines
    )


def test_a_tables_margin_is_warned_of_as_a_claims_is() -> None:
    """Pilots gain 1.5 on "three", so .75 is wide. A table in another metric than its scenario's has no such bound."""
    own = {"metric": "step_reward", "margin": {"relative": 0.1}}
    rates = table("2", {"three": "1 1 1"}, margin={"absolute": 0.9})
    text = text_with(table("1", {"two": "-4 -4 -4", "three": "-4 -8.0 -"}, **own), rates)
    piloted = text.replace('id = "three"\n', f'id = "three"\n{PILOT.format(trained=-7.5)}', 1)
    (line,) = wide_margins(parse(piloted.encode(), "made.toml"))
    assert line.startswith("table 1 on three: its margin 0.8 is 53% of what can be learned there (1.5)")


def test_a_pilot_that_learns_nothing_is_refused() -> None:
    text = TINY.replace('id = "three"\n', f'id = "three"\n{PILOT.format(trained=-9.0)}', 1)
    with pytest.raises(SuiteError, match="trained above untrained"):
        parse(text.encode(), "tiny.toml")


def test_of_no_better_the_side_that_is_as_good_is_replaced(tmp_path: Path) -> None:
    """The baseline is no better than the student: an untrained student would be far below it."""
    test = '{ kind = "not_greater", greater = ["base:overall"], less = ["student:overall"] }'
    v = verdict(with_test(test), tmp_path, student=(-9.0, -7.0), base=(-9.0, -7.0))
    assert v.verdict == "reproduced"
    assert v.placebo is not None
    assert v.placebo.untrained == "no"


def test_a_claim_may_say_what_it_is_about(tmp_path: Path) -> None:
    """Without a baseline: the method that is claimed to be better, or that the claim names."""
    text = with_test_text('{ kind = "ordering", greater = ["base:overall"], less = ["student:overall"] }')
    text = text.replace('baseline = "base"\n', "")
    v = verdict(parse(text.encode(), "tiny.toml"), tmp_path / "a", student=(-9.0, -8.0), base=(-9.0, -7.0))
    assert v.method == "base"
    named = text.replace('id = "better"', 'id = "better"\nabout = "student"', 1)
    v = verdict(parse(named.encode(), "tiny.toml"), tmp_path / "b", student=(-9.0, -8.0), base=(-9.0, -7.0))
    assert v.method == "student"
    with pytest.raises(SuiteError, match="about"):
        parse(named.replace('about = "student"', 'about = "nobody"').encode(), "tiny.toml")
