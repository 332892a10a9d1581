"""PTDE on MAPPO in rollouts, through the whole harness: stops, and the suite's methods on a stand-in for StarCraft."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tomli_w

import bench.envs.registry
from bench.plan import Cell, Scored, cell_settings, digest
from bench.store import numbers_hash, read_record
from bench.suite.shipped import folder
from tests.baselines.test_ptde_mappo import STEPS_KINDS, in_steps
from tests.conftest import Bench
from tests.toys.family import families
from tests.toys.test_training import trained

BUDGET = {"steps": 100, "record_every": 20, "evaluate_every": 50}  # no whole number of rollouts of 12 steps
EVALUATIONS = {"evaluation_episodes": 3, "final_evaluation_episodes": 4}


def cell(kind: str, information: str = "gip", budget: Mapping[str, int] = BUDGET, **changes: Any) -> Cell:
    others: dict[str, Any] = {
        "algorithm": {"name": f"mappo_steps_{information}", "version": 1},
        "hyperparameters": in_steps(kind, information, 0, **changes).hyperparameters.model_dump(exclude_none=True),
        "budget": {**budget, **EVALUATIONS},
    }
    params = {"name": "toy", "agents": 2, "kind": "discrete"}
    scenario = Scored(family="toy_one", version=1, params=params, episode_limit=5, metric="return_sum")
    settings = cell_settings((scenario,), others)
    names: dict[str, Any] = dict.fromkeys(("suite", "experiment", "method", "training_set"), "toy")
    return Cell(key=digest(settings), scenarios=("toy",), settings=settings, seeds=(0, 1), notes=(), **names)


@pytest.mark.parametrize("kind", STEPS_KINDS)
def test_a_seed_s_numbers_do_not_depend_on_company_or_stops(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stops after each round inside episodes. The curves end where the budget does."""
    monkeypatch.setattr(bench.envs.registry, "FAMILIES", families())
    together = trained(tmp_path / "together", cell(kind), (0, 1))
    stopped = trained(tmp_path / "stopped", cell(kind), (1,), (0,), stops=(1, 0, 2))
    hashes = {seed: numbers_hash(record) for seed, record in together.items()}
    assert {seed: numbers_hash(record) for seed, record in stopped.items()} == hashes
    assert len({*hashes.values()}) == 2
    curves = together[0].numbers.scores[0].curves
    assert curves["training"].steps == curves["loss/policy"].steps == (20, 40, 60, 80, 100)
    assert curves["evaluation"].steps == (0, 50, 100)


@pytest.mark.parametrize(("kind", "information"), [("perceptron", "gip"), ("recurrent", "giu")])
def test_it_learns(kind: str, information: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The action of most reward, on the toy family; sampled episodes improve from the first point to the last."""
    monkeypatch.setattr(bench.envs.registry, "FAMILIES", families())
    budget = {"steps": 480, "record_every": 60, "evaluate_every": 480}
    own = cell(kind, information, budget, lr=0.01, entropy_weight=0.001, update_passes=4)
    curves: Any = trained(tmp_path, own, (0,))[0].numbers.scores[0].curves
    assert curves["evaluation"].mean[-1] > 1.5 * curves["evaluation"].mean[0]
    assert curves["training"].mean[-1] > 1.2 * curves["training"].mean[0]


def stand_in() -> str:
    """The suite's experiment on its two maps, which are simple spread here, in rollouts of 8 x 20 steps."""
    tree = tomllib.loads((folder() / "ptde.toml").read_text("utf-8"))
    maps, methods = ["smac/3s_vs_5z", "smac/3s5z_vs_3s6z"], ["mappo", "mappo_gip", "mappo_kd"]
    kept = [s for s in tree["scenario"] if s["id"] in maps]
    for number, scenario in enumerate(kept, start=2):
        scenario |= {"family": "particle", "metric": "step_reward", "episode_limit": 25}
        scenario["params"] = {"name": "simple_spread", "agents": number, "dynamics": "openai"}
    experiment = next(e for e in tree["experiment"] if e["id"] == "smac/mappo") | {"methods": methods}
    budget = {"steps": 330, "record_every": 165, "evaluate_every": 330, "source": "a test"}
    for own in experiment["training_sets"]:
        del own["budget"]
    kd = {"updates": 20, "source": "a test"}, {"record_every": 10, "evaluate_every": 20, "source": "a test"}
    experiment |= {
        "budget": {"steps": budget.pop("steps"), "source": "a test"},
        "recording": budget | EVALUATIONS,
        "budget_of": {"mappo_kd": kd[0]},
        "recording_of": {"mappo_kd": kd[1] | EVALUATIONS},
    }
    smaller = {"rollout_steps": 20, "hidden_width": 16, "distill_episodes": 8}
    for own in tree["method"]:
        for name in smaller.keys() & own["hyperparameters"].keys() if "hyperparameters" in own else ():
            own["hyperparameters"][name]["value"] = smaller[name]
    left = {"schema": tree["schema"], "version": 1, "paper": tree["paper"], "profile": {"full": {"says": "all"}}}
    left |= {"scenario": kept, "method": [m for m in tree["method"] if m["id"] in (*methods, "qmix_kd")]}
    return tomli_w.dumps(left | {"experiment": [experiment]})


def test_the_suite_s_methods_run_on_a_stand_in(tmp_path: Path, bench_here: Bench) -> None:
    """By the command line: teachers, students, the settings of each map, and weights of the stated sizes."""
    file, results = tmp_path / "stand_in.toml", tmp_path / "results"
    file.write_text(stand_in())
    ran = bench_here("run", file, "--results", results, "--seeds", "1", "--jobs", "1")
    assert ran.returncode == 0, ran.stderr
    whole = bench_here("verify", results)
    assert whole.returncode == 0, whole.stdout
    records = [read_record(path) for path in (results / "records").glob("*.json")]
    assert {(r.method, r.status) for r in records} == {
        (method, "finished") for method in ("mappo", "mappo_gip", "mappo_kd")
    }
    assert len(records) == 6
    clips = {(r.method, r.training_set): r.settings["hyperparameters"].get("clip") for r in records}
    assert clips["mappo_gip", "smac/3s_vs_5z"] == clips["mappo", "smac/3s_vs_5z"] == 0.05
    assert clips["mappo_gip", "smac/3s5z_vs_3s6z"] == clips["mappo", "smac/3s5z_vs_3s6z"] == 0.2
