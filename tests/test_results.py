"""The published results are sound, and the tables in README and docs agree with them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest

from bench.commands.judging import Judged, judged
from bench.evidence.measures import Evidence
from bench.evidence.teaching import teacher_levels
from bench.plan import Selection
from bench.report.figures import learning_curves
from bench.report.markdown import write_report
from bench.report.numbers import compatible, estimate, found, interval, number
from bench.report.words import ANSWERED
from bench.stats.intervals import Interval, mean_interval, paired_interval
from bench.store import Contents, Store
from bench.store.verify import verify
from bench.suite import PRIMARY, Place, Suite
from bench.suite.loading import load
from bench.verdict import Verdict, families, judge
from bench.verdict.printed import judge_printed
from bench.verdict.retention import retentions
from tests.conftest import ROOT


class ReadOnce(Store):
    """A results folder that nobody writes to: its records are read once, not for every table."""

    def __init__(self, root: Path):
        super().__init__(root)
        self._read: dict[tuple[int, ...] | None, Contents] = {}

    def contents(self, seeds: tuple[int, ...] | None = None) -> Contents:
        if seeds not in self._read:
            self._read[seeds] = super().contents(seeds)
        return self._read[seeds]


RESULTS = ReadOnce(ROOT / "results")


FIRST = "first-edition"  # the reading that most of the published runs are of


def evidence_of(suite: Suite, reading: str = PRIMARY, **selection: object) -> Evidence:
    chosen = Selection.model_validate({"reading": reading, **selection})
    return Evidence(suite.under(reading), chosen, RESULTS)


@cache
def judged_once(name: str, reading: str, experiment: str) -> tuple[Evidence, Judged]:
    """All verdicts of an experiment, for its report and for the docs."""
    evidence = evidence_of(load(name), reading, only=(experiment,))
    return evidence, judged(evidence)


@pytest.fixture(scope="module")
def verdicts(knowru: Suite) -> dict[str, list[Verdict]]:
    """By experiment."""
    return {
        id_: judge(evidence_of(knowru, only=(id_,)), [knowru["experiment", id_]])
        for id_ in ("spread/III", "spread/sensitivity", "spread/loss", "spread/alpha")
    } | {"spread/II": judged_once("knowru", PRIMARY, "spread/II")[1][0]}


def test_every_hash_of_the_published_results_holds() -> None:
    checked = verify(RESULTS)
    assert not checked.findings
    assert checked.failed == 1  # a result, too: PTDE's GIP on MAPPO diverged with seed 2
    assert checked.finished + checked.failed == sum(1 for _ in RESULTS.root.glob("records/*.json"))


def test_a_student_that_counts_updates_is_drawn_beside_its_teacher(tmp_path: Path) -> None:
    """As PTDE's Fig. 7: the line of stage 1, the mean of what the two finished teachers came to in the test part."""
    evidence = evidence_of(load("ptde"), only=("ltr/planted",))
    cells = {cell.method: cell for cell in evidence.plan.cells}
    student, teacher = cells["mappo_kd_lists"], cells["mappo_gip_lists"]
    finals = [score.final for score in evidence.scores(teacher, "ltr/planted").values()]
    level = {"mappo_gip_lists, the teacher": sum(finals) / 2}
    assert teacher_levels(evidence, [student], "ltr/planted") == pytest.approx(level)
    assert teacher_levels(evidence, [teacher, cells["qmix"]], "ltr/planted") == {}
    shares_it = evidence.suite["experiment", "ltr/planted"].model_copy(update={"methods": ("mappo_kd_lists",)})
    drawn = learning_curves(evidence, shares_it, Place("ltr/planted", None), tmp_path)
    assert drawn is not None
    assert drawn.levels["mappo_gip_lists, the teacher"] == pytest.approx(sum(finals) / 2)


@pytest.mark.parametrize("folder", sorted((RESULTS.root / "report").iterdir()), ids=lambda folder: folder.name)
def test_published_reports_are_what_the_results_give(folder: Path, tmp_path: Path) -> None:
    """Their whole text; their figures exist."""
    published = (folder / "report.md").read_text()
    line = r"^Rerun: `bench run (\S+) --profile full --only (\S+?)(?: --reading (\S+))?`$"
    ((name, experiment, reading),) = re.findall(line, published, re.MULTILINE)
    evidence, found = judged_once(name, reading or PRIMARY, experiment)
    again = write_report(evidence, [evidence.suite["experiment", experiment]], *found, tmp_path)
    assert again.read_text() == published
    for name in re.findall(r"\]\(([^)]+)\)", published):
        assert (folder / name).stat().st_size > 0


