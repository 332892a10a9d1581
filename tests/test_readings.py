"""Readings of a paper: their changes, the claims in them, and what a suite file may not say about them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.audit import audit
from bench.evidence.measures import Evidence
from bench.plan import Selection
from bench.report.audit import audit_json, audit_markdown, audit_table
from bench.report.words import readings_lines, sentence
from bench.store import Store
from bench.suite import PRIMARY, Suite, SuiteError
from bench.suite.loading import load, parse
from bench.verdict import Verdict, judge
from tests.conftest import TINY, Bench
from tests.read_in import AHEAD, OPEN, READINGS, TURNING, judged, planned, record, suite_of

CONFLICT = """
[[conflict]]
id = "alpha"
where = "Sec. 3"
code = "they/theirs@0123abc:learn.py:7"
says = "alpha falls; in the code it stays"
keys = ["student"]
"""


ANCHORS = '{ random = -9.0, no_information = -7.0, good = -1.0, measured = "made up" }'


def outcomes(verdict: Verdict) -> dict[str, str | None]:
    return {one.reading: one.outcome for one in verdict.readings}


def keys(suite: Suite, reading: str = PRIMARY) -> dict[str, str]:
    """Cells' keys by label."""
    return {cell.label: cell.key for cell in planned(suite, reading).cells}


# ------------------------------------------------------------------------------------------- what a reading changes


def test_a_method_and_its_heirs_run_anew() -> None:
    suite = suite_of()
    own, wide, code = keys(suite), keys(suite, "wide"), keys(suite, "code")
    assert {label for label in own if own[label] != wide[label]} == {*own}
    assert {label for label in own if own[label] != code[label]} == {"student on three"}
    assert {cell.settings["hyperparameters"]["hidden_width"] for cell in planned(suite, "wide").cells} == {16}
    assert {cell.settings["hyperparameters"]["hidden_width"] for cell in planned(suite).cells} == {8}


def test_an_heir_keeps_what_it_states_itself() -> None:
    stated = TINY.replace(
        "[method.hyperparameters]\nalpha_start",
        '[method.hyperparameters]\nhidden_width = { value = 8, source = "b" }\nalpha_start',
    )
    suite = parse(f"{stated}{READINGS}".encode(), "tiny.toml")
    width = {cell.label: cell.settings["hyperparameters"]["hidden_width"] for cell in planned(suite, "wide").cells}
    assert width == {"base on two": 16, "base on three": 16, "init on three": 16, "student on three": 8}


def test_a_budget_in_a_students_own_unit_is_the_students() -> None:
    """PTDE's stage 2 counts updates where the experiment counts steps."""
    ptde = load("ptde")
    plain, released = (s["experiment", "ltr/planted"] for s in (ptde, ptde.under("as-released")))
    (group,) = plain.training_sets
    counted = {m: released.own_budget(group, m).counted for m in released.methods}
    assert {m for m, n in counted.items() if n == ("updates", 500_000)} == {"qmix_kd", "vdn_kd", "mappo_kd_lists"}
    assert {n for n in counted.values() if n != ("updates", 500_000)} == {plain.budget.counted}
    assert released.recording_of == plain.recording_of


def test_an_analysis_shares_every_run_and_changes_what_it_names(tmp_path: Path) -> None:
    suite = suite_of()
    changed = suite.under("late")
    assert keys(suite, "late") == keys(suite)
    assert changed["measure", "overall"].window == (0.5, 1.0)
    assert changed["measure", "overall"].series == suite["measure", "overall"].series
    assert changed["measure", "reach"] == suite["measure", "reach"]
    assert (changed.method, changed.claim) == (suite.method, suite.claim)
    primary = Evidence(suite, Selection(), record(suite, tmp_path, {PRIMARY: AHEAD}))
    assert primary.under(suite.readings["late"]).plan is primary.plan


def test_what_varies_is_a_reading_for_each_combination() -> None:
    found = [one for id_, one in suite_of().readings.items() if id_.startswith("grid/")]
    assert [tuple(one.measures["reach"].values()) for one in found] == [(1, 1), (1, 3), (2, 1), (2, 3)]
    assert found[1].says == "when: smooth 1, hold 3"
    assert found[1].choices == {"reach.smooth": "1", "reach.hold": "3"}


