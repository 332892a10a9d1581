"""Two phases in a run: the turn between them, and the state there that methods share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

import bench.envs.registry
from baselines.specs import ALGORITHMS
from bench.executors.dispatch import Dispatcher, Options
from bench.executors.jobs import run_job
from bench.plan import Plan, Run, run_id
from bench.run.boundary import cache, drop_kept, is_kept, kept, name_of
from bench.run.job import Job
from bench.run.training import Event, Stopped
from bench.store import Record, Store, numbers_hash
from bench.store.checkpoints import append_replay, load_checkpoint, save_checkpoint
from tests.toys import test_training
from tests.toys.family import families
from tests.toys.learner import TOY_PHASED, ToyPhased, ToyPhasedSettings
from tests.toys.test_training import cell, trained

PUSHES = {"none": 0.0, "some": 0.5}


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two methods that differ only after 8 of 24 episodes; and one that turns later."""
    monkeypatch.setattr(bench.envs.registry, "FAMILIES", families())
    monkeypatch.setitem(ALGORITHMS, "toy_phased", TOY_PHASED)
    for name, push in PUSHES.items():
        settings = ToyPhasedSettings(lr=0.01, copies=2, steps=1, turn_at=8, push=push)
        monkeypatch.setitem(test_training.METHODS, name, settings)
        monkeypatch.setitem(ALGORITHMS, name, TOY_PHASED)
    late = ToyPhasedSettings(lr=0.01, copies=2, steps=1, turn_at=12, push=0.5)
    monkeypatch.setitem(test_training.METHODS, "late", late)
    monkeypatch.setitem(ALGORITHMS, "late", TOY_PHASED)


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds of each round that is learned from."""
    seen: list[int] = []
    honest = ToyPhased.learn

    def learn(self: ToyPhased, *arguments: object) -> object:
        seen.append(len(self._streams))
        return honest(self, *arguments)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(ToyPhased, "learn", learn)
    return seen


def hashes(records: dict[int, Record]) -> dict[int, str]:
    return {seed: numbers_hash(record) for seed, record in records.items()}


def test_methods_share_their_first_phase(tmp_path: Path, rounds: list[int]) -> None:
    """120 steps, 2 in a round; the second method begins where the first one turned, 40 steps on."""
    first = trained(tmp_path / "shared", cell("none"), (0, 1))
    assert len(rounds) == 60
    second = trained(tmp_path / "shared", cell("some"), (1,), (0,))
    assert len(rounds) == 60 + 2 * 40
    alone = trained(tmp_path / "alone", cell("some"), (0, 1))
    assert len(rounds) == 60 + 2 * 40 + 60
    assert hashes(second) == hashes(alone)
    assert set(hashes(first).values()).isdisjoint(hashes(second).values())
    curves = [records[0].numbers.scores[0].curves["training"].mean for records in (first, second)]
    assert curves[0][:2] == curves[1][:2]
    assert curves[0][2:] != curves[1][2:]


def test_one_that_turns_elsewhere_shares_nothing(tmp_path: Path, rounds: list[int]) -> None:
    trained(tmp_path, cell("some"), (0,))
    trained(tmp_path, cell("late"), (0,))
    assert len(rounds) == 120


@pytest.mark.parametrize("stops", [(19,), (20,), (21,), (3, 40)])
def test_a_stop_before_at_or_after_the_turn_changes_nothing(stops: tuple[int, ...], tmp_path: Path) -> None:
    """Rounds until each stop; the turn is after 20."""
    stopped = trained(tmp_path / "stopped", cell("some"), (0, 1), stops=[n - 1 for n in stops])
    assert hashes(stopped) == hashes(trained(tmp_path / "whole", cell("some"), (1, 0)))


def test_a_kept_state_that_was_damaged_is_made_again(tmp_path: Path, rounds: list[int]) -> None:
    own, other = cell("none"), cell("some")
    trained(tmp_path, own, (0,))
    name = name_of(own, Run(id="", cell=own.key, seed=0))
    assert name == name_of(other, Run(id="", cell=other.key, seed=0))
    path = Store(tmp_path).boundaries / "checkpoints" / f"{name}.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(bytes(content))
    again = trained(tmp_path, other, (0,))
    assert len(rounds) == 120
    assert path.is_file()
    assert hashes(again) == hashes(trained(tmp_path / "alone", other, (0,)))


def test_a_kept_state_that_cannot_be_taken_up_is_made_again(tmp_path: Path, rounds: list[int]) -> None:
    """Also for a method without a replay: otherwise each later run would try it in vain."""
    own, store = cell("some"), Store(tmp_path)
    trained(tmp_path, cell("none"), (0,))
    name = name_of(own, Run(id="", cell=own.key, seed=0))
    assert name is not None
    save_checkpoint(cache(store), name, {}, {"done": 8, "replay_first": 0, "replay_stop": 0, "device": "cpu"})
    trained(tmp_path, own, (0,))
    again = load_checkpoint(cache(store), name, print)
    assert again is not None
    assert again.progress["rounds"] == 20
    assert len(rounds) == 120


def test_a_kept_state_is_told_from_a_run_s_own(tmp_path: Path) -> None:
    """The kept state's log is distinguished from the run's own; a state that cannot be loaded is removed there."""
    store = Store(tmp_path)
    store.open_for_writing()
    own = cell("some")
    run = Run(id=run_id(own.key, 0, ()), cell=own.key, seed=0)
    arrays, progress = {"a": np.zeros(1)}, {"done": 8, "replay_first": 0, "replay_stop": 4}
    folder = cache(store)
    folder.checkpoints.mkdir(parents=True)
    name = name_of(own, run)
    assert name is not None
    append_replay(folder, name, 0, 4, arrays)
    save_checkpoint(folder, name, arrays, progress | {"device": "cpu"})
    found = kept(store, own, run, "cpu", print)
    assert found is not None
    assert is_kept(found, run)
    assert kept(store, own, run, "cuda", print) is None
    drop_kept(store, own, run)
    assert kept(store, own, run, "cpu", print) is None


def test_parts_that_another_worker_is_writing_stay(tmp_path: Path) -> None:
    """The state is written last: without it no kept state exists, and nothing is removed."""
    store, own = Store(tmp_path), cell("some")
    run = Run(id=run_id(own.key, 0, ()), cell=own.key, seed=0)
    folder, name = cache(store), name_of(own, run)
    assert name is not None
    folder.checkpoints.mkdir(parents=True)
    append_replay(folder, name, 0, 4, {"a": np.zeros(1)})
    assert kept(store, own, run, "cpu", print) is None
    assert len([*(folder.checkpoints / name).iterdir()]) == 1


def job_of(method: str, *seeds: int) -> Job:
    own = cell(method)
    runs = tuple(Run(id=run_id(own.key, seed, ()), cell=own.key, seed=seed) for seed in seeds)
    return Job(cell=own, runs=runs, suite_version=1, profile="full")


def events_of(store: Store, job: Job, stop: Callable[[], bool] = lambda: False) -> list[str]:
    """A job's reports, except its progress."""
    heard: list[Event] = []
    run_job(job, store, stop, heard.append)
    return [event["event"] for event in heard if event["event"] != "progress"]


