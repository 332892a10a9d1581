"""Runs on episodes that differ in length, through the whole harness: company, stops, scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import bench.envs.registry
from baselines.specs import ALGORITHMS
from baselines.streams import Streams, generator
from bench.envs import checked, make
from bench.envs.one import EnvironmentFailed
from bench.evidence.readings import Score, one_number
from bench.executors.jobs import run_job
from bench.nightly.repeats import DOES_NOT_REPEAT, published_in, repeats
from bench.plan import Cell, Plan, Run, Scored, cell_settings, digest, run_id
from bench.run.job import Job
from bench.run.training import Stopped
from bench.store import Record, Store, numbers_hash
from bench.store.checkpoints import load_checkpoint
from bench.suite import Window
from tests.teams import ppo, single
from tests.toys.family import ToyOne, ToyParams, families
from tests.toys.learner import (
    TOY_DRIFT,
    TOY_Q,
    TOY_READER,
    ToyDriftSettings,
    ToyQSettings,
    ToyReaderSettings,
)

BUDGET = {
    "episodes": 24,
    "record_every": 4,
    "evaluate_every": 12,
    "evaluation_episodes": 6,
    "final_evaluation_episodes": 8,
}
METHODS = {
    "qmix": single("qmix", use_rnn=True, obs_last_action=True, batch_size=6, update_episodes=2),
    "mappo": ppo(update_episodes=4),
    "toy_q": ToyQSettings(lr=0.01, copies=2, steps=1),
    "toy_reader": ToyReaderSettings(updates_at_once=2),
    "toy_drift": ToyDriftSettings(lr=0.1, copies=2, steps=None),
    "toy_drift_by_steps": ToyDriftSettings(lr=0.1, copies=2, steps=5),
}


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.envs.registry, "FAMILIES", families())
    monkeypatch.setitem(ALGORITHMS, "toy_q", TOY_Q)
    for name, algorithm in (("toy_reader", TOY_READER), ("toy_drift", TOY_DRIFT), ("toy_drift_by_steps", TOY_DRIFT)):
        monkeypatch.setitem(ALGORITHMS, name, algorithm)


IN_STEPS = {"steps": 120, "record_every": 40, "evaluate_every": 60}
IN_UPDATES = {"updates": 12, "record_every": 4, "evaluate_every": 6}
CASES = {  # a method, and what its budget counts by
    **{name: (name, {}) for name in ("qmix", "mappo", "toy_q")},
    **{f"{name} by steps": (name, IN_STEPS) for name in ("qmix", "mappo", "toy_q")},
    "toy_reader": ("toy_reader", IN_UPDATES),
    "toy_drift": ("toy_drift", {}),
    "toy_drift by steps": ("toy_drift_by_steps", IN_STEPS),
}


def cell(
    method: str, family: str = "toy_one", metric: str = "return_sum", budget: Mapping[str, int] = BUDGET, **own: Any
) -> Cell:
    kind = "continuous" if "drift" in method else "discrete"
    params = {"name": "toy", "agents": 2, "kind": kind} | own
    scenario = Scored(family=family, version=1, params=params, episode_limit=5, metric=metric)
    hyperparameters = METHODS[method].model_dump(exclude_none=True)
    others = {
        "algorithm": {"name": method, "version": 1},
        "hyperparameters": hyperparameters,
        "budget": _budget(budget),
    }
    settings = cell_settings((scenario,), others)
    names: dict[str, Any] = dict.fromkeys(("suite", "experiment", "method", "training_set"), "toy")
    return Cell(key=digest(settings), scenarios=("toy",), settings=settings, seeds=(0, 1, 2), notes=(), **names)


def _budget(changed: Mapping[str, int]) -> dict[str, int]:
    """In the unit of the changed keys, else in episodes."""
    other = {"steps", "updates"} & {*changed}
    return {key: value for key, value in BUDGET.items() if key != "episodes" or not other} | dict(changed)


def trained(folder: Path, own: Cell, *companies: Sequence[int], stops: Sequence[int] = ()) -> dict[int, Record]:
    """Records by seed; each company trains together. stops: the numbers of further rounds after which it is stopped."""
    store = Store(folder)
    store.open_for_writing()
    for seeds in companies:
        runs = tuple(Run(id=run_id(own.key, seed, ()), cell=own.key, seed=seed) for seed in seeds)
        job = Job(cell=own, runs=runs, suite_version=1, profile="full")
        for rounds in stops:
            left = iter(range(rounds, -1, -1))
            with pytest.raises(Stopped):
                run_job(job, store, lambda left=left: next(left) == 0, lambda _: None)
        run_job(job, store, lambda: False, lambda _: None)
    return store.cell(own.key).records


@pytest.mark.parametrize("case", CASES)
def test_a_seed_s_numbers_do_not_depend_on_company_or_stops(case: str, tmp_path: Path) -> None:
    method, budget = CASES[case]
    own = cell(method, budget=budget)
    together = trained(tmp_path / "together", own, (0, 1, 2))
    apart = trained(tmp_path / "apart", own, (2,), (1, 0))
    stops = (1, 0, 3, 17) if method == "toy_q" else (1, 0)  # rounds; of steps they end inside episodes
    stopped = trained(tmp_path / "stopped", own, (1, 2), (0,), stops=stops)
    hashes = {seed: numbers_hash(record) for seed, record in together.items()}
    assert len(set(hashes.values())) == 3
    for others in (apart, stopped):
        assert {seed: numbers_hash(record) for seed, record in others.items()} == hashes


def test_one_by_one_trains_as_batched(tmp_path: Path) -> None:
    ours, theirs = (trained(tmp_path / family, cell("qmix", family), (0, 1)) for family in ("toy_one", "toy_batch"))
    assert [numbers_hash(ours[s]) for s in (0, 1)] == [numbers_hash(theirs[s]) for s in (0, 1)]


def test_an_outcome_is_a_metric(tmp_path: Path) -> None:
    """Whatever the actions, an episode is won if its goal is odd and within the limit."""
    record = trained(tmp_path, cell("qmix", metric="won"), (1,))[1]
    (scores,) = record.numbers.scores
    stream = generator(1, "final evaluation")
    goals = [1 + int(torch.randint(2**31 - 1, (), generator=stream)) % 6 for _ in range(8)]
    assert scores.returns == tuple(float(goal % 2 == 1 and goal <= 5) for goal in goals)


@pytest.mark.parametrize("family", ["toy_one", "toy_batch"])
@pytest.mark.parametrize(("copies", "steps"), [(1, 1), (4, 5)])
def test_training_scores_are_those_of_the_episodes_that_end(
    family: str, copies: int, steps: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """120 environment steps, as 24 whole episodes would take: each point has the episodes that end in its 20 steps."""
    monkeypatch.setitem(METHODS, "toy_q", ToyQSettings(lr=0.0, copies=copies, steps=steps))
    curves = trained(tmp_path, cell("toy_q", family, metric="won"), (0,))[0].numbers.scores[0].curves
    assert curves["training"].episodes == (4, 8, 12, 16, 20, 24)
    assert curves["training"].steps == (20, 40, 60, 80, 100, 120)
    assert curves["evaluation"].episodes == (0, 12, 24)
    stream, goals = Streams(0)["environment"], []
    drawn = [1 + int(torch.randint(2**31 - 1, (), generator=stream)) % 6 for _ in range(200)]
    ends: list[tuple[int, bool]] = []  # environment steps done when an episode ends, and whether it was won
    left = [drawn.pop(0) for _ in range(copies)]
    begun = [0] * copies
    for t in range(1, 120 // copies + 1):
        for copy in range(copies):
            if t - begun[copy] == min(left[copy], 5):
                ends.append((t * copies, left[copy] % 2 == 1 and left[copy] <= 5))
                left[copy], begun[copy] = drawn.pop(0), t
    goals = [[won for at, won in ends if low < at <= low + 20] for low in range(0, 120, 20)]
    assert curves["training"].n == tuple(map(len, goals))
    assert curves["training"].mean == pytest.approx([sum(own) / len(own) for own in goals])


def test_evaluations_do_not_disturb_what_is_under_way(tmp_path: Path) -> None:
    """The same training with evaluations at other points."""
    often, seldom = (
        trained(tmp_path / str(every), cell("toy_q", budget={"evaluate_every": every}), (0,))[0]
        .numbers.scores[0]
        .curves
        for every in (4, 24)
    )
    assert often["training"] == seldom["training"]
    assert len(often["evaluation"].mean) > len(seldom["evaluation"].mean)


def test_evaluations_are_played_in_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """At most this many episodes of a seed side by side, on the same episodes. No copy is made twice."""
    made: list[ToyOne] = []
    honest = ToyOne.__init__
    monkeypatch.setattr(ToyOne, "__init__", lambda self, params: made.append(self) or honest(self, params))
    hashes = []
    for most, copies in ((None, 8), (3, 3)):
        monkeypatch.setattr(ToyParams, "episodes_at_once", property(lambda self, most=most: most))
        made.clear()
        records = trained(tmp_path / str(most), cell("toy_drift"), (0, 1))
        assert len(made) == 2 * copies  # of an evaluation; training has two for each seed
        hashes.append({seed: numbers_hash(record) for seed, record in records.items()})
    assert hashes[0] == hashes[1]


def test_rounds_that_do_not_fit_the_budget_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(METHODS, "toy_q", ToyQSettings(lr=0.0, copies=3, steps=1))
    with pytest.raises(ValueError, match=r"copies x steps: got 3 x 1; allowed: a divisor of \[24, 4, 12\] episodes"):
        trained(tmp_path, cell("toy_q"), (0,))


def test_an_environment_that_does_not_repeat_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The replayed steps after a stop must give the same observations as before it."""
    own, store = cell("toy_q"), Store(tmp_path)
    store.open_for_writing()
    runs = (Run(id=run_id(own.key, 0, ()), cell=own.key, seed=0),)
    job = Job(cell=own, runs=runs, suite_version=1, profile="full")
    left = iter(range(3, -1, -1))
    with pytest.raises(Stopped):
        run_job(job, store, lambda: next(left) == 0, lambda _: None)
    checkpoint = load_checkpoint(store, runs[0].id, print)
    assert checkpoint is not None
    start = "open/0/environment/"
    states = [{name.removeprefix(start): a for name, a in checkpoint.arrays.items() if name.startswith(start)}]
    params, streams = checked("toy_one", {"name": "toy", "agents": 2}), [torch.Generator()]
    again = make("toy_one", params).resume(streams, states)
    assert torch.equal(again[0], torch.from_numpy(states[0]["obs"]))
    monkeypatch.setattr(ToyOne, "_seen", lambda self: [np.full(2, np.pi), np.full(3, np.pi)])
    with pytest.raises(EnvironmentFailed, match="does not reach the same observations") as failed:
        make("toy_one", params).resume(streams, states)
    assert failed.value.lane == 0