def cells(verdict: Verdict) -> str:
    return f" {found(verdict)} | `{verdict.verdict}` |"


def under(verdict: Verdict, reading: str) -> str:
    """A claim under one of its readings, as the docs show it."""
    (one,) = (own for own in verdict.readings if own.reading == reading)
    return f" {number(one.estimate)}{interval(one.low, one.high)} | {ANSWERED[one.outcome or 'undefined']} |"


def test_the_readmes_verdicts_are_what_the_results_give(verdicts: dict[str, list[Verdict]]) -> None:
    text = (ROOT / "README.md").read_text()
    assert len(verdicts["spread/II"]) == 12
    (seeds,) = {v.seeds for v in verdicts["spread/II"]}
    assert f"(task II, {seeds} seeds)" in text
    for v in verdicts["spread/II"]:
        holds, run = v.holds_in or (0, 0)
        assert f"| {v.says.partition(' (')[0]} |{cells(v)} {holds} of {run} |" in text
    (family,) = families(verdicts["spread/II"])
    assert (family.name, family.tested, family.reproduced) == ("headline claims", 1, 1)
    assert {v.id: v.verdict for v in verdicts["spread/II"] if v.headline} == {
        "fewer-episodes": "reproduced",
        "better-throughout": "also_untrained",
    }
    assert "*Fewer episodes* is reproduced" in text
    assert "random script passes as well" in text


def test_the_docs_verdicts_are_what_the_results_give(verdicts: dict[str, list[Verdict]]) -> None:
    """Task II as it is judged, as released and in the first edition; task III as it is judged and in the latter."""
    text = (ROOT / "docs/knowru.md").read_text()
    for two, three in zip(verdicts["spread/II"], verdicts["spread/III"], strict=True):
        says = two.says.partition(" (")[0]
        assert f"| {says} |{cells(two)}{under(two, 'as-released')}" in text
        assert f"| {says} |{under(two, FIRST)}{under(three, FIRST)}" in text
        holds, run = three.holds_in or (0, 0)
        assert f"| {says} |{cells(three)} {holds} of {run} |\n" in text


def test_the_docs_verdicts_on_adversaries_are_what_the_results_give(knowru: Suite) -> None:
    text = (ROOT / "docs/knowru.md").read_text()
    tasks = ("adversary/V", "adversary/VI")
    found = [judge(evidence_of(knowru, only=(id_,)), [knowru["experiment", id_]]) for id_ in tasks]
    assert [len(own) for own in found] == [12, 12]
    for both in zip(*found, strict=True):
        columns = "".join(f"{cells(v)} {holds} of {run} |" for v in both for holds, run in [v.holds_in or (0, 0)])
        assert f"| {both[0].says.partition(' (')[0]} |{columns}" in text


def test_the_docs_verdicts_on_variants_are_what_the_results_give(verdicts: dict[str, list[Verdict]]) -> None:
    text = (ROOT / "docs/knowru.md").read_text()
    (loss,) = verdicts["spread/loss"]
    assert f"is `{loss.verdict}`" in text
    assert f"the widest difference is {found(loss)}" in text
    for v in [v for id_ in ("spread/sensitivity", "spread/loss", "spread/alpha") for v in verdicts[id_]]:
        says = v.says + (" (task II)" if v.experiment == "spread/sensitivity" else "")
        assert f"| {says} |{under(v, FIRST)}" in text


SENSITIVITIES = {
    "nothing": ("knowru", "maddpg"),
    "`knowru_unscaled`": ("knowru_unscaled", "maddpg"),
    "`knowru_nearest`": ("knowru_nearest", "maddpg_native"),
    "`knowru_anneal_24`": ("knowru_anneal_24", "maddpg"),
    "`knowru_warmup`": ("knowru_warmup", "maddpg_warmup"),
}


def shown(value: Interval) -> str:
    return number(value.estimate) + interval(value.low, value.high)


