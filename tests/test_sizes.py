"""The size of a policy, counted without torch, is that of the networks that learners build."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from baselines.learner import Task
from baselines.mappo import mappo
from baselines.qmix import qmix
from baselines.replay.episodes import WholeEpisodes
from baselines.replay.steps import Shapes, StepReplay
from baselines.specs import ALGORITHMS, Hyperparameters, TaskSizes, Work
from baselines.specs.base import episode_rows, step_rows
from baselines.streams import Streams
from bench.executors.jobs import run_job
from bench.nightly.canaries import canary_plan
from bench.plan import Cell, Run, Selection, make_plan
from bench.plan.present import absent
from bench.plan.sizes import checkpoint_bytes, policy_size, work
from bench.run.job import Job
from bench.run.tasks import make_learner, make_teachers, places, teacher_refs
from bench.run.training import Stopped
from bench.store import Store
from bench.suite import PRIMARY
from bench.suite.loading import load
from tests.baselines.test_cikd import METHODS, playing
from tests.baselines.test_sac import Play
from tests.conftest import ROOT
from tests.informed import a_task, of_stage_1, played, unseen
from tests.teams import ppo, single, started, toy_task

ENSEMBLES = ("ensemble_sac", "sac_extra", "ensemble_sac_extra", "cikd", "cikd_hardcopy")


def built(store: Store, cell: Cell, run: Run) -> int:
    """Numbers in the policy of the cell's learner, with the teachers whose weights are published."""
    device = torch.device("cpu")
    playing = places(cell, device)
    lanes = [teacher_refs(store, run)]
    teachers = make_teachers(store, cell, playing, lanes, device) if lanes[0] else []
    learner = make_learner(cell, playing, teachers, [Streams(run.seed)], device)
    return sum(weights.numel() for weights in learner.policy().values())


def test_every_published_method() -> None:
    """One seed of every cell of the particle tasks. Methods that none of these uses come below, except one.

    No method runs that one: DVM's are built on it, and so is their policy. KnowRU for a part of the agents, and on
    MAAC, changes no policy.
    """
    store, used = Store(ROOT / "results"), set()
    for suite, reading in (("knowru", PRIMARY), ("mkt_marl", "first-edition"), ("dvm", PRIMARY)):
        plan = make_plan(load(suite).under(reading), Selection(profile="full", reading=reading))
        for cell in plan.cells:
            run = next(run for run in plan.runs if run.cell == cell.key)
            if not absent(plan, cell) and all(store.record(teacher) for teacher in run.teachers):
                assert policy_size(cell.settings) == built(store, cell, run), cell.label
                used.add(cell.settings["algorithm"]["name"])
    others = {"mappo", "vdn", "sac", "masac", "maddpg_epsilon_greedy", "knowru_adversaries", *ENSEMBLES}
    others |= {"knowru_maac"}
    others |= {"giu", "gip", "ptde", "csrl", "qplex", "mappo_giu", "mappo_gip", "ctds"}  # tests/baselines/
    others |= {"mappo_steps", "mappo_steps_giu", "mappo_steps_gip"}  # test_mappo_steps.py, test_ptde_mappo.py
    assert used | others == ALGORITHMS.keys()


def test_networks_that_read_no_communication() -> None:
    """Six agents read 26 of 36 entries, and so do KnowRU's teachers; each target actor acts in all batches."""
    plan = make_plan(load("knowru"), Selection(only=("spread/II",)))
    store = Store(ROOT / "results")
    for label, agents in (("maddpg on spread/II", 6), ("maddpg_to_II on spread/I", 4)):
        cell = next(cell for cell in plan.cells if cell.label == label)
        run = next(run for run in plan.runs if run.cell == cell.key)
        assert policy_size(cell.settings) == built(store, cell, run)
        assert policy_size(cell.settings) == agents * (27 * 64 + 65 * 64 + 65 * 5)
        (actors, critics) = work(cell.settings)[0].networks
        assert actors.forward == agents * critics.learned == agents**2 * 1256
        assert critics.weights == agents * (4 + 2 * agents + 2 * (agents - 1) + 5) * 64 + 64 * 64


def hyperparameters_of(cell: Cell) -> Hyperparameters:
    settings = cell.settings
    return ALGORITHMS[settings["algorithm"]["name"]].hyperparameters.model_validate(settings["hyperparameters"])


def toy_size(hyperparameters: Hyperparameters, task: Task) -> int | None:
    return hyperparameters.policy_size([TaskSizes(task.agents, task.obs_size, task.action_size)])


