"""Verdicts on claims about several scenarios. Margins of .1 of the scale: two .2, three .5, odd .1. Seeds: sd .1.

The difference of two methods, seed by seed, has sd .1 sqrt(3), standard error .1 and 2 degrees of freedom: 1 apart has
p = .0049, level has .5.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.suite.loading import parse
from tests.several import (
    BETTER,
    POINTS,
    SEVERAL,
    SUBSTITUTE,
    Level,
    claim,
    everywhere,
    evidence_of,
    verdicts,
    without_placebo,
)

pytestmark = pytest.mark.usefixtures("several_tasks")

BASE = everywhere(-8.0)
UP, LEVEL, DOWN = -7.0, -8.0, -9.0


def student(two: float, three: float, odd: float) -> dict[str, dict[str, Level]]:
    return {"base": BASE, "single": BASE, "student": {"two": two, "three": three, "odd": odd}}


@pytest.mark.parametrize(
    ("over", "levels", "code"),
    [
        ('"all"', (UP, UP, UP), "reproduced"),
        ('"all"', (UP, UP, DOWN), "not_reproduced"),
        ('"all"', (UP, UP, LEVEL), "inconclusive"),
        ('"most"', (UP, UP, DOWN), "reproduced"),
        ('"most"', (UP, UP, LEVEL), "reproduced"),
        ('"most"', (UP, LEVEL, LEVEL), "inconclusive"),
        ('"most"', (UP, DOWN, DOWN), "not_reproduced"),
        ("1", (UP, DOWN, DOWN), "reproduced"),
        ("1", (LEVEL, DOWN, DOWN), "inconclusive"),
        ("1", (DOWN, DOWN, DOWN), "not_reproduced"),
        ("3", (UP, UP, DOWN), "not_reproduced"),
    ],
)
def test_a_claim_over_three_scenarios(tmp_path: Path, over: str, levels: tuple[float, float, float], code: str) -> None:
    v = verdicts(without_placebo(claim(BETTER, f"over = {over}")), tmp_path, student(*levels))["c"]
    assert v.verdict == code
    assert v.seeds == 3


def test_the_reason_names_what_was_found_in_each_scenario(tmp_path: Path) -> None:
    """One standard error of .1 and t(.95, 2) = 2.920 give +-.292; -1 stands after Holm: 3 x .0049."""
    v = verdicts(without_placebo(claim(BETTER)), tmp_path, student(UP, LEVEL, DOWN))["c"]
    assert v.verdict == "not_reproduced"
    assert v.reason == (
        "reversed after Holm's correction: odd; two: greater: 1 [0.708, 1.29]; "
        "three: neither order is shown; an advantage of the margin 0.5 or more is excluded: 0 [-0.292, 0.292]; "
        "odd: reversed: less, not greater: -1 [-1.29, -0.708]"
    )
    assert v.found == pytest.approx(-1)
    assert v.p_against == pytest.approx(3 * 0.00493, rel=0.02)


def test_each_scenario_has_its_own_margin(tmp_path: Path) -> None:
    """.1 worse is within three's .5, and not within two's .2."""
    test = '{ kind = "not_greater", greater = ["base:final"], less = ["student:final"] }'
    suite = without_placebo(claim(test, 'scenarios = ["two", "three"]'))
    v = verdicts(suite, tmp_path, student(-8.8, -8.1, -8.0))["c"]
    assert v.verdict == "not_reproduced"
    assert "two: better by more than the margin 0.2" in v.reason
    assert "three: not better by the margin 0.5 or more" in v.reason


def test_a_missing_scenario_counts_as_not_shown(tmp_path: Path) -> None:
    """Teachers are trained one by one: two has no run, and single against student is undecided there."""
    test = '{ kind = "ordering", greater = ["student:final"], less = ["single:final"] }'
    levels = student(UP, UP, UP) | {"single": {"three": -8.0, "odd": -8.0}}
    v = verdicts(without_placebo(claim(test)), tmp_path, levels)["c"]
    assert v.verdict == "not_run"
    assert v.reason.startswith("1 of 3 places not run; two: no finished run of single on two; three: greater: 1 [")
    most = verdicts(without_placebo(claim(test, 'over = "most"')), tmp_path / "most", levels)["c"]
    assert most.verdict == "reproduced"
    reversed_one = student(UP, UP, DOWN) | {"single": levels["single"]}
    assert verdicts(without_placebo(claim(test)), tmp_path / "down", reversed_one)["c"].verdict == "not_reproduced"


def test_nothing_run_is_not_run(tmp_path: Path) -> None:
    v = verdicts(without_placebo(claim(BETTER)), tmp_path, {"base": BASE})["c"]
    assert (v.verdict, v.reason, v.seeds) == ("not_run", "no finished run of student on all", 0)


def test_failed_seeds_are_told_once(tmp_path: Path) -> None:
    text = "\n".join((SEVERAL, claim(BETTER))).replace("seeds = { value = 3,", "seeds = { value = 4,")
    suite = parse(text.encode(), "x.toml")
    evidence_of(suite, tmp_path, {"student": everywhere(UP)}, status="failed", seeds=(0,))
    evidence_of(suite, tmp_path, {"base": BASE}, seeds=(0, 1, 2, 3))
    v = verdicts(suite, tmp_path, {"student": everywhere(UP), "single": BASE}, seeds=(1, 2, 3))["c"]
    assert (v.verdict, v.reason) == ("not_run", "no seed of it counts, unplanned: 1-3")
    v = verdicts(suite, tmp_path, {}, seeds=(0, 1, 2, 3))["c"]
    assert (v.verdict, v.seeds) == ("reproduced", 3)
    assert v.reason.endswith("1 of 4 seeds of student on all failed")


def test_an_undefined_scenario_counts_as_not_shown(tmp_path: Path) -> None:
    """The level is single's: on two and three only the student reaches it in time; on odd no method does."""
    test = '{ kind = "ordering", greater = ["base:reach"], less = ["student:reach"] }'
    rising: dict[str, Level] = {"two": (0, 1, 2), "three": (1, 2, 0), "odd": (POINTS,)}
    levels = {"base": everywhere(-9.0), "student": rising, "single": {"two": -8.0, "three": -8.0, "odd": 0.0}}

    def code(over: str) -> tuple[str, str]:
        text = SEVERAL.replace('level = "base:final"', 'level = "single:final"') + claim(test, f"over = {over}")
        v = verdicts(parse(text.encode(), "x.toml"), tmp_path / over.strip('"'), levels)["c"]
        return v.verdict, v.reason

    assert code('"most"')[0] == "reproduced"
    found, reason = code('"all"')
    assert found == "inconclusive"
    assert "odd: undefined: no run of either method reached the threshold" in reason


