"""Exports: marl-eval's layout by a check written from its documentation, rliable by rliable, CSV by its columns."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rliable import library, metrics

from bench.evidence.measures import Evidence
from bench.exchange import ExchangeError, marl_eval, rliable, table
from bench.exchange.grid import finished_rows, full_grid, left_out
from bench.guests.method import Declaration, Guest, Tuning
from bench.guests.places import entry
from bench.plan import Selection, make_plan
from bench.store import Store
from bench.suite import Suite
from bench.suite.loading import parse
from tests.conftest import Bench
from tests.exchange.conftest import GRID, ONLY_SOURCE, fill_grid, score
from tests.exchange.marl_eval_check import absolute_matrices, problems
from tests.synthetic import fill


def exported(evidence: Evidence) -> dict[str, Any]:
    return json.loads(marl_eval.to_bytes(marl_eval.to_json(full_grid(evidence))))


def test_marl_eval_reads_it_cleanly(evidence: Evidence) -> None:
    tree = exported(evidence)
    assert problems(tree) == []
    assert list(tree) == ["particle"]
    assert list(tree["particle"]) == ["two", "three"]
    assert list(tree["particle"]["two"]) == ["base", "fast"]
    run = tree["particle"]["three"]["fast"]["seed_2"]
    assert run["step_1"] == {"step_count": 40, "step_reward": [score("Fast", "three", 2, 1)]}
    assert run["absolute_metrics"] == {"step_reward": [score("Fast", "three", 2)]}
    found = absolute_matrices(tree, "particle", "step_reward")
    np.testing.assert_array_equal(found["fast"], [[score("Fast", s, k) for s in ("two", "three")] for k in range(3)])


def _drop_run(tree: Any) -> None:
    del tree["two"]["base"]["seed_1"]


def _drop_step(tree: Any) -> None:
    del tree["two"]["base"]["seed_1"]["step_2"]


def _add_time(tree: Any) -> None:
    tree["two"]["base"]["seed_1"]["step_2"]["elapsed_time"] = [1.0]


def _no_absolute(tree: Any) -> None:
    del tree["two"]["base"]["seed_1"]["absolute_metrics"]


def _no_list(tree: Any) -> None:
    tree["two"]["base"]["seed_1"]["step_2"]["step_reward"] = 1.0


def _comma(tree: Any) -> None:
    for task in tree.values():
        task["a, b"] = task.pop("base")


def _capital(tree: Any) -> None:
    tree["Two"] = tree.pop("two")


@pytest.mark.parametrize("damage", [_drop_run, _drop_step, _add_time, _no_absolute, _no_list, _comma, _capital])
def test_the_check_can_fail(evidence: Evidence, damage: Any) -> None:
    tree = exported(evidence)
    damage(tree["particle"])
    assert problems(tree)


def test_ten_steps_and_more_stay_in_their_order() -> None:
    """Sorted by name, step_10 would come before step_2, and marl-eval reads steps in the file's order."""
    run = {f"step_{i}": {"step_count": i} for i in range(12)}
    assert list(json.loads(marl_eval.to_bytes({"e": {"t": {"a": {"seed_0": run}}}}))["e"]["t"]["a"]["seed_0"]) == list(
        run
    )


def test_rliable_takes_the_matrices(evidence: Evidence) -> None:
    found = rliable.matrices(full_grid(evidence))
    back = dict(np.load(io.BytesIO(rliable.to_npz(found))))
    assert list(back) == ["base", "Fast"]
    expected = [[score("base", s, k) for s in ("two", "three")] for k in range(3)]
    np.testing.assert_array_equal(back["base"], expected)
    points, intervals = library.get_interval_estimates(
        back, lambda values: np.array([metrics.aggregate_mean(values)]), reps=50
    )
    assert points["base"][0] == pytest.approx(np.mean(expected))
    low, high = intervals["base"][:, 0]
    assert low <= points["base"][0] <= high
    assert low < high


def test_matrices_are_normalised_by_the_suites_anchors_alone(evidence: Evidence) -> None:
    """Scenario two: random -6, good -3; three: random -10, good -4."""
    found = rliable.matrices(full_grid(evidence), normalise=True)
    expected = [[(score("Fast", "two", k) + 6) / 3, (score("Fast", "three", k) + 10) / 6] for k in range(3)]
    np.testing.assert_allclose(found["Fast"], expected)


