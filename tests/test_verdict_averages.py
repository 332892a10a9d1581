"""Printed values of single tasks and of averages, claims on averages, and tests against numbers of the text.

Margins of .1 of the scale: two .2, three .5, odd .1; for the set of all three their mean, .2667. Seeds: sd .1.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.evidence.measures import Evidence
from bench.plan import Cell, Selection, make_plan
from bench.store import Store
from bench.verdict import judge
from tests.several import (
    BETTER,
    POINTS,
    SPREAD,
    SUBSTITUTE,
    Level,
    claim,
    everywhere,
    evidence_of,
    verdicts,
    without_placebo,
)
from tests.synthetic import fill

pytestmark = pytest.mark.usefixtures("several_tasks")

TABLE = """
[[published]]
id = "t"
where = "Table 2"
experiment = "joint"
metric = "step_reward"
protocol = "greedy"
margin = { share_of_scale = 0.1 }
spread = "std"
seeds = 3
columns = ["student", "base", "single"]
[published.rows]
two = "-7.0±0.1 -8.0±0.1 -8.0±0.1"
three = "-7.0±0.1 -8.0±0.1 -8.0±0.1"
odd = "-7.0±0.1 -8.0±0.1 -8.0±0.1"
"""
AVERAGE = """
[[published]]
id = "a"
where = "Table 4"
experiment = "joint"
metric = "step_reward"
protocol = "greedy"
margin = { share_of_scale = 0.1 }
spread = "std"
seeds = 3
columns = ["every"]
derived = { kind = "mean", from = ["t"], scenarios = ["two", "three", "odd"], of = { student = "student" } }
[published.rows]
student = "-7.0±0.1"
single = "-8.0±0.1"
"""
GROUPED = """
[[published]]
id = "g"
where = "Table 3, second group"
experiment = "grouped"
group = "other"
metric = "step_reward"
protocol = "greedy"
margin = { share_of_scale = 0.1 }
spread = "std"
seeds = 3
columns = ["base"]
[published.rows]
two = "-8.0±0.1"
"""
LEVELS: dict[str, dict[str, Level]] = {
    "base": everywhere(-8.0),
    "single": everywhere(-8.0),
    "student": {"two": -7.0, "three": -6.8, "odd": -7.2},
}


def test_each_scenario_is_judged_by_its_own_margin(tmp_path: Path) -> None:
    """.2 above: 90% interval .2 +- .174, inside three's .5; .2 below is outside odd's .1 only by its point."""
    found = verdicts(without_placebo(TABLE), tmp_path, LEVELS)
    assert (found["t/two/student"].verdict, found["t/three/student"].verdict) == ("reproduced", "reproduced")
    assert found["t/odd/student"].verdict == "inconclusive"
    ours = found["t/three/student"].ours
    assert ours is not None
    assert ours.estimate == pytest.approx(-6.8)
    assert ours.low == pytest.approx(-6.8 - 4.3027 * 0.1 / 3**0.5, abs=1e-4)  # t(.975, 2)


def test_an_average_is_judged_once_by_each_seeds_mean(tmp_path: Path) -> None:
    """The seeds' spreads cancel between two and three, so the mean of each seed is the same."""
    suite = without_placebo(TABLE, AVERAGE)
    store, selection = Store(tmp_path), Selection(only=("joint",))
    opposite = {"two": (-0.3, 0.0, 0.3), "three": (0.3, 0.0, -0.3), "odd": (0.0, 0.0, 0.0)}

    def curve(cell: Cell, seed: int) -> dict[str, list[float]] | None:
        level = -7.05 if cell.method == "student" else -8.0
        return {s: [level + opposite[s][seed]] * POINTS for s in cell.scenarios}

    fill(store, make_plan(suite, selection), curve)
    found = {v.id: v for v in judge(Evidence(suite, selection, store), [suite["experiment", "joint"]])}
    student = found["a/every/student"]
    assert student.verdict == "reproduced"  # .05 off, within .2667; the paper's spread alone: .1 / sqrt(3), 2 df
    assert student.found == pytest.approx(-0.05)
    assert student.interval == pytest.approx((-0.05 - 2.92 * 0.05774, -0.05 + 2.92 * 0.05774), abs=1e-4)
    assert student.ours is not None
    assert (student.ours.low, student.ours.high) == (pytest.approx(-7.05), pytest.approx(-7.05))
    assert found["a/every/single"].verdict == "reproduced"  # three cells of the same seeds