# ----------------------------------------------------------------------------------------- what becomes of claims


def test_a_decided_answer_that_an_analysis_turns(tmp_path: Path) -> None:
    verdict = judged(suite_of(), tmp_path, {PRIMARY: TURNING})["better"]
    assert outcomes(verdict) == {"primary": "yes", "wide": None, "code": None, "early": "yes", "late": "no"}
    assert (verdict.holds_in, verdict.turned, verdict.robust) == ((2, 3), ("late",), None)
    assert verdict.verdict == "depends_on_reading"
    assert (
        sentence(verdict) == "it holds in the primary reading; it turns with late; holds in 2 of 3 readings, 2 not run"
    )


def test_an_open_answer_that_others_decide_against_each_other(tmp_path: Path) -> None:
    verdict = judged(suite_of(), tmp_path, {PRIMARY: OPEN})["better"]
    assert outcomes(verdict) | {"wide": None, "code": None} == outcomes(verdict)
    assert (verdict.readings[0].outcome, verdict.turned) == ("undecided", ("early", "late"))
    assert verdict.verdict == "depends_on_reading"


def test_readings_that_agree_leave_the_word(tmp_path: Path) -> None:
    verdict = judged(suite_of(), tmp_path, {PRIMARY: AHEAD, "wide": AHEAD})["better"]
    assert (verdict.verdict, verdict.holds_in, verdict.turned, verdict.robust) == ("reproduced", (4, 4), (), "yes")


def test_a_claim_that_fails_in_every_reading(tmp_path: Path) -> None:
    behind = [-14.0] * 8
    verdict = judged(suite_of(), tmp_path, {PRIMARY: behind, "wide": behind})["better"]
    assert (verdict.verdict, verdict.holds_in, verdict.robust) == ("not_reproduced", (0, 4), "no")


def test_other_runs_turn_it_too(tmp_path: Path) -> None:
    verdict = judged(suite_of(), tmp_path, {PRIMARY: AHEAD, "wide": [-14.0] * 8})["better"]
    assert outcomes(verdict)["wide"] == "no"
    assert (verdict.verdict, verdict.turned) == ("depends_on_reading", ("wide",))


def test_nothing_that_an_untrained_team_passes_is_robust(tmp_path: Path) -> None:
    """The student is ahead from its first point on, which is before it learned anything."""
    verdict = judged(suite_of(), tmp_path, {PRIMARY: [-4.0] * 8})["better"]
    assert (verdict.verdict, verdict.holds_in, verdict.robust) == ("also_untrained", (3, 3), None)


def test_a_reading_that_changes_nothing_of_a_claim_is_none_of_its_own(tmp_path: Path) -> None:
    """Nor does the primary reading's own combination count; a level's measure belongs to the claim."""
    found = judged(suite_of(), tmp_path, {PRIMARY: TURNING})
    assert not any(name.startswith("grid") for name in outcomes(found["better"]))
    assert [*outcomes(found["sooner"])] == [
        *("primary", "wide", "code", "early", "late"),
        *("grid/1", "grid/2", "grid/4"),  # the third is the suite's own
    ]
    assert dict(found["sooner"].readings[0].choices) == {
        "overall.window": "0.0 to 1.0",
        "reach.smooth": "2",
        "reach.hold": "1",
    }


def test_what_was_not_run_is_named(tmp_path: Path) -> None:
    found = judged(suite_of(), tmp_path, {PRIMARY: AHEAD})["better"]
    lines = [*readings_lines(found)]
    assert "holds in 3 of 3 readings, 2 not run" in lines[0]
    assert "no probability" in lines[0]
    assert lines[2].startswith("  wide (assumption): not run: no finished run of ")
    assert lines[2].endswith("; twice the width")
    nothing = judged(suite_of(), tmp_path / "none", {})["better"]
    assert (nothing.verdict, nothing.holds_in, nothing.robust) == ("not_run", (0, 0), None)
    assert sentence(nothing).endswith("; 5 readings, none run")


