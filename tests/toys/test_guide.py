"""docs/new-environment.md, followed literally."""

from __future__ import annotations

import importlib
import re
import sys
import types
from pathlib import Path

import pytest
import tomli_w
import torch

from bench.envs import FAMILIES, Params, checked, make
from bench.envs.assets import NO_ASSETS
from bench.envs.one import One
from bench.envs.scores import episode_scores
from bench.executors.jobs import run_job
from bench.plan import Selection, make_plan
from bench.run.job import Job
from bench.run.playing import play
from bench.store import Store
from bench.suite import SuiteError
from bench.suite.loading import parse, schema
from tests.conftest import ROOT, TINY
from tests.teams import single

SCENARIO = """[[scenario]]
id = "walk"
where = "here"
says = "to the end"
family = "corridor"
params = { name = "corridor", length = 9 }
episode_limit = 6
metric = "arrived"
"""
EXPERIMENT = """[[experiment]]
id = "walking"
where = "here"
says = "who arrives"
methods = ["walker"]
training_sets = [{ id = "walk", scenarios = ["walk"] }]
seeds = { value = 1, source = "a" }
budget = { episodes = 8, source = "a" }
[experiment.recording]
record_every = 4
evaluate_every = 4
evaluation_episodes = 3
final_evaluation_episodes = 5
source = "a"
"""


@pytest.fixture
def corridor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guide's blocks, each in the file that it names, and its entry among the families."""
    text = (ROOT / "docs" / "new-environment.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    modules = {}
    for name, block in zip(("params", "one", "environment", "one", "environment", "entry"), blocks, strict=True):
        if name not in modules:
            modules[name] = types.ModuleType(f"bench.envs.corridor.{name}")
            monkeypatch.setitem(sys.modules, modules[name].__name__, modules[name])
        exec(compile(block, "new-environment.md", "exec"), modules[name].__dict__)
    monkeypatch.setitem(FAMILIES, "corridor", modules["entry"].ENTRY)


def suite_text() -> str:
    """The tiny suite with the guide's scenario, and a team of one that walks there."""
    h = single(batch_size=2, update_episodes=2).model_dump(exclude_none=True)
    settings = {name: {"value": value, "source": "a"} for name, value in h.items()}
    method = {"id": "walker", "where": "here", "says": "a team of one", "algorithm": "qmix"}
    walker = tomli_w.dumps({"method": [method | {"hyperparameters": settings}]})
    return f"{TINY}\n{SCENARIO}\n{walker}\n{EXPERIMENT}"


def test_the_guide_s_environment_plays(corridor: None) -> None:
    """Every episode walks to the end of the corridor."""
    params = checked("corridor", {"name": "corridor", "length": 4})
    environment = make("corridor", params)
    streams = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
    forth = torch.tensor([0.0, 1.0])
    found = play(environment, streams, 8, 6, lambda seen: forth.expand(*seen.obs.shape[:3], 2), params.ends_early)
    rollout = found.rollout
    starts = rollout.obs[:, :, 0, 0, 0]
    assert len(starts.unique()) == 4
    scores = episode_scores("return_sum", params, rollout.rewards, rollout.mask, found.outcome)
    assert torch.equal(scores, starts.double() - 4)
    assert found.outcome["arrived"].all()


def test_the_guide_s_environment_is_made_apart(corridor: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the other process: from the named place and the parameters' table."""
    made: list[One] = []

    def apart(target: str, params: Params) -> One:
        module, _, name = target.partition(":")
        made.append(getattr(importlib.import_module(module), name)(params.model_dump(mode="json")))
        return made[-1]

    environment = importlib.import_module("bench.envs.corridor.environment")
    monkeypatch.setattr(environment, "Apart", apart)
    params = checked("corridor", {"name": "corridor", "length": 4})
    obs = environment.corridor_apart(params, "cpu", NO_ASSETS).reset([torch.Generator()], 3)
    assert len(made) == 3
    assert ((obs >= 0) & (obs < 4)).all()


def test_a_suite_scores_it_by_what_its_outcome_names(corridor: None, tmp_path: Path) -> None:
    plan = make_plan(parse(suite_text().encode(), "guide.toml"), Selection(only=("walking",), seeds=(0,)))
    (cell,), store = plan.cells, Store(tmp_path)
    store.open_for_writing()
    run_job(Job(cell=cell, runs=plan.runs, suite_version=1, profile="full"), store, lambda: False, lambda _: None)
    record = store.record(plan.runs[0].id)
    assert record is not None
    assert {*record.numbers.scores[0].returns} == {0.0, 1.0}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('metric = "arrived"', 'metric = "arived"', ["scenario[walk].metric", '"arived"', 'did you mean "arrived"']),
        (
            'metric = "arrived"',
            'metric = "win_rate"',
            ["scenario[walk].metric", '"step_reward", "return_sum", "arrived"'],
        ),
        (
            'metric = "step_reward"',
            'metric = "arrived"',
            ["scenario[two].metric", 'allowed  "step_reward", "return", "return_sum"\n'],
        ),
    ],
)
def test_a_metric_that_is_not_the_scenario_s_is_refused(corridor: None, old: str, new: str, said: list[str]) -> None:
    with pytest.raises(SuiteError) as error:
        parse(suite_text().replace(old, new, 1).encode(), "guide.toml")
    assert len(error.value.problems) == 1
    for words in said:
        assert words in str(error.value)


def test_an_outcome_that_a_scenario_does_not_name_is_no_metric_of_it(
    corridor: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FAMILIES["corridor"].scenarios["corridor"], "outcomes", ())
    with pytest.raises(SuiteError, match=r'"arrived"\n +allowed +"step_reward", "return_sum"\n'):
        parse(suite_text().encode(), "guide.toml")


def test_the_schema_has_the_metrics_of_families(corridor: None) -> None:
    assert "arrived" in schema()["$defs"]["Scenario"]["properties"]["metric"]["enum"]


@pytest.mark.parametrize(
    ("method", "continuous", "said"),
    [
        ("base", False, ['"walk", whose episodes may end before the limit', 'episodes of full length, for "base"']),
        ("student", False, ['episodes of full length, for "student"']),
        ("walker", True, ['"walk", whose actions are continuous', '"discrete", for "walker"']),
    ],
)
def test_a_method_that_does_not_take_its_episodes_is_refused(
    corridor: None, monkeypatch: pytest.MonkeyPatch, method: str, continuous: bool, said: list[str]
) -> None:
    monkeypatch.setattr(FAMILIES["corridor"].scenarios["corridor"], "continuous", continuous)
    teachers = 'teachers = { experiment = "source", method = "base", pairing = "same seed" }\n' * (method == "student")
    text = suite_text().replace('methods = ["walker"]\n', f'methods = ["{method}"]\n{teachers}')
    with pytest.raises(SuiteError) as error:
        parse(text.encode(), "guide.toml")
    for words in ("experiment[walking].training_sets", *said):
        assert words in str(error.value)
