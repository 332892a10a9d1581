"""DVM through the harness: both phases of a run, stops in each and inside the distillation, and the state that methods
share.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from baselines.dvm import Distillation
from bench.evidence.measures import Evidence
from bench.executors.jobs import run_job
from bench.plan import Cell, Plan, Selection, make_plan
from bench.plan.sizes import work
from bench.report.figures import AS_PRINTED, learning_curves
from bench.report.maps import draw_maps
from bench.run.job import Job
from bench.run.maps import mapped, maps
from bench.run.training import Stopped, Training
from bench.store import Record, Store, numbers_hash
from bench.store.settled import contradiction
from bench.suite import Place
from bench.suite.loading import load

SMALL = {"hidden_width": 16, "batch_size": 64, "warmup_transitions": 64, "distillation_batch_size": 64}
SHORT = {"distillation_iterations": 6, "matching_iterations": 4, "epsilon_episodes": 20, "random_episodes": 8}
BUDGET = {"episodes": 80, "first_phase": 40, "final_evaluation_episodes": 4}
SETTINGS = [f"{k}={v}" for k, v in (SMALL | SHORT).items()] + [f"budget.{k}={v}" for k, v in BUDGET.items()]
SUITE = load("dvm")
EXPERIMENTS = ("spread/analysis", "spread/continuous")
PLAN: Plan = make_plan(SUITE, Selection(only=EXPERIMENTS, seeds=(0, 1), settings=tuple(SETTINGS)))
CELLS = {cell.method: cell for cell in PLAN.cells if cell.training_set.startswith("spread-2")}
ROUNDS, TURN = 20, 10  # of 4 episodes


def job(cell: Cell, *seeds: int) -> Job:
    runs = tuple(run for run in PLAN.runs if run.cell == cell.key and run.seed in seeds)
    return Job(cell=cell, runs=runs, suite_version=1, profile="full", checkpoint_s=1e9)


def trained(folder: Path, method: str, *seeds: int) -> dict[int, Record]:
    store = Store(folder)
    store.open_for_writing()
    own = job(CELLS[method], *seeds)
    run_job(own, store, lambda: False, lambda _: None)
    found = {run.seed: store.record(run.id) for run in own.runs}
    return {seed: record for seed, record in found.items() if record is not None and record.status == "finished"}


def hashes(records: dict[int, Record]) -> dict[int, str]:
    return {seed: numbers_hash(record) for seed, record in records.items()}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole")


@pytest.fixture(scope="module")
def both(home: Path) -> dict[str, dict[int, Record]]:
    """DVM on either learner, both seeds together, without a stop."""
    torch.set_num_threads(1)
    return {m: trained(home, m, 0, 1) for m in ("maddpg_dvm", "masac_dvm")}


@pytest.fixture(scope="module")
def whole(both: dict[str, dict[int, Record]]) -> dict[int, Record]:
    return both["maddpg_dvm"]


def after(asked: int) -> Callable[[], bool]:
    """Says stop at the n-th call."""
    times = iter(range(10**6))
    return lambda: next(times) == asked - 1


# Asked once a round, and once an iteration but the last: 10 rounds, 5 iterations, 10 rounds.
@pytest.mark.parametrize("method", ["maddpg_dvm", "masac_dvm"])
@pytest.mark.parametrize(
    "stops", [(3, 9), (10, 3, 5), (12, 4, 6), (14, 1)], ids=["learning", "turn", "inside", "after"]
)
def test_stops_in_each_phase_and_inside_the_distillation_change_nothing(
    stops: tuple[int, ...], method: str, both: dict[str, dict[int, Record]], tmp_path: Path
) -> None:
    store = Store(tmp_path)
    store.open_for_writing()
    for asked, seeds in zip(stops, ((0, 1), (0,), (1,)), strict=False):
        with pytest.raises(Stopped):
            run_job(job(CELLS[method], *seeds), store, after(asked), lambda _: None)
    assert hashes(trained(tmp_path, method, 1) | trained(tmp_path, method, 0)) == hashes(both[method])


def test_what_ma_sac_s_turn_tells(both: dict[str, dict[int, Record]]) -> None:
    record = both["masac_dvm"][0]
    first, second = (scores.curves for scores in record.numbers.scores)
    assert {f"loss/{name}" for name in ("critic", "value", "distillation", "matching", "matching_value")} <= {*first}
    assert all(curves["turn/gradient"].n == (16,) for curves in (first, second))
    assert [round(w.updates, 2) for w in work(CELLS["masac_dvm"].settings)] == [(1000 - 64) / 100] * 2 + [6]


def test_all_methods_share_what_is_distilled(
    whole: dict[int, Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []
    honest = Distillation.iterate
    monkeypatch.setattr(Distillation, "iterate", lambda self: (done.append(1), honest(self))[1])
    first = trained(tmp_path, "maddpg_no_dvm", 0)
    assert len(done) == 6
    second = trained(tmp_path, "maddpg_dvm", 0)
    assert len(done) == 6
    assert hashes(second)[0] == hashes(whole)[0]
    one, other = (r[0].numbers.scores[0].curves for r in (first, second))
    assert one["training"] == other["training"]
    assert one["turn"] != other["turn"]


def test_each_scenario_is_played_and_looked_at_in_its_own_phase(whole: dict[int, Record]) -> None:
    record = whole[0]
    assert contradiction(record) == ""
    first, second = (scores.curves for scores in record.numbers.scores)
    assert first["training"].episodes == first["evaluation"].episodes[1:] == (20, 40)
    assert first["evaluation"].episodes[0] == 0
    assert second["training"].episodes == second["evaluation"].episodes == (60, 80)
    for curves in (first, second):
        assert (
            curves["turn"].episodes == curves["turn/own_corner"].episodes == curves["turn/gradient"].episodes == (40,)
        )
        assert curves["turn/gradient"].n == (16,)
        assert curves["turn"].n == (4,)
    assert {"loss/distillation", "loss/matching"} <= {*first}
    moved = {"episodes": (20, 60), "steps": (500, 1500)}
    torn = record.model_dump(mode="json")
    torn["numbers"]["scores"][0]["curves"]["training"] |= {k: list(v) for k, v in moved.items()}
    assert "training.episodes" in contradiction(Record.model_validate(torn, strict=False))


def test_a_plan_counts_each_phase_once() -> None:
    cell = CELLS["maddpg_dvm"]
    assert cell.steps == 80 * 25
    assert (cell.steps_of(40), cell.steps_of(60)) == (40 * 25, 60 * 25)
    phases = work(cell.settings)
    assert [round(w.updates, 2) for w in phases] == [(1000 - 64) / 100, (1000 - 64) / 100, 6]


def test_push_box_has_a_team_for_each_task_and_stops_change_nothing(tmp_path: Path) -> None:
    """Tasks I and II in the first phase, then III; the third target's episodes are only scored."""
    budget = {"episodes": 40, "first_phase": 20, "final_evaluation_episodes": 2}
    settings = [f"{k}={v}" for k, v in (SMALL | SHORT).items()] + [f"budget.{k}={v}" for k, v in budget.items()]
    plan = make_plan(SUITE, Selection(only=("push-box/learning",), seeds=(0,), settings=tuple(settings)))
    (cell,) = (c for c in plan.cells if c.method == "push_dvm")
    runs = tuple(run for run in plan.runs if run.cell == cell.key)
    own = Job(cell=cell, runs=runs, suite_version=1, profile="full", checkpoint_s=1e9)
    found = []
    for name, stops in (("whole", ()), ("stopped", (7, 16, 4, 5))):
        store = Store(tmp_path / name)
        store.open_for_writing()
        for asked in stops:
            with pytest.raises(Stopped):
                run_job(own, store, after(asked), lambda _: None)
        run_job(own, store, lambda: False, lambda _: None)
        record = store.record(runs[0].id)
        assert record is not None
        assert record.status == "finished"
        found.append(record)
    assert numbers_hash(found[0]) == numbers_hash(found[1])
    curves = [scores.curves for scores in found[0].numbers.scores]
    assert [{n: c.episodes for n, c in own.items() if n == "training"} for own in curves] == [
        {"training": (10, 20)},
        {"training": (10, 20)},
        {"training": (30, 40)},
        {},
    ]
    assert [c["evaluation"].episodes for c in curves] == [(0, 10, 20), (0, 10, 20), (30, 40), (30, 40)]


