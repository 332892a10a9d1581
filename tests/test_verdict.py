"""Verdicts on synthetic results whose answer is known. The margin of the tiny suite's claim is .1 x (-4 + 9) = .5."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.evidence.measures import Evidence
from bench.plan import Cell, Note, Selection, make_plan
from bench.report.words import facts, sentence
from bench.stats.decisions import untested
from bench.store import Store
from bench.suite import Suite
from bench.suite.loading import parse
from bench.verdict import Verdict, counts, judge, transfer_metrics
from bench.verdict.codes import PRECEDENCE, Placebo, word
from bench.verdict.waiting import standings
from tests.conftest import ROOT, TINY
from tests.synthetic import fill

POINTS = 8  # 16 episodes, a point every 2
SPREAD = (-0.1, 0.0, 0.1)  # what a seed adds to its method's mean: sd .1
LEARNED = 0.5  # what all points but the first, which is before the first update, lie above the mean
TURN = {"base": 0, "student": 1, "init": 2}  # the same three in another order: differences by seed have sd .1 sqrt(3)


def levels(**methods: float) -> Callable[[Cell, int], list[float] | None]:
    """Curves with the mean of a level for each method on "three"; others are not run. Untrained teams are far below."""

    def curve(cell: Cell, seed: int) -> list[float] | None:
        if cell.training_set != "three" or cell.method not in methods:
            return None
        level = methods[cell.method] + SPREAD[(seed + TURN[cell.method]) % 3]
        return [level - LEARNED * (POINTS - 1), *[level + LEARNED] * (POINTS - 1)]

    return curve


def verdicts(suite: Suite, folder: Path, curves: Callable, **selection: object) -> list[Verdict]:
    chosen = Selection.model_validate(selection)
    store = Store(folder)
    fill(store, make_plan(suite, chosen), curves)
    return judge(Evidence(suite, chosen, store), suite.experiment)


def with_test_text(test: str) -> str:
    """The tiny suite with another claim."""
    head, tail = TINY.split('test = { kind = "ordering"')
    return f"{head}test = {test}\n{tail.partition(chr(10))[2]}"


def with_test(test: str) -> Suite:
    return parse(with_test_text(test).encode(), "tiny.toml")


def test_an_ordering_that_holds(tiny: Suite, tmp_path: Path) -> None:
    (v,) = verdicts(tiny, tmp_path, levels(student=-7.0, base=-8.0))
    # by seed the difference is 1.1, 1.1, .8: standard error .1 and 2 degrees of freedom: t(.95, 2) = 2.9200
    assert v.verdict == "reproduced"
    assert v.found == pytest.approx(1.0)
    assert v.interval == pytest.approx((1 - 2.92 * 0.1, 1 + 2.92 * 0.1), abs=1e-4)
    assert (v.paired, v.r, v.margin, v.tags) == (True, pytest.approx(-0.5), pytest.approx(0.5), ())
    assert v.typical is not None
    assert (v.typical.probability, v.typical.outcome) == (
        1.0,
        "undecided",
    )  # three seeds cannot tell of the typical one
    assert (v.seeds, v.seeds_to_decide, v.method, v.printed) == (3, None, "student", None)
    assert {n.class_ for n in v.deviations} == {"assumed", "erratum"}


def test_an_ordering_that_is_reversed(tiny: Suite, tmp_path: Path) -> None:
    (v,) = verdicts(tiny, tmp_path, levels(student=-8.0, base=-7.0))
    assert (v.verdict, v.found, v.seeds_to_decide) == ("not_reproduced", pytest.approx(-1.0), None)


def test_the_method_of_a_verdict_is_not_the_baseline(tmp_path: Path) -> None:
    test = '{ kind = "ordering", greater = ["base:overall"], less = ["student:overall"] }'
    (v,) = verdicts(with_test(test), tmp_path, levels(student=-7.9, base=-8.0))
    assert v.method == "student"
    (v,) = verdicts(with_test(test), tmp_path / "half", levels(student=-7.9, base=-8.0), profile="half")
    assert (v.verdict, v.seeds_to_decide) == ("not_comparable", None)


@pytest.mark.parametrize("setting", ["base.lr=0.02", "base.layout_agents=4"])
def test_a_changed_teacher_is_a_deviation_of_its_students(tmp_path: Path, setting: str) -> None:
    """A claim that names the student alone, whose own settings are the paper's."""
    test = '{ kind = "equivalence", same = ["student:overall", "student:late"] }'
    text = with_test_text(test).replace('[[measure]]\nid = "reach"', LATE + '[[measure]]\nid = "reach"', 1)
    suite = parse(text.encode(), "tiny.toml")
    (v,) = verdicts(suite, tmp_path, levels(student=-7.0, base=-8.0), settings=(setting,))
    assert v.verdict == "not_comparable"