def test_steps_are_the_same_budget_in_another_unit(tmp_path: Path) -> None:
    """For a learner that plays steps: 120, like 24 episodes of at most 5; only the points' places differ."""
    ours, theirs = (
        trained(tmp_path / name, cell("toy_q", budget=budget), (0,))[0].numbers.scores[0]
        for name, budget in (("steps", {"steps": 120, "record_every": 20, "evaluate_every": 60}), ("episodes", {}))
    )
    assert ours.returns == theirs.returns
    for name, points in (("training", (20, 40, 60, 80, 100, 120)), ("evaluation", (0, 60, 120))):
        assert ours.curves[name].at("steps") == points == theirs.curves[name].steps
        assert ours.curves[name].mean == theirs.curves[name].mean
    ended = np.cumsum(ours.curves["training"].n)
    assert ours.curves["training"].episodes == tuple(ended.tolist())


def test_whole_episodes_end_with_the_one_that_spends_the_steps(tmp_path: Path) -> None:
    """QMIX by steps, two copies in a round: as many rounds as needed, each point in the round in which it falls due."""
    own = cell("qmix", budget=IN_STEPS)
    curves = trained(tmp_path, own, (0,))[0].numbers.scores[0].curves
    stream, ends = Streams(0)["environment"], [0]
    while ends[-1] < 120:
        drawn = [1 + int(torch.randint(2**31 - 1, (), generator=stream)) % 6 for _ in range(2)]
        ends.append(ends[-1] + sum(min(goal, 5) for goal in drawn))
    rounds = np.searchsorted(ends, (40, 80, 120))
    assert curves["training"].steps == (40, 80, 120)
    assert curves["training"].episodes == tuple((2 * rounds).tolist())
    assert curves["training"].n == tuple((2 * np.diff(rounds, prepend=0)).tolist())
    assert curves["evaluation"].steps == (0, 60, 120)


