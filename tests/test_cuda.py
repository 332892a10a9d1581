"""The GPU path, if there is a GPU: the same learners, repeatable, and in agreement with the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from bench.envs import make
from bench.executors.jobs import run_job
from bench.plan import Plan, Selection, make_plan
from bench.run.job import Job
from bench.run.training import Stopped
from bench.store import Store
from bench.suite import Suite
from tests.test_run import hashes, new_store, quiet

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


def train_on_gpu(plan: Plan, store: Store, stop_after: int | None = None) -> dict[str, str]:
    for cell in sorted(plan.cells, key=lambda cell: bool(cell.teachers)):
        runs = tuple(r for r in plan.runs if r.cell == cell.key)
        job = Job(cell=cell, runs=runs, suite_version=1, profile="full", device="cuda", checkpoint_s=0.0)
        if stop_after is not None:
            calls = iter(range(100))
            with pytest.raises(Stopped):
                run_job(job, store, lambda calls=calls: next(calls) == stop_after, quiet)
        run_job(job, store, lambda: False, quiet)
    return hashes(plan, store)


def test_the_same_call_repeats_and_survives_a_stop(tiny: Suite, tmp_path: Path) -> None:
    plan = make_plan(tiny, Selection())
    first = train_on_gpu(plan, new_store(tmp_path / "first"))
    assert train_on_gpu(plan, new_store(tmp_path / "second")) == first
    assert train_on_gpu(plan, new_store(tmp_path / "stopped"), stop_after=4) == first
    record = new_store(tmp_path / "first").record(plan.runs[0].id)
    assert record is not None
    assert record.provenance.device == "cuda"
    assert record.provenance.hardware == torch.cuda.get_device_name(0)


def test_before_the_first_update_cpu_and_gpu_evaluate_alike(tiny: Suite, tmp_path: Path) -> None:
    """Initial weights and episodes are drawn on the CPU, so an untrained policy scores the same on both."""
    plan = make_plan(tiny, Selection(only=("source",)))
    cell = plan.cells[0]
    scores = {}
    for device in ("cpu", "cuda"):
        store = new_store(tmp_path / device)
        job = Job(cell=cell, runs=plan.runs, suite_version=1, profile="full", device=device)
        run_job(job, store, lambda: False, quiet)
        record = store.record(plan.runs[0].id)
        assert record is not None
        scores[device] = record.numbers.scores[0].curves["evaluation"].mean[0]
    assert scores["cuda"] == pytest.approx(scores["cpu"], abs=1e-5)


SCENARIOS: list[dict[str, Any]] = [
    {"name": "simple_spread", "agents": 4},
    {"name": "simple_speaker_listener", "agents": 2, "reward": "team_sum"},
    {"name": "simple_push", "agents": 2, "controlled": "both", "reward": "team_sum"},
    *(
        {"name": "simple_adversary", "agents": 2, "adversaries": 1, "landmarks": 2, "reward": "team_sum"}
        | {"controlled": "good", "opponent": opponent}
        for opponent in ("random", "greedy_script")
    ),
]


@pytest.mark.parametrize("params", [{**scenario, "dynamics": "openai"} for scenario in SCENARIOS])
def test_the_environment_agrees_with_the_cpu(params: dict[str, Any]) -> None:
    environments = {d: make("particle", params, d) for d in ("cpu", "cuda")}
    obs = {d: e.reset([torch.Generator().manual_seed(s) for s in (0, 1)], 8) for d, e in environments.items()}
    agents, available = environments["cpu"].agents, environments["cpu"].avail_actions()
    actions = torch.rand(25, 2, 8, agents, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    for action in actions * available:
        for device, environment in environments.items():
            obs[device], reward, *_ = environment.step(action.to(device))
            obs[device] = torch.cat([obs[device].flatten(), reward.flatten()]).cpu()
        assert torch.allclose(obs["cpu"], obs["cuda"], rtol=0, atol=1e-9)
