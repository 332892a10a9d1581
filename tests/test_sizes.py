"""The size of a policy, counted without torch, is that of the networks that learners build."""

from __future__ import annotations

import torch

from baselines.hyperparameters import Hyperparameters, TaskSizes
from baselines.learner import Task
from baselines.mappo import MAPPO
from baselines.qmix import ValueDecomposition
from baselines.specs import ALGORITHMS
from baselines.streams import Streams
from bench.plan import Cell, Run, Selection, make_plan
from bench.run.tasks import make_learner, make_teachers, places, teacher_refs
from bench.sizes import policy_size
from bench.store import Store
from bench.suite.loading import load
from tests.conftest import ROOT
from tests.teams import ppo, single, started, toy_task


def built(store: Store, cell: Cell, run: Run) -> int:
    """Numbers in the policy of the cell's learner, with the teachers whose weights are published."""
    device = torch.device("cpu")
    playing = places(cell, device)
    lanes = [teacher_refs(store, run)]
    teachers = make_teachers(store, cell, playing, lanes, device) if lanes[0] else []
    learner = make_learner(cell, playing, teachers, [Streams(run.seed)], device)
    return sum(weights.numel() for weights in learner.policy().values())


def test_every_published_method() -> None:
    """One seed of every cell of the particle tasks; together they use every algorithm but two, which come below."""
    store, used = Store(ROOT / "results"), set()
    for suite in ("knowru", "mkt_marl"):
        plan = make_plan(load(suite), Selection(profile="full"))
        for cell in plan.cells:
            run = next(run for run in plan.runs if run.cell == cell.key)
            if all(store.record(teacher) for teacher in run.teachers):
                assert policy_size(cell.settings) == built(store, cell, run), cell.label
                used.add(cell.settings["algorithm"]["name"])
    assert used | {"mappo", "vdn"} == ALGORITHMS.keys()


def toy_size(hyperparameters: Hyperparameters, task: Task) -> int:
    return hyperparameters.policy_size([TaskSizes(task.agents, task.obs_size, task.action_size)])


def test_recurrent_networks_and_every_input() -> None:
    task = toy_task(agents=3, obs=5, actions=4)
    for changes in ({}, {"use_rnn": True}, {"obs_last_action": True}, {"obs_agent_id": False, "hidden_layers": 3}):
        h = single("vdn", **changes)
        policy = started(ValueDecomposition, [task], h, seeds=(0,)).learner.policy()
        assert toy_size(h, task) == sum(weights.numel() for weights in policy.values()), changes
    for changes in ({}, {"use_rnn": True}, {"obs_agent_id": False, "hidden_layers": 3}):
        h = ppo(**changes)
        policy = started(MAPPO, [task], h, seeds=(0,)).learner.policy()
        assert toy_size(h, task) == sum(weights.numel() for weights in policy.values()), changes