def test_an_ordering_that_is_open_says_how_many_seeds_would_decide(tiny: Suite, tmp_path: Path) -> None:
    (v,) = verdicts(tiny, tmp_path, levels(student=-7.9, base=-8.0))
    # for 80% power n is near 3 (.1 / .1)^2 (1.645 + .842)^2 = 18.6, and a little more with t
    assert v.verdict == "inconclusive"
    assert v.seeds_to_decide in range(19, 22)


def test_a_claim_that_was_not_run_stays_visible(tiny: Suite, tmp_path: Path) -> None:
    (v,) = verdicts(tiny, tmp_path, levels(base=-8.0))
    assert (v.verdict, v.reason, v.found, v.seeds) == ("not_run", "no finished run of student on three", None, 0)
    assert counts([v]) == dict.fromkeys(counts([]), 0) | {"not_run": 1}
    assert {"reproduced", "also_untrained", "undefined", "computed"} < counts([v]).keys()


def test_the_precedence_of_words_is_one_order(tiny: Suite, tmp_path: Path) -> None:
    """Without the first word, the next one applies; the docs have the same order."""
    (v,) = verdicts(tiny, tmp_path, levels(student=-7.0, base=-8.0))
    reduced = Note(id="budget", class_="reduced", says="a smaller budget")
    v = replace(v, deviations=(reduced,), placebo=Placebo("yes", None))
    yes = replace(untested("greater"), outcome="yes", depends=True)
    found = [word(v, None)]
    v = replace(v, deviations=())
    found += [word(v, None), word(v, replace(yes, undefined=True)), word(v, yes)]
    assert word(replace(v, placebo=Placebo("no", "yes")), yes) == "also_untrained"
    v = replace(v, placebo=Placebo("undecided", "no"))
    found.append(word(v, yes))
    assert (*found,) == PRECEDENCE
    assert word(v, replace(yes, depends=False)) == "reproduced"
    assert word(replace(v, placebo=Placebo("yes", None)), replace(yes, outcome="no", depends=False)) == "not_reproduced"
    told = (ROOT / "docs/verdicts.md").read_text().partition("the first of these stands:")[2]
    assert tuple(re.findall(r"`(\w+)`", told.partition("the verdict")[0])) == PRECEDENCE


def test_what_forbids_a_verdict_is_said_of_what_was_not_run(tiny: Suite, tmp_path: Path) -> None:
    (v,) = verdicts(tiny, tmp_path, levels(base=-8.0), profile="half")
    why = "no finished run of student on three"
    assert (v.verdict, v.ran, v.direction, v.reason) == ("not_comparable", False, "", f"reduced; not run: {why}")
    assert sentence(v) == f"no verdict, because the runs differ from the paper (reduced); not run: {why}"
    ((_, told),) = facts(v)
    assert told == v.reason
    (waits,) = standings(Evidence(tiny, Selection(profile="half"), Store(tmp_path)), tiny.experiment)
    assert (waits.decided, waits.next) == (False, 3)


def test_two_seeds_decide_nothing(tiny: Suite, tmp_path: Path) -> None:
    (v,) = verdicts(tiny, tmp_path, levels(student=-1.0, base=-8.0), seeds=(0, 1))
    assert (v.verdict, v.interval) == ("inconclusive", None)
    assert "n < 3" in v.reason


@pytest.mark.parametrize(
    ("selection", "named"), [({"profile": "half"}, "reduced"), ({"settings": ("tau=0.5",)}, "changed")]
)
def test_a_reduced_or_changed_run_never_counts_as_reproduced(
    tiny: Suite, tmp_path: Path, selection: dict[str, object], named: str
) -> None:
    (v,) = verdicts(tiny, tmp_path, levels(student=-7.0, base=-8.0), **selection)
    assert v.verdict == "not_comparable"
    assert f"{named}; direction: same_direction" in v.reason
    (v,) = verdicts(tiny, tmp_path, levels(student=-8.0, base=-7.0), **selection)
    assert "direction: opposite_direction" in v.reason


