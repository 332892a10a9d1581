"""docs/new-method.md, followed literally."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest

import bench.envs.registry
from baselines.specs import ALGORITHMS
from bench.envs import checked
from bench.executors.jobs import run_job
from bench.plan import Selection, make_plan
from bench.plan.sizes import policy_size
from bench.run.job import Job
from bench.store import Store, numbers_hash
from bench.suite.loading import parse
from tests.conftest import ROOT, TINY
from tests.toys import test_training
from tests.toys.family import families
from tests.toys.test_training import cell, trained


@pytest.fixture
def guide(monkeypatch: pytest.MonkeyPatch) -> str:
    """Installs its two modules and its algorithm; returns the suite file's entry."""
    text = (ROOT / "docs" / "new-method.md").read_text()
    places = re.findall(r"^## \d\. `(\S+)\.py`", text, re.MULTILINE)
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert places == ["baselines/specs/reinforce", "baselines/reinforce"]
    for place, block in zip(places, blocks, strict=True):
        module = types.ModuleType(place.replace("/", "."))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(block, place, "exec"), module.__dict__)
    for name, algorithm in sys.modules["baselines.specs.reinforce"].ALGORITHMS.items():
        monkeypatch.setitem(ALGORITHMS, name, algorithm)
    (entry,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    return entry


def test_the_guide_s_method_runs_from_its_suite_file(guide: str, tmp_path: Path) -> None:
    """Planned, trained, recorded; alone and in company the same."""
    text = TINY.replace("[[experiment]]", f"{guide}\n[[experiment]]", 1).replace(
        "record_every = 2", "record_every = 4", 1
    )
    suite = parse(text.replace('methods = ["base"]', 'methods = ["base", "reinforce"]').encode(), "guide.toml")
    plan = make_plan(suite, Selection(only=("source",), seeds=(0, 1)))
    (own,) = (c for c in plan.cells if c.method == "reinforce")
    params = checked("particle", own.settings["scenario"]["params"])
    assert policy_size(own.settings) == 2 * params.obs_size * params.action_size
    hashes = []
    for folder, groups in (("together", ((0, 1),)), ("alone", ((1,), (0,)))):
        store = Store(tmp_path / folder)
        store.open_for_writing()
        for seeds in groups:
            runs = tuple(run for run in plan.runs if run.cell == own.key and run.seed in seeds)
            run_job(Job(cell=own, runs=runs, suite_version=1, profile="full"), store, lambda: False, lambda _: None)
        hashes.append({seed: numbers_hash(record) for seed, record in store.cell(own.key).records.items()})
    assert hashes[0] == hashes[1]
    assert len({*hashes[0].values()}) == 2


def test_the_guide_s_method_learns(guide: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The toy pays for the number of an action: at random 1 a step of up to 5, at best 2."""
    monkeypatch.setattr(bench.envs.registry, "FAMILIES", families())
    spec = ALGORITHMS["reinforce"].hyperparameters
    values = {"lr": 0.05, "gamma": 0.95, "update_episodes": 10}
    monkeypatch.setitem(test_training.METHODS, "reinforce", spec.model_validate(values))
    budget = {"episodes": 200, "record_every": 100, "evaluate_every": 200}
    own = cell("reinforce", "toy_batch", "step_reward", budget, agents=1)
    record = trained(tmp_path, own, (0,))[0]
    assert record.numbers.scores[0].final == pytest.approx(2.0)
    curve = record.numbers.scores[0].curves["evaluation"]
    assert curve.mean[0] == pytest.approx(0.0)  # of equal values the first action is taken