def test_a_substitute_counts_where_it_is_read(tmp_path: Path) -> None:
    """odd is a substitute: claims on it or with it are not comparable; two and three note that the team learned it."""
    on = {id_: without_placebo(claim(BETTER, f'scenarios = ["{id_}"]'), SUBSTITUTE) for id_ in ("two", "odd")}
    two, odd = (verdicts(on[id_], tmp_path / id_, student(UP, UP, UP))["c"] for id_ in ("two", "odd"))
    assert (two.verdict, odd.verdict) == ("reproduced", "not_comparable")
    (shared,) = [n for n in two.deviations if n.id == "another"]
    assert (shared.class_, shared.says) == (
        "shared",
        "the team was also trained on a substitute task, odd: not the paper's",
    )
    assert [n.class_ for n in odd.deviations if n.id == "another"] == ["substitute"]
    single = without_placebo(
        claim('{ kind = "ordering", greater = ["single:final"], less = ["single:early"] }', 'scenarios = ["two"]'),
        SUBSTITUTE,
    )
    alone = verdicts(single, tmp_path / "alone", student(UP, UP, UP))["c"]
    assert "another" not in {n.id for n in alone.deviations}  # trained on two alone


def test_a_claim_with_a_substitute_says_what_the_other_scenarios_decide(tmp_path: Path) -> None:
    suite = without_placebo(claim(BETTER), SUBSTITUTE)
    all_up = verdicts(suite, tmp_path / "up", student(UP, UP, UP))["c"]
    assert all_up.verdict == "not_comparable"
    assert all_up.reason.startswith("substitute; direction: same_direction (all 3 hold")
    assert all_up.reason.endswith("without odd: nothing is decided")
    assert [n.class_ for n in all_up.deviations if n.id == "another"] == ["substitute"]
    down = verdicts(suite, tmp_path / "down", student(UP, DOWN, UP))["c"]
    assert down.verdict == "not_comparable"
    assert down.reason.endswith("without odd: not_reproduced")
    most = without_placebo(claim(BETTER, 'over = "most"'), SUBSTITUTE)
    v = verdicts(most, tmp_path / "most", student(UP, UP, DOWN))["c"]
    assert v.reason.endswith("without odd: reproduced")