def test_a_substitute_never_counts_as_reproduced(tmp_path: Path) -> None:
    suite = parse(TINY.replace('class = "erratum"', 'class = "substitute"').encode(), "tiny.toml")
    (v,) = verdicts(suite, tmp_path, levels(student=-7.0, base=-8.0))
    assert v.verdict == "not_comparable"


def test_a_student_carries_a_substitute_of_its_teachers_task(tmp_path: Path) -> None:
    """The teacher plays only "two": a substitute there counts in the task that it teaches."""
    text = TINY.replace('class = "erratum"', 'class = "substitute"').replace('["student"]\nsays', '["two"]\nsays')
    (v,) = verdicts(parse(text.encode(), "tiny.toml"), tmp_path, levels(student=-7.0, base=-8.0))
    assert v.verdict == "not_comparable"
    assert [n.class_ for n in v.deviations if n.id == "odd"] == ["substitute"]
    own = text.replace('less = ["base:overall"]', 'less = ["base:late"]').replace('"student:overall"', '"base:overall"')
    own = own.replace('[[measure]]\nid = "reach"', LATE + '[[measure]]\nid = "reach"', 1)
    (v,) = verdicts(parse(own.encode(), "tiny.toml"), tmp_path / "own", levels(base=-8.0))
    assert v.verdict == "inconclusive"  # base on three learns from nobody


def test_failed_runs_do_not_count(tiny: Suite, tmp_path: Path) -> None:
    store, selection = Store(tmp_path), Selection()
    fill(store, make_plan(tiny, selection), levels(student=-7.0, base=-8.0), status="failed")
    (v,) = judge(Evidence(tiny, selection, store), tiny.experiment)
    assert v.verdict == "not_run"


EQUIVALENT = '{ kind = "equivalence", same = ["student:overall", "base:overall", "init:overall"] }'


@pytest.mark.parametrize(("student", "code"), [(-8.0, "reproduced"), (-6.0, "not_reproduced"), (-7.6, "inconclusive")])
def test_an_equivalence_of_three(tmp_path: Path, student: float, code: str) -> None:
    (v,) = verdicts(with_test(EQUIVALENT), tmp_path, levels(student=student, base=-8.0, init=-8.0))
    assert v.verdict == code


def test_an_equivalence_names_the_pair_that_limits_it(tmp_path: Path) -> None:
    (v,) = verdicts(with_test(EQUIVALENT), tmp_path, levels(student=-7.0, base=-8.0, init=-7.0))
    assert "student:overall against base:overall" in v.reason
    assert v.found == pytest.approx(1.0)


NOT_BETTER = '{ kind = "not_greater", greater = ["init:overall"], less = ["base:overall"] }'


@pytest.mark.parametrize(
    ("init", "code"), [(-9.0, "also_untrained"), (-8.0, "also_untrained"), (-7.0, "not_reproduced")]
)
def test_not_clearly_better(tmp_path: Path, init: float, code: str) -> None:
    """An untrained team is not better by the margin either."""
    (v,) = verdicts(with_test(NOT_BETTER), tmp_path, levels(init=init, base=-8.0))
    assert v.verdict == code


RATIO = '{ kind = "ratio", numerator = "student:reach", denominator = "base:reach", printed = 0.5, tolerance = 0.1 }'


def rising(cell: Cell, seed: int) -> list[float] | None:
    """base reaches the level at point 6 or 7, student at 3 or 4; a moving average of two adds one point."""
    at = {"base": 6, "student": 3}.get(cell.method)
    if at is None or cell.training_set != "three":
        return None
    at += seed % 3 == 2
    return [-9.0 if point < at else -4.0 for point in range(POINTS)]