def test_a_map_is_of_the_turn(both: dict[str, dict[int, Record]], home: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """Fig. 8, of one seed. The kept state of the first phase is used, and nothing is written to the folder."""
    store = Store(home)
    rounds: list[int] = []
    honest = Training._round
    monkeypatch.setattr(Training, "_round", lambda self: (rounds.append(1), honest(self))[1])
    before = {*home.rglob("*")}
    cells = mapped([CELLS[m] for m in ("maddpg_no_dvm", "maddpg_dvm")], 0)
    found = list(maps(PLAN, cells, 0, store, lambda _: None))
    assert not rounds
    assert {*home.rglob("*")} == before
    assert [(own["method"], own["scenario"][-7:]) for own in found] == [
        (m, p) for m in ("maddpg_no_dvm", "maddpg_dvm") for p in ("phase-1", "phase-2")
    ]
    none, dvm = np.asarray(found[0]["values"]), np.asarray(found[2]["values"])
    assert none.shape == dvm.shape == (400,)
    assert not np.allclose(none, dvm)
    for own in found:
        assert set(map(tuple, np.abs(own["pushes"]).tolist())) <= {(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)}
        start, target = np.sign(own["starts"][0]), np.sign(own["targets"][own["goal"]])
        assert (start == target).all()
        assert start[0] == (-1 if own["scenario"].endswith("1") else 1)
    assert all(path.is_file() for path in draw_maps(found[2:], "DVM", tmp_path / "map"))


def test_a_map_is_refused_where_there_is_nothing_to_draw(bench_here: Any, tmp_path: Path) -> None:
    done = bench_here("map", "dvm", "push-box", "--out", tmp_path / "maps")
    assert done.returncode == 2
    assert not (tmp_path / "maps").exists()
    assert "two phases on DVM's spread" in done.stderr


def test_evaluations_are_shaded_as_in_the_paper_beside_ours(
    both: dict[str, dict[int, Record]], home: Path, tmp_path: Path
) -> None:
    selection = Selection(only=EXPERIMENTS, seeds=(0, 1), settings=tuple(SETTINGS))
    evidence = Evidence(SUITE, selection, Store(home))
    place = Place("spread-2/discrete/phase-2")
    figure = learning_curves(evidence, SUITE["experiment", "spread/analysis"], place, tmp_path)
    assert figure is not None
    assert [name for name, _ in figure.panels] == ["training", "evaluation", AS_PRINTED]
    (axes,) = figure.figure().axes[2:]
    (x, y), (band,) = figure.panels[2][1]["maddpg_dvm"], axes.collections
    corners = np.asarray(band.get_paths()[0].vertices)
    apart = np.ptp(corners[corners[:, 0] == x[-1], 1])
    assert apart == pytest.approx(y[:, -1].std(ddof=1))
    assert axes.lines[0].get_ydata() == pytest.approx(y.mean(0))
