"""Opponents from finished runs: they play like the team's agent, and their origin is kept.

Axes: S seed, E environment copy, N agent, O observation entry.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load

from baselines.kernels.nn import actor_logits
from bench.envs import Assets, make
from bench.envs.particle.opponents import OpponentWeights, Pretrained
from bench.envs.particle.params import SimpleAdversaryParams
from bench.executors.jobs import run_job
from bench.plan import Plan, Selection, make_plan
from bench.plan.assets import missing_assets
from bench.run.job import Job
from bench.store import Record, Store, StoreError, numbers_hash, read_record, write_atomically
from bench.store.checkpoints import load_weights
from bench.store.opponents import from_team, opponent_of
from bench.suite import Suite, SuiteError
from bench.suite.loading import parse
from tests.conftest import ROOT, TINY, Bench
from tests.envs.goals import ADVERSARY, OWN, generators
from tests.synthetic import fill
from tests.test_verdict import levels

SELF_PLAY = (
    '{ name = "simple_adversary", agents = 2, adversaries = 1, landmarks = 2, controlled = "all", '
    'scored = "adversaries", reward = "individual", dynamics = "openai" }'
)
SPREAD = '{ name = "simple_spread", agents = 2, dynamics = "openai" }'
ADVERSARY_OBS = 8  # of 10 that the team's observations are padded to


@pytest.fixture(scope="module")
def self_play(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, list[Record]]:
    """Three runs of MADDPG against itself on simple adversary, by seed."""
    text = TINY.replace("layout_agents = { value = 3", "layout_agents = { value = 0").replace(SPREAD, SELF_PLAY)
    plan = make_plan(parse(text.encode(), "tiny.toml"), Selection(only=("source",)))
    store = Store(tmp_path_factory.mktemp("runs"))
    store.open_for_writing()
    (cell,) = plan.cells
    run_job(Job(cell=cell, runs=plan.runs, suite_version=1, profile="full", checkpoint_s=1e9), store, bool, print)
    return store, found_in(store, "base")


def found_in(store: Store, method: str) -> list[Record]:
    """A method's records, by seed."""
    found = [read_record(path) for path in (store.root / "records").glob("*.json")]
    return sorted((record for record in found if record.method == method), key=lambda record: record.seed)


def adversary_params(**more: object) -> SimpleAdversaryParams:
    own = {"name": ADVERSARY, "dynamics": "openai", "reward": "individual"} | OWN[ADVERSARY]
    return SimpleAdversaryParams.model_validate(own | more)


def test_one_agents_tensors_without_what_it_was_padded_with():
    team = {"weight_0": np.arange(12.0).reshape(2, 2, 3), "bias_0": np.array([[1.0, 2.0], [3.0, 4.0]])}
    own = from_team(team, 1, inputs=2)
    assert own["weight_0"].tolist() == [[6, 7], [9, 10]]
    assert own["bias_0"].tolist() == [3, 4]
    assert {tensor.dtype for tensor in own.values()} == {np.dtype(np.float32)}


def test_it_plays_what_the_teams_adversary_would(self_play: tuple[Store, list[Record]]):
    """The same greedy actions on the adversary's observations in self-play, without the padding."""
    store, found = self_play
    opponent = opponent_of(store, found[1], 0)
    weights = load_weights(store, found[1].run, found[1].numbers.weights)
    team = {name: torch.from_numpy(tensor).unsqueeze(0) for name, tensor in weights.items()}
    env = make("particle", adversary_params())
    obs = env.reset(generators([5]), 200).float()
    assert not obs[:, :, 0, ADVERSARY_OBS:].any()
    logits = actor_logits(team, obs.permute(0, 2, 3, 1))[0, 0].mT  # [E, A] of agent 0
    params = adversary_params(controlled="good", opponent="pretrained", opponent_sha256=opponent.sha256)
    player = Pretrained(OpponentWeights(load(opponent.content), opponent.sha256), params, torch.device("cpu"))
    played = player(obs[:, :, :1, :ADVERSARY_OBS].double())
    assert torch.equal(played[0, :, 0].argmax(-1), logits.argmax(-1))
    assert len(logits.argmax(-1).unique()) > 1


def test_the_verb_writes_a_file_that_a_scenario_can_name(
    self_play: tuple[Store, list[Record]], bench_here: Bench, tmp_path: Path
):
    store, (record, *_) = self_play
    done = bench_here("opponent", record.run, "--results", store.root, "--out", tmp_path / "kept")
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "kept").glob("*.safetensors")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.stem == sha256
    assert f'opponent_sha256 = "{sha256}"' in done.stdout
    params = adversary_params(controlled="good", opponent="pretrained", opponent_sha256=sha256)
    assert make("particle", params, assets=Assets(path.parent)).agents == 2
    origin = json.loads(path.with_suffix(".json").read_text())
    assert origin["sha256"] == sha256
    assert (origin["run"], origin["seed"], origin["agent"], origin["agent_name"]) == (record.run, 0, 0, "adversary_0")
    assert (origin["numbers_hash"], origin["weights"]) == (numbers_hash(record), record.numbers.weights)
    assert origin["final"] == record.numbers.scores[0].final
    assert origin["settings"] == record.settings
    assert origin["provenance"]["commit"] == record.provenance.commit
    again = bench_here("opponent", record.run, "--results", store.root, "--out", tmp_path / "kept", "--json")
    assert json.loads(again.stdout) == {"path": str(path), **origin}
    assert len(list((tmp_path / "kept").iterdir())) == 2


