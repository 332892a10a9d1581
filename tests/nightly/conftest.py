"""The tiny suite with a nightly profile and a team that learns by QMIX."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from bench.nightly.budget import PROFILE
from bench.nightly.nights import seeds_of
from bench.plan import Cell, Selection, make_plan
from bench.store import Store
from bench.suite import Suite
from bench.suite.loading import load
from tests.conftest import TINY
from tests.synthetic import fill

TEAM = """
[[method]]
id = "team"
where = "here"
says = "QMIX"
algorithm = "qmix"
[method.hyperparameters]
use_rnn = { value = false, source = "a" }
hidden_layers = { value = 2, source = "a" }
hidden_width = { value = 8, source = "a" }
parameter_sharing = { value = true, source = "a" }
obs_agent_id = { value = true, source = "a" }
obs_last_action = { value = false, source = "a" }
obs_individual_obs = { value = false, source = "a" }
agent_output = { value = "q", source = "a" }
action_selector = { value = "epsilon_greedy", source = "a" }
epsilon_start = { value = 1.0, source = "a" }
epsilon_end = { value = 0.05, source = "a" }
epsilon_anneal_steps = { value = 50_000, source = "a" }
epsilon_evaluation = { value = 0.0, source = "a" }
mixer = { value = "qmix", source = "a" }
mixing_width = { value = 4, source = "a" }
hypernetwork_layers = { value = 2, source = "a" }
hypernetwork_width = { value = 8, source = "a" }
optimizer = { value = "adam", source = "a" }
lr = { value = 0.01, source = "a" }
gamma = { value = 0.95, source = "a" }
double_q = { value = true, source = "a" }
td_steps = { value = 1, source = "a" }
time_limit_terminal = { value = true, source = "a" }
loss_reduction = { value = "mean", source = "a" }
grad_clip = { value = 10, source = "a" }
standardise_rewards = { value = true, source = "a" }
batch_size = { value = 8, source = "a" }
replay_size = { value = 100, source = "a" }
update_episodes = { value = 1, source = "a" }
target_update_interval = { value = 200, source = "a" }
target_update_unit = { value = "updates", source = "a" }

[[experiment]]
id = "teams"
where = "Table 1"
says = "value decomposition"
methods = ["team"]
training_sets = [{ id = "two", scenarios = ["two"] }]
seeds = { value = 3, source = "Table 1" }
budget = { episodes = 16, source = "Table 1" }
[experiment.recording]
record_every = 2
evaluate_every = 8
evaluation_episodes = 3
final_evaluation_episodes = 4
source = "Table 1"
"""
PROFILES = 'profile.nightly = { says = "half of it", seeds = 5, budget = { episodes = 8 } }\n'
NIGHTLY = TINY.replace("profile.half", PROFILES + "profile.half") + TEAM
NIGHT = datetime.date(2026, 11, 2)


@pytest.fixture
def nightly_file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(NIGHTLY)
    return path


@pytest.fixture
def nightly(nightly_file: Path) -> Suite:
    return load(str(nightly_file))


def spread_out(level: float, seed: int) -> tuple[float, ...]:
    """A synthetic curve that ends at the level, give or take a tenth, differently for every seed."""
    return (level - 1, level - 1, level - 1, level + (seed * 7919 % 101 - 50) / 500)


def made_up(suite: Suite, store: Store, night: datetime.date, **levels: float) -> None:
    """Finished records of a night for every cell, with scores around -8 or the level of its method."""

    def curves(cell: Cell, seed: int) -> tuple[float, ...]:
        return spread_out(levels.get(cell.method, -8.0), seed)

    own = suite.profile[PROFILE].seeds
    seeds = seeds_of(night, own if isinstance(own, int) else 3)
    fill(store, make_plan(suite, Selection(profile=PROFILE, seeds=seeds)), curves)