def test_a_method_may_be_called_as_numpy_calls_its_file() -> None:
    values = np.eye(2)
    back = np.load(io.BytesIO(rliable.to_npz({"file": values, "a/../b": 2 * values})))
    np.testing.assert_array_equal(back["file"], values)
    np.testing.assert_array_equal(back["a/../b"], 2 * values)


def test_csv_has_a_row_for_each_evaluation(evidence: Evidence) -> None:
    rows = list(csv.DictReader(io.StringIO(table.to_csv(finished_rows(evidence), evidence.suite, "full"))))
    assert len(rows) == 2 * 2 * 3 * (3 + 1)
    assert tuple(rows[0]) == table.COLUMNS
    own = [r for r in rows if (r["method"], r["scenario"], r["seed"]) == ("Fast", "two", "1")]
    assert [(r["point"], r["episodes"], r["steps"], r["n"]) for r in own] == [
        ("evaluation", "0", "0", "3"),
        ("evaluation", "8", "40", "3"),
        ("evaluation", "16", "80", "3"),
        ("final", "16", "80", "4"),
    ]
    assert [float(r["mean"]) for r in own] == [score("Fast", "two", 1, p) for p in (0, 1, 2, -1)]


def test_a_gap_is_named_with_the_seeds_that_have_none(grid_suite: Suite, tmp_path: Path) -> None:
    store = Store(tmp_path / "gaps")
    fill_grid(store, grid_suite)
    gone = next(run for run in make_plan(grid_suite, ONLY_SOURCE).runs if run.seed == 1)
    store.record_path(gone.id).unlink()
    with pytest.raises(ExchangeError) as error:
        full_grid(Evidence(grid_suite, ONLY_SOURCE, store))
    (problem,) = error.value.problems
    assert problem.got == "no finished run of base on two (seeds 1)"
    assert "--seeds 0,2 (finished in every cell)" in problem.mend
    whole = full_grid(Evidence(grid_suite, ONLY_SOURCE.model_copy(update={"seeds": (0, 2)}), store))
    assert whole.seeds == (0, 2)


def test_a_method_of_two_budgets_is_no_one_row(tmp_path: Path) -> None:
    """Both experiments train base on three, for 16 and for 24 episodes."""
    head, last = GRID.rsplit("budget = { episodes = 16", 1)
    suite = parse((head + "budget = { episodes = 24" + last).encode(), "grid.toml")
    everything = Selection()
    store = Store(tmp_path)
    wanted = make_plan(suite, everything)
    cells = {cell.key for cell in wanted.cells if cell.method in ("base", "Fast")}
    fill_grid(store, suite)
    fill(store, wanted, lambda cell, seed: [-1.0] if cell.key in cells and cell.experiment == "target" else None)
    with pytest.raises(ExchangeError, match="base on three in source, scored on three; and base on three in target"):
        full_grid(Evidence(suite, everything, store))


def test_export_on_the_command_line(bench_here: Bench, grid_file: Path, results: Path, tmp_path: Path) -> None:
    selection = ("--suite", grid_file, "--only", "source", "--results", results)
    for name, file in (("marl-eval", "m.json"), ("rliable", "r.npz"), ("csv", "c.csv")):
        done = bench_here("export", name, *selection, "--out", tmp_path / file)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"written: {tmp_path / file}" in done.stdout
    assert problems(json.loads((tmp_path / "m.json").read_text())) == []
    assert json.loads((tmp_path / "r.npz.json").read_text())["tasks"] == ["two", "three"]
    first = (tmp_path / "r.npz").read_bytes()
    done = bench_here("export", "rliable", *selection, "--seeds", "0,1", "--out", tmp_path / "r2.npz", "--json")
    assert json.loads(done.stdout)["files"] == [str(tmp_path / "r2.npz"), str(tmp_path / "r2.npz.json")]
    bench_here("export", "rliable", *selection, "--out", tmp_path / "r.npz")
    assert (tmp_path / "r.npz").read_bytes() == first


