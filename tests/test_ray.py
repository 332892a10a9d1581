"""A short plan on a Ray node of this machine, if Ray is installed; tests/cluster has the many kills."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.executors.dispatch import Options
from bench.plan import Selection, make_plan
from bench.store import Store
from bench.suite import Suite
from tests.crash import recorded, uninterrupted


def test_a_plan_on_ray_comes_to_what_it_comes_to_here(tiny: Suite, tmp_path: Path) -> None:
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # it binds to 127.0.0.1 alone
    pytest.importorskip("ray", reason="Ray is not installed (extra `ray`)")
    from bench.executors.ray import Cluster, execute

    plan, store = make_plan(tiny, Selection(only=("target",), seeds=(0,))), Store(tmp_path / "results")
    store.open_for_writing()
    cluster = Cluster(address="local", scratch=str(tmp_path / "scratch"))
    outcome = execute(plan, store, Options(jobs=0), lambda event: None, cluster)
    assert outcome.finished == {run.id for run in plan.runs}
    assert recorded(tmp_path / "results") == uninterrupted(plan, tmp_path / "here")