def test_recurrent_networks_and_every_input() -> None:
    task = toy_task(agents=3, obs=5, actions=4)
    for changes in ({}, {"use_rnn": True}, {"obs_last_action": True}, {"obs_agent_id": False, "hidden_layers": 3}):
        h = single("vdn", **changes)
        policy = started(qmix, [task], h, seeds=(0,)).learner.policy()
        assert toy_size(h, task) == sum(weights.numel() for weights in policy.values()), changes
    for changes in ({}, {"use_rnn": True}, {"obs_agent_id": False, "hidden_layers": 3}):
        h = ppo(**changes)
        policy = started(mappo, [task], h, seeds=(0,)).learner.policy()
        assert toy_size(h, task) == sum(weights.numel() for weights in policy.values()), changes


def test_a_policy_s_mean_and_deviation() -> None:
    for depth in (1, 2, 3):
        learner = Play((0,), hidden_layers=depth).learner
        assert toy_size(learner.hyperparameters, learner.task) == sum(w.numel() for w in learner.policy().values())


def test_all_members_policies() -> None:
    for method in METHODS:
        learner = playing(method, 0).learner
        assert toy_size(learner.hyperparameters, learner.task) == sum(w.numel() for w in learner.policy().values())


def test_a_replay_of_single_steps() -> None:
    """Counted as it is allocated: HalfCheetah, Humanoid (about 1.6 GB a seed at a million), a team of three."""
    for agents, obs, actions in ((1, 17, 6), (1, 376, 17), (3, 5, 2)):
        shapes = Shapes((obs,), (actions,)) if agents == 1 else Shapes((agents, obs), (agents, actions), (agents,))
        replay = StepReplay(shapes, 10_000, [Streams(0)], "cpu")
        held = sum(x.numel() * x.element_size() for x in (*replay._stored.values(), replay._next))
        counted = 4 * step_rows(TaskSizes(agents, obs, actions), 10_000)
        assert held == pytest.approx(counted, rel=2e-4)  # one row more
    humanoid = Work(networks=(), updates=0, stored=step_rows(TaskSizes(1, 376, 17), 1e6))
    assert humanoid.checkpoint_bytes == pytest.approx(1.58e9, rel=0.01)


def test_a_replay_of_whole_episodes_with_a_state_of_their_own() -> None:
    """Counted as it is stored, where episodes differ in length and these are as long as the limit."""
    task = a_task(agents=3, obs=7, state=11, steps=40)
    replay = WholeEpisodes(task, 300, [Streams(0)], "cpu", torch.float32)
    learner, _, streams = of_stage_1("gip", (0,), task)
    replay.append(played(learner, task, streams, unseen(11)))
    row = replay._ragged[0].row_bytes
    for own, counted in ((True, row), (False, row - 4 * 11)):
        sizes = TaskSizes(3, 7, 4, 40, 11, own)
        assert 4 * episode_rows(sizes, 300) == pytest.approx(300 * 41 * counted, rel=0.02)


def test_checkpoints_take_what_the_plan_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For every algorithm without a teacher that a suite runs: one cell at the end of a shortened run.

    The state's file counts twice, because its successor is written beside it.
    """
    monkeypatch.setattr("bench.nightly.canaries.POINTS", 2)  # half of a canary's length
    used = set()
    for suite in ("knowru", "mkt_marl"):
        plan = canary_plan(load(suite))
        for cell in {c.settings["algorithm"]["name"]: c for c in plan.cells if not c.teachers}.values():
            store = Store(tmp_path / cell.key)
            store.open_for_writing()
            runs = tuple(run for run in plan.runs if run.cell == cell.key)[:1]
            rounds = cell.settings["budget"]["episodes"] // hyperparameters_of(cell).round_episodes
            job = Job(cell=cell, runs=runs, suite_version=1, profile="full", checkpoint_s=1e9)
            asked = iter(range(1, 10**6))
            with pytest.raises(Stopped):
                run_job(job, store, lambda asked=asked, last=rounds: next(asked) == last, lambda _: None)
            files = [path.stat().st_size for path in store.checkpoints.rglob("*.safetensors")]
            state = (store.checkpoints / f"{runs[0].id}.safetensors").stat().st_size
            taken, said = sum(files) + state, checkpoint_bytes(cell.settings)
            assert 0.9 < said / taken < 3.5, (
                cell.label
            )  # biases and curves are not counted; shared networks once a task
            used.add(cell.settings["algorithm"]["name"])
    assert used == {"maac", "maddpg", "qmix", "qmix_multi", "vdn_multi", "mappo_multi"}