def test_a_claim_without_other_readings_says_nothing_of_them(tiny: Suite, tmp_path: Path) -> None:
    verdict = judged(tiny, tmp_path, {PRIMARY: AHEAD})["better"]
    assert (verdict.readings, verdict.holds_in, [*readings_lines(verdict)]) == ((), None, [])
    assert "reading" not in sentence(verdict)


def test_only_the_primary_reading_has_verdicts(tmp_path: Path) -> None:
    suite = suite_of()
    record(suite, tmp_path, {"wide": AHEAD})
    evidence = Evidence(suite.under("wide"), Selection(reading="wide"), Store(tmp_path))
    verdict = {v.id: v for v in judge(evidence, suite.experiment)}["better"]
    assert (verdict.verdict, verdict.direction, verdict.readings) == ("not_comparable", "same_direction", ())
    assert "not the primary reading" in sentence(verdict)


def test_a_scale_goes_with_the_params_that_it_was_measured_for() -> None:
    more = f'scenarios.three = {{ dynamics = "mpe2" }}\nanchors.three = {ANCHORS}'
    suite = suite_of(f'[[reading]]\nid = "apart"\nsays = "else"\nkind = "assumption"\n{more}\n')
    changed = suite.under("apart")
    assert (changed.scale("three"), changed["scenario", "three"].params["dynamics"]) == (6.0, "mpe2")
    assert suite.scale("three") == suite.under("wide").scale("three") == 5.0
    assert changed.scale("two") == suite.scale("two")


def test_a_reading_may_score_in_another_metric() -> None:
    """The team learns the same, and its record has other numbers."""
    more = '\n[[reading]]\nid = "whole"\nsays = "x"\nkind = "released"\nmetrics.three = "return_sum"\n'
    suite = parse(f"{TINY}{more}".encode(), "tiny.toml")
    changed = suite.under("whole")
    assert (suite["scenario", "three"].metric, changed["scenario", "three"].metric) == ("step_reward", "return_sum")
    assert changed["scenario", "two"] == suite["scenario", "two"]
    own, whole = keys(suite), keys(suite, "whole")
    assert {label for label in own if own[label] != whole[label]} == {label for label in own if "three" in label}
    assert suite.readings["whole"].choices == {"three.metric": "return_sum"}
    with pytest.raises(SuiteError, match=r'reading\[whole\]: scenario\[three\]\.metric\n.*"win_rate"'):
        parse(f"{TINY}{more.replace('return_sum', 'win_rate')}".encode(), "tiny.toml")
    with pytest.raises(SuiteError, match=r"reading\[whole\]\.metrics"):
        parse(f"{TINY}{more.replace('metrics.three', 'metrics.four')}".encode(), "tiny.toml")


def test_a_deviation_may_stand_in_some_readings_only() -> None:
    extra = '[[deviation]]\nid = "some"\nclass = "assumed"\napplies_to = ["base"]\nunder = ["wide"]\nsays = "so"\n'
    suite = suite_of(extra)

    def noted(reading: str) -> bool:
        return any(n.id == "some" for cell in planned(suite, reading).cells for n in cell.notes)

    assert [noted(reading) for reading in (PRIMARY, "late", "code", "wide")] == [False, False, False, True]


def test_what_the_code_contradicts_stands_in_the_note() -> None:
    place, guess = "they/theirs@0123abc:learn.py:9", 'source = "a guess", kind = "assumed"'
    suite = parse(TINY.replace(guess, f'{guess}, contradicted = "{place}"').encode(), "tiny.toml")
    (note,) = {n.says for cell in planned(suite).cells for n in cell.notes if n.id == "warmup_transitions"}
    assert note == f"warmup_transitions = 20: a guess; contradicted by the authors' code, {place}"


def test_an_audit_lists_conflicts() -> None:
    suite = suite_of(CONFLICT)
    findings = audit(suite)
    (shown,) = [f for f in audit_json(findings) if f["holds"] == "conflict"]
    assert (shown["id"], shown["cells"]) == ("alpha", ["they/theirs@0123abc:learn.py:7", "student"])
    text = audit_markdown([(suite, findings)])
    assert "## The authors' code does otherwise" in text
    assert "alpha falls; in the code it stays" in text
    assert audit_table(findings, everything=False).row_count == 1


