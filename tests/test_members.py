"""What is read from an ensemble's runs, and by which protocol a claim is judged. Records are synthetic."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import tests.synthetic as synthetic
from bench.evidence.measures import Evidence
from bench.evidence.members import share, share_of_runs, surpassed
from bench.evidence.readings import Score
from bench.evidence.values import NotRun
from bench.plan import Cell, Selection, make_plan
from bench.report.members import timeline
from bench.stats.bootstrap import bootstrap_band
from bench.stats.estimates import StatisticsError
from bench.store import Curve, Scores, Store
from bench.suite import MemberShare, Place, Suite, Surpass
from bench.suite.loading import load
from bench.verdict.claims import judge_claim
from tests.synthetic import fill

ONLY = Selection(profile="nightly", only=("reset",))
TASK = "mujoco/half_cheetah"


def curve(steps: Sequence[int], means: Sequence[float]) -> Curve:
    zeros = (0,) * len(steps)
    return Curve(episodes=zeros, steps=tuple(steps), mean=tuple(map(float, means)), sd=zeros, n=tuple(1 for _ in steps))


def score(**curves: Curve) -> Score:
    named = {name.replace("_member", "/member"): own for name, own in curves.items()}
    return Score("0" * 16, Scores.of(named, [1.0]), "steps", 100, None)


def of(chosen: Sequence[int], members: int = 3) -> Score:
    steps = range(10, 10 + len(chosen))
    empty = {f"evaluation_member_{m}": curve([0], [0]) for m in range(members)}
    return score(teacher=curve(steps, chosen), **empty)


def test_shares_of_who_teaches() -> None:
    largest = MemberShare(id="s", says="s", kind="member_share", of="teacher", take="largest", least=4)
    uneven = largest.model_copy(update={"take": "unevenness"})
    assert share(largest, of([0, 2, 2, 1])) == 0.5
    assert share(uneven, of([0, 0, 0, 0])) == pytest.approx(2 / 3)
    assert share(uneven, of([0, 1, 2, 0, 1, 2])) == 0
    with pytest.raises(StatisticsError, match="3 comparisons; a share of fewer than 4 says nothing"):
        share(largest, of([0, 1, 2]))


def test_the_best_of_runs_that_trained_apart() -> None:
    measure = MemberShare(id="s", says="s", kind="member_share", of="elected", take="largest", least=3)
    runs = [score(training=curve([1, 2, 3, 4], means)) for means in ([1, 5, 5, 1], [2, 1, 1, 1.5], [0, 0, 0, 0])]
    assert share_of_runs(measure, runs) == 0.5
    shorter = score(training=curve([1, 2, 4], [9, 9, 9]))
    assert share_of_runs(measure, [*runs[:2], shorter]) == 1
    with pytest.raises(StatisticsError, match="there is only one"):
        share_of_runs(measure, runs[:1])


def test_students_that_surpass_their_teachers() -> None:
    """By hand: of two students one, none and both at 10, 40 and 90 steps; a draw does not count."""
    run = score(
        teacher=curve([10, 40, 90], [0, 1, 2]),
        after_member_0=curve([10, 40, 90], [5, 7, 9]),
        after_member_1=curve([10, 40, 90], [6, 7, 9]),
        after_member_2=curve([10, 40, 90], [4, 7, 8]),
        **{f"evaluation_member_{m}": curve([0], [0]) for m in range(3)},
    )
    measure = Surpass(id="s", says="s", kind="surpass", least=1)
    assert surpassed(measure, run) == pytest.approx(3 / 6)
    assert surpassed(measure.model_copy(update={"window": (0.5, 1.0)}), run) == 1
    assert surpassed(measure.model_copy(update={"window": (0.1, 0.5)}), run) == 0
    with pytest.raises(StatisticsError, match="1 distillation; a share of fewer than 2 says nothing"):
        surpassed(measure.model_copy(update={"window": (0.5, 1.0), "least": 2}), run)


# ------------------------------------------------------------------------------------------------------- protocols


@pytest.fixture(scope="module")
def cikd() -> Suite:
    return load("cikd")


LEVEL = {"ensemble_sac": 500.0, "sac_cikd": 1000.0, "sac_cikd_reset": 100.0}


def means(cell: Cell, seed: int) -> list[float]:
    return [LEVEL[cell.method] + (seed * len(cell.method)) % 5]


def with_members(monkeypatch: pytest.MonkeyPatch, best: float) -> None:
    """Records of ensembles with the harness's curves; the best member is this much higher."""
    honest = synthetic._scores

    def scores(cell: Cell, own: Sequence[float], steps: int) -> Scores:
        found = honest(cell, own, steps)
        if "ensemble_size" not in cell.settings["hyperparameters"]:
            return found
        plain = found.curves["evaluation"]
        raised = plain.model_copy(update={"mean": tuple(m + best for m in plain.mean if m is not None)})
        curves = dict(found.curves) | {"evaluation/best": raised, "evaluation/worst": plain}
        curves |= {f"evaluation/member_{m}": raised if m else plain for m in range(3)}
        curves["teacher"] = plain.model_copy(update={"mean": tuple(i % 3 for i in range(len(plain.mean)))})
        returns = [r for r in found.returns if r is not None]
        return Scores.of(curves, returns, [returns, [r + best for r in returns], returns])

    monkeypatch.setattr(synthetic, "_scores", scores)