def test_an_average_takes_the_seeds_that_finished_everywhere(tmp_path: Path) -> None:
    suite = without_placebo(TABLE, AVERAGE)
    own = {"single": {"two": -8.0}}
    evidence_of(suite, tmp_path, own, seeds=(0,))
    evidence = evidence_of(suite, tmp_path, {"single": {"three": -8.0, "odd": -8.0}}, seeds=(0, 1, 2))
    joint = suite["experiment", "joint"]
    values = evidence.finals(joint, "single", "every")
    assert (values.seeds, list(values.values)) == ((0,), [pytest.approx(-7.9)])
    assert len(values.cells) == 3


def test_an_average_with_a_missing_scenario_is_not_run(tmp_path: Path) -> None:
    v = verdicts(without_placebo(TABLE, AVERAGE), tmp_path, {"single": {"two": -8.0, "three": -8.0}})["a/every/single"]
    assert (v.verdict, v.reason) == ("not_run", "no finished run of single on odd")


def test_which_scenarios_are_averaged_may_be_unknown(tmp_path: Path) -> None:
    unknown = AVERAGE.replace('scenarios = ["two", "three", "odd"], ', 'because = "the maps are not named", ')
    text = unknown.replace('"every"', '"some"').replace('columns = ["some"]', 'columns = ["some"]')
    some = '[[set]]\nid = "some"\nwhere = "x"\nsays = "unknown"\nscenarios = []\n'
    v = verdicts(without_placebo(some, TABLE, text), tmp_path, LEVELS)["a/some/student"]
    assert (v.verdict, v.reason) == ("not_run", "the maps are not named")


def test_a_substitute_forbids_its_scenario_and_the_averages_with_it(tmp_path: Path) -> None:
    found = verdicts(without_placebo(TABLE, AVERAGE, SUBSTITUTE), tmp_path, LEVELS)
    codes = {id_: found[id_].verdict for id_ in ("t/two/student", "t/odd/student", "a/every/student")}
    assert codes == {
        "t/two/student": "reproduced",
        "t/odd/student": "not_comparable",
        "a/every/student": "not_comparable",
    }
    classes = {n.class_ for n in found["t/two/student"].deviations if n.id == "another"}
    assert classes == {"shared"}
    assert not [n for n in found["t/two/single"].deviations if n.id == "another"]


def test_a_table_of_a_group_reads_the_cell_of_that_training_set(tmp_path: Path) -> None:
    levels = {"base on pair": everywhere(-5.0), "base on other": everywhere(-8.0)}
    v = verdicts(without_placebo(GROUPED), tmp_path, levels)["g/two/base"]
    assert (v.verdict, v.found) == ("reproduced", pytest.approx(0.0))
    other = verdicts(without_placebo(GROUPED.replace('"other"', '"pair"')), tmp_path / "pair", levels)["g/two/base"]
    assert (other.verdict, other.found) == ("not_reproduced", pytest.approx(3.0))


def test_claims_on_an_average(tmp_path: Path) -> None:
    on = 'scenarios = ["every"]\nmargin = { relative = 0.1 }'
    v = verdicts(without_placebo(TABLE, AVERAGE, claim(BETTER, on)), tmp_path, LEVELS)["c"]
    assert (v.verdict, v.found, v.scenario) == ("reproduced", pytest.approx(1.0), "every")
    same = '{ kind = "equivalence", same = ["student:final", "single:final"] }'
    v = verdicts(without_placebo(TABLE, AVERAGE, claim(same, on)), tmp_path / "same", LEVELS)["c"]
    assert v.verdict == "inconclusive"  # 1 apart, a tenth is .8, and pairs differ by 1 +- .17
    wide = {"student": everywhere(-6.0), "single": everywhere(-8.0)}
    v = verdicts(without_placebo(TABLE, AVERAGE, claim(same, on)), tmp_path / "wide", wide)["c"]
    assert v.verdict == "not_reproduced"
    time = '{ kind = "ordering", greater = ["base:reach"], less = ["student:reach"] }'
    v = verdicts(without_placebo(TABLE, AVERAGE, claim(time, on)), tmp_path / "time", LEVELS)["c"]
    assert (v.verdict, v.reason) == ("not_run", "the measure reach is a time, and times have no mean over scenarios")