def test_updates_are_counted_by_the_learner(tmp_path: Path) -> None:
    """Two in a round; only evaluations are played."""
    record = trained(tmp_path, cell("toy_reader", budget=IN_UPDATES), (0,))[0]
    curves = record.numbers.scores[0].curves
    assert {name: curve.at("updates") for name, curve in curves.items()} == {
        "loss/length": (4, 8, 12),
        "evaluation": (0, 6, 12),
    }
    assert curves["loss/length"].n == (2, 2, 2)
    assert (curves["evaluation"].episodes, curves["evaluation"].steps) == ((0, 0, 0), (0, 0, 0))
    assert (record.numbers.first_update, record.status) == (2, "finished")
    stream = Streams(0)["update"]
    walk = torch.stack([torch.randn(4, generator=stream) for _ in range(12)]).cumsum(0).norm(dim=1)
    assert curves["loss/length"].mean == pytest.approx(walk[1::2].view(3, 2).mean(1).tolist(), rel=1e-6)


def test_a_window_is_a_share_of_the_budget_in_its_unit(tmp_path: Path) -> None:
    record = trained(tmp_path, cell("toy_reader", budget=IN_UPDATES), (0,))[0]
    last = Window(id="last", says="x", kind="window", series="loss/length", window=(0.5, 1.0))
    later = [m for m in record.numbers.scores[0].curves["loss/length"].mean[1:] if m is not None]
    assert one_number(last, Score.of(record, 0)) == pytest.approx(sum(later) / 2)


def test_a_game_that_does_not_repeat_begins_anew_after_a_stop(tmp_path: Path) -> None:
    """The record says how often, and no numbers are promised."""
    own = cell("toy_q", certain=False)
    record = trained(tmp_path / "a", own, (0,), stops=(3, 5))[0]
    assert (record.status, record.provenance.anew) == ("finished", 2)
    assert trained(tmp_path / "b", own, (0,))[0].provenance.anew == 0
    runs = (Run(id=record.run, cell=own.key, seed=0),)
    plan = Plan(suite="toy", suite_version=1, profile="full", cells=(own,), runs=runs)
    published = published_in(tmp_path / "b")
    (alone,) = repeats(plan, Store(tmp_path / "a"), published).alone
    assert (alone.run, alone.says) == (record.run, DOES_NOT_REPEAT)