@pytest.mark.parametrize("row", SENSITIVITIES)
def test_the_docs_sensitivities_are_what_the_results_give(knowru: Suite, row: str) -> None:
    evidence = evidence_of(knowru, FIRST)
    experiment = evidence.suite["experiment", "spread/sensitivity"]
    student, baseline = SENSITIVITIES[row]

    def values(method: str, measure: str):
        return evidence.values(experiment, f"{method}:{measure}", *experiment.scenarios).values

    expected = [
        paired_interval(values(student, "initial"), values(baseline, "initial"), 0.9),
        paired_interval(values(student, "asymptote"), values(baseline, "asymptote"), 0.9),
        paired_interval(values(baseline, "loss_fluctuation"), values(student, "loss_fluctuation"), 0.9),
        paired_interval(values(student, "reuse_last"), values(student, "reuse_middle"), 0.9),
    ]
    lines = (ROOT / "docs/knowru.md").read_text().split("\n")
    (line,) = [line for line in lines if line.startswith(f"| {row}") and line.count("|") == 6]
    assert [cell.strip() for cell in line.split("|")[2:-1]] == [shown(i) for i in expected]


@pytest.mark.parametrize(
    ("row", "method"),
    [
        ("MADDPG", "maddpg"),
        ("0.5 (KnowRU)", "knowru"),
        *((a, f"knowru_alpha_{a}") for a in ("0.1", "0.3", "0.7", "1")),
    ],
)
def test_the_docs_alphas_are_what_the_results_give(knowru: Suite, row: str, method: str) -> None:
    evidence = evidence_of(knowru, FIRST)
    experiment = evidence.suite["experiment", "spread/alpha"]
    lines = (ROOT / "docs/knowru.md").read_text().split("\n")
    (line,) = [line for line in lines if line.startswith(f"| {row} |") and line.count("|") == 5]
    for cell, measure in zip(line.split("|")[2:-1], ("initial", "overall", "asymptote"), strict=True):
        i = mean_interval(evidence.values(experiment, f"{method}:{measure}", *experiment.scenarios).values)
        assert cell.strip() == f"{i.estimate:.1f} [{i.low:.1f}, {i.high:.1f}]"


def test_alpha_zero_is_maddpg_to_the_last_bit(knowru: Suite) -> None:
    evidence = evidence_of(knowru, FIRST)
    experiment = evidence.suite["experiment", "spread/alpha"]
    (scenario,) = experiment.scenarios
    cells = [evidence.cell(experiment, method, scenario) for method in ("maddpg", "knowru_alpha_0")]
    plain, zero = (evidence.scores(cell, scenario) for cell in cells)
    for seed in range(10):
        assert plain[seed].scores.curves["training"].mean == zero[seed].scores.curves["training"].mean


def test_published_runs_come_from_a_clean_tree(knowru: Suite) -> None:
    records = [record for reading in (PRIMARY, "as-released", FIRST) for record in evidence_of(knowru, reading).records]
    assert records
    for record in records:
        assert record.provenance.dirty is False
        assert record.provenance.commit
        assert record.profile == "full"


def final_scores(evidence: Evidence, scenario: str) -> list[float]:
    """For the teachers that are scored on a scenario, one per seed."""
    cell = evidence.cell(evidence.suite["experiment", "teachers"], "qmix_teacher", scenario)
    return [score.final for score in evidence.scores(cell, scenario).values()]


@pytest.fixture(scope="module")
def table_2() -> dict[tuple[str, str], tuple[str, str]]:
    """By method and scenario, of every printed value in the first edition: as printed, ours, direction; compatible."""
    evidence = evidence_of(load("mkt_marl"), FIRST, only=("table2",))
    found = {}
    for value in evidence.suite.printed_in("table2"):
        verdict = judge_printed(evidence, value)
        if verdict.ours is not None:
            ours = f"{verdict.ours.estimate:.1f} [{verdict.ours.low:.1f}, {verdict.ours.high:.1f}]"
            cells = f"{value.text} | {ours} | `{verdict.direction}` |"
            found[value.method, value.scenario] = cells, f" {compatible(verdict)} |"
    return found


def test_the_docs_table_2_is_what_the_results_give(table_2: dict[tuple[str, str], tuple[str, str]]) -> None:
    """Every value, in the paper's order or another, and no other."""
    rows = {f"| {method} | {scenario} | {cells}" for (method, scenario), (cells, _) in table_2.items()}
    lines = (ROOT / "docs/mkt_marl.md").read_text().split("\n")
    assert {line for line in lines if line.count("|") == 6 and " | mpe/" in line} == rows
    assert rows