@pytest.mark.parametrize("name", ["marl-eval", "rliable", "csv"])
def test_where_nothing_can_be_written(bench_here: Bench, grid_file: Path, results: Path, name: str) -> None:
    for out in (".", "/", results, grid_file / "below"):
        done = bench_here("export", name, "--suite", grid_file, "--only", "source", "--results", results, "--out", out)
        assert (done.returncode, "a file that can be written" in done.stderr) == (2, True), done.stderr


def outsider(source: str = "ab" * 32) -> Guest:
    declaration = Declaration(says="x", tuning=Tuning(runs=0, steps=0, seeds=(), says="none"))
    return Guest(name="mine:train", target="mine:train", kind="function", source=source, declaration=declaration)


def test_methods_from_elsewhere_are_exported_where_asked(
    bench_here: Bench, grid_suite: Suite, grid_file: Path, results: Path, tmp_path: Path
) -> None:
    selection = ("--suite", grid_file, "--only", "source", "--results", results)
    none = bench_here("export", "csv", *selection, "--entrants", "--out", tmp_path / "none.csv")
    assert (none.returncode, "no method from elsewhere has a finished run" in none.stderr) == (0, True)
    plan = entry(grid_suite, ONLY_SOURCE, outsider(), ()).plan
    fill(Store(results), plan, lambda cell, seed: [-2.0 - seed] * 2)
    bench_here("export", "csv", *selection, "--out", tmp_path / "without.csv")
    assert "mine:train" not in (tmp_path / "without.csv").read_text()
    bench_here("export", "csv", *selection, "--entrants", "--out", tmp_path / "with.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "with.csv").read_text())))
    finals = [r for r in rows if (r["method"], r["point"]) == ("mine:train", "final")]
    assert [(r["scenario"], r["seed"], float(r["mean"])) for r in finals] == [
        (s, str(k), -2.0 - k) for s in ("two", "three") for k in range(3)
    ]
    done = bench_here("export", "rliable", *selection, "--entrants", "--out", tmp_path / "r.npz")
    assert done.returncode == 0, done.stderr
    matrices = np.load(tmp_path / "r.npz")
    assert list(matrices) == ["base", "Fast", "mine:train"]
    np.testing.assert_array_equal(matrices["mine:train"], [[-2.0, -2.0], [-3.0, -3.0], [-4.0, -4.0]])


def test_two_codes_of_one_name_are_two_methods(
    bench_here: Bench, grid_suite: Suite, grid_file: Path, results: Path, tmp_path: Path
) -> None:
    for source in ("ab" * 32, "cd" * 32):
        plan = entry(grid_suite, ONLY_SOURCE, outsider(source), ()).plan
        fill(Store(results), plan, lambda cell, seed: [-2.0])
    selection = ("--suite", grid_file, "--only", "source", "--results", results)
    bench_here("export", "rliable", *selection, "--entrants", "--out", tmp_path / "r.npz")
    assert list(np.load(tmp_path / "r.npz"))[2:] == ["mine:train (abababab)", "mine:train (cdcdcdcd)"]


def test_what_is_left_out_is_a_line_for_each_reason(grid_suite: Suite, tmp_path: Path) -> None:
    experiments = (
        e.model_copy(update={"waits_for": "a licence"}) if e.id == "target" else e for e in grid_suite.experiment
    )
    waiting = grid_suite.model_copy(update={"experiment": (*experiments,)})
    store = Store(tmp_path)
    fill(store, make_plan(waiting, ONLY_SOURCE), lambda cell, seed: [-1.0] if cell.method == "base" else None)
    assert left_out(Evidence(waiting, Selection(), store)) == [
        "no finished run: Fast on two, Fast on three",
        "cannot run yet, a licence: base on three, init on three, student on three",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rlable",), 'did you mean "rliable"?'),
        (("csv", "--normalise"), "this format has raw scores"),
        (("csv", "--out", "nowhere/x.csv"), "nowhere/x.csv: 1 problem(s)"),
    ],
)
def test_bad_usage_is_one_clear_error(
    bench_here: Bench, grid_file: Path, results: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = bench_here("export", "--suite", grid_file, "--results", results, "--out", "x", *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_nothing_to_export_is_no_success(bench_here: Bench, grid_file: Path, tmp_path: Path) -> None:
    done = bench_here("export", "csv", "--suite", grid_file, "--out", tmp_path / "x.csv")
    assert done.returncode == 4
    assert not (tmp_path / "x.csv").exists()
