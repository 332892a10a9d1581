"""Seeds whose curves differ in points, because no episode ended in a stretch: all readers of curves accept these."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from bench.evidence.measures import Evidence
from bench.plan import Selection, make_plan
from bench.report.figures import _curves, learning_curves
from bench.stats.estimates import StatisticsError
from bench.store import Store, reading
from bench.store.diff import difference
from bench.suite import FirstReach, Place, Suite
from bench.verdict import judge
from tests.conftest import Bench
from tests.synthetic import fill
from tests.test_verdict import with_test

MEANS = (-6.0, -5.0, -3.0, -2.0, -2.0, -2.0, -2.0, -2.0)  # at 2, 4 ... 16 episodes
ABSENT = {0: (), 1: (3, 7), 2: (0, 2)}  # which of a seed's training points are missing
ONLY = Selection(only=("source",))


@pytest.fixture(autouse=True)
def taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny suite's methods play whole episodes, and lack no point; methods that play steps may."""
    monkeypatch.setattr(reading, "contradiction", lambda record: "")


@pytest.fixture
def store(tiny: Suite, tmp_path: Path) -> Store:
    """A finished record of every run of the tiny suite, without these points."""
    store = Store(tmp_path / "runs")
    plan = make_plan(tiny, Selection())
    fill(store, plan, lambda cell, seed: (-2.5,) * len(MEANS) if cell.method == "student" else MEANS)
    for run in plan.runs:
        record = store.record(run.id)
        assert record is not None
        (own,) = record.numbers.scores
        kept = [i for i in range(len(MEANS)) if i not in ABSENT[run.seed]]
        curve = own.curves["training"]
        lists = {
            name: tuple(getattr(curve, name)[i] for i in kept) for name in ("episodes", "steps", "mean", "sd", "n")
        }
        scores = own.model_copy(update={"curves": own.curves | {"training": curve.model_copy(update=lists)}})
        numbers = record.numbers.model_copy(update={"scores": (scores,), "first_update": 4})
        store.write_record(record.model_copy(update={"numbers": numbers}))
    return store


def test_each_seed_is_read_at_its_own_points(tiny: Suite, store: Store) -> None:
    evidence, experiment = Evidence(tiny, ONLY, store), tiny["experiment", "source"]
    windows = evidence.values(experiment, "base:overall", "two").values
    own = [[m for i, m in enumerate(MEANS) if i not in ABSENT[seed]] for seed in range(3)]
    assert windows == pytest.approx([np.mean(means) for means in own])
    reach = tiny["measure", "reach"]
    assert isinstance(reach, FirstReach)
    level = evidence.threshold(experiment, reach, "two")
    times = evidence.values(experiment, "base:reach", "two")
    smooth = [(np.array(m[1:]) + np.array(m[:-1])) / 2 for m in own]
    places = [[2 * (i + 1) for i in range(len(MEANS)) if i not in ABSENT[seed]] for seed in range(3)]
    expected = [at[1 + int(np.argmax(y >= level))] for at, y in zip(places, smooth, strict=True)]
    assert times.values.tolist() == expected
    assert len({*expected}) > 1


def test_times_and_their_placebos_are_judged(tiny: Suite, store: Store) -> None:
    """The student is above the level from its first point on, each seed from its own, trained or not."""
    suite = with_test('{ kind = "ordering", greater = ["base:reach"], less = ["student:reach"] }')
    (verdict,) = judge(Evidence(suite, Selection(), store), suite.experiment)
    assert verdict.placebo is not None
    assert (verdict.verdict, verdict.placebo.untrained) == ("also_untrained", "yes")


def test_a_figure_has_the_points_that_all_seeds_have(tiny: Suite, store: Store, tmp_path: Path) -> None:
    evidence, experiment = Evidence(tiny, ONLY, store), tiny["experiment", "source"]
    (x, y) = _curves(evidence, experiment, Place("two"), "training", "episodes")["base"]
    assert x.tolist() == [4, 10, 12, 14]
    assert y.tolist() == [[-5.0, -2.0, -2.0, -2.0]] * 3
    figure = learning_curves(evidence, experiment, Place("two"), tmp_path)
    assert figure is not None
    figure.draw()
    assert all(path.is_file() for path in figure.files)


def test_a_curve_without_an_episode_says_so(tiny: Suite, store: Store) -> None:
    evidence = Evidence(tiny, ONLY, store)
    (cell,) = evidence.plan.cells
    score = evidence.scores(cell, "two")[0]
    score.scores.curves.pop("training")
    with pytest.raises(StatisticsError, match="has no curve training: no episode ended within its budget"):
        score.series("training")


@pytest.mark.parametrize("verb", ["check", "leaderboard", "csv", "marl-eval"])
def test_commands(bench_here: Bench, tiny_file: Path, store: Store, tmp_path: Path, verb: str) -> None:
    where, out = ("--results", store.root), tmp_path / "out"
    commands = {
        "check": ("check", tiny_file, *where, "--json"),
        "leaderboard": ("leaderboard", "--suite", tiny_file, *where, "--out", out, "--no-pictures"),
    }
    export = ("export", verb, "--suite", tiny_file, "--only", "source", *where, "--out", out)
    done = bench_here(*commands.get(verb, export))
    assert done.returncode == 0, done.stderr
    if verb == "csv":
        rows = list(csv.DictReader(io.StringIO(out.read_text())))
        assert len([row for row in rows if row["point"] == "evaluation"]) == 3 * len(MEANS)
    if verb == "marl-eval":
        runs = json.loads(out.read_text())["particle"]["two"]["base"].values()
        assert {len(run) for run in runs} == {len(MEANS) + 1}


def test_a_difference_names_the_first_point_that_differs(tiny: Suite, store: Store) -> None:
    plan = make_plan(tiny, ONLY)
    a, b = (store.record(run.id) for run in plan.runs[:2])
    assert a is not None
    assert b is not None
    (training,) = (row for row in difference(a, b).curves if row.name == "training")
    assert (training.points, training.first) == ((8, 6), 8)