def test_a_claim_about_the_best_member_is_not_run_without_its_curve(cikd: Suite, tmp_path: Path) -> None:
    fill(Store(tmp_path), make_plan(cikd, ONLY), means)
    evidence, experiment = Evidence(cikd, ONLY, Store(tmp_path)), cikd["experiment", "reset"]
    verdict = judge_claim(evidence, cikd["claim", "reset-much-worse"], experiment)
    assert (verdict.verdict, verdict.ran) == ("not_comparable", False)  # a reduced budget
    assert "has no curve of its best member" in verdict.reason


def test_a_claim_reads_the_curve_of_its_protocol(cikd: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_members(monkeypatch, 70.0)
    fill(Store(tmp_path), make_plan(cikd, ONLY), means)
    evidence, experiment = Evidence(cikd, ONLY, Store(tmp_path)), cikd["experiment", "reset"]
    best = evidence.by("best_member")
    assert best.by("best_member") is best
    assert best.by("greedy") is evidence
    late = [own.values(experiment, "sac_cikd:late", TASK).mean for own in (evidence, best)]
    assert late == pytest.approx([1002, 1072])
    finals = [own.finals(experiment, "sac_cikd", TASK).mean for own in (evidence, best)]
    assert finals == pytest.approx([1002, 1072])
    assert best.values(experiment, "sac_cikd:worst_late", TASK).mean == pytest.approx(1002)
    verdict = judge_claim(evidence, cikd["claim", "reset-much-worse"], experiment)
    assert verdict.verdict == "not_comparable"  # a reduced budget
    assert "by the elected member's own score: reproduced" in verdict.tags, (verdict.tags, verdict.reason)
    figure = timeline(evidence, experiment, Place(TASK), tmp_path)
    assert figure is not None
    assert {row.label.split(",")[0] for row in figure.rows} == {*LEVEL}
    figure.draw()
    assert all(path.is_file() for path in figure.files)


def test_no_claim_of_cikd_rests_on_a_measure_that_is_not_taken(cikd: Suite) -> None:
    assert not [m.id for m in cikd.measure if m.kind == "declared"]
    assert not [m.id for m in (*cikd.method, *cikd.experiment, *cikd.scenario) if m.waits_for]


def test_a_time_is_a_share_of_the_better_baseline_s(
    cikd: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 20 points: Vanilla-SAC is at its level from the 11th on, Ensemble-SAC (lower) too, SAC-CIKD from the 6th."""
    with_members(monkeypatch, 0.0)
    rising = {"vanilla_sac": (10, 900.0), "ensemble_sac": (10, 500.0), "sac_cikd": (5, 1000.0)}

    def means(cell: Cell, seed: int) -> list[float]:
        start, level = rising[cell.method]
        return [0.0] * start + [level] * (20 - start)

    only = Selection(profile="nightly", only=("main",))
    plan = make_plan(cikd, only)
    kept = [cell for cell in plan.cells if cell.scenarios == (TASK,)]
    small = plan.model_copy(update={"runs": tuple(r for r in plan.runs if r.cell in {c.key for c in kept})})
    fill(Store(tmp_path), small, means)
    evidence, experiment = Evidence(cikd, only, Store(tmp_path)).by("best_member"), cikd["experiment", "main"]
    found = evidence.values(experiment, "sac_cikd:share_of_baseline_steps", TASK)
    assert found.reached.all()
    assert found.values == pytest.approx([25_000 / 37_500] * 5)  # means of 5 points within 10%: the 5th after the rise
    with pytest.raises(NotRun):
        evidence.values(experiment, "sac_cikd:share_of_baseline_steps", "mujoco/hopper")


def test_a_bootstrap_band_holds_the_mean_and_repeats() -> None:
    y = np.random.default_rng(1).normal(size=(5, 7))
    low, high = bootstrap_band(y)
    assert ((low < y.mean(0)) & (y.mean(0) < high)).all()
    again = bootstrap_band(y)
    assert np.array_equal(low, again[0])
    assert np.array_equal(high, again[1])
    flat = bootstrap_band(np.ones((4, 2)))
    assert flat[0].tolist() == flat[1].tolist() == [1, 1]