# ------------------------------------------------------------------------------------------- what is refused


def refused(*changes: tuple[str, str], more: str = "") -> str:
    text = READINGS
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(SuiteError) as caught:
        parse(f"{TINY}{text}{more}".encode(), "bad.toml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("methods.base =", "methods.bass =", ["reading[wide].methods", '"bass"', '"base"']),
        ("measures = { overall =", "measures = { overal =", ["reading[early].measures", '"overal"', '"overall"']),
        ("vary.reach", "vary.reached", ["reading[grid].vary", '"reached"', '"reach"']),
        ('id = "wide"', 'id = "primary"', ["reading", "primary"]),
        ('kind = "assumption"', 'kind = "analysis"', ["analysis", "only measures, margins and vary"]),
        ("window = [0.5, 1.0]", 'window = "late"', ["reading[late]", "window"]),
        ("smooth = [1, 2]", 'smooth = [1, "two"]', ["reading[grid].vary", "smooth", "two"]),
        ("smooth = [1, 2]", 'level = ["base:overall", "bass:overall"]', ["reading[grid]", '"bass"', '"base"']),
        (
            "window = [0.5, 1.0]",
            "window = [0.05, 0.06]",
            ["reading[late]", "a window that a point can lie in"],
        ),
        ("smooth = [1, 2]", f"smooth = {[*range(1, 502)]}", ["vary", "at most 1000 combinations"]),
        ("they/theirs@0123abc:learn.py:7", "their code", ["alpha_end", "OWNER/NAME@COMMIT:PATH:LINE"]),
        ("value = 16", "value = -16", ["reading[wide]", "hidden_width", "-16"]),
        ("hidden_width", "hiden_width", ["reading[wide]", "hiden_width"]),
    ],
)
def test_a_reading_that_cannot_be_meant(old: str, new: str, said: list[str]) -> None:
    message = refused((old, new))
    assert all(words in message for words in said), message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("margins.bettr = { absolute = 1.0 }", ["reading[another].margins", '"bettr"', '"better"']),
        ("scenarios.thre = { agents = 2 }", ["reading[another].scenarios", '"thre"', '"three"']),
        ("budget.targt = { episodes = 8 }", ["reading[another].budget", '"targt"', '"target"']),
        ("", ["reading[another]", "at least one of methods, scenarios, metrics, budget, measures, margins, vary"]),
        ("vary.reach = { hold = [1] }", ["reading[another]", "vary: only for an analysis"]),
        (f"scenarios.three = {{ agents = 2 }}\nanchors.two = {ANCHORS}", ["reading[another]", "anchors", "two"]),
    ],
)
def test_a_reading_of_what_is_not_there(change: str, said: list[str]) -> None:
    more = f'[[reading]]\nid = "another"\nsays = "else"\nkind = "assumption"\n{change}\n'
    message = refused(more=more)
    assert all(words in message for words in said), message


def test_the_command_line(bench_here: Bench, tmp_path: Path) -> None:
    file = tmp_path / "tiny.toml"
    file.write_text(TINY + READINGS)
    record(suite_of(), tmp_path / "results", {PRIMARY: TURNING})
    refusal = bench_here("check", file, "--reading", "nonsense")
    assert refusal.returncode == 2
    assert all(words in refusal.stderr for words in ("--reading", '"nonsense"', '"primary", "wide"'))
    check = ("check", file, "--results", tmp_path / "results")
    plain, full = bench_here(*check), bench_here(*check, "--readings")
    assert "late (analysis)" not in plain.stdout
    assert "  late (analysis): does not hold, -1 [" in full.stdout
    verdicts = {v["id"]: v for v in json.loads(bench_here(*check, "--json").stdout)["verdicts"]}
    assert (verdicts["better"]["holds_in"], verdicts["better"]["turned"]) == ([2, 3], ["late"])