TESTS = {
    "between": ('{ kind = "between", quantity = "student:final", low = "-7.5", high = "-6" }', "reproduced"),
    "outside": ('{ kind = "between", quantity = "student:final", low = "-6", high = "-5" }', "not_reproduced"),
    "open": ('{ kind = "between", quantity = "student:final", low = "-7", high = "-6" }', "inconclusive"),
    "about": (
        '{ kind = "between", quantity = "student:final", low = "-7", high = "-6", tolerance = 0.3 }',
        "reproduced",
    ),
    "value": ('{ kind = "value", quantity = "student:final", printed = "-7" }', "reproduced"),
    "other value": ('{ kind = "value", quantity = "student:final", printed = "-9" }', "not_reproduced"),
    "difference": (
        '{ kind = "difference", of = "student:final", minus = "base:final", printed = ["1"] }',
        "reproduced",
    ),
    "other difference": (
        '{ kind = "difference", of = "student:final", minus = "base:final", printed = ["2"] }',
        "not_reproduced",
    ),
    "change": (
        '{ kind = "change", from = "base:final", to = "student:final", printed = "12.5%" }',
        "reproduced",
    ),
    "other change": (
        '{ kind = "change", from = "base:final", to = "student:final", printed = "12.5%", direction = "down" }',
        "not_reproduced",
    ),
    "product": ('{ kind = "product", of = ["2", "3"], printed = "6" }', "not_run"),
    "text alone": ('{ kind = "change", from = "8", to = "6", printed = "25%", direction = "down" }', "not_run"),
}


@pytest.mark.parametrize("name", TESTS)
def test_numbers_of_the_text(tmp_path: Path, name: str) -> None:
    """student -7, base -8 on three, each sd .1, margin .5: the change is 1/8 of |-8|, its margin .5/8."""
    test, code = TESTS[name]
    levels = LEVELS | {"student": everywhere(-7.0)}
    v = verdicts(without_placebo(claim(test, 'scenarios = ["three"]')), tmp_path, levels)["c"]
    assert v.verdict == code, v.reason
    if name == "change":
        assert v.found == pytest.approx(0.125)
    if code == "not_run":
        assert v.reason.endswith("only about printed numbers: see bench audit")


def test_a_bound_that_nothing_can_pass_is_none(tmp_path: Path) -> None:
    """Times of 2, 2 and 10 of 16 episodes: their interval reaches below 0, where no time can be."""
    test = '{ kind = "between", quantity = "student:reach", low = "0", high = "13" }'
    rising = LEVELS | {"student": dict[str, Level].fromkeys(LEVELS["student"], (0, 0, 4))}
    v = verdicts(without_placebo(claim(test, 'scenarios = ["three"]')), tmp_path, rising)["c"]
    assert v.interval is not None
    assert v.interval[0] < 0
    assert v.verdict == "reproduced"
    late = LEVELS | {"student": dict[str, Level].fromkeys(LEVELS["student"], (POINTS, POINTS, POINTS - 2))}
    v = verdicts(without_placebo(claim(test, 'scenarios = ["three"]')), tmp_path / "late", late)["c"]
    assert (v.verdict, v.found) == ("not_reproduced", pytest.approx(46 / 3))  # censored at the budget, and counted


def test_without_a_margin_nearness_is_not_judged(tmp_path: Path) -> None:
    text = claim(TESTS["value"][0], 'scenarios = ["three"]').replace("margin = { share_of_scale = 0.1 }\n", "")
    v = verdicts(without_placebo(text), tmp_path, LEVELS)["c"]
    assert (v.verdict, v.reason) == (
        "not_run",
        "its claim declares no margin, so it is not known how near is near enough",
    )


def test_differences_of_several_scenarios_have_their_own_numbers(tmp_path: Path) -> None:
    test = '{ kind = "difference", of = "student:final", minus = "base:final", printed = ["1", "1.2", "0.8"] }'
    v = verdicts(without_placebo(claim(test, "margin = { absolute = 0.3 }")), tmp_path, LEVELS)["c"]
    assert v.verdict == "reproduced"


def test_means_over_sets(tmp_path: Path) -> None:
    """The same runs score both sets, so seeds pair: two and three are at -6.9, odd lower by .3, .28 and .32."""
    sets = '[[set]]\nid = "new"\nwhere = "x"\nsays = "x"\nscenarios = ["odd"]\n'
    sets += '[[set]]\nid = "old"\nwhere = "x"\nsays = "x"\nscenarios = ["two", "three"]\n'
    test = '{ kind = "mean_ordering", quantity = "student:final", greater = "old", less = "new" }'
    levels = LEVELS | {"student": LEVELS["student"] | {"odd": [-7.2, -7.08, -7.32]}}
    v = verdicts(without_placebo(sets, claim(test)), tmp_path, levels)["c"]
    assert (v.verdict, v.found) == ("reproduced", pytest.approx(0.3))
    half = 2.92 * 0.02 / 3**0.5
    assert v.interval == pytest.approx((0.3 - half, 0.3 + half), abs=1e-4)
    assert v.r is not None
    assert v.r > 0.99
    assert len(SPREAD) == v.seeds