def test_seeds_give_different_opponents(self_play: tuple[Store, list[Record]]):
    store, found = self_play
    assert len({opponent_of(store, record, 0).sha256 for record in found}) == 3


def test_what_cannot_be_an_opponent_is_refused(self_play: tuple[Store, list[Record]], tiny: Suite, tmp_path: Path):
    store, (record, *_) = self_play
    fill(Store(tmp_path), make_plan(tiny, Selection(seeds=(0,))), levels(student=-7.0, base=-8.0, init=-8.0))
    spread, student = (found_in(Store(tmp_path), method)[0] for method in ("base", "student"))
    settings = record.settings | {"hyperparameters": record.settings["hyperparameters"] | {"activation": "leaky_relu"}}
    leaky = record.model_copy(update={"settings": settings})
    failed = record.model_copy(update={"status": "failed", "reason": "diverged"})
    for refused, agent, says in (
        (record, 1, r"--agent\n +got +1\n +allowed +0 to 0, the adversaries"),
        (spread, 0, r"RUN\n +got .*simple_spread.*\n +allowed +simple_adversary with controlled"),
        (student, 0, r'trained by "knowru"\n +allowed +"maddpg"'),
        (leaky, 0, r'with activation = "leaky_relu"\n +allowed +relu'),
        (failed, 0, "which failed(.|\n)*it says: diverged"),
    ):
        with pytest.raises(SuiteError, match=says):
            opponent_of(store, refused, agent)


def test_damaged_weights_and_folders_are_named(
    self_play: tuple[Store, list[Record]], bench_here: Bench, tmp_path: Path
):
    store, (_, _, record) = self_play
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file" / "kept", tmp_path / "file"):
        done = bench_here("opponent", record.run, "--results", store.root, "--out", out)
        assert done.returncode == 2
        assert "name a writable folder with --out DIR" in done.stderr
    assert bench_here("opponent", record.run, "--results", store.root, "--out", tmp_path).returncode == 0
    assert (tmp_path / "file").read_text() == "mine"
    path, content = store.weights_path(record.run), store.weights_path(record.run).read_bytes()
    write_atomically(path, content[:-1] + bytes([content[-1] ^ 1]))
    try:
        with pytest.raises(StoreError, match="is not the record's"):
            opponent_of(store, record, 0)
    finally:
        write_atomically(path, content)


READING = ("--reading", "first-edition")  # its opponents come with the project


def plan_of_first_edition(text: str) -> Plan:
    """The teachers of MKT-MARL's suite."""
    suite = parse(text.encode(), "mkt_marl.toml").under("first-edition")
    return make_plan(suite, Selection(only=("teachers",), reading="first-edition"))


def test_a_missing_opponent_stops_a_run_before_it_begins(bench_here: Bench, tmp_path: Path):
    """Other cells of the selection, which need no opponent, are not trained first either."""
    text = (ROOT / "suites/mkt_marl.toml").read_text()
    named = plan_of_first_edition(text).cells
    (sha256,) = {
        s.params["opponent_sha256"]
        for cell in named
        for s in cell.scored
        if s.trained and "opponent_sha256" in s.params
    }
    assert text.count(sha256) > 0
    (tmp_path / "own.toml").write_text(text.replace(sha256, "0" * 64))
    options = ("--only", "teachers", "--profile", "smoke", *READING, "--results", tmp_path / "runs")
    done = bench_here("run", tmp_path / "own.toml", *options)
    assert done.returncode == 2
    assert "scenario[mpe/adversary].params.opponent_sha256" in done.stderr
    assert f"{'0' * 64}.safetensors: No such file" in done.stderr
    assert "bench opponent RUN" in done.stderr
    assert not [*(tmp_path / "runs").rglob("*.json")]


def test_an_opponent_of_other_content_is_named(self_play: tuple[Store, list[Record]], tmp_path: Path):
    store, (record, *_) = self_play
    found = opponent_of(store, record, 0)
    path = found.write(tmp_path)
    text = (ROOT / "suites/mkt_marl.toml").read_text()
    cells = plan_of_first_edition(text).cells
    (wanted, *_) = {s.params["opponent_sha256"] for c in cells for s in c.scored if "opponent_sha256" in s.params}
    path.rename(tmp_path / f"{wanted}.safetensors")
    problem = next(p for p in missing_assets(cells, Assets(tmp_path)) if wanted in p.allowed)
    assert f"got SHA-256 {found.sha256}" in problem.got
    assert missing_assets(cells, Assets(ROOT / "suites/opponents")) == []