def test_a_printed_ratio(tmp_path: Path) -> None:
    """Level: mean(base) - .5 = -7.95... so the first average above it is halfway up: points 6,6,7 and 3,3,4, that is
    episodes 14,14,16 and 8,8,10: ratio (26/3) / (44/3) = .591, sd on the log scale about .1.
    """
    (v,) = verdicts(with_test(RATIO), tmp_path, rising)
    assert v.found == pytest.approx(26 / 44)
    assert v.printed == 0.5
    assert v.verdict == "inconclusive"
    wide = with_test(RATIO.replace("tolerance = 0.1", "tolerance = 0.4"))
    (v,) = verdicts(wide, tmp_path, rising)
    assert v.verdict == "reproduced"
    far = with_test(RATIO.replace("printed = 0.5", "printed = 0.1").replace("tolerance = 0.1", "tolerance = 0.05"))
    (v,) = verdicts(far, tmp_path, rising)
    assert v.verdict == "not_reproduced"


def test_a_threshold_that_nobody_reaches_is_undefined_not_a_tie(tmp_path: Path) -> None:
    """The level here is init's mean, far above all of base and student."""
    test = '{ kind = "ordering", greater = ["base:reach"], less = ["student:reach"] }'
    text = with_test_text(test).replace('level = "base:overall"', 'level = "init:overall"')
    suite = parse(text.encode(), "tiny.toml")
    (v,) = verdicts(suite, tmp_path, levels(student=-7.0, base=-8.0, init=0.0))
    assert (v.verdict, v.found) == ("undefined", None)
    assert "no run of either method reached the threshold" in v.reason


def test_paired_quantities_of_the_same_runs(tmp_path: Path) -> None:
    """Early against late of one method: the seeds' own levels cancel, so a small common rise is detected."""
    text = TINY.replace('[[measure]]\nid = "reach"', LATE + '[[measure]]\nid = "reach"', 1)
    text = text.replace(
        'greater = ["student:overall"], less = ["base:overall"]', 'greater = ["base:late"], less = ["base:overall"]'
    )
    suite = parse(text.encode(), "tiny.toml")

    def curve(cell: Cell, seed: int) -> list[float] | None:
        base = [-8.0, 0.0, 8.0][seed % 3]
        rising = [base + 0.01 * point + 0.001 * seed * point for point in range(1, POINTS)]
        return [base - 9.0, *rising] if cell.method == "base" else None

    (v,) = verdicts(suite, tmp_path, curve)
    assert v.verdict == "reproduced"


LATE = """[[measure]]
id = "late"
says = "the last half"
kind = "window"
series = "training"
window = [0.5, 1.0]

"""


def test_two_methods_with_the_same_settings_share_their_runs(tmp_path: Path) -> None:
    """A method that changes nothing is judged on the runs of the one it extends, under its own name."""
    twin = '[[method]]\nid = "twin"\nwhere = "x"\nsays = "x"\nalgorithm = "knowru"\nextends = "student"\n'
    twin += "hyperparameters = {}\n"
    text = TINY.replace('[[experiment]]\nid = "source"', twin + '[[experiment]]\nid = "source"', 1)
    text = text.replace('["base", "init", "student"]', '["base", "init", "student", "twin"]')
    text = text.replace('greater = ["student:overall"]', 'greater = ["twin:overall"]')
    suite = parse(text.encode(), "tiny.toml")
    assert len(make_plan(suite, Selection()).runs) == 12
    (v,) = verdicts(suite, tmp_path, levels(student=-7.0, base=-8.0))
    assert (v.verdict, v.method) == ("reproduced", "twin")


def test_transfer_metrics(tmp_path: Path, tiny: Suite) -> None:
    store, selection = Store(tmp_path), Selection(only=("target",))
    fill(store, make_plan(tiny, selection), levels(student=-7.0, base=-8.0))
    evidence = Evidence(tiny, selection, store)
    metrics = {(m.method, m.metric): m for m in transfer_metrics(evidence, tiny["experiment", "target"])}
    jump = metrics["student", "jump_start"]
    assert (jump.student_mean, jump.baseline_mean) == (pytest.approx(-7.0), pytest.approx(-8.0))
    assert jump.interval is not None
    assert jump.interval.estimate == pytest.approx(1.0)
    area = metrics["student", "area"].interval
    assert area is not None
    assert area.estimate == pytest.approx(3.0 / 2.0)  # above the random policy's -10
    reach = metrics["student", "time_to_threshold"]
    assert "100% and 100%" in reach.remark
    assert metrics["init", "area"].interval is None
    assert metrics["init", "area"].remark == "no finished run of init on three"