def test_the_readmes_table_2_is_what_the_results_give(table_2: dict[tuple[str, str], tuple[str, str]]) -> None:
    """The two tasks that have no opponent, every method of theirs."""
    tasks = ("mpe/speaker_listener", "mpe/push")
    rows = {f"| {method} | " + " ".join("".join(table_2[method, task]) for task in tasks) for method, _ in table_2}
    text = (ROOT / "README.md").read_text()
    assert len(rows) == 6
    assert rows <= set(text.split("\n"))
    assert "Ten of twelve values cannot be decided" in text
    assert sum(row.count("`undecided`") for row in rows) == 10


def test_what_the_primary_reading_has_of_table_2() -> None:
    """The teachers on the two tasks that no adversary is in."""
    evidence = evidence_of(load("mkt_marl"), only=("table2",))
    found = judge(evidence, [evidence.suite["experiment", "table2"]])
    own = {"table-2/mpe/speaker_listener/qmix_teacher": "reproduced", "table-2/mpe/push/qmix_teacher": "inconclusive"}
    run = {v.id: v.verdict for v in found if v.ran and not v.computed}
    assert run == own
    text = " ".join((ROOT / "docs/mkt_marl.md").read_text().split())
    assert "their -9.64 on push `inconclusive`" in text
    assert "-30.14 on speaker-listener is `reproduced`" in text
    (family,) = families(found)
    assert (family.tested, family.reproduced, family.not_reproduced) == (2, 0, 0)
    assert "Corrected for both (Benjamini-Hochberg) neither stands" in text


def test_the_docs_table_4_is_what_the_results_give() -> None:
    """The average that is printed, and the means of the three tasks behind ours."""
    evidence = evidence_of(load("mkt_marl"), FIRST, only=("ablation",))
    suite = evidence.suite
    experiment, rows = suite["experiment", "ablation"], set()
    for value in suite.printed_in("ablation"):
        ours = judge_printed(evidence, value).ours
        if ours is not None:
            tasks = [evidence.finals(experiment, value.method, task) for task in suite.members(value.scenario)]
            parts = " | ".join(f"{task.mean:.1f}" for task in tasks)
            interval = f"{ours.estimate:.2f} [{ours.low:.2f}, {ours.high:.2f}]"
            rows.add(f"| {value.method} | {value.text} | {interval} | {parts} |")
    assert len(rows) == 6
    assert rows <= set((ROOT / "docs/mkt_marl.md").read_text().split("\n"))


def test_the_docs_other_adversaries_are_what_the_results_give() -> None:
    evidence = evidence_of(load("mkt_marl"), FIRST, only=("teachers",))
    suite = evidence.suite
    cell = evidence.cell(suite["experiment", "teachers"], "qmix_teacher", "mpe/adversary")
    means = [sum(own) / len(own) for own in (final_scores(evidence, scenario) for scenario in cell.scenarios)]
    text = " ".join((ROOT / "docs/mkt_marl.md").read_text().split())
    assert "{:.1f} from it, {:.1f} from the second and {:.1f} from the third".format(*means) in text


def test_the_docs_losses_are_what_the_results_give() -> None:
    """Means over seeds at an epoch: eq. 5, eq. 3, and eq. 3 of Dec-HDRQN."""
    tasks = ("speaker_listener", "push")  # in the order of a record's scores
    records = evidence_of(load("mkt_marl"), FIRST, only=("table2",)).records
    rows = set()
    for place, task in enumerate(tasks):
        for epoch in (10_000, 50_000):
            means = []
            for method, loss in (("mkt_marl", "td"), ("mkt_marl", "kl"), ("dec_hdrqn", "kl")):
                scores = [r.numbers.scores[place] for r in records if r.method == method]
                curves = [score.curves[f"loss/{loss}"] for score in scores]
                points = [point for c in curves if (point := c.mean[c.episodes.index(epoch)]) is not None]
                means.append(sum(points) / len(curves))
            name = task.replace("_", "-")
            rows.add(f"| {name} | {epoch:,} | {means[0]:.1f} | {means[1]:.4f} | {means[2]:.4f} |")
    assert rows <= set((ROOT / "docs/mkt_marl.md").read_text().split("\n"))