def test_two_workers_train_one_phase_once(tmp_path: Path, rounds: list[int]) -> None:
    """While one trains it, the other's run is busy and its worker free for other runs; from the turn on both train."""
    store = Store(tmp_path / "shared")
    store.open_for_writing()
    asked: list[list[str]] = []

    def beside() -> bool:
        """After a round of the first worker: the second one's turn, in its first phase and in its second."""
        if len(rounds) in (5, 25) and len(asked) < 2:
            asked.append(events_of(store, job_of("some", 0)))
            with store.claim(job_of("some", 0).runs[0].id) as mine:
                assert mine
        return False

    assert events_of(store, job_of("none", 0), beside) == ["finished"]
    assert asked == [["busy"], ["finished"]]
    assert len(rounds) == 60 + 40
    for method in PUSHES:
        alone = trained(tmp_path / "alone" / method, cell(method), (0,))
        assert hashes(store.cell(cell(method).key).records) == hashes(alone)


def test_a_seed_whose_phase_another_trains_holds_up_no_other(tmp_path: Path, rounds: list[int]) -> None:
    store, job = Store(tmp_path), job_of("some", 0, 1)
    store.open_for_writing()
    name = name_of(job.cell, job.runs[0])
    assert name is not None
    with store.claim(name):
        assert events_of(store, job) == ["busy", "finished"]
    assert rounds == [1] * 60
    assert events_of(store, job) == ["finished", "finished"]


