"""Ensembles through the whole harness: their records, stops at any step, streams of their own.

On the toy family, whose episodes end early and differ in length.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bench.envs.registry
from bench.plan import Cell, Scored, cell_settings, digest
from bench.store import Record, numbers_hash
from tests.baselines.test_cikd import METHODS
from tests.baselines.test_sac import SETTINGS
from tests.toys.family import families
from tests.toys.test_training import trained

BUDGET = {"steps": 120, "record_every": 20, "evaluate_every": 20, "evaluation_episodes": 3}
NAMES = {
    "ensemble": "ensemble_sac",
    "cikd": "cikd",
    "hardcopy": "cikd_hardcopy",
    "ensemble extra": "ensemble_sac_extra",
}


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.envs.registry, "FAMILIES", families())


def cell(method: str, **changed: object) -> Cell:
    """Members are compared after 61, 86 and 111 steps of 120."""
    _, spec, own = METHODS[method]
    hyperparameters = spec.model_validate(SETTINGS | own | {"hidden_width": 8} | changed)
    others: dict[str, Any] = {
        "algorithm": {"name": NAMES[method], "version": 1},
        "hyperparameters": hyperparameters.model_dump(),
        "budget": BUDGET | {"final_evaluation_episodes": 4},
    }
    params = {"name": "toy", "agents": 1, "kind": "continuous"}
    scenario = Scored(family="toy_one", version=1, params=params, episode_limit=5, metric="return_sum")
    settings = cell_settings((scenario,), others)
    names: dict[str, Any] = dict.fromkeys(("suite", "experiment", "method", "training_set"), "toy")
    return Cell(key=digest(settings), scenarios=("toy",), settings=settings, seeds=(0, 1, 2), notes=(), **names)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.envs.registry, "FAMILIES", families())
        return trained(tmp_path_factory.mktemp("whole"), cell("cikd"), (0, 1))[0]


def test_a_record_has_every_member_the_best_the_worst_and_who_taught(record: Record) -> None:
    scores = record.numbers.scores[0]
    curves = scores.curves
    members = [curves[f"evaluation/member_{m}"] for m in range(3)]
    each = np.array([own.mean for own in members])
    assert curves["evaluation/best"].mean == tuple(each.max(0))
    assert curves["evaluation/worst"].mean == tuple(each.min(0))
    assert all(e in column for e, column in zip(curves["evaluation"].mean, each.T.tolist(), strict=True))
    assert curves["evaluation"].steps == (0, 20, 40, 60, 80, 100, 120)
    moments = (61, 86, 111)
    for name in ("elected", "teacher", "loss/distill_policy", "loss/distill_critic"):
        assert curves[name].steps == moments, name
    assert {*curves["teacher"].mean} <= {0, 1, 2}
    assert curves["teacher"].mean == curves["elected"].mean
    for k, teacher in enumerate(curves["teacher"].mean):
        before, after = (curves[f"{when}/member_{int(teacher or 0)}"] for when in ("before", "after"))
        assert before.steps == after.steps == moments
        assert before.mean[k] == after.mean[k]  # the same episodes, and the teacher has not moved
        assert before.n[k] == 3
    assert [len(own) for own in scores.members] == [4, 4, 4]
    assert list(scores.returns) in [list(own) for own in scores.members]
    assert scores.best_member == max(float(np.array(own, float).mean()) for own in scores.members)


@pytest.mark.parametrize("method", NAMES)
def test_stopped_at_any_step_a_run_ends_as_an_uninterrupted_one(method: str, tmp_path: Path, record: Record) -> None:
    """Inside episodes, and with a checkpoint between the step of a distillation and the next."""
    own = cell(method)
    whole = trained(tmp_path / "whole", own, (0, 1))
    drawn = np.random.default_rng(int(own.key[:8], 16)).integers(1, 20, 3).tolist()
    stopped = trained(tmp_path / "stopped", own, (1,), (0,), stops=(60, *drawn))
    hashes = {seed: numbers_hash(own) for seed, own in whole.items()}
    assert {seed: numbers_hash(own) for seed, own in stopped.items()} == hashes
    assert {own.status for own in whole.values()} == {"finished"}
    if method == "hardcopy":  # members that are identical score the same: no best of several is better
        curves = whole[0].numbers.scores[0].curves
        assert curves["after/member_0"].mean == curves["after/member_1"].mean == curves["after/member_2"].mean
    if method == "cikd":
        assert hashes[0] == numbers_hash(record)


def test_evaluations_around_a_distillation_change_nothing_else(
    tmp_path: Path, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the analysis of students that surpass their teachers, and the main experiment, share runs."""
    monkeypatch.setattr("baselines.cikd.CIKD.teaches", False)
    without = trained(tmp_path, cell("cikd"), (0,))[0]
    curves = {n: c for n, c in record.numbers.scores[0].curves.items() if not n.startswith(("before", "after"))}
    assert without.numbers.scores[0].curves == curves
    assert without.numbers.weights == record.numbers.weights
