"""A teacher's answers to a method in another process, against its network by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from baselines.streams import generator
from bench.envs.particle.environment import ParticleEnvironment
from bench.envs.particle.layouts import slots
from bench.envs.particle.params import SimpleSpreadParams
from bench.executors.jobs import run_job
from bench.guests.method import Guest
from bench.guests.places import entry
from bench.plan import Selection
from bench.run.job import Job
from bench.store import Record, Store
from bench.store.checkpoints import load_weights
from bench.suite.loading import load

BUDGET = {"episodes": 8, "record_every": 4, "evaluate_every": 4, "evaluation_episodes": 2}
SMALL = {"hidden_width": 8, "batch_size": 16, "warmup_transitions": 16}


@pytest.fixture
def taught(described: Callable[[str], Guest], tmp_path: Path) -> tuple[Store, list[Record]]:
    """The records of a small MADDPG on task I and of its imitator on task II."""
    store = Store(tmp_path / "results")
    store.open_for_writing()
    settings = [f"budget.{k}={v}" for k, v in BUDGET.items()] + [f"{k}={v}" for k, v in SMALL.items()]
    chosen = {"profile": "smoke", "only": ("spread/II",), "seeds": (4,), "settings": tuple(settings)}
    selection = Selection(**chosen, reading="first-edition")  # where teams read one layout
    plan = entry(load("knowru").under("first-edition"), selection, described("methods:imitates"), ()).plan
    assert [cell.method for cell in plan.cells] == ["maddpg_to_II", "methods:imitates"]
    for run in plan.runs:
        job = Job(cell=plan.cell(run.cell), runs=(run,), suite_version=1, profile="smoke")
        run_job(job, store, stop=lambda: False, report=lambda event: None)
    records = [store.record(run.id) for run in plan.runs]
    return store, [record for record in records if record is not None]


def test_its_answers_are_its_network_s(taught: tuple[Store, list[Record]]) -> None:
    store, (teacher, student) = taught
    assert student.reason == ""
    assert student.teachers[0].run == teacher.run
    weights = load_weights(store, teacher.run, teacher.numbers.weights)
    environment = ParticleEnvironment(SimpleSpreadParams(name="simple_spread", agents=6, dynamics="openai"))
    places = list(slots(environment.params, 8))
    episodes = len(student.numbers.scores[0].returns)
    obs = environment.reset([generator(4, "final evaluation")], episodes)[0].numpy()
    sums = np.zeros(episodes)
    for _ in range(25):
        actions = torch.zeros(1, episodes, 6, 5)
        for e in range(episodes):
            for n in range(6):
                x = np.zeros(48)
                x[places] = obs[e, n].astype(np.float32)
                for layer in range(4):
                    x = weights[f"weight_{layer}"][n % 4].astype(float) @ x + weights[f"bias_{layer}"][n % 4]
                    x = np.maximum(x, 0) if layer < 3 else x
                actions[0, e, n, int(np.argmax(x))] = 1
        seen, rewards, *_ = environment.step(actions)
        obs = seen[0].numpy()
        sums += rewards[0].sum(-1).numpy()
    assert list(student.numbers.scores[0].returns) == pytest.approx((sums / (25 * 6)).tolist(), abs=1e-9)