def test_the_next_one_takes_a_phase_whose_worker_ended(tmp_path: Path, rounds: list[int]) -> None:
    """Stopped inside its first phase, it holds nothing; its later numbers are the same."""
    store = Store(tmp_path / "shared")
    store.open_for_writing()
    with pytest.raises(Stopped):
        events_of(store, job_of("none", 0), lambda: len(rounds) == 3)
    assert events_of(store, job_of("some", 0)) == ["finished"]
    assert events_of(store, job_of("none", 0)) == ["finished"]
    for method in PUSHES:
        alone = trained(tmp_path / "alone" / method, cell(method), (0,))
        assert hashes(store.cell(cell(method).key).records) == hashes(alone)


def test_a_run_beyond_its_first_phase_waits_for_none(tmp_path: Path, rounds: list[int]) -> None:
    store, job = Store(tmp_path), job_of("some", 0)
    store.open_for_writing()
    with pytest.raises(Stopped):
        events_of(store, job, lambda: len(rounds) == 30)
    store.forget_boundaries()
    name = name_of(job.cell, job.runs[0])
    assert name is not None
    with store.claim(name):
        assert events_of(store, job) == ["finished"]


def test_the_dispatcher_starts_no_worker_for_a_phase_under_way(tmp_path: Path) -> None:
    """The second of two methods that share it starts when the first has turned; with another command's phase, when it
    is free.
    """
    store, jobs = Store(tmp_path), [job_of("none", 0, 1), job_of("some", 0, 1)]
    store.open_for_writing()
    cells = tuple(job.cell for job in jobs)
    plan = Plan(suite="toy", suite_version=1, profile="full", cells=cells, runs=jobs[0].runs + jobs[1].runs, waiting=())
    started: list[Job] = []

    class Idle:
        def start(self, job: Job, log: Path, hear: object) -> Idle:
            started.append(job)
            return self

        def together(self) -> nullcontext[None]:
            return nullcontext()

    own = Dispatcher(plan, store, Options(jobs=2), lambda event: None, Idle())  # pyright: ignore[reportArgumentType]
    own.waiting = [job.runs for job in jobs]

    def now_started() -> list[tuple[Run, ...]]:
        started.clear()
        own.not_before.clear()
        own._start_ready()
        return [job.runs for job in started]

    names = [name_of(cells[0], run) or "" for run in jobs[0].runs]
    assert now_started() == [jobs[0].runs]
    assert own.waiting == [jobs[1].runs]  # together
    folder, progress = cache(store), {"done": 8, "replay_first": 0, "replay_stop": 0}
    folder.checkpoints.mkdir(parents=True)
    save_checkpoint(folder, names[0], {}, progress)
    assert now_started() == [jobs[1].runs[:1]]
    own.busy.clear()
    with store.claim(names[1]):
        assert now_started() == []
    assert now_started() == [jobs[1].runs[1:]]


def test_states_that_another_command_is_on_the_way_to_stay(tmp_path: Path) -> None:
    """A command that has finished its plan removes those that no other command needs."""
    store, folder = Store(tmp_path), cache(Store(tmp_path))
    store.open_for_writing()
    folder.checkpoints.mkdir(parents=True)
    for name in ("mine", "other"):
        append_replay(folder, name, 0, 4, {"a": np.zeros(1)})
    save_checkpoint(folder, "mine", {}, {"done": 8, "replay_first": 0, "replay_stop": 4})
    (folder.checkpoints / ".mine.safetensors.half").touch()
    with store.claim("other"):
        store.forget_boundaries()
        append_replay(folder, "other", 4, 8, {"a": np.zeros(1)})
    assert [path.name for path in folder.checkpoints.iterdir()] == ["other"]
    store.forget_boundaries()
    assert not [*folder.checkpoints.iterdir()]


def test_a_run_that_began_in_a_kept_state_is_stopped_and_goes_on(tmp_path: Path, rounds: list[int]) -> None:
    """It has the replay of 20 rounds from there, and saves it as its own: nothing is dropped and done again."""
    trained(tmp_path / "shared", cell("none"), (0,))
    stopped = trained(tmp_path / "shared", cell("some"), (0,), stops=(3, 5))
    assert len(rounds) == 60 + 40
    assert hashes(stopped) == hashes(trained(tmp_path / "alone", cell("some"), (0,)))