def test_a_reduced_profile_forbids_everywhere(tmp_path: Path) -> None:
    v = verdicts(without_placebo(claim(BETTER), SUBSTITUTE), tmp_path, student(UP, UP, UP), profile="half")["c"]
    assert v.verdict == "not_comparable"
    assert "without" not in v.reason


@pytest.mark.parametrize(
    ("named", "scenarios"), [("odd", ("odd",)), ("every", ("two", "three", "odd")), ("alone", None), ("student", None)]
)
def test_a_deviation_is_about_what_it_names(tmp_path: Path, named: str, scenarios: tuple[str, ...] | None) -> None:
    """A scenario or a set: only these. An experiment or a method, the teachers' too: the whole run."""
    suite = without_placebo(SUBSTITUTE.replace('["odd"]', f'["{named}"]'))
    cell = evidence_of(suite, tmp_path, {}).cell(suite["experiment", "joint"], "student", "two")
    assert [n.scenarios for n in cell.notes if n.id == "another"] == [scenarios]
    assert cell.trained == ("two", "three", "odd")
    found = [{n.class_ for n in cell.notes_on(s) if n.id == "another"} for s in cell.trained]
    assert found == [{"substitute"} if scenarios is None or s in scenarios else {"shared"} for s in cell.trained]


def test_a_scenario_that_was_not_trained_has_all_deviations_of_the_training(tmp_path: Path) -> None:
    """Scored on "unseen", all the team's knowledge comes from the tasks it was trained on."""
    suite = without_placebo(SUBSTITUTE)
    cell = evidence_of(suite, tmp_path, {}).cell(suite["experiment", "joint"], "base", "two")
    seen = dict(cell.settings["scenarios"][0]) | {"trained": False}
    scored = cell.settings | {"scenarios": [*cell.settings["scenarios"], seen]}
    wider = cell.model_copy(update={"settings": scored, "scenarios": (*cell.scenarios, "unseen")})
    assert "substitute" in {n.class_ for n in wider.notes_on("unseen")}


def test_groups_are_places_of_their_own(tmp_path: Path) -> None:
    """two is trained with three and with odd: a claim looks at both, or at the groups that it names."""
    test = '{ kind = "between", quantity = "base:final", low = "-6", high = "-4" }'
    levels = {"base on pair": everywhere(-5.0), "base on other": everywhere(-8.0)}
    grouped = 'experiments = ["grouped"]\nscenarios = ["two"]\n'
    both = verdicts(without_placebo(claim(test, grouped)), tmp_path / "both", levels)["c"]
    assert both.verdict == "not_reproduced"
    assert "two (pair): above -6 and below -4: -5 [" in both.reason
    assert "two (other): not above -6 and below -4: -8 [" in both.reason
    one = verdicts(without_placebo(claim(test, f'{grouped}groups = ["pair"]')), tmp_path / "one", levels)["c"]
    assert one.verdict == "reproduced"
    every = claim(test, 'experiments = ["grouped"]\ngroups = ["pair"]')
    assert "odd" not in verdicts(without_placebo(every), tmp_path / "every", levels)["c"].reason


def test_a_quantity_of_several_training_sets_must_name_one(tmp_path: Path) -> None:
    test = '{ kind = "ordering", greater = ["base@grouped:final"], less = ["base:final"] }'
    v = verdicts(without_placebo(claim(test, 'scenarios = ["two"]')), tmp_path, {"base": BASE})["c"]
    assert (v.verdict, v.reason) == (
        "not_run",
        "grouped scores two in several training sets, and none is named: pair, other",
    )


def test_a_cell_outside_the_selection_is_still_read(tmp_path: Path) -> None:
    test = '{ kind = "ordering", greater = ["base:final"], less = ["base@grouped:final"] }'
    suite = without_placebo(claim(test, 'scenarios = ["odd"]'))
    apart: dict[str, Level] = {"odd": [-8.0, -8.1, -7.9]}
    levels = {"base on all": everywhere(UP), "base on other": everywhere(-8.0) | apart}
    evidence_of(suite, tmp_path, levels)
    v = verdicts(suite, tmp_path, levels, only=("joint",))["c"]
    assert v.verdict == "reproduced"