def test_the_docs_scores_of_cikd_are_what_the_results_give() -> None:
    """Final returns, the difference on shared seeds, who taught how often, and students above their teachers."""
    text = (ROOT / "docs/cikd.md").read_text()
    evidence = evidence_of(load("cikd"), profile="nightly", only=("main",))
    place = Place("mujoco/half_cheetah", "mujoco/half_cheetah")
    cell = partial(evidence.cell, evidence.suite["experiment", "main"])
    alone, team = (
        {seed: score.scores for seed, score in evidence.scores(cell(method, *place), place.scenario).items()}
        for method in ("vanilla_sac", "sac_cikd")
    )

    def mean(values: Iterable[float | None]) -> str:
        found = mean_interval(np.array([*values], float))
        return f"{found.estimate:,.0f}{interval(found.low, found.high)}"

    members = [float(np.array(one.members, float).mean()) for one in team.values()]
    assert f"| Vanilla-SAC | {len(alone)} | {mean(one.final for one in alone.values())} |" in text
    elected, best = mean(one.final for one in team.values()), mean(one.best_member for one in team.values())
    assert f"| SAC-CIKD | {len(team)} | {mean(members)} | {elected} | {best} |" in text
    both = np.array([(team[seed].final, alone[seed].final) for seed in team if seed in alone], float)
    lead = paired_interval(both[:, 0], both[:, 1])
    assert f"leads Vanilla-SAC by {number(lead.estimate)}{interval(lead.low, lead.high)}." in text
    above = cases = 0
    for one in team.values():
        teachers = np.array(one.curves["teacher"].mean, int)
        before, after = (
            np.array([one.curves[f"{when}/member_{m}"].mean for m in range(3)], float) for when in ("before", "after")
        )
        students = np.arange(3)[:, None] != teachers
        cases += int(students.sum())
        above += int((students & (after > before[teachers, np.arange(len(teachers))])).sum())
    assert f"In {above} of {cases} cases a student scored above its teacher" in text


def test_the_docs_scores_of_ptde_are_what_the_results_give() -> None:
    """NDCG of every method on the planted ranker's test part, what students retain, and the directions of Fig. 6."""
    text = (ROOT / "docs/ptde.md").read_text()
    evidence, (verdicts, _, _) = judged_once("ptde", PRIMARY, "ltr/planted")
    experiment = evidence.suite["experiment", "ltr/planted"]
    kept = {one.student: one for one in retentions(evidence, experiment) if one.scenario == "ltr/planted"}
    for method in experiment.methods:
        scores = evidence.finals(experiment, method, "ltr/planted")
        mean = mean_interval(scores.values)
        span = "" if mean.low is None else f" [{mean.low:.3f}, {mean.high:.3f}]"
        retained = f" {estimate(kept[method].as_printed)}" if method in kept else ""
        assert f"| `{method}` | {len(scores.seeds)} | {mean.estimate:.3f}{span} |{retained} |" in text
    assert len(verdicts) == 4
    for v in verdicts:
        assert v.verdict == "not_comparable"
        assert f"| {v.says.partition(' (asked')[0]} | {found(v)} | `{v.direction}` |" in text


def test_the_docs_scores_of_dvm_are_what_the_results_give() -> None:
    """Right after the turn and at the end, in phase II's start; DVM's lead over each control; the claims of Fig. 8."""
    text = (ROOT / "docs/dvm.md").read_text()
    evidence = evidence_of(load("dvm"), only=("spread/analysis",), seeds=tuple(range(5)))
    experiment = evidence.suite["experiment", "spread/analysis"]
    (group,) = experiment.training_sets
    finals = {}
    for method in experiment.methods:
        cell = evidence.cell(experiment, method, "spread-2/discrete/phase-2", group.id)
        own = [score.scores for score in evidence.scores(cell, "spread-2/discrete/phase-2").values()]
        finals[method] = np.array([one.final for one in own], float)
        turn = mean_interval(np.array([one.curves["turn"].mean[0] for one in own], float))
        end = mean_interval(finals[method])
        lead = paired_interval(finals["maddpg_dvm"], finals[method], 0.9) if method != "maddpg_dvm" else None
        shown = f"{number(lead.estimate)}{interval(lead.low, lead.high)}" if lead else ""
        both = " | ".join(f"{number(one.estimate)}{interval(one.low, one.high)}" for one in (turn, end))
        assert f"| `{method}` | {both} | {shown} |" in text
    for v in judge(evidence, [experiment]):
        assert f"| {v.says.partition(' (')[0]} |{cells(v)}" in text