SIZE = """[[measure]]
id = "size"
says = "parameters"
kind = "policy_size"

"""


@pytest.mark.parametrize(("width", "verdict", "apart"), [(8, "reproduced", 0), (9, "not_reproduced", 126)])
def test_sizes_of_networks(tmp_path: Path, width: int, verdict: str, apart: float) -> None:
    """Three actors that read 18 entries, with widths 8: 19 * 8 + 9 * 8 + 9 * 5 = 269; with 9: 311."""
    text = with_test_text('{ kind = "equivalence", same = ["student:size", "base:size"] }')
    text = text.replace("margin = { share_of_scale = 0.1 }\ntest", "margin = { relative = 0.1 }\ntest", 1)
    text = text.replace('[[measure]]\nid = "reach"', SIZE + '[[measure]]\nid = "reach"', 1)
    wide = f'alpha_start = {{ value = 0.5, source = "a" }}\nhidden_width = {{ value = {width}, source = "a" }}'
    suite = parse(text.replace('alpha_start = { value = 0.5, source = "a" }', wide, 1).encode(), "tiny.toml")
    (v,) = verdicts(suite, tmp_path, levels(student=-7.0, base=-8.0))
    assert (v.verdict, v.found) == (verdict, pytest.approx(apart))
    (v,) = verdicts(suite, tmp_path / "none", levels(base=-8.0))  # no run is needed for it
    assert (v.verdict, v.found, v.computed) == (verdict, pytest.approx(apart), True)


@pytest.mark.parametrize(("measure", "verdict"), [("size", "reproduced"), ("overall", "not_comparable")])
def test_sizes_do_not_depend_on_who_else_plays(tmp_path: Path, measure: str, verdict: str) -> None:
    """Nor on a run's length: a substitute in the scenario and half the budget forbid other verdicts."""
    text = with_test_text(f'{{ kind = "equivalence", same = ["student:{measure}", "base:{measure}"] }}')
    text = text.replace('[[measure]]\nid = "reach"', SIZE + '[[measure]]\nid = "reach"', 1)
    text += '[[deviation]]\nid = "other"\nclass = "substitute"\napplies_to = ["three"]\nsays = "another opponent"\n'
    suite = parse(text.encode(), "tiny.toml")
    (v,) = verdicts(suite, tmp_path, levels(student=-8.0, base=-8.0), profile="half")
    assert v.verdict == verdict
    assert ("substitute" in {n.class_ for n in v.deviations}) == (verdict == "not_comparable")


def test_every_claim_of_the_shipped_suite_can_be_judged(knowru: Suite, tmp_path: Path) -> None:
    """Curves with everything that the measures read: no claim gives an error, and none is left out."""
    store, selection = Store(tmp_path), Selection(seeds=(0, 1, 2))
    plan = make_plan(knowru, selection)
    fill(store, plan, lambda cell, seed: [-30 + 0.02 * p + SPREAD[seed] * (p % 3) for p in range(250)])
    found = judge(Evidence(knowru, selection, store), knowru.experiment)
    testable = [c for c in knowru.claim if c.test.kind != "untestable"]
    assert len(found) == sum(len(c.experiments) for c in testable) == 64
    never = {"treasure/maac-time", "treasure/knowru-time", "treasure/earlier", "treasure/fewer-episodes"}
    assert {v.id for v in found if v.reason.startswith("undefined")} == never  # such curves do not come to 150
    waiting = {e.id for e in knowru.experiment if all(knowru.waits_for(e, m) for m in e.methods)}
    lacking = [v for v in found if v.verdict == "not_run" and "bench audit" not in v.reason]
    assert {v.experiment for v in lacking} == waiting


def test_a_claim_says_where_one_side_alone_was_tuned(tmp_path: Path) -> None:
    told = 'id = "student"\ntuning = { method = "grid search", trials = 9, source = "a" }'
    suite = parse(TINY.replace('id = "student"', told, 1).encode(), "tiny.toml")
    (v,) = verdicts(suite, tmp_path, levels(student=-7.0, base=-8.0))
    assert v.tags[-1].startswith("tuning is stated for one side only: student (grid search, 9 trials")
